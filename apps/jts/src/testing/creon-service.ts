/** Creon's own service on its simulated COM, in a process of its own: whoever waits for it hears when it has died instead. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const SERVICE = join(import.meta.dirname, '../../../brokers/creon-service/src/main.py')

export type CreonProcess = {
  /** As it has said itself. */
  readonly place: { readonly url: string; readonly controlUrl: string; readonly keys: string; readonly account: string }
  kill(): Promise<void>
}

export async function startCreonService(python: string, dataDir: string, more: string[]): Promise<CreonProcess> {
  const own = ['--com=simulated', '--port=0', '--json', '--data-dir', dataDir, '--log-level=error']
  const child = spawn(python, [SERVICE, ...own, ...more], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`creon-service ended with ${code}`)))
  // Later it may end as it likes.
  ended.catch(() => undefined)
  const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), ended])) as [string]
  return {
    place: JSON.parse(line) as CreonProcess['place'],
    async kill() {
      const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined
      child.kill('SIGKILL')
      await gone
    },
  }
}
