/**
 * REST: calls named as the venue names them, each signed, counted against the rate budget and written at most once.
 * https://developers.binance.com/docs/binance-spot-api-docs/rest-api
 */
import { BrokerError, createPool, sendOnce, type Sent, type WireRequest } from '@jts/broker-kit'
import type { Logger, WallClock } from '@jts/runtime'
import type { Pool } from 'undici'
import type { VenueClock } from '../venue-clock.ts'
import { toQuery, type Param, type Signer } from './auth.ts'
import { CODE, toBrokerError, verdictOf, type Verdict } from './errors.ts'
import { retryAfterUs, type Priority } from './limits.ts'
import { readServerTime } from './messages.ts'
import type { Cost } from './rate-budget.ts'
import type { RateLimiter } from './shared-rate-budget.ts'

/** How long the venue may take to receive a signed question; orders carry their own window. */
const QUESTION_WINDOW_MS = 5000
const TIMEOUT_MS = 10_000
/** Longer than the longest calendar window that a question waits for, a minute. */
const QUESTION_WAIT_MS = 70_000
const MEASURE_EVERY_MS = 600_000
/** Below the idle time after which servers in front of the venue close a connection. */
const WARM_EVERY_MS = 25_000
const TRADING_CONNECTIONS = 2
const QUESTION_CONNECTIONS = 2

/** The window in which the venue accepts a signed request: [timestamp, timestamp + recvWindow]. */
export type SignedWindow = { readonly timestampMs: number; readonly recvWindowMs: number }

export type Call = {
  readonly method: WireRequest['method']
  readonly path: string
  readonly params?: readonly Param[]
  readonly priority: Priority
  readonly weight: number
  readonly security: 'none' | 'signed'
  /** When waiting for the rate budget has become useless; when `questionWaitMs` is over where nothing is said. */
  readonly deadlineUs?: number | undefined
}
export type TradingCall = Call & {
  readonly orders: number
  readonly window: SignedWindow
  readonly deadlineUs: number
  readonly beforeWrite: () => string | undefined
}

/** What became of a request on its way: `Sent`, or never tried because the rate budget had no room in time. */
export type Outcome =
  | Exclude<Sent, { kind: 'answered' }>
  | { readonly kind: 'no_budget'; readonly message: string; readonly retryAfterMs?: number }
  | Verdict

export type BinanceHttpOptions = {
  readonly origin: string
  readonly clock: WallClock
  readonly venueClock: VenueClock
  readonly budget: RateLimiter
  readonly log: Logger
  readonly signer?: Signer
  readonly timeoutMs?: number
  /** How long a question waits for room in the rate budget; without room by then it is refused at once. */
  readonly questionWaitMs?: number
}

export class BinanceHttp {
  readonly #options: BinanceHttpOptions
  /** Apart, so that an order never queues behind a long answer. */
  readonly #trading: Pool
  readonly #questions: Pool
  #lastTradeUs = 0
  #timers: { cancel(): void }[] = []
  #stopped = false

  constructor(options: BinanceHttpOptions) {
    this.#options = options
    this.#trading = createPool(options.origin, TRADING_CONNECTIONS)
    this.#questions = createPool(options.origin, QUESTION_CONNECTIONS)
  }

