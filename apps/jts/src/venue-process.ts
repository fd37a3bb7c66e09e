/**
 * The local venue as a process of its own, started by `up`: it ends with its parent, and is started again on the same port and
 * store when it dies alone.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Logger } from '@jts/runtime'

export type VenueAccount = { readonly name: string; readonly apiKey: string; readonly apiSecret: string }

export type VenueReady = {
  readonly restUrl: string
  readonly controlUrl: string
  readonly controlToken: string
  readonly accounts: readonly VenueAccount[]
}

export type VenueProcess = { readonly ready: VenueReady; readonly pid: () => number | undefined; stop(): Promise<void> }

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
const START_TIMEOUT_MS = 60_000
const RESTART_MS = 200

export async function startVenueProcess(args: readonly string[], log: Logger): Promise<VenueProcess> {
  let stopped = false
  let child: ChildProcess
  const first = launch(args)
  child = first.child
  const ready = await first.ready
  // A restarted venue listens where it listened before, so that clients find it again.
  const port = new URL(ready.restUrl).port
  const again = [...withoutOption(args, '--port'), '--port', port]
  const supervise = (): void => {
    child.once('exit', (code, signal) => {
      if (stopped) return
      log.error({ code, signal }, 'the local venue ended; starting it again on its store')
      setTimeout(() => {
        if (stopped) return
        const next = launch(again)
        child = next.child
        next.ready.catch((error: unknown) => log.error({ err: error }, 'the local venue did not come up'))
        supervise()
      }, RESTART_MS)
    })
  }
  supervise()
  return {
    ready,
    pid: () => child.pid,
    stop: async () => {
      stopped = true
      const ended = new Promise<void>((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) resolve()
        else child.once('exit', () => resolve())
      })
      child.stdin?.end()
      const timer = setTimeout(() => child.kill('SIGKILL'), 3000)
      await ended
      clearTimeout(timer)
    },
  }
}

function withoutOption(args: readonly string[], name: string): string[] {
  const at = args.indexOf(name)
  return at < 0 ? [...args] : [...args.slice(0, at), ...args.slice(at + 2)]
}

function launch(args: readonly string[]): { child: ChildProcess; ready: Promise<VenueReady> } {
  const child = spawn(
    process.execPath,
    [...process.execArgv, MAIN, 'venue', 'binance', ...args, '--exit-with-stdin', '--json'],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C in a terminal reaches JTS alone, which then ends the venue after its own last orders.
      detached: true,
    },
  )
  let errors = ''
  child.stderr!.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-4000)
  })
  const ready = new Promise<VenueReady>((resolve, reject) => {
    let output = ''
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`the local venue was not ready within ${START_TIMEOUT_MS / 1000} s: ${errors}`))
    }, START_TIMEOUT_MS)
    child.stdout!.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      const end = output.indexOf('\n')
      if (end < 0) return
      clearTimeout(timer)
      try {
        resolve(JSON.parse(output.slice(0, end)) as VenueReady)
      } catch (cause) {
        reject(new Error(`expected the local venue to say where it listens, found ${output.slice(0, end)}`, { cause }))
      }
      child.stdout!.resume()
    })
    child.once('exit', (code) => {
      clearTimeout(timer)
      reject(new Error(errors.trim() || `the local venue ended with exit code ${code}`))
    })
  })
  return { child, ready }
}
