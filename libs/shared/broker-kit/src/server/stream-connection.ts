/** One reader of the stream: its subscriptions, its count of messages, its heartbeats, and its end when it does not read. */
import {
  CLOSE_CODES,
  CONTRACT_VERSION,
  type ClientMessage,
  type ServerMessage,
  type Subscription,
} from '@jts/contracts/broker-api'
import type { Activity, WallClock } from '@jts/runtime'
import type { WebSocket } from 'ws'
import type { Listener, MarketFeed, OrderFeed, Outgoing } from './feeds.ts'
import { ProblemError, toProblem } from './problems.ts'

export type StreamLimits = {
  readonly heartbeatMs: number
  /** Order events waiting for a reader beyond this end the connection. */
  readonly bufferedMax: number
  /** Market data is left out beyond this. */
  readonly marketBufferedMax: number
  readonly subscriptionsMax: number
}
export const STREAM_LIMITS: StreamLimits = {
  heartbeatMs: 5000,
  bufferedMax: 8 * 1024 * 1024,
  marketBufferedMax: 2 * 1024 * 1024,
  subscriptionsMax: 1000,
}
const ERRORS_MAX = 10

export type StreamSources = {
  readonly broker: string
  readonly clock: WallClock
  readonly limits: StreamLimits
  readonly activity?: Activity | undefined
  readonly market: MarketFeed
  readonly venueTimeUs: () => number
  readonly orders: (account: string) => OrderFeed | undefined
  /** @throws ProblemError with what is wrong with it. */
  readonly check: (subscription: Subscription) => Promise<void>
  readonly read: (text: string) => ClientMessage
}

export class StreamConnection {
  readonly #socket: WebSocket
  readonly #sources: StreamSources
  readonly #open = new Map<string, { state(): Condition; stop(): void }>()
  readonly #timers = new Set<{ cancel(): void }>()
  #seq = 0
  #errors = 0
  #unanswered = 0
  /** Channels of which something was left out because the reader is slow. */
  readonly #skipped = new Map<string, Extract<Outgoing, { type: 'gap' }>>()
  /** Requests are answered in their order. */
  #working: Promise<void> = Promise.resolve()

