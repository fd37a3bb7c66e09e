/**
 * The processes of a distributed run on one machine: each under a fixed name, started again when it ends. One that comes back
 * takes its units back at once, because its former self is known dead.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Logger } from '@jts/runtime'
import type { LastWords } from '../process.ts'
import { STEADY_MEMORY } from '../steady-memory.ts'
import type { Member, ServiceName } from './run-file.ts'
import { Spare } from './spare.ts'

export type SupervisedState = {
  /** The process's fixed name. */
  readonly name: string
  readonly service: string
  readonly pid: number | undefined
  readonly starts: number
  readonly state: 'starting' | 'up' | 'down'
  /** Of the present process, ms since the epoch. */
  readonly sinceMs: number
  /** While it is down: how it ended, and what it said of why. */
  readonly ended?: string
}

/** Who runs under which process id, for a person who looks. */
export const PROCESSES_FILE = 'processes.json'

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url))
const RESTART_MS = 50
const RESTART_MAX_MS = 5000
/** A process that lived this long has earned a quick restart. */
const SETTLED_MS = 10_000
const STOP_MS = 8000
/** Its last words are in the pipe when it ends; for longer than this they are not waited for. */
const LAST_WORDS_MS = 200

/** The environment of a service's process, with the keys that it needs; without a service, with none. */
export type EnvironmentFor = (service: ServiceName | undefined) => NodeJS.ProcessEnv

export class Supervisor {
  readonly #runFile: string
  readonly #log: Logger
  readonly #environmentFor: EnvironmentFor
  readonly #children = new Map<string, Child>()
  readonly #spare: Spare
  /** Told when a process has ended by itself, and how. */
  onEnded: (name: string, how: string) => void = () => undefined
  #stopped = false

  constructor(runFile: string, log: Logger, environmentFor: EnvironmentFor) {
    this.#runFile = runFile
    this.#environmentFor = environmentFor
    this.#log = log
    this.#spare = new Spare(() => spawnService(runFile, ['--spare'], environmentFor(undefined)))
  }

