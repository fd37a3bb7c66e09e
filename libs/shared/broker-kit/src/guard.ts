/**
 * What keeps one broker's fall from being everybody's: a circuit breaker, a time-out and a bulkhead round every call. It never
 * repeats anything; an order that it refuses was not sent, and a cancel is let through an open breaker, because it may be the
 * one thing that still matters.
 */
import {
  BrokenCircuitError,
  bulkhead,
  BulkheadRejectedError,
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  ExponentialBackoff,
  handleType,
  TaskCancelledError,
  timeout,
  TimeoutStrategy,
  type BulkheadPolicy,
  type CircuitBreakerPolicy,
  type TimeoutPolicy,
} from 'cockatiel'
import type { WallClock } from '@jts/runtime'
import { messageOf } from './message-of.ts'
import { BrokerError, type BrokerPort, type MarketDataPort, type NotSent } from './port.ts'

export type BreakerView = {
  readonly state: 'closed' | 'half_open' | 'open' | 'isolated'
  readonly sinceUs: number
  readonly consecutiveFailures: number
  readonly reason?: string
}

export type GuardOptions = {
  readonly broker: string
  readonly clock: WallClock
  /** Failures in a row that open the breaker. */
  readonly failures?: number
  /** How long it stays open before one call may try: at first, and at most. */
  readonly openMs?: readonly [first: number, most: number]
  /** Behind the adapter's own time-outs: for what never answers at all. */
  readonly timeoutMs?: number
  /** Questions at one time, and waiting. */
  readonly questions?: readonly [atOnce: number, waiting: number]
  /** Requests that act, at one time; none waits, for its time to be sent would run out. */
  readonly acting?: number
  readonly onChange?: (view: BreakerView) => void
}

const FAILURES = 5
const OPEN_MS = [1000, 30_000] as const
const TIMEOUT_MS = 60_000
const QUESTIONS = [16, 256] as const
const ACTING = 64

const STATES: Readonly<Record<CircuitState, BreakerView['state']>> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.HalfOpen]: 'half_open',
  [CircuitState.Open]: 'open',
  [CircuitState.Isolated]: 'isolated',
}
/** The outside world's failures; what a broker refuses is an answer. */
const FAILING: ReadonlySet<string> = new Set([
  'BROKER_UNAVAILABLE',
  'VENUE_TIMEOUT',
  'TIMEOUT',
  'UNREADABLE',
  'VENUE_ANSWER_UNREADABLE',
  'INTERNAL',
])

/** Carries an outcome that counts as a failure through the breaker, which knows errors only. */
class FailedOutcome extends Error {
  readonly outcome: unknown
  constructor(outcome: unknown, message: string) {
    super(message)
    this.outcome = outcome
  }
}

type Acted = { readonly kind: string; readonly code?: string; readonly message?: string }

export class BrokerGuard {
  readonly broker: string
  readonly #options: GuardOptions
  readonly #breaker: CircuitBreakerPolicy
  readonly #timeout: TimeoutPolicy
  readonly #questions: BulkheadPolicy
  readonly #acting: BulkheadPolicy
  #view: BreakerView

