/** For tests: another process that starts servers, to see what becomes of them when it ends. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { identityOf } from './processes.ts'

const parents = new Set<ChildProcess>()
process.once('exit', () => parents.forEach((parent) => parent.kill('SIGKILL')))

/** Its first line of output is JSON. */
export async function startParent<T>(...args: string[]): Promise<{ parent: ChildProcess; line: T }> {
  const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  parents.add(parent)
  const ended = new AbortController()
  const early = once(parent, 'exit', { signal: ended.signal }).then(([code]) => {
    throw new Error(`ended with ${String(code)} before it printed a line`)
  })
  const [line] = (await Promise.race([once(parent.stdout!, 'data'), early])) as [Buffer]
  early.catch(() => undefined)
  ended.abort()
  return { parent, line: JSON.parse(line.toString()) as T }
}

/** As a script, with this folder's modules. */
export const scriptArguments = (script: string) => [
  '--input-type=module',
  '-e',
  script.replaceAll("from './", `from '${import.meta.dirname}/`),
]

/** Which of these processes have not ended after a while. */
export async function leftOf(identities: readonly string[], timeoutMs: number): Promise<string[]> {
  const left = () => identities.filter((identity) => identityOf(parseInt(identity)) === identity)
  for (const limit = performance.now() + timeoutMs; left().length > 0 && performance.now() < limit;) await sleep(25)
  return left()
}
