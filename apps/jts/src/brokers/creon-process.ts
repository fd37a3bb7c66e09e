/**
 * Creon's service with its simulated COM, beside the one process of `up`. It is never waited for: without Python, or while its
 * libraries are installed, or after it has ended, everything else goes on, and its light says why it is not up.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import type { AccountId } from '@jts/model'
import { keepSecret, type Logger } from '@jts/runtime'
import { environmentOf as pythonEnvironmentOf, installEnvironment } from '@jts/servers/python'
import { freePort } from '@jts/servers'
import { onPath } from '@jts/servers/programs'

export type CreonProcessOptions = {
  /** Its record, its venue and its key. */
  readonly dir: string
  readonly account: AccountId
  readonly log: Logger
  /** More of its own options: a seed, a recording. */
  readonly args?: readonly string[]
}

export type ProcessState = { readonly state: 'up' | 'starting' | 'down'; readonly reason: string }

const SERVICE = resolve(import.meta.dirname, '../../../brokers/creon-service')
const REQUIREMENTS = 'apps/brokers/creon-service/requirements.txt'
const RESTART_MS = 500
const RESTART_MAX_MS = 30_000
/** Who lived this long has earned a quick restart. */
const SETTLED_MS = 60_000
const STOP_MS = 3000
const ERRORS_KEPT = 2000

const keysFile = z.object({ keys: z.array(z.object({ id: z.string(), secret: z.string() })).min(1) })

export class CreonProcess {
  readonly host = '127.0.0.1'
  readonly port: number
  /** What signs the calls to it: made here, on its owner's disk alone. */
  readonly key: { readonly id: string; readonly secret: string }
  readonly #options: CreonProcessOptions
  #child: ChildProcess | undefined
  #state: ProcessState = { state: 'starting', reason: 'not started yet' }
  #errors = ''
  #pauseMs = RESTART_MS
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  private constructor(options: CreonProcessOptions, port: number) {
    this.#options = options
    this.port = port
    this.key = keyIn(options.dir)
    keepSecret(this.key.secret)
  }

  static async prepare(options: CreonProcessOptions): Promise<CreonProcess> {
    mkdirSync(options.dir, { recursive: true })
    return new CreonProcess(options, await freePort())
  }

  get state(): ProcessState {
    return this.#state
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Begins, and keeps it going until `stop`. */
  start(): void {
    void this.#run()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise<void>((done) => child.once('exit', () => done()))
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(timer)
  }

  async #run(): Promise<void> {
    const { log } = this.#options
    const environment = pythonEnvironmentOf(REQUIREMENTS)
    try {
      if (!environment.installed()) this.#state = { state: 'starting', reason: 'installing its Python libraries' }
      await installEnvironment(environment, (words) => log.info({ service: 'creon-service' }, words))
    } catch (error) {
      this.#state = { state: 'down', reason: (error as Error).message }
      log.warn({ reason: (error as Error).message }, 'creon-service cannot be started: KRX is not traded')
      return
    }
    if (!this.#stopped) this.#launch(environment.python)
  }

  #launch(python: string): void {
    const { dir, account, args = [], log } = this.#options
    this.#state = { state: 'starting', reason: 'starting' }
    this.#errors = ''
    const startedMs = performance.now()
    const own = ['--com=simulated', '--port', String(this.port), '--account', account, '--data-dir', dir, '--json']
    const service = [python, join('src', 'main.py'), ...own, '--sim-always-open', ...args]
    // Where there is `setpriv`, the kernel ends it with us, in whatever way we end.
    const [command = python, ...rest] = onPath('setpriv')
      ? ['setpriv', '--pdeathsig', 'TERM', '--', ...service]
      : service
    const child = spawn(command, rest, {
      cwd: SERVICE,
      // A group of its own: Ctrl-C in a terminal reaches JTS alone, which then ends it after its own last orders.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...environmentOf(process.env), PYTHONDONTWRITEBYTECODE: '1' },
    })
    this.#child = child
    createInterface({ input: child.stdout }).once('line', () => {
      this.#state = { state: 'up', reason: '' }
      log.info({ pid: child.pid, port: this.port }, 'creon-service is up, with its simulated COM')
    })
    child.stderr.on('data', (chunk: Buffer) => (this.#errors = (this.#errors + chunk.toString()).slice(-ERRORS_KEPT)))
    child.once('error', (error) => this.#ended(error.message, startedMs, python))
    child.once('exit', (code, signal) => this.#ended(signal ?? `exit code ${code}`, startedMs, python))
  }

  #ended(how: string, startedMs: number, python: string): void {
    if (this.#stopped) return
    const last = this.#errors.trim().split('\n').at(-1) ?? ''
    this.#state = { state: 'down', reason: last === '' ? `ended with ${how}` : `ended with ${how}: ${last}` }
    this.#pauseMs =
      performance.now() - startedMs > SETTLED_MS ? RESTART_MS : Math.min(2 * this.#pauseMs, RESTART_MAX_MS)
    this.#options.log.error({ reason: this.#state.reason }, 'creon-service ended; starting it again on its record')
    this.#timer = setTimeout(() => this.#launch(python), this.#pauseMs)
  }
}

/** What any program needs to run: it has a key of its own, and no use for a real account's or for a setting of the real service. */
const NEEDED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'TEMP', 'TMP', 'LD_LIBRARY_PATH', 'SYSTEMROOT']

export function environmentOf(ours: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(ours).filter(([name]) => NEEDED.includes(name.toUpperCase())))
}

/** The key of an earlier start, or a new one. */
function keyIn(dir: string): { id: string; secret: string } {
  const file = join(dir, 'keys.json')
  if (existsSync(file)) return keysFile.parse(JSON.parse(readFileSync(file, 'utf8'))).keys[0]!
  const key = { id: 'jts', secret: randomBytes(32).toString('base64url'), right: 'trade' }
  writeFileSync(file, JSON.stringify({ keys: [key] }), { mode: 0o600 })
  return key
}