  /**
   * Starts them all at once; resolves when each has said that it is ready.
   * @param hasSpare a process more is kept ready for whoever ends
   */
  async start(members: readonly Member[], { hasSpare = false } = {}): Promise<void> {
    await Promise.all(
      members.map((member) => {
        const child = new Child(member, this.#runFile, this.#log, {
          environment: () => this.#environmentFor(member.service),
          isStopping: () => this.#stopped,
          spare: (name) => (this.#fitsSpare(member.service) ? this.#spare.take(name) : undefined),
          onChange: () => this.#tell(),
          onEnded: (how) => this.onEnded(member.name, how),
        })
        this.#children.set(member.name, child)
        return child.firstReady
      }),
    )
    if (hasSpare && !this.#stopped) this.#spare.keep()
  }

  states(): readonly SupervisedState[] {
    return [...this.#children.values()].map((child) => child.view())
  }

  #tell(): void {
    const file = join(dirname(this.#runFile), PROCESSES_FILE)
    const rows = this.states().map(({ name, ...rest }) => [name, rest])
    try {
      writeFileSync(`${file}.new`, `${JSON.stringify(Object.fromEntries(rows))}\n`)
      renameSync(`${file}.new`, file)
    } catch (error) {
      // A full disk must not take the supervisor along: the services end and come back as they must.
      this.#log.warn({ err: error }, `${PROCESSES_FILE} could not be written`)
    }
  }

  /** It has no keys, and cannot be whoever needs some. */
  #fitsSpare(service: ServiceName): boolean {
    const variables = (of: ServiceName | undefined): number => Object.keys(this.#environmentFor(of)).length
    return variables(service) === variables(undefined)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#spare.stop()
    const all = [...this.#children.values()]
    const isAsked = (child: Child): boolean => child.view().service === 'binance-service'
    // What is on its way to a broker is answered before the broker service goes.
    await Promise.all(all.filter((child) => !isAsked(child)).map((child) => child.stop()))
    await Promise.all(all.filter(isAsked).map((child) => child.stop()))
  }
}

type Watcher = {
  environment(): NodeJS.ProcessEnv
  isStopping(): boolean
  spare(name: string): ChildProcess | undefined
  onChange(): void
  onEnded(how: string): void
}

/** A group of its own: Ctrl-C in a terminal reaches the supervisor alone, which then stops them in order. */
function spawnService(runFile: string, words: readonly string[], environment: NodeJS.ProcessEnv): ChildProcess {
  const args = ['serve', ...words, '--run', runFile, '--exit-with-stdin', '--json']
  const child = spawn(process.execPath, [...process.execArgv, ...STEADY_MEMORY, MAIN, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
    // What was compiled once is not compiled again: a third of a start, which matters after a kill.
    env: { NODE_COMPILE_CACHE: join(dirname(runFile), 'compile-cache'), ...environment },
  })
  child.stdin?.on('error', () => undefined)
  return child
}

class Child {
  readonly #member: Member
  readonly #runFile: string
  readonly #log: Logger
  readonly #watcher: Watcher
  readonly firstReady: Promise<void>
  #becameReady: () => void = () => undefined
  #process!: ChildProcess
  #starts = 0
  #pauseMs = RESTART_MS
  #state: SupervisedState['state'] = 'starting'
  #sinceMs = 0
  #ended: string | undefined

  constructor(member: Member, runFile: string, log: Logger, watcher: Watcher) {
    this.#member = member
    this.#runFile = runFile
    this.#log = log
    this.#watcher = watcher
    this.firstReady = new Promise((resolve) => (this.#becameReady = resolve))
    this.#launch()
  }

  view(): SupervisedState {
    const { name, service } = this.#member
    const [state, sinceMs, ended] = [this.#state, this.#sinceMs, this.#ended]
    const shown = { name, service, pid: this.#process.pid, starts: this.#starts, state, sinceMs }
    return ended === undefined ? shown : { ...shown, ended }
  }

  async stop(): Promise<void> {
    const { exitCode, signalCode } = this.#process
    if (exitCode !== null || signalCode !== null) return
    const ended = new Promise<void>((resolve) => this.#process.once('exit', () => resolve()))
    this.#process.stdin?.end()
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(timer)
  }

  #launch(): void {
    const startedMs = performance.now()
    this.#starts++
    this.#state = 'starting'
    this.#sinceMs = Date.now()
    const { name } = this.#member
    const spawned = (): ChildProcess =>
      spawnService(this.#runFile, [name, '--owner', name], this.#watcher.environment())
    this.#process = this.#watcher.spare(name) ?? spawned()
    const said = new SaidLines(this.#process.stdout!, () => {
      this.#state = 'up'
      this.#ended = undefined
      this.#watcher.onChange()
      this.#becameReady()
    })
    this.#process.once('exit', (code, signal) => {
      this.#state = 'down'
      if (this.#watcher.isStopping()) return
      this.#ended = signal === null ? `ended with code ${code}` : `was ended by ${signal}`
      this.#watcher.onChange()
      const lived = performance.now() - startedMs
      this.#pauseMs = lived > SETTLED_MS ? RESTART_MS : Math.min(RESTART_MAX_MS, this.#pauseMs * 2)
      void this.#tellEnd(said, { code, signal, livedMs: Math.round(lived) })
      setTimeout(() => {
        if (this.#watcher.isStopping()) return
        this.#launch()
        this.#watcher.onChange()
      }, this.#pauseMs)
    })
  }

  /** Beside the restart, which does not wait for words. */
  async #tellEnd(said: SaidLines, facts: Readonly<Record<string, unknown>>): Promise<void> {
    const how = this.#ended!
    const why = await said.lastWords()
    const words = why === undefined ? how : `${how}: ${why}`
    if (this.#state !== 'up') this.#ended = words
    this.#log.error({ process: this.#member.name, ...facts }, `a service ${words}; starting it again`)
    this.#watcher.onEnded(words)
  }
}

/** What a service says on its standard output: one line when it is ready, one when it cannot go on. */
class SaidLines {
  readonly #ended: Promise<unknown>
  #text = ''
  #isReady = false
  #lastWords: string | undefined

  constructor(output: Readable, onReady: () => void) {
    this.#ended = new Promise((resolve) => output.once('close', resolve))
    output.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (this.#text + chunk).split('\n')
      this.#text = lines.pop()!
      for (const line of lines) {
        this.#lastWords = lastWordsOf(line)
        if (this.#isReady || this.#lastWords !== undefined) continue
        this.#isReady = true
        onReady()
      }
    })
  }

  async lastWords(): Promise<string | undefined> {
    let late: NodeJS.Timeout | undefined
    await Promise.race([this.#ended, new Promise((resolve) => (late = setTimeout(resolve, LAST_WORDS_MS)))])
    clearTimeout(late)
    return this.#lastWords
  }
}

function lastWordsOf(line: string): string | undefined {
  try {
    const { ended } = JSON.parse(line) as Partial<LastWords>
    return typeof ended === 'string' ? ended : undefined
  } catch {
    return undefined
  }
}