  constructor(socket: WebSocket, sources: StreamSources) {
    this.#socket = socket
    this.#sources = sources
    const { broker, clock, limits } = sources
    socket.on('message', (data: Buffer) => {
      this.#working = this.#working.then(() => this.#take(data.toString()))
    })
    socket.on('pong', () => (this.#unanswered = 0))
    socket.on('error', () => undefined)
    socket.on('close', () => this.#end())
    const { heartbeatMs } = limits
    this.#send({ type: 'welcome', contractVersion: CONTRACT_VERSION, broker, heartbeatMs, timeUs: clock.nowUs() })
    this.#beat()
  }

  /** Messages sent so far, for the lock-step account. */
  get sent(): number {
    return this.#seq
  }

  close(reason: keyof typeof CLOSE_CODES): void {
    const [code, words] = CLOSE_CODES[reason]
    this.#end()
    this.#socket.close(code, words.slice(0, 120))
    // One that does not read does not answer the close either.
    this.#timers.add(this.#sources.clock.after(1000, () => this.#socket.terminate()))
  }

  terminate(): void {
    this.#end()
    this.#socket.terminate()
  }

  async #take(text: string): Promise<void> {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    let id: string | undefined
    try {
      const message = this.#sources.read(text)
      id = message.id
      if (message.op === 'ping') this.#send({ type: 'pong', id, timeUs: this.#sources.clock.nowUs() })
      else if (message.op === 'subscribe') await this.#subscribe(id, message.subscription)
      else this.#unsubscribe(id, message.subscription)
    } catch (error) {
      const problem = toProblem(error)
      id ??= idOf(text)
      this.#send({ type: 'error', ...(id === undefined ? {} : { id }), problem })
      if (problem.code === 'INVALID_REQUEST' && ++this.#errors >= ERRORS_MAX) this.close('TOO_MANY_ERRORS')
    }
  }

  async #subscribe(id: string, subscription: Subscription): Promise<void> {
    const { limits, market, orders, check } = this.#sources
    const key = keyOf(subscription)
    const known = this.#open.get(key)
    if (known !== undefined) return void this.#send({ type: 'subscribed', id, subscription, ...known.state() })
    if (this.#open.size >= limits.subscriptionsMax) {
      throw new ProblemError('RATE_LIMITED', `at most ${limits.subscriptionsMax} subscriptions on one connection`)
    }
    await check(subscription)
    if (this.#socket.readyState !== this.#socket.OPEN) return
    const listener: Listener = (message) => this.#send(message)
    if (subscription.channel === 'orders') {
      const feed = orders(subscription.account)
      if (feed === undefined) throw new ProblemError('ACCOUNT_NOT_FOUND', `not held here: ${subscription.account}`)
      const { cursor, replay } = feed.add(listener, subscription.after)
      this.#send({ type: 'subscribed', id, subscription, ...said(feed.condition), cursor })
      this.#open.set(key, { state: () => said(feed.condition), stop: () => feed.remove(listener) })
      replay()
    } else {
      const condition = said(market.add(subscription, listener))
      this.#send({ type: 'subscribed', id, subscription, ...condition })
      const state = (): Condition => said(market.add(subscription, listener))
      this.#open.set(key, { state, stop: () => market.remove(subscription, listener) })
    }
  }

  #unsubscribe(id: string, subscription: Subscription): void {
    const key = keyOf(subscription)
    this.#open.get(key)?.stop()
    this.#open.delete(key)
    this.#send({ type: 'unsubscribed', id, subscription })
  }

  #send(message: Outgoing): void {
    const { bufferedAmount, readyState, OPEN } = this.#socket
    if (readyState !== OPEN) return
    const { bufferedMax, marketBufferedMax } = this.#sources.limits
    if (bufferedAmount > bufferedMax) return this.close('SLOW_CONSUMER')
    const gap = gapOf(message)
    if (gap !== undefined && bufferedAmount > marketBufferedMax) return void this.#skipped.set(keyOfGap(gap), gap)
    for (const skipped of this.#skipped.values()) this.#write(skipped)
    this.#skipped.clear()
    this.#write(message)
  }

  #write(message: Outgoing): void {
    this.#socket.send(JSON.stringify({ ...message, seq: ++this.#seq } as ServerMessage))
  }

  #beat(): void {
    const { clock, limits, venueTimeUs } = this.#sources
    const timer = clock.after(limits.heartbeatMs, () => {
      this.#timers.delete(timer)
      if (this.#unanswered >= 2) return this.close('NO_PONG')
      this.#unanswered++
      this.#socket.ping()
      this.#send({ type: 'heartbeat', timeUs: clock.nowUs(), venueTimeUs: venueTimeUs() })
      this.#beat()
    })
    this.#timers.add(timer)
  }

  #end(): void {
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    for (const { stop } of this.#open.values()) stop()
    this.#open.clear()
  }
}

type Condition = { readonly state: 'up' | 'down'; readonly reason?: string }

/** The reason of an «up» is of no interest. */
function said({ state, reason = '' }: Condition): Condition {
  return state === 'up' ? { state } : { state, reason }
}

function keyOf(subscription: Subscription): string {
  if (subscription.channel === 'orders') return `orders/${subscription.account}`
  const timeframe = subscription.channel === 'candles' ? `/${subscription.timeframe}` : ''
  return `${subscription.channel}/${subscription.instrument}${timeframe}`
}

/** The mark that stands for a message of market data when it is left out. */
function gapOf(message: Outgoing): Extract<Outgoing, { type: 'gap' }> | undefined {
  const channels = { candle: 'candles', trade: 'trades', quote: 'quotes', orderBook: 'orderBook' } as const
  if (!(message.type in channels) || !('data' in message)) return undefined
  const channel = channels[message.type as keyof typeof channels]
  return { type: 'gap', channel, instrument: message.data.instrument, reason: 'SLOW_CONSUMER' }
}

function keyOfGap(gap: Extract<Outgoing, { type: 'gap' }>): string {
  return `${gap.channel}/${gap.instrument}`
}

function idOf(text: string): string | undefined {
  try {
    const { id } = JSON.parse(text) as { id?: unknown }
    return typeof id === 'string' && id.length >= 1 && id.length <= 64 ? id : undefined
  } catch {
    return undefined
  }
}
