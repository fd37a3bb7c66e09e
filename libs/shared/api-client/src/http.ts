/**
 * Signed calls to a broker service. Questions are asked again where that is safe; a request that acts is written at most once,
 * whatever becomes of it.
 */
import { randomBytes } from 'node:crypto'
import { SIGNATURE_HEADERS, signatureOf, type Problem } from '@jts/contracts/broker-api'
import { BrokerError, createPool, sendOnce, type NotSent, type Sent, type WireRequest } from '@jts/broker-kit'
import type { WallClock } from '@jts/runtime'
import type { Pool } from 'undici'
import { problemOf } from './answers.ts'

export type ApiCredentials = { readonly id: string; readonly secret: string }
export type HttpOptions = {
  readonly baseUrl: string
  readonly key: ApiCredentials
  readonly clock: WallClock
  /** For an answer to a question, and to a request that acts. */
  readonly askTimeoutMs: number
  readonly actTimeoutMs: number
}
export type ApiCall = {
  readonly method: WireRequest['method']
  /** Path and query below `/api/v1`. */
  readonly path: string
  readonly body?: unknown
  readonly timeoutMs?: number
  /** W3C's, where the call belongs to a trace; not signed, since nothing is decided by it. */
  readonly traceparent?: string | undefined
}
/** How far a request that acts came. */
export type Acted =
  | { readonly kind: 'answered'; readonly body: unknown }
  | NotSent
  | { readonly kind: 'unknown'; readonly message: string }

const ASK_AGAIN_MS = [100, 400]
const TRADING_CONNECTIONS = 4
const QUESTION_CONNECTIONS = 4
/** Asking the same again may help. */
const PASSING: ReadonlySet<string> = new Set(['BROKER_UNAVAILABLE', 'VENUE_TIMEOUT', 'RATE_LIMITED', 'INTERNAL'])

export class BrokerApiHttp {
  readonly #options: HttpOptions
  #origin: string
  /** Apart, so that an order never queues behind a long answer. */
  #trading: Pool
  #questions: Pool
  #stopped = false

  constructor(options: HttpOptions) {
    this.#options = options
    this.#origin = originOf(options.baseUrl)
    this.#trading = createPool(this.#origin, TRADING_CONNECTIONS)
    this.#questions = createPool(this.#origin, QUESTION_CONNECTIONS)
  }

  get origin(): string {
    return this.#origin
  }