  constructor(options: GuardOptions) {
    this.broker = options.broker
    this.#options = options
    const [initialDelay, maxDelay] = options.openMs ?? OPEN_MS
    const counted = handleType(Error, (error) => !(error instanceof BrokerError) || FAILING.has(error.code))
    this.#breaker = circuitBreaker(counted, {
      halfOpenAfter: new ExponentialBackoff({ initialDelay, maxDelay }),
      breaker: new ConsecutiveBreaker(options.failures ?? FAILURES),
    })
    this.#timeout = timeout(options.timeoutMs ?? TIMEOUT_MS, TimeoutStrategy.Aggressive)
    this.#questions = bulkhead(...(options.questions ?? QUESTIONS))
    this.#acting = bulkhead(options.acting ?? ACTING, 0)
    this.#view = { state: 'closed', sinceUs: options.clock.nowUs(), consecutiveFailures: 0 }
    this.#breaker.onFailure(({ reason }) => this.#count('error' in reason ? messageOf(reason.error) : undefined))
    this.#breaker.onSuccess(() => this.#count(undefined))
    this.#breaker.onStateChange((state) => this.#change(STATES[state]))
  }

  view(): BreakerView {
    return this.#view
  }

  /** The broker has shown that it lives: its stream is up again. */
  alive(): void {
    if (this.#breaker.state !== CircuitState.Closed) this.#breaker.isolate().dispose()
  }

  guardBroker(port: BrokerPort): BrokerPort {
    const { amendOrder, fillsAfter, positions, state, venueTimeUs } = port
    return {
      get capabilities() {
        return port.capabilities
      },
      placeOrder: (intent, beforeWrite) => this.#act(() => port.placeOrder(intent, beforeWrite)),
      cancelOrder: (order, beforeWrite) =>
        this.#act(() => port.cancelOrder(order, beforeWrite), 'through an open breaker'),
      ...(amendOrder === undefined
        ? {}
        : { amendOrder: (order, beforeWrite) => this.#act(() => amendOrder.call(port, order, beforeWrite)) }),
      queryOrder: (order) =>
        this.#ask(
          () => port.queryOrder(order),
          ({ kind }) => kind === 'failed',
        ).catch((error: unknown) => ({ kind: 'failed', message: messageOf(error) })),
      openOrders: (instrument) => this.#ask(() => port.openOrders(instrument)),
      fills: (query) => this.#ask(() => port.fills(query)),
      ...(fillsAfter === undefined ? {} : { fillsAfter: (query) => this.#ask(() => fillsAfter.call(port, query)) }),
      balances: () => this.#ask(() => port.balances()),
      ...(positions === undefined ? {} : { positions: () => this.#ask(() => positions.call(port)) }),
      subscribeOrders: (listener) =>
        port.subscribeOrders({
          onOrder: (report, fill) => listener.onOrder(report, fill),
          onBalances: (balances, timeUs) => listener.onBalances(balances, timeUs),
          onAdjustment: (adjustment) => listener.onAdjustment(adjustment),
          onOrderStream: (streamState, reason) => {
            if (streamState === 'up') this.alive()
            listener.onOrderStream(streamState, reason)
          },
        }),
      clockOffsetUs: () => port.clockOffsetUs(),
      ...(venueTimeUs === undefined ? {} : { venueTimeUs: () => this.#ask(() => venueTimeUs.call(port)) }),
      setGate: (gate, version) => port.setGate(gate, version),
      ...(state === undefined ? {} : { state: () => state.call(port) }),
    }
  }

  guardMarket(port: MarketDataPort): MarketDataPort {
    const { quotes, orderBook } = port
    return {
      get capabilities() {
        return port.capabilities
      },
      instruments: (wanted) => this.#ask(() => port.instruments(wanted)),
      candles: (query) => this.#ask(() => port.candles(query)),
      trades: (query) => this.#ask(() => port.trades(query)),
      ...(quotes === undefined ? {} : { quotes: (wanted) => this.#ask(() => quotes.call(port, wanted)) }),
      ...(orderBook === undefined ? {} : { orderBook: (query) => this.#ask(() => orderBook.call(port, query)) }),
      subscribe: (subscriptions, listener) => port.subscribe(subscriptions, listener),
    }
  }

  /** @throws BrokerError, retryable when it was the guard that refused. */
  async #ask<T>(work: () => Promise<T>, isFailure: (answer: T) => boolean = () => false): Promise<T> {
    try {
      return await this.#questions.execute(() =>
        this.#breaker.execute(() => this.#timeout.execute(() => checked(work, isFailure))),
      )
    } catch (error) {
      if (error instanceof FailedOutcome) return error.outcome as T
      throw this.#toBrokerError(error)
    }
  }

  async #act<T extends Acted>(
    work: () => Promise<T>,
    always?: 'through an open breaker',
  ): Promise<T | NotSent | { kind: 'unknown'; message: string }> {
    const timed = (): Promise<T> => this.#timeout.execute(() => checked(work, isFailedAct))
    try {
      const isOpen = always !== undefined && this.#breaker.state !== CircuitState.Closed
      return await this.#acting.execute(() => (isOpen ? timed() : this.#breaker.execute(timed)))
    } catch (error) {
      if (error instanceof FailedOutcome) return error.outcome as T
      if (error instanceof BrokenCircuitError || error instanceof BulkheadRejectedError) {
        return { kind: 'not_sent', code: 'BROKER_UNAVAILABLE', message: this.#toBrokerError(error).message }
      }
      // It may have been sent: only the venue's own word can say.
      return { kind: 'unknown', message: this.#toBrokerError(error).message }
    }
  }

  #toBrokerError(error: unknown): Error {
    const unavailable = (message: string): BrokerError =>
      new BrokerError('BROKER_UNAVAILABLE', message, { retryable: true, cause: error })
    if (error instanceof BrokenCircuitError) {
      return unavailable(`the breaker of ${this.broker} is open: ${this.#view.reason ?? 'it does not answer'}`)
    }
    if (error instanceof BulkheadRejectedError) return unavailable(`too many calls wait for ${this.broker}`)
    if (error instanceof TaskCancelledError) {
      return unavailable(`${this.broker}: no answer within ${this.#options.timeoutMs ?? TIMEOUT_MS} ms`)
    }
    return error as Error
  }

  #count(failure: string | undefined): void {
    const { reason: _, ...view } = this.#view
    this.#view =
      failure === undefined
        ? { ...view, consecutiveFailures: 0 }
        : { ...view, consecutiveFailures: view.consecutiveFailures + 1, reason: failure }
  }

  #change(state: BreakerView['state']): void {
    if (state === this.#view.state || state === 'isolated') return
    const { reason, consecutiveFailures } = this.#view
    const sinceUs = this.#options.clock.nowUs()
    this.#view =
      state === 'closed'
        ? { state, sinceUs, consecutiveFailures: 0 }
        : { state, sinceUs, consecutiveFailures, ...(reason === undefined ? {} : { reason }) }
    this.#options.onChange?.(this.#view)
  }
}

async function checked<T>(work: () => Promise<T>, isFailure: (answer: T) => boolean): Promise<T> {
  const answer = await work()
  if (isFailure(answer)) throw new FailedOutcome(answer, (answer as { message?: string }).message ?? 'failed')
  return answer
}

function isFailedAct({ kind, code }: Acted): boolean {
  return kind === 'unknown' || (kind === 'not_sent' && code === 'BROKER_UNAVAILABLE')
}
