/** What the port streams, for any number of connections: order notices recorded with their places, market data shared. */
import type { ServerMessage, Subscription } from '@jts/contracts/broker-api'
import type { AccountId, InstrumentId } from '@jts/model'
import type { WallClock } from '@jts/runtime'
import type { BrokerPort, MarketDataPort, MarketSubscription } from '../port.ts'
import {
  fromWireTimeframe,
  toWireAdjustment,
  toWireBalance,
  toWireBar,
  toWireBook,
  toWireFill,
  toWireOrder,
  toWireQuote,
  toWireTimeframe,
  toWireTrade,
} from '../wire/index.ts'
import { EventRecord, type Recorded } from './event-record.ts'

type WithoutSeq<T> = T extends unknown ? Omit<T, 'seq'> : never
export type Outgoing = WithoutSeq<ServerMessage>
type OrderEvent = WithoutSeq<Extract<ServerMessage, { type: 'order' | 'balances' }>>
type EventBody = OrderEvent extends infer E ? (E extends unknown ? Omit<E, 'cursor'> : never) : never
export type Listener = (message: Outgoing) => void
type Condition = { readonly state: 'up' | 'down'; readonly reason: string; readonly sinceUs: number }

/** The order notices of one account. */
export class OrderFeed {
  readonly account: AccountId
  readonly #clock: WallClock
  readonly #record = new EventRecord<EventBody>()
  readonly #listeners = new Set<Listener>()
  readonly #onOrder: (clientOrderId: string, order: object) => void
  #condition: Condition
  #wasUp = false
  #stream: { stop(): Promise<void> } | undefined

  constructor(account: AccountId, clock: WallClock, onOrder: (clientOrderId: string, order: object) => void) {
    this.account = account
    this.#clock = clock
    this.#onOrder = onOrder
    this.#condition = { state: 'down', reason: 'not subscribed yet', sinceUs: clock.nowUs() }
  }

  get condition(): Condition {
    return this.#condition
  }

  start(broker: BrokerPort): void {
    const { account } = this
    this.#stream = broker.subscribeOrders({
      onOrder: (report, fill) => {
        const order = toWireOrder(report)
        this.#onOrder(order.clientOrderId, order)
        this.#add({ type: 'order', account, order, ...(fill === undefined ? {} : { fill: toWireFill(fill) }) })
      },
      onBalances: (balances, timeUs) =>
        this.#add({ type: 'balances', account, balances: balances.map(toWireBalance), timeUs }),
      onAdjustment: (report) => {
        const adjustment = toWireAdjustment(report)
        this.#add({ type: 'balances', account, balances: [], timeUs: report.timeUs, adjustment })
      },
      onOrderStream: (state, reason) => this.#change(state, reason),
    })
  }

  /** Everything after `after` first, then what is new, without a hole between. */
  add(listener: Listener, after: string | undefined): { readonly cursor: string; replay(): void } {
    const cursor = after ?? this.#record.cursor
    return {
      cursor,
      replay: () => {
        const missed = this.#record.after(cursor)
        if (missed === undefined) {
          listener({ type: 'gap', channel: 'orders', account: this.account, reason: 'CURSOR_UNKNOWN', cursor })
        }
        for (const one of missed ?? []) listener(messageOf(one))
        this.#listeners.add(listener)
      },
    }
  }

  remove(listener: Listener): void {
    this.#listeners.delete(listener)
  }

  async stop(): Promise<void> {
    await this.#stream?.stop()
  }

  #add(event: EventBody): void {
    const message = messageOf(this.#record.add(event))
    for (const listener of this.#listeners) listener(message)
  }

  #change(state: 'up' | 'down', reason: string): void {
    this.#condition = { state, reason, sinceUs: this.#clock.nowUs() }
    const isBack = state === 'up' && this.#wasUp
    if (state === 'up') this.#wasUp = true
    for (const listener of this.#listeners) {
      if (isBack) {
        listener({ type: 'gap', channel: 'orders', account: this.account, reason: 'VENUE_STREAM_LOST' })
      }
      listener(this.#state(state, reason))
    }
  }

  #state(state: 'up' | 'down', reason: string): Outgoing {
    return { type: 'state', channel: 'orders', account: this.account, state, reason, timeUs: this.#clock.nowUs() }
  }
}

function messageOf({ cursor, event }: Recorded<EventBody>): OrderEvent {
  return { ...event, cursor } as OrderEvent
}

export type MarketChannel = Exclude<Subscription, { channel: 'orders' }>
type Shared = { readonly subscription: MarketChannel; readonly listeners: Set<Listener>; batch: Batch | undefined }
type Batch = {
  readonly stream: { stop(): Promise<void> }
  readonly keys: Set<string>
  condition: Condition
  wasUp: boolean
}

/** Subscriptions that come within this time share one stream at the venue. */
const GATHER_MS = 25

/** Each series is streamed from the venue once, however many listen. */
export class MarketFeed {
  readonly #source: MarketDataPort
  readonly #clock: WallClock
  readonly #shared = new Map<string, Shared>()
  readonly #batches = new Set<Batch>()
  #gathering: { cancel(): void } | undefined