  /** The service answers elsewhere from now on; whatever is under way where it was has no answer any more. */
  moveTo(baseUrl: string): void {
    const before = [this.#trading, this.#questions]
    this.#origin = originOf(baseUrl)
    this.#trading = createPool(this.#origin, TRADING_CONNECTIONS)
    this.#questions = createPool(this.#origin, QUESTION_CONNECTIONS)
    for (const pool of before) void pool.destroy().catch(() => undefined)
  }

  get streamUrl(): string {
    return `${this.#origin.replace(/^http/, 'ws')}/api/v1/stream`
  }

  /** @throws BrokerError, retryable where asking later may help. */
  async ask<T>(call: ApiCall, read: (body: unknown) => T): Promise<T> {
    const { clock, askTimeoutMs } = this.#options
    for (let attempt = 0; ; attempt++) {
      const begunUs = clock.nowUs()
      try {
        return await this.#askOnce(call, read)
      } catch (error) {
        const pauseMs = ASK_AGAIN_MS[attempt]
        // Who has not answered in all that time is not asked again at once: its breaker should hear of it.
        const isHung = clock.nowUs() - begunUs >= 1000 * (call.timeoutMs ?? askTimeoutMs)
        const isPassing = error instanceof BrokerError && error.retryable && !isHung
        if (!isPassing || pauseMs === undefined || this.#stopped) throw error
        // Who says when it can be asked again is not asked before.
        if ((error.retryAfterMs ?? 0) > pauseMs) throw error
        await new Promise<void>((resolve) => this.#options.clock.after(pauseMs, resolve))
      }
    }
  }

  /** Written at most once. `check` is asked in the moment before the first byte. */
  async act(call: ApiCall, check: () => NotSent | undefined): Promise<Acted> {
    let refusal: NotSent | undefined
    const beforeWrite = (): string | undefined => (refusal = check())?.message
    const timeoutMs = call.timeoutMs ?? this.#options.actTimeoutMs
    const { clock } = this.#options
    const sent = await sendOnce(this.#trading, this.#signed(call), { clock, timeoutMs, beforeWrite })
    if (sent.kind === 'answered') return judge(sent)
    if (sent.kind === 'lost') return { kind: 'unknown', message: sent.message }
    if (sent.refusedBy === 'check' && refusal !== undefined) return refusal
    return { kind: 'not_sent', code: 'BROKER_UNAVAILABLE', message: `the broker service: ${sent.message}` }
  }

  /** The headers of one request, with a nonce of its own. */
  headers(method: string, target: string, body: string): Record<string, string> {
    const { key, clock } = this.#options
    const timestampUs = String(clock.nowUs())
    const nonce = randomBytes(16).toString('base64url')
    return {
      [SIGNATURE_HEADERS.key]: key.id,
      [SIGNATURE_HEADERS.timestamp]: timestampUs,
      [SIGNATURE_HEADERS.nonce]: nonce,
      [SIGNATURE_HEADERS.signature]: signatureOf({ method, target, body, timestampUs, nonce }, key.secret),
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    // Requests under way end by their own time-out at the latest.
    await Promise.all([this.#trading.close(), this.#questions.close()])
  }

  async #askOnce<T>(call: ApiCall, read: (body: unknown) => T): Promise<T> {
    const what = `${call.method} ${call.path.split('?', 1)[0]}`
    const timeoutMs = call.timeoutMs ?? this.#options.askTimeoutMs
    const sent = await sendOnce(this.#questions, this.#signed(call), { clock: this.#options.clock, timeoutMs })
    if (sent.kind !== 'answered') {
      throw new BrokerError('BROKER_UNAVAILABLE', `${what}: ${sent.message}`, { retryable: true })
    }
    if (sent.status !== 200) throw toBrokerError(what, sent)
    return read(parsed(what, sent.text))
  }

  #signed({ method, path, body, traceparent }: ApiCall): WireRequest {
    const target = `/api/v1${path}`
    const text = body === undefined ? '' : JSON.stringify(body)
    const signed = this.headers(method, target, text)
    const headers = traceparent === undefined ? signed : { ...signed, traceparent }
    if (body === undefined) return { method, path: target, headers }
    return { method, path: target, headers: { ...headers, 'content-type': 'application/json' }, body: text }
  }
}

/** Plain HTTP is signed, so it may leave this machine; a user or a query in the address is a mistake. */
function originOf(baseUrl: string): string {
  const expected = 'expected an address of a broker service such as http://127.0.0.1:8001'
  if (!URL.canParse(baseUrl)) throw new BrokerError('CONFIG', `${expected}, found ${JSON.stringify(baseUrl)}`)
  const url = new URL(baseUrl)
  const isBare = url.pathname === '/' && url.search === '' && url.hash === '' && url.username === ''
  if (!isBare || !['http:', 'https:'].includes(url.protocol)) throw new BrokerError('CONFIG', expected)
  return url.origin
}

function parsed(what: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new BrokerError('UNREADABLE', `${what}: expected JSON, found ${JSON.stringify(text.slice(0, 80))}`)
  }
}

function toBrokerError(what: string, { status, text }: { status: number; text: string }): BrokerError {
  const problem = problemOf(status, text)
  if (problem === undefined) {
    const found = `HTTP ${status} ${JSON.stringify(text.slice(0, 80))}`
    return new BrokerError('UNREADABLE', `${what}: expected an answer of the contract, found ${found}`, {
      retryable: status >= 500,
    })
  }
  const { code, detail, retryAfterMs } = problem
  return new BrokerError(code, `${what}: ${detail}`, { retryable: PASSING.has(code), retryAfterMs })
}

/** Only a refusal that could not have been preceded by a copy of this request proves that nothing was sent. */
function judge({ status, text }: Extract<Sent, { kind: 'answered' }>): Acted {
  if (status === 200) {
    try {
      return { kind: 'answered', body: JSON.parse(text) }
    } catch {
      return { kind: 'unknown', message: `unreadable answer: ${JSON.stringify(text.slice(0, 80))}` }
    }
  }
  const problem = status >= 400 && status < 500 ? problemOf(status, text) : undefined
  if (problem === undefined) return { kind: 'unknown', message: `HTTP ${status} ${JSON.stringify(text.slice(0, 80))}` }
  const message = `${problem.code}: ${problem.detail}`
  if (UNDECIDED.has(problem.code)) return { kind: 'unknown', message }
  return { kind: 'not_sent', code: NOT_SENT[problem.code] ?? 'INVALID', message }
}

/** Something on the way may have repeated our request, and this answers the second copy. */
const UNDECIDED: ReadonlySet<Problem['code']> = new Set(['NONCE_REUSED', 'ORDER_CONFLICT'])
const NOT_SENT: Readonly<Partial<Record<Problem['code'], NotSent['code']>>> = {
  AUTHENTICATION_MISSING: 'BROKER_UNAVAILABLE',
  AUTHENTICATION_FAILED: 'BROKER_UNAVAILABLE',
  CLOCK_SKEW: 'BROKER_UNAVAILABLE',
  FORBIDDEN: 'BROKER_UNAVAILABLE',
  // The service has moved, and another has taken its place.
  ACCOUNT_NOT_FOUND: 'BROKER_UNAVAILABLE',
  RATE_LIMITED: 'RATE_BUDGET',
  STALE_LEASE: 'STALE_LEASE',
}

/** Query text; a list is given once for each of its values. */
export function queryOf(
  values: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>,
): string {
  const pairs = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : (Array.isArray(value) ? value : [value]).map((one) => [name, String(one)]),
  )
  const text = new URLSearchParams(pairs as [string, string][]).toString()
  return text === '' ? '' : `?${text}`
}