  /** Measures the venue's clock and opens the trading connections, then keeps both fresh. @throws BrokerError */
  async start(during: (work: () => Promise<void>) => Promise<void>): Promise<void> {
    await Promise.all([this.measureClock(), this.#warm()])
    const { log } = this.#options
    const quietly = (work: () => Promise<void>) => (): Promise<void> =>
      during(work).catch((error: unknown) => log.warn({ error: String(error) }, 'binance: background call failed'))
    this.#every(
      MEASURE_EVERY_MS,
      quietly(() => this.measureClock()),
    )
    if (this.#options.signer)
      this.#every(
        WARM_EVERY_MS,
        quietly(() => this.#warm()),
      )
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#timers) timer.cancel()
    this.#options.budget.close()
    // Requests under way end by their own time-out at the latest.
    await Promise.all([this.#trading.close(), this.#questions.close()])
  }

  measureClock(): Promise<void> {
    return this.#options.venueClock.measure(() => this.serverTimeUs())
  }

  /** @throws BrokerError */
  async serverTimeUs(): Promise<number> {
    const body = await this.ask(
      { method: 'GET', path: '/api/v3/time', priority: 'reconcile', weight: 1, security: 'none' },
      readServerTime,
    )
    return body.serverTime * 1000
  }

  /** Asks a question and reads its answer. @throws BrokerError, retryable where asking again may help. */
  async ask<T>(call: Call, read: (body: unknown) => T): Promise<T> {
    const what = `${call.method} ${call.path}`
    const outcome = await this.answer(call)
    try {
      if (outcome.kind === 'ok') return read(outcome.body)
    } catch (error) {
      throw toBrokerError(what, error)
    }
    throw toFailure(what, outcome)
  }

  /** As `ask`, with the venue's refusals as values. */
  answer(call: Call): Promise<Outcome> {
    const { venueClock, questionWaitMs = QUESTION_WAIT_MS } = this.#options
    const { deadlineUs = venueClock.nowUs() + questionWaitMs * 1000 } = call
    return this.#send(this.#questions, call, { weight: call.weight, orders: 0 }, deadlineUs, undefined, undefined)
  }

  /** Sends a request that acts, on a warm connection of its own kind. */
  act(call: TradingCall): Promise<Outcome> {
    this.#lastTradeUs = this.#options.clock.nowUs()
    const cost = { weight: call.weight, orders: call.orders }
    return this.#send(this.#trading, call, cost, call.deadlineUs, call.window, call.beforeWrite)
  }

  async #send(
    pool: Pool,
    call: Call,
    cost: Cost,
    deadlineUs: number,
    window: SignedWindow | undefined,
    beforeWrite: (() => string | undefined) | undefined,
  ): Promise<Outcome> {
    const { budget, clock, timeoutMs = TIMEOUT_MS, venueClock } = this.#options
    const taken = budget.acquire(call.priority, cost, deadlineUs)
    // Where there is room an order is written in this very turn.
    const granted = taken === true ? taken : await taken
    if (granted !== true) return noRoom(granted.roomAtUs - venueClock.nowUs())
    const sent = await sendOnce(pool, this.#toWire(call, window), { clock, timeoutMs, beforeWrite })
    if (sent.kind === 'not_written') budget.release(cost)
    else budget.settle(cost, sent.kind === 'answered' ? sent.headers : undefined)
    return sent.kind === 'answered' ? this.#judge(sent) : sent
  }

  #judge(answer: Extract<Sent, { kind: 'answered' }>): Verdict {
    const { venueClock, budget, log } = this.#options
    const verdict = verdictOf(answer)
    if (answer.status === 429 || answer.status === 418) {
      const after = answer.headers['retry-after']
      const pauseUs = retryAfterUs(typeof after === 'string' ? after : undefined)
      budget.pauseUntil(venueClock.nowUs() + pauseUs)
      log.warn({ status: answer.status, pauseMs: pauseUs / 1000 }, 'binance: over the rate limit, pausing')
    }
    if (verdict.kind === 'refused' && verdict.refusal.code === CODE.clockOutside && !this.#stopped) {
      this.measureClock().catch((error: unknown) => log.warn({ error: String(error) }, 'binance: clock not measured'))
    }
    return verdict
  }

  /** Orders travel in the body, so that nothing on the way logs them with the address. */
  #toWire(call: Call, window: SignedWindow | undefined): WireRequest {
    const { signer, venueClock } = this.#options
    const { method, path, params = [] } = call
    if (call.security === 'none') {
      return { method, path: params.length === 0 ? path : `${path}?${toQuery(params)}`, headers: {} }
    }
    if (signer === undefined) throw new Error(`${path} needs credentials`)
    const timestampMs = window?.timestampMs ?? Math.floor(venueClock.nowUs() / 1000)
    const query = signer.signedQuery([
      ...params,
      ['recvWindow', String(window?.recvWindowMs ?? QUESTION_WINDOW_MS)],
      ['timestamp', String(timestampMs)],
    ])
    const headers = { 'x-mbx-apikey': signer.apiKey }
    if (method !== 'POST') return { method, path: `${path}?${query}`, headers }
    return { method, path, headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' }, body: query }
  }

  /** A handshake takes longer than an order may wait, so the trading connections are kept open. */
  async #warm(): Promise<void> {
    const { signer, clock, timeoutMs = TIMEOUT_MS } = this.#options
    if (signer === undefined || clock.nowUs() - this.#lastTradeUs < WARM_EVERY_MS * 1000) return
    const ping: WireRequest = { method: 'GET', path: '/api/v3/ping', headers: {} }
    const one = async (): Promise<void> => {
      const cost = { weight: 1, orders: 0 }
      if ((await this.#options.budget.acquire('reconcile', cost, 0)) !== true) return
      const sent = await sendOnce(this.#trading, ping, { clock, timeoutMs })
      this.#options.budget.settle(cost, sent.kind === 'answered' ? sent.headers : undefined)
    }
    await Promise.all(Array.from({ length: TRADING_CONNECTIONS }, one))
  }

  #every(delayMs: number, work: () => Promise<void>): void {
    const again = (): void => {
      if (this.#stopped) return
      this.#timers = this.#timers.filter((other) => other !== timer)
      void work().then(() => this.#every(delayMs, work))
    }
    if (this.#stopped) return
    const timer = this.#options.clock.after(delayMs, again)
    this.#timers.push(timer)
  }
}

function noRoom(forUs: number): Extract<Outcome, { kind: 'no_budget' }> {
  const message = 'no room in the rate budget'
  if (forUs === Infinity) return { kind: 'no_budget', message }
  const seconds = Math.max(1, Math.ceil(forUs / 1_000_000))
  return { kind: 'no_budget', message: `${message} for another ${seconds} s`, retryAfterMs: seconds * 1000 }
}

/** What a question's failure is called; only the venue's own «no» is final. */
function toFailure(what: string, outcome: Exclude<Outcome, { kind: 'ok' }>): BrokerError {
  const message = `${what}: ${outcome.message}`
  switch (outcome.kind) {
    case 'refused': {
      const { code } = outcome.refusal
      if (code === CODE.noSuchSymbol || code === CODE.illegalCharacters) {
        return new BrokerError('INSTRUMENT_NOT_FOUND', message)
      }
      const retryable = outcome.code === 'RATE_LIMIT' || outcome.code === 'OUTSIDE_RECEIVE_WINDOW'
      return new BrokerError(outcome.code, message, { retryable })
    }
    case 'no_budget':
      return new BrokerError('RATE_BUDGET', message, { retryable: true, retryAfterMs: outcome.retryAfterMs })
    case 'undecided':
    case 'lost':
    case 'not_written':
      return new BrokerError('BROKER_UNAVAILABLE', message, { retryable: true })
  }
}