  constructor(source: MarketDataPort, clock: WallClock) {
    this.#source = source
    this.#clock = clock
  }

  /** The state of what is streamed; undefined while nothing is. */
  get condition(): Condition | undefined {
    const all = [...this.#batches].map(({ condition }) => condition)
    return all.find(({ state }) => state === 'down') ?? all[0]
  }

  /** Whether it is streamed already. */
  add(subscription: MarketChannel, listener: Listener): Condition {
    const key = keyOf(subscription)
    const shared = this.#shared.get(key) ?? { subscription, listeners: new Set(), batch: undefined }
    this.#shared.set(key, shared)
    shared.listeners.add(listener)
    if (shared.batch !== undefined) return shared.batch.condition
    this.#gathering ??= this.#clock.after(GATHER_MS, () => this.#open())
    return { state: 'down', reason: 'subscribing', sinceUs: this.#clock.nowUs() }
  }

  remove(subscription: MarketChannel, listener: Listener): void {
    const key = keyOf(subscription)
    const shared = this.#shared.get(key)
    if (shared === undefined) return
    shared.listeners.delete(listener)
    if (shared.listeners.size > 0) return
    this.#shared.delete(key)
    const { batch } = shared
    if (batch === undefined) return
    batch.keys.delete(key)
    if (batch.keys.size > 0) return
    this.#batches.delete(batch)
    void batch.stream.stop()
  }

  async stop(): Promise<void> {
    this.#gathering?.cancel()
    await Promise.all([...this.#batches].map(({ stream }) => stream.stop()))
  }

  #open(): void {
    this.#gathering = undefined
    const waiting = [...this.#shared.entries()].filter(([, shared]) => shared.batch === undefined)
    if (waiting.length === 0) return
    const keys = new Set(waiting.map(([key]) => key))
    const started: { batch?: Batch; early?: readonly ['up' | 'down', string] } = {}
    const tell = (key: string, message: Outgoing): void => {
      for (const listener of this.#shared.get(key)?.listeners ?? []) listener(message)
    }
    const stream = this.#source.subscribe(
      waiting.map(([, { subscription }]) => toPort(subscription)),
      {
        onBar: (bar) => {
          const { instrument, timeframe } = bar
          const key = keyOf({ channel: 'candles', instrument, timeframe: toWireTimeframe(timeframe) })
          tell(key, { type: 'candle', data: toWireBar(bar) })
        },
        onTrade: (trade) =>
          tell(keyOf({ channel: 'trades', instrument: trade.instrument }), { type: 'trade', data: toWireTrade(trade) }),
        onQuote: (quote) =>
          tell(keyOf({ channel: 'quotes', instrument: quote.instrument }), { type: 'quote', data: toWireQuote(quote) }),
        onOrderBook: (book) =>
          tell(keyOf({ channel: 'orderBook', instrument: book.instrument }), {
            type: 'orderBook',
            data: toWireBook(book),
          }),
        onMarketStream: (state, reason) => {
          if (started.batch === undefined) started.early = [state, reason]
          else this.#change(started.batch, state, reason)
        },
      },
    )
    const condition: Condition = { state: 'down', reason: 'subscribing', sinceUs: this.#clock.nowUs() }
    const batch: Batch = (started.batch = { stream, keys, condition, wasUp: false })
    this.#batches.add(batch)
    for (const [, shared] of waiting) shared.batch = batch
    if (started.early !== undefined) this.#change(batch, ...started.early)
  }

  #change(batch: Batch, state: 'up' | 'down', reason: string): void {
    batch.condition = { state, reason, sinceUs: this.#clock.nowUs() }
    const isBack = state === 'up' && batch.wasUp
    if (state === 'up') batch.wasUp = true
    for (const key of batch.keys) {
      const shared = this.#shared.get(key)
      if (shared === undefined) continue
      const { channel, instrument } = shared.subscription
      for (const listener of shared.listeners) {
        if (isBack) listener({ type: 'gap', channel, instrument, reason: 'VENUE_STREAM_LOST' })
        listener(this.#state(shared, state, reason))
      }
    }
  }

  #state({ subscription }: Shared, state: 'up' | 'down', reason: string): Outgoing {
    const { channel, instrument } = subscription
    return { type: 'state', channel, instrument, state, reason, timeUs: this.#clock.nowUs() }
  }
}

function keyOf(subscription: MarketChannel): string {
  const timeframe = subscription.channel === 'candles' ? `/${subscription.timeframe}` : ''
  return `${subscription.channel}/${subscription.instrument}${timeframe}`
}

function toPort(subscription: MarketChannel): MarketSubscription {
  const instrument = subscription.instrument as InstrumentId
  switch (subscription.channel) {
    case 'candles':
      return { instrument, timeframe: fromWireTimeframe(subscription.timeframe) }
    case 'trades':
      return { instrument }
    case 'quotes':
    case 'orderBook':
      return { instrument, channel: subscription.channel }
  }
}
