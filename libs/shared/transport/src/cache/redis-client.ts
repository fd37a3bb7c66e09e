/**
 * One connection to Redis, for everything that may be lost. Nothing waits for a connection that is not there and nothing is
 * sent twice; each command has a time limit, and a breaker stands before all of them.
 */
import type { Logger } from '@jts/runtime'
import {
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
  isBrokenCircuitError,
  type CircuitBreakerPolicy,
} from 'cockatiel'
import { Redis, ReplyError } from 'ioredis'
import { SCRIPTS, type ScriptCommands } from './redis-scripts.ts'

export type RedisOptions = {
  /** `redis://user:password@host:port/database`, or `rediss://` for TLS. */
  readonly url: string
  /** Before every key: modes and replays never share one. */
  readonly namespace: string
  readonly log: Logger
  /** From 0 to 1: so that replicas do not all come back in the same moment. */
  readonly random: () => number
  readonly commandTimeoutMs?: number
  readonly connectTimeoutMs?: number
  readonly breaker?: { readonly failures: number; readonly halfOpenMs: number }
}

/** Redis has not answered, or not with what was asked. Whether the command was carried out is unknown. */
export const LOST = Symbol('lost')
export type Lost = typeof LOST

export type RedisCommands = Redis & ScriptCommands

/** What the adapters need of the client. */
export type RedisDoor = {
  ask<T>(what: string, call: (redis: RedisCommands) => Promise<T>): Promise<T | Lost>
}

const COMMAND_TIMEOUT_MS = 200
const CONNECT_TIMEOUT_MS = 1000
const BREAKER = { failures: 3, halfOpenMs: 500 }
const RECONNECT_MS = 50
const RECONNECT_MAX_MS = 2000
const LOADING_MS = 500

export class RedisClient implements RedisDoor {
  readonly #log: Logger
  readonly #redis: RedisCommands
  readonly #breaker: CircuitBreakerPolicy
  readonly #failures: Record<string, number> = {}
  readonly #said = new Set<string>()
  #opening: Promise<void> | undefined
  #closed = false

  /** Connects at the first question. @throws Error for an address that is none. */
  constructor(options: RedisOptions) {
    const { log, random, commandTimeoutMs = COMMAND_TIMEOUT_MS, breaker = BREAKER } = options
    // The address has a password in it, and an error of the parser would show it.
    if (!/^rediss?:$/.test(URL.parse(options.url)?.protocol ?? '')) {
      throw new Error('expected the address of Redis as redis://user:password@host:port, found something else')
    }
    this.#log = log
    this.#redis = new Redis(options.url, {
      keyPrefix: `${options.namespace}:`,
      lazyConnect: true,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      commandTimeout: commandTimeoutMs,
      // A server that is gone without a word is found out, and asked for a new connection.
      socketTimeout: commandTimeoutMs * 4,
      connectTimeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      disconnectTimeout: commandTimeoutMs,
      maxLoadingRetryTime: LOADING_MS,
      retryStrategy: (times) => Math.min(RECONNECT_MAX_MS, RECONNECT_MS * 2 ** (times - 1)) * (0.5 + random() / 2),
      // A server that has become a copy of another: the new one is behind the same name.
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
    }) as RedisCommands
    for (const [name, script] of Object.entries(SCRIPTS)) this.#redis.defineCommand(name, script)
    this.#redis.on('error', (error) => this.#say('connection', reasonOf(error)))
    this.#redis.on('ready', () => {
      if (this.#said.size > 0) log.info('Redis is there again')
      this.#said.clear()
    })
    // An answer that we do not like is an answer: the breaker counts silence.
    this.#breaker = circuitBreaker(handleWhen(isSilence), {
      halfOpenAfter: breaker.halfOpenMs,
      breaker: new ConsecutiveBreaker(breaker.failures),
    })
    this.#breaker.onStateChange(() =>
      log.warn({ breaker: 'redis', state: this.breakerState }, `the breaker before Redis is ${this.breakerState}`),
    )
  }

  get isConnected(): boolean {
    return this.#redis.status === 'ready'
  }

  get breakerState(): 'closed' | 'open' | 'half-open' {
    const { state } = this.#breaker
    return state === CircuitState.Closed ? 'closed' : state === CircuitState.HalfOpen ? 'half-open' : 'open'
  }

  /** How often each kind of question was not answered. */
  get failures(): Readonly<Record<string, number>> {
    return this.#failures
  }

  /** Every command goes through here, and no error comes out. */
  async ask<T>(what: string, call: (redis: RedisCommands) => Promise<T>): Promise<T | Lost> {
    if (this.#closed) return LOST
    try {
      return await this.#breaker.execute(async () => {
        await (this.#opening ??= this.#redis.connect().catch(() => undefined))
        return await call(this.#redis)
      })
    } catch (error) {
      this.#failures[what] = (this.#failures[what] ?? 0) + 1
      if (!isBrokenCircuitError(error)) this.#say(what, reasonOf(error))
      return LOST
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    // Before the first connection there is none to end.
    if (this.isConnected) await this.#redis.quit().catch(() => undefined)
    this.#redis.disconnect()
  }

  /** Once for each connection: an outage is two lines, not thousands. */
  #say(what: string, reason: string): void {
    const said = `${what}: ${reason}`
    if (this.#closed || this.#said.has(said)) return
    this.#said.add(said)
    this.#log.warn({ what, reason }, 'Redis does not do what it was asked; going on without it')
  }
}

function isSilence(error: unknown): boolean {
  return !(error instanceof ReplyError)
}

/** The client's errors carry the command with its arguments, which may be a token: only what names the trouble is kept. */
function reasonOf(error: unknown): string {
  const { code, message = '' } = error as { code?: unknown; message?: string }
  if (error instanceof ReplyError) return /^[A-Z]+(?= )/.exec(message)?.[0] ?? 'ERR'
  if (typeof code === 'string' && /^E[A-Z]+$/.test(code)) return code
  return /timed out|timeout/i.test(message) ? 'no answer in time' : 'no connection'
}
