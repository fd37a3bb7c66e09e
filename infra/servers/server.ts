/** The life of one server process: started and waited for, stopped, killed, paused, started again. */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, existsSync, openSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { portOf, refuseSecondServer, rememberProcess, removeFolder, type Folder } from './folder.ts'
import { descendantsOf, identityOf, lastLines, signal, spawnTied, type Command } from './processes.ts'
import { adviceFor, readFrom } from './server-log.ts'

export type Server = {
  readonly name: string
  readonly dir: string
  readonly port: number
  readonly logFile: string
  /** Of the process that runs now or ran last. */
  readonly pid: number
  /** How that process ended, in words. */
  readonly ended: Promise<string>
  /** Ends it the way it wants to be ended. A temporary folder goes with it. */
  stop(): Promise<void>
  /** Ends it and all its processes at once: what it had not written is lost. */
  kill9(): Promise<void>
  /** Stops all its processes where they stand: connections stay open and nothing answers. */
  pause(): void
  resume(): void
  /** Starts it again on the same folder and port; ends it first when it runs. */
  restart(): Promise<void>
}

export type ServerOptions = {
  /** Where it keeps everything; without it a temporary folder. */
  readonly dir?: string
  readonly port?: number
}

export type Plan = {
  readonly name: string
  readonly folder: Folder
  /** Asked for by the caller. */
  readonly port: number | undefined
  readonly stopSignal: NodeJS.Signals
  /** Before every start: writes configuration and, the first time, the data folder. */
  readonly prepare: (port: number) => Promise<Command>
  readonly isReady: (now: { readonly port: number; readonly pid: number; readonly log: string }) => Promise<boolean>
}

const READY_SECONDS = 180
const STOP_SECONDS = 20
const POLL_MS = 25

/** Servers whose temporary folder goes with us. */
const running = new Set<RunningServer>()
process.once('exit', () => running.forEach((server) => server.discard()))

export async function startServer(plan: Plan): Promise<Server> {
  try {
    refuseSecondServer(plan.folder, plan.name)
    const server = new RunningServer(plan, await portOf(plan.folder, plan.name, plan.port))
    await server.start()
    return server
  } catch (error) {
    if (plan.folder.temporary) removeFolder(plan.folder)
    throw error
  }
}

class RunningServer implements Server {
  readonly name: string
  readonly dir: string
  readonly port: number
  readonly logFile: string
  ended: Promise<string> = Promise.resolve('not started')
  #plan: Plan
  #child: ChildProcess | undefined
  #guard: ChildProcess | undefined

  constructor(plan: Plan, port: number) {
    this.#plan = plan
    this.name = plan.name
    this.dir = plan.folder.path
    this.port = port
    this.logFile = join(this.dir, 'server.log')
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  async start(): Promise<void> {
    const command = await this.#plan.prepare(this.port)
    const from = existsSync(this.logFile) ? statSync(this.logFile).size : 0
    const log = openSync(this.logFile, 'a', 0o600)
    writeSync(log, `--- ${new Date().toISOString()} start on port ${this.port}\n`)
    const child = spawnTied(command, log)
    closeSync(log)
    this.#child = child
    let ended: string | undefined
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => resolve((ended = `could not start: ${error.message}`)))
      child.once('exit', (code, name) => resolve((ended = name ? `was ended by ${name}` : `ended with code ${code}`)))
    })
    if (child.pid !== undefined) rememberProcess(this.#plan.folder, child.pid)
    running.add(this)

    const limit = performance.now() + READY_SECONDS * 1000
    for (;;) {
      const text = readFrom(this.logFile, from)
      if (ended !== undefined) throw this.#failed(ended, text)
      if (await this.#plan.isReady({ port: this.port, pid: this.pid, log: text })) return
      if (performance.now() > limit) {
        await this.kill9()
        throw this.#failed(`was not ready within ${READY_SECONDS} s`, text)
      }
      await sleep(POLL_MS)
    }
  }

  async stop(): Promise<void> {
    await this.#end()
    running.delete(this)
    if (this.#plan.folder.temporary) removeFolder(this.#plan.folder)
  }

  async kill9(): Promise<void> {
    const processes = this.#killTree().map(identityOf)
    await this.ended
    // Those below are not our children: only /proc tells when they are gone.
    while (processes.some((identity) => identity !== undefined && identityOf(parseInt(identity)) === identity)) {
      await sleep(POLL_MS)
    }
  }

  pause(): void {
    if (!this.#runs() || this.#guard) return
    signal(this.pid, 'SIGSTOP')
    const below = descendantsOf(this.pid)
    below.forEach((pid) => signal(pid, 'SIGSTOP'))
    // They end when they see that the first process has; stopped, they would see nothing if we ended now.
    this.#guard = spawn('sh', ['-c', 'read -r line || kill -KILL "$@"', 'sh', ...[this.pid, ...below].map(String)], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    this.#guard.stdin?.on('error', () => undefined)
  }

  resume(): void {
    if (!this.#guard) return
    this.#guard.stdin?.end('\n')
    this.#guard = undefined
    for (const pid of [...descendantsOf(this.pid), this.pid]) signal(pid, 'SIGCONT')
  }

  async restart(): Promise<void> {
    await this.#end()
    if (!existsSync(this.dir)) {
      throw new Error(
        `expected the folder of ${this.name} to start it again; found it removed, because it was a temporary one and the server was stopped. Use kill9() before restart(), or give a folder.`,
      )
    }
    await this.start()
  }

  /** At our own end there is no time to wait. */
  discard(): void {
    if (this.#runs()) this.#killTree()
    if (this.#plan.folder.temporary) removeFolder(this.#plan.folder)
  }

  #runs(): boolean {
    return this.#child?.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  async #end(): Promise<void> {
    if (!this.#runs()) return
    this.resume()
    signal(this.pid, this.#plan.stopSignal)
    const timer = new AbortController()
    const late = sleep(STOP_SECONDS * 1000, 'late', { signal: timer.signal }).catch(() => 'ended')
    if ((await Promise.race([this.ended, late])) === 'late') await this.kill9()
    timer.abort()
  }

  #killTree(): number[] {
    if (!this.#runs()) return []
    // First it is kept from starting more.
    signal(this.pid, 'SIGSTOP')
    const processes = [this.pid, ...descendantsOf(this.pid)]
    processes.forEach((pid) => signal(pid, 'SIGKILL'))
    this.#guard?.stdin?.end('\n')
    this.#guard = undefined
    return processes
  }

  #failed(how: string, log: string): Error {
    const where = this.#plan.folder.temporary ? '' : ` (${this.logFile})`
    return new Error(
      `expected ${this.name} to start on port ${this.port}; it ${how}. ${adviceFor(log)}\nThe end of its log${where}:\n${lastLines(log)}`,
    )
  }
}
