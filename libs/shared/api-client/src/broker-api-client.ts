/**
 * A broker service as a broker port and a market data port: whoever uses it does not see that it is another process. It never
 * repeats a request that acts, and says honestly how far each one came.
 */
import * as api from '@jts/contracts/broker-api'
import { Type } from '@sinclair/typebox'
import {
  BrokerError,
  fromWireAdjustment,
  fromWireAmended,
  fromWireBalance,
  fromWireBar,
  fromWireBook,
  fromWireCancelled,
  fromWireCapabilities,
  fromWireFill,
  fromWireFillRecord,
  fromWireInstrument,
  fromWireOrder,
  fromWirePlaced,
  fromWirePosition,
  fromWireQuote,
  fromWireTrade,
  messageOf,
  toAmendRequest,
  toCancelQuery,
  toPlaceRequest,
  toWireTimeframe,
  type AmendOrderIntent,
  type AmendOutcome,
  type Balance,
  type BeforeWrite,
  type BookScope,
  type BrokerListener,
  type BrokerPort,
  type CancelOrderIntent,
  type CancelOutcome,
  type CandleQuery,
  type Capabilities,
  type FillPage,
  type FillReport,
  type MarketDataPort,
  type MarketListener,
  type MarketSubscription,
  type NotSent,
  type OrderBookReport,
  type OrderReport,
  type PlaceOrderIntent,
  type PlaceOutcome,
  type PositionReport,
  type QueryOutcome,
  type QuoteReport,
  type StreamTimings,
  type TradeQuery,
} from '@jts/broker-kit'
import type { AccountId, Bar, ClientOrderId, Instrument, InstrumentId, Trade } from '@jts/model'
import type { Activity, Logger, WallClock } from '@jts/runtime'
import { dataReader, reader } from './answers.ts'
import { BrokerApiHttp, queryOf, type Acted, type ApiCall, type ApiCredentials } from './http.ts'
import { openApiStream, type ApiStream } from './stream.ts'

export type BrokerApiClientOptions = {
  readonly baseUrl: string
  /** Where the service may move: asked where it is now, at the start and when it is lost. @throws when nobody knows. */
  readonly locate?: () => Promise<string>
  readonly key: ApiCredentials
  /** Left out by one that reads market data only. */
  readonly account?: AccountId
  /** The broker that is expected there. */
  readonly broker?: string
  /** Until `start` has read the service's own. */
  readonly capabilities?: Capabilities
  /** Of the caller's lease on the account; announced at the start, and stated with every request that acts. */
  readonly leaseEpoch?: () => number | undefined
  readonly wallClock: WallClock
  readonly activity?: Activity
  readonly log: Logger
  readonly askTimeoutMs?: number
  readonly actTimeoutMs?: number
  readonly streamTimings?: Partial<StreamTimings>
  readonly random?: () => number
}

const ASK_TIMEOUT_MS = 5000
/** Longer than a broker service waits for its venue. */
const ACT_TIMEOUT_MS = 12_000
/** Whole listings and long histories are several megabytes. */
const LONG_TIMEOUT_MS = 40_000
const MEASURE_EVERY_MS = 60_000
const GATE_AGAIN_MS = 1000
const LOCATE_AGAIN_MS = 200
/** Of a service that has ended, or has moved and left its place to another. */
const LOST: ReadonlySet<string> = new Set(['BROKER_UNAVAILABLE', 'ACCOUNT_NOT_FOUND'])
const GATE_REASON = 'by order execution'
const CANDLES_MAX = 10_000
const TRADES_MAX = 10_000
const FILLS_MAX = 1000

const READ = {
  capabilities: dataReader('capabilities', api.Capabilities),
  health: dataReader('health', api.Health),
  venueTime: dataReader('venue-time', api.VenueTime),
  instruments: dataReader('instruments', Type.Array(api.InstrumentListing)),
  candles: dataReader('candles', Type.Array(api.Candle)),
  trades: dataReader('trades', Type.Array(api.PublicTrade)),
  quotes: dataReader('quotes', Type.Array(api.Quote)),
  book: dataReader('order book', api.OrderBook),
  balances: dataReader('balances', Type.Array(api.Balance)),
  positions: dataReader('positions', Type.Array(api.Position)),
  orders: dataReader('orders', Type.Array(api.OrderReport)),
  order: dataReader('order', api.OrderReport),
  account: dataReader('account', api.AccountState),
  placed: dataReader('outcome', api.PlaceOutcome),
  cancelled: dataReader('outcome', api.CancelOutcome),
  amended: dataReader('outcome', api.AmendOutcome),
  fills: reader(
    'fills',
    Type.Object({
      success: Type.Literal(true),
      data: Type.Array(api.FillRecord),
      cursor: api.Cursor,
      more: Type.Boolean(),
    }),
  ),
}

export class BrokerApiClient implements BrokerPort, MarketDataPort {
  readonly #options: BrokerApiClientOptions
  readonly #http: BrokerApiHttp
  readonly #streams = new Set<ApiStream>()
  readonly #timers = new Set<{ cancel(): void }>()
  #capabilities: Capabilities | undefined
  #offsetUs = 0
  #gate: 'open' | 'halted' = 'open'
  /** Of the trading state by which the gate stands as it does. */
  #gateVersion: number | undefined
  /** The gate as it was last asked for reaches the service, one request after the other; undefined when it has. */
  #gateOnItsWay: Promise<void> | undefined
  #locating: Promise<void> | undefined
  #isFollowing = false
  #stopped = false

  constructor(options: BrokerApiClientOptions) {
    this.#options = options
    const { baseUrl, key, wallClock: clock, askTimeoutMs = ASK_TIMEOUT_MS, actTimeoutMs = ACT_TIMEOUT_MS } = options
    this.#http = new BrokerApiHttp({ baseUrl, key, clock, askTimeoutMs, actTimeoutMs })
    this.#capabilities = options.capabilities
  }

  get capabilities(): Capabilities {
    if (this.#capabilities === undefined) throw new BrokerError('NOT_STARTED', 'expected start() before capabilities')
    return this.#capabilities
  }

  /** Reads what the service is and can, measures its clock, announces the lease. @throws BrokerError */
  async start(): Promise<void> {
    const { broker, account } = this.#options
    await this.#locate()
    const found = await this.#ask({ method: 'GET', path: '/capabilities' }, READ.capabilities)
    if (found.contractVersion.split('.')[0] !== api.CONTRACT_VERSION.split('.')[0]) {
      throw new BrokerError(
        'CONFIG',
        `expected contract version ${api.CONTRACT_VERSION}, found ${found.contractVersion}`,
      )
    }
    if (broker !== undefined && found.broker !== broker) {
      throw new BrokerError('CONFIG', `expected the service of ${broker}, found one of ${found.broker}`)
    }
    if (account !== undefined && !found.accounts.includes(account)) {
      throw new BrokerError(
        'CONFIG',
        `expected a service that holds ${account}, found ${found.accounts.join(', ') || 'none'}`,
      )
    }
    this.#capabilities = fromWireCapabilities(found)
    await this.measureClock()
    await this.#announce()
    this.#every(MEASURE_EVERY_MS, () => this.measureClock())
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#timers) timer.cancel()
    await Promise.all([...this.#streams].map((stream) => stream.stop()))
    await this.#http.stop()
  }

  health(): Promise<api.Health> {
    return this.#ask({ method: 'GET', path: '/health' }, READ.health)
  }

  /** From now on the service refuses whoever owned the account before. @throws BrokerError STALE_LEASE */
  async announceLease(epoch: number): Promise<api.AccountState> {
    return this.#ask({ method: 'PUT', path: `/accounts/${this.#account}/lease`, body: { epoch } }, READ.account)
  }

  async placeOrder(intent: PlaceOrderIntent, beforeWrite?: BeforeWrite): Promise<PlaceOutcome> {
    // What a person has just resumed is not refused by a gate that has not heard it yet.
    if (this.#gate === 'open') await this.#gateOnItsWay
    const body = toPlaceRequest(intent, this.#sender())
    const check = (): NotSent | undefined => this.#whyHalted() ?? beforeWrite?.() ?? this.#whyLate(intent)
    const { traceparent } = intent
    const call = { method: 'POST', path: '/orders', body, traceparent } as const
    return this.#act(call, check, (answer) => fromWirePlaced(READ.placed(answer)))
  }

  cancelOrder(order: CancelOrderIntent, beforeWrite?: BeforeWrite): Promise<CancelOutcome> {
    const path = `/orders/${encodeURIComponent(order.clientOrderId)}${queryOf(toCancelQuery(order, this.#sender()))}`
    const check = (): NotSent | undefined => beforeWrite?.() ?? this.#whyLate(order)
    return this.#act({ method: 'DELETE', path }, check, (answer) => fromWireCancelled(READ.cancelled(answer)))
  }

  amendOrder(order: AmendOrderIntent, beforeWrite?: BeforeWrite): Promise<AmendOutcome> {
    const body = toAmendRequest(order, this.#sender())
    const path = `/orders/${encodeURIComponent(order.clientOrderId)}`
    const check = (): NotSent | undefined => this.#whyHalted() ?? beforeWrite?.() ?? this.#whyLate(order)
    return this.#act({ method: 'PATCH', path, body }, check, (answer) => fromWireAmended(READ.amended(answer)))
  }

  async queryOrder(order: { instrument: InstrumentId; clientOrderId: ClientOrderId }): Promise<QueryOutcome> {
    const { instrument, clientOrderId } = order
    const path = `/orders/${encodeURIComponent(clientOrderId)}${queryOf({ account: this.#account, instrument })}`
    try {
      const report = fromWireOrder(await this.#ask({ method: 'GET', path }, READ.order))
      return { kind: 'found', report: { ...report, clientOrderId } }
    } catch (error) {
      if (error instanceof BrokerError && error.code === 'ORDER_NOT_FOUND') return { kind: 'not_found' }
      return { kind: 'failed', message: messageOf(error) }
    }
  }

  async openOrders(instrument?: InstrumentId): Promise<readonly OrderReport[]> {
    const path = `/orders${queryOf({ account: this.#account, status: 'open', instrument })}`
    return (await this.#ask({ method: 'GET', path }, READ.orders)).map(fromWireOrder)
  }

  async fills(query: { instrument: InstrumentId; afterTradeId?: string }): Promise<readonly FillReport[]> {
    const { instrument, afterTradeId } = query
    if (afterTradeId === undefined) return this.#allFills({ instrument })
    try {
      return await this.#allFills({ instrument, afterFillId: afterTradeId })
    } catch (error) {
      if (!(error instanceof BrokerError) || error.code !== 'CURSOR_UNKNOWN') throw error
      const all = await this.#allFills({ instrument })
      const place = all.findIndex(({ tradeId }) => tradeId === afterTradeId)
      // The record has lost it, or the venue keeps no more of it: what it calls a trade id rises.
      return place >= 0 ? all.slice(place + 1) : all.filter(({ tradeId }) => isLater(tradeId, afterTradeId))
    }
  }

  async fillsAfter(query: { after?: string; limit?: number }): Promise<FillPage> {
    const path = `/fills${queryOf({ account: this.#account, ...query })}`
    const { data, cursor, more } = await this.#ask({ method: 'GET', path }, READ.fills)
    return { fills: data.map(fromWireFillRecord), cursor, more }
  }

  async balances(): Promise<readonly Balance[]> {
    return (await this.#ask({ method: 'GET', path: `/accounts/${this.#account}/balances` }, READ.balances)).map(
      fromWireBalance,
    )
  }

  async positions(): Promise<readonly PositionReport[]> {
    const path = `/accounts/${this.#account}/positions`
    return (await this.#ask({ method: 'GET', path }, READ.positions)).map(fromWirePosition)
  }

  subscribeOrders(listener: BrokerListener): { stop(): Promise<void> } {
    const account = this.#account
    let cursor: string | undefined
    return this.#stream(`orders ${account}`, {
      subscriptions: () => [{ channel: 'orders', account, ...(cursor === undefined ? {} : { after: cursor }) }],
      onMessage: (message) => {
        if (message.type === 'subscribed') cursor ??= message.cursor
        // What the record does not know any more cannot be gone back to.
        else if (message.type === 'gap' && message.reason === 'CURSOR_UNKNOWN') cursor = undefined
        else if (message.type === 'order') {
          cursor = message.cursor
          listener.onOrder(
            fromWireOrder(message.order),
            message.fill === undefined ? undefined : fromWireFill(message.fill),
          )
        } else if (message.type === 'balances') {
          cursor = message.cursor
          const { balances, timeUs, adjustment } = message
          if (adjustment === undefined) listener.onBalances(balances.map(fromWireBalance), timeUs)
          else listener.onAdjustment(fromWireAdjustment(adjustment))
        }
      },
      onState: (state, reason) => {
        if (state === 'up') void this.#onBack()
        listener.onOrderStream(state, reason)
      },
    })
  }

  clockOffsetUs(): number {
    return this.#offsetUs
  }

  async venueTimeUs(): Promise<number> {
    return (await this.#ask({ method: 'GET', path: '/venue-time' }, READ.venueTime)).venueTimeUs
  }

  /**
   * Closed here at once, and at the service as soon as it hears it. Opening is told to the service only after this client has
   * closed it: a gate that someone else closed is not ours to open.
   */
  setGate(state: 'open' | 'halted', tradingStateVersion?: number): void {
    this.#gateVersion = tradingStateVersion
    if (state === this.#gate) return
    this.#gate = state
    if (this.#capabilities === undefined || this.#options.account === undefined) return
    const before = this.#gateOnItsWay ?? Promise.resolve()
    const onItsWay = before.then(() => this.#untilGateSet(state))
    this.#gateOnItsWay = onItsWay
    void onItsWay.finally(() => {
      if (this.#gateOnItsWay === onItsWay) this.#gateOnItsWay = undefined
    })
  }

  async measureClock(): Promise<void> {
    const { wallClock } = this.#options
    const beforeUs = wallClock.nowUs()
    const { venueTimeUs } = await this.health()
    this.#offsetUs = Math.round(venueTimeUs - (beforeUs + wallClock.nowUs()) / 2)
  }

  async instruments(wanted?: readonly InstrumentId[]): Promise<readonly Instrument[]> {
    if (wanted?.length === 0) return []
    const path = `/instruments${queryOf({ instrument: wanted })}`
    return (await this.#ask({ method: 'GET', path, timeoutMs: LONG_TIMEOUT_MS }, READ.instruments)).map(
      fromWireInstrument,
    )
  }

  async candles({ instrument, timeframe, fromUs, toUs, limit }: CandleQuery): Promise<readonly Bar[]> {
    const found: Bar[] = []
    const wanted = limit ?? (fromUs === undefined ? undefined : Infinity)
    let next = fromUs
    for (;;) {
      const count = wanted === undefined ? undefined : Math.min(CANDLES_MAX, wanted - found.length)
      const range = { ...(next === undefined ? {} : { fromUs: next }), ...(toUs === undefined ? {} : { toUs }) }
      const page = await this.candlePage({
        symbol: instrument,
        timeframe: toWireTimeframe(timeframe),
        ...range,
        ...(count === undefined ? {} : { limit: count }),
      })
      found.push(...page.map(fromWireBar))
      const last = found.at(-1)
      const isWhole = next === undefined || count === undefined || page.length < count || found.length >= wanted!
      if (isWhole || last === undefined) return found
      next = last.openTimeUs + 1
    }
  }

  /** One answer of `POST /market-data/candles`, in the contract's own words. */
  candlePage(request: api.CandlesRequest): Promise<api.Candle[]> {
    return this.#ask(
      { method: 'POST', path: '/market-data/candles', body: request, timeoutMs: LONG_TIMEOUT_MS },
      READ.candles,
    )
  }

  async trades({ instrument, afterTradeId, limit }: TradeQuery): Promise<readonly Trade[]> {
    const found: Trade[] = []
    const wanted = limit ?? 500
    let after = afterTradeId
    for (;;) {
      const count = Math.min(TRADES_MAX, wanted - found.length)
      const path = `/market-data/trades${queryOf({ instrument, afterTradeId: after, limit: count })}`
      const page = await this.#ask({ method: 'GET', path, timeoutMs: LONG_TIMEOUT_MS }, READ.trades)
      found.push(...page.map(fromWireTrade))
      if (after === undefined || page.length < count || found.length >= wanted) return found
      after = page.at(-1)!.tradeId
    }
  }

  async quotes(instruments: readonly InstrumentId[]): Promise<readonly QuoteReport[]> {
    if (instruments.length === 0) return []
    const path = `/market-data/quotes${queryOf({ instrument: instruments })}`
    return (await this.#ask({ method: 'GET', path }, READ.quotes)).map(fromWireQuote)
  }

  async orderBook(query: { instrument: InstrumentId; depth?: number; book?: BookScope }): Promise<OrderBookReport> {
    const path = `/market-data/order-book${queryOf(query)}`
    return fromWireBook(await this.#ask({ method: 'GET', path }, READ.book))
  }

  subscribe(subscriptions: readonly MarketSubscription[], listener: MarketListener): { stop(): Promise<void> } {
    const wanted = subscriptions.map(toSubscription)
    return this.#stream(`market data ${this.#streams.size + 1}`, {
      subscriptions: () => wanted,
      onMessage: (message) => {
        if (message.type === 'candle') listener.onBar(fromWireBar(message.data))
        else if (message.type === 'trade') listener.onTrade(fromWireTrade(message.data))
        else if (message.type === 'quote') listener.onQuote?.(fromWireQuote(message.data))
        else if (message.type === 'orderBook') listener.onOrderBook?.(fromWireBook(message.data))
      },
      onState: (state, reason) => listener.onMarketStream(state, reason),
    })
  }

  get #account(): AccountId {
    const { account } = this.#options
    if (account === undefined) throw new BrokerError('CONFIG', 'expected a client with an account')
    return account
  }

  #sender(): { account: AccountId; leaseEpoch: number | undefined } {
    return { account: this.#account, leaseEpoch: this.#options.leaseEpoch?.() }
  }

  #ask<T>(call: ApiCall, read: (body: unknown) => T): Promise<T> {
    return this.#during(async () => {
      const asked = this.#http.origin
      try {
        return await this.#http.ask(call, read)
      } catch (error) {
        const isLost = error instanceof BrokerError && LOST.has(error.code)
        if (!isLost || this.#options.locate === undefined) throw error
        await this.#locate().catch(() => undefined)
        if (this.#http.origin === asked) throw error
        return await this.#http.ask(call, read)
      }
    })
  }

  async #act<T>(
    call: ApiCall,
    check: () => NotSent | undefined,
    read: (answer: unknown) => T,
  ): Promise<T | NotSent | { kind: 'unknown'; message: string }> {
    const refusal = check()
    if (refusal !== undefined) return refusal
    const acted: Acted = await this.#during(() => this.#http.act(call, check))
    if (acted.kind === 'not_sent' && acted.code === 'BROKER_UNAVAILABLE') this.#onLost()
    if (acted.kind !== 'answered') return acted
    try {
      return read(acted.body)
    } catch (error) {
      return { kind: 'unknown', message: messageOf(error) }
    }
  }

  #during<T>(work: () => Promise<T>): Promise<T> {
    const { activity } = this.#options
    if (activity === undefined) return work()
    activity.enter(this.#name)
    const answer = work()
    // After every consumer of the answer has run: between the two the process would look idle.
    const leave = (): void => void setImmediate(() => activity.leave(this.#name))
    answer.then(leave, leave)
    return answer
  }

  /** What it is called where somebody waits for it. */
  get #name(): string {
    return `${this.#options.broker ?? 'broker'}-service`
  }

  #whyHalted(): NotSent | undefined {
    if (this.#gate === 'open') return undefined
    return { kind: 'not_sent', code: 'GATE_HALTED', message: 'the gate of the broker is halted' }
  }

  #whyLate({ sendBeforeUs }: { readonly sendBeforeUs: number }): NotSent | undefined {
    const lateUs = this.#options.wallClock.nowUs() + this.#offsetUs - sendBeforeUs
    if (lateUs < 0) return undefined
    return { kind: 'not_sent', code: 'TOO_LATE', message: `${lateUs / 1000} ms past the time to send before` }
  }

  async #untilGateSet(state: 'open' | 'halted'): Promise<void> {
    while (!this.#stopped && state === this.#gate) {
      try {
        return await this.#putGate()
      } catch (error) {
        this.#options.log.warn({ err: error, gate: state }, 'the broker service does not take the gate; trying again')
        await new Promise<void>((resolve) => this.#options.wallClock.after(GATE_AGAIN_MS, resolve))
      }
    }
  }

  /**
   * Who owns the account, and how its gate is to stand, for a service that has not heard it or has forgotten it. A gate that was
   * closed from here under an older trading state is opened: a person has said so since, and this word of it was lost.
   */
  async #announce(): Promise<void> {
    const { account, leaseEpoch } = this.#options
    const epoch = leaseEpoch?.()
    if (account === undefined) return
    const found =
      epoch === undefined
        ? (await this.health()).accounts.find((one) => one.account === account)
        : await this.announceLease(epoch)
    const isLeftClosed =
      found?.gate === 'halted' &&
      found.gateReason === GATE_REASON &&
      found.tradingStateVersion < (this.#gateVersion ?? 0)
    if (this.#gate === 'halted' || isLeftClosed) await this.#putGate()
  }

  /** One at a time. What stood at the former place is given up there: it may still be open, and say nothing. */
  #locate(): Promise<void> {
    const { locate } = this.#options
    if (locate === undefined) return Promise.resolve()
    this.#locating ??= (async () => {
      const origin = new URL(await locate()).origin
      if (origin === this.#http.origin) return
      this.#http.moveTo(origin)
      for (const stream of this.#streams) stream.reconnect(`the service is at ${origin} now`)
    })().finally(() => (this.#locating = undefined))
    return this.#locating
  }

  /** Asks until somebody says where the service is. */
  #onLost(): void {
    if (this.#options.locate === undefined || this.#isFollowing) return
    this.#isFollowing = true
    void (async () => {
      while (!this.#stopped) {
        try {
          return await this.#locate()
        } catch (error) {
          this.#options.log.debug({ err: error }, 'nobody says where the broker service is; asking again')
          await new Promise<void>((resolve) => this.#options.wallClock.after(LOCATE_AGAIN_MS, resolve))
        }
      }
    })().finally(() => (this.#isFollowing = false))
  }

  /** After a while without it the service may be another process, which has not heard what the former one had. */
  async #onBack(): Promise<void> {
    if (this.#options.account === undefined || this.#options.locate === undefined) return
    try {
      await this.#announce()
      await this.measureClock()
    } catch (error) {
      this.#options.log.warn({ err: error }, 'the broker service was not told who owns the account')
    }
  }

  async #putGate(): Promise<void> {
    const version = this.#gateVersion === undefined ? {} : { tradingStateVersion: this.#gateVersion }
    const body = { state: this.#gate, reason: GATE_REASON, ...version }
    await this.#ask(
      { method: 'PUT', path: `/accounts/${this.#account}/gate`, body, timeoutMs: LONG_TIMEOUT_MS },
      READ.account,
    )
  }

  async #allFills(query: { instrument: InstrumentId; afterFillId?: string }): Promise<readonly FillReport[]> {
    const found: FillReport[] = []
    let after: string | undefined
    for (;;) {
      const place = after === undefined ? query : { instrument: query.instrument, after }
      const path = `/fills${queryOf({ account: this.#account, ...place, limit: FILLS_MAX })}`
      const { data, cursor, more } = await this.#ask({ method: 'GET', path, timeoutMs: LONG_TIMEOUT_MS }, READ.fills)
      found.push(...data.map(fromWireFill))
      if (!more) return found
      after = cursor
    }
  }

  #stream(
    name: string,
    parts: Pick<Parameters<typeof openApiStream>[0], 'subscriptions' | 'onMessage' | 'onState'>,
  ): { stop(): Promise<void> } {
    const { wallClock: clock, activity, log, streamTimings: timings, random } = this.#options
    const stream = openApiStream({
      ...parts,
      url: () => this.#http.streamUrl,
      participant: `${this.#name}, ${name}`,
      onLost: () => this.#onLost(),
      headers: () => this.#http.headers('GET', '/api/v1/stream', ''),
      ...{ clock, activity, log, timings, random },
    })
    this.#streams.add(stream)
    return stream
  }

  #every(delayMs: number, work: () => Promise<void>): void {
    if (this.#stopped) return
    const timer = this.#options.wallClock.after(delayMs, () => {
      this.#timers.delete(timer)
      work()
        .catch((error: unknown) => this.#options.log.warn({ err: error }, 'the broker service does not answer'))
        .finally(() => this.#every(delayMs, work))
    })
    this.#timers.add(timer)
  }
}

function toSubscription({ instrument, timeframe, channel }: MarketSubscription): api.Subscription {
  if (channel !== undefined) return { channel, instrument }
  if (timeframe === undefined) return { channel: 'trades', instrument }
  return { channel: 'candles', instrument, timeframe: toWireTimeframe(timeframe) }
}

function isLater(tradeId: string, than: string): boolean {
  const isNumber = /^[0-9]+$/
  return isNumber.test(tradeId) && isNumber.test(than) && BigInt(tradeId) > BigInt(than)
}
