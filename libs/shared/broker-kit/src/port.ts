/**
 * The broker port: what JTS needs of any broker, in our words. One adapter a broker stands behind it; nobody outside asks
 * for a broker by name, only for its capabilities.
 *
 * Amounts are `Units` (1e-8), times are µs since the epoch by the venue's clock unless said otherwise.
 */
import type {
  AdjustmentReason,
  Bar,
  BrokerRejectCode,
  ClientOrderId,
  Instrument,
  InstrumentId,
  NotSentCode,
  Side,
  Trade,
  Units,
  VenueOrderId,
} from '@jts/model'

export type BrokerOrderType = 'market' | 'limit' | 'limit_maker'
/** `day` ends with the session: all that KRX has beside `ioc` and `fok`. */
export type BrokerTimeInForce = 'gtc' | 'day' | 'ioc' | 'fok'
/** Where an order of a Korean stock goes: an exchange, or the broker's own choice between them. */
export type Route = 'KRX' | 'NXT' | 'SOR'
export type BookScope = 'KRX' | 'NXT' | 'unified'
export type StreamKind = 'candles' | 'trades' | 'quotes' | 'orderBook' | 'orders'

/** One rate limit of the broker, as documented on `date`. */
export type BrokerLimit = {
  readonly name: string
  readonly counts: 'requests' | 'weight' | 'orders' | 'subscriptions' | 'connections'
  readonly limit: number
  /** 0: at one time. */
  readonly windowUs: number
  readonly date: string
}

export type Capabilities = {
  readonly broker: string
  readonly orderTypes: readonly BrokerOrderType[]
  readonly timeInForce: readonly BrokerTimeInForce[]
  /** Which sizes a market order may state, by side. */
  readonly marketBuySizes: readonly ('base' | 'quote')[]
  readonly marketSellSizes: readonly ('base' | 'quote')[]
  /** Whether the venue takes an id of ours, and how long it stays unique. */
  readonly clientOrderIds: 'none' | 'unique-while-open' | 'unique-for-ever'
  readonly amend: boolean
  /** What an amendment can do, where there is one. */
  readonly amendment?: {
    readonly quantity: 'none' | 'less' | 'any'
    /** A part of what is left may move to another price, so that two orders are left. */
    readonly split: boolean
    readonly newVenueOrderId: boolean
  }
  readonly streams: readonly StreamKind[]
  /**
   * Whether the venue can prove that a request never became an order, and what that takes: a signed request is refused by
   * the venue itself once `recvWindow` is over. Without proof, a missing order ends as `expired(not_found)`.
   */
  readonly absenceProof: 'none' | 'receive-window'
  /** Places to send an order to; none: there is only one. */
  readonly routes?: readonly Route[]
  readonly timeframes?: readonly string[]
  readonly trades?: boolean
  readonly quotes?: boolean
  readonly orderBook?: boolean
  /** False: holdings are balances. */
  readonly positions?: boolean
  /** Tells of money that comes or goes without a trade, as it does; otherwise a comparison of the balances finds it. */
  readonly adjustments?: boolean
  /** Where the id and the fee of a fill come from. */
  readonly fills?: { readonly idSource: 'venue' | 'cumulative'; readonly feeSource: 'venue' | 'estimated' }
  readonly limits?: readonly BrokerLimit[]
}

/** One request to place an order: written to disk before it is sent, and sent at most once. */
export type PlaceOrderIntent = {
  readonly clientOrderId: ClientOrderId
  readonly instrument: InstrumentId
  readonly side: Side
  readonly type: BrokerOrderType
  readonly timeInForce?: BrokerTimeInForce
  /** Exactly one of the two. */
  readonly quantity?: Units
  readonly quoteQuantity?: Units
  readonly limitPrice?: Units
  /** Wall clock of the intent, corrected to the venue's clock: the timestamp that the request is signed with. */
  readonly intentTimeUs: number
  /** Wall clock after which the request must not be written to the wire, and the venue must refuse it. */
  readonly sendBeforeUs: number
  readonly route?: Route
  /** Reduces a position: it may use what the rate budget keeps from other orders. */
  readonly reduceOnly?: boolean
  /** Version of the trading state under which it was decided; a broker service refuses one that is behind. */
  readonly tradingStateVersion?: number
  /** W3C's, where tracing is on: the header of the call to a broker service. It never goes to the venue itself. */
  readonly traceparent?: string
}

export type CancelOrderIntent = {
  readonly instrument: InstrumentId
  readonly clientOrderId: ClientOrderId
  /** The id of the cancel request itself. */
  readonly cancelId: ClientOrderId
  readonly intentTimeUs: number
  readonly sendBeforeUs: number
}

/**
 * What is left of an order goes on under `amendId`, at another price or quantity. With `splitQuantity` only so much of it does,
 * and the rest stays as it was.
 */
export type AmendOrderIntent = {
  readonly instrument: InstrumentId
  readonly clientOrderId: ClientOrderId
  readonly amendId: ClientOrderId
  readonly limitPrice?: Units
  /** Open quantity of the amended order; undefined = all that is left. */
  readonly quantity?: Units
  readonly splitQuantity?: Units
  readonly intentTimeUs: number
  readonly sendBeforeUs: number
  readonly tradingStateVersion?: number
}

/** Asked in the moment before the first byte of a request; an answer keeps it off the wire. */
export type BeforeWrite = () => NotSent | undefined

/** The venue's view of one order. */
export type OrderReport = {
  readonly clientOrderId: ClientOrderId
  readonly venueOrderId: VenueOrderId
  readonly instrument: InstrumentId
  readonly side: Side
  readonly status: 'accepted' | 'partially_filled' | 'filled' | 'cancelled' | 'expired' | 'rejected'
  readonly quantity: Units
  readonly cumulativeQuantity: Units
  readonly timeUs: number
  /** The venue's reason for an end without a full fill, where it gives one. */
  readonly reason?: string
  readonly type?: BrokerOrderType
  readonly timeInForce?: BrokerTimeInForce
  readonly route?: Route
  readonly limitPrice?: Units
  readonly quoteQuantity?: Units
  /** Price times quantity filled so far, where the venue says. */
  readonly cumulativeQuote?: Units
  /** The order that this one goes on for, after an amendment. */
  readonly replacesClientOrderId?: ClientOrderId
}

/** One execution of one of our orders. */
export type FillReport = {
  readonly venueOrderId: VenueOrderId
  readonly clientOrderId?: ClientOrderId
  readonly instrument: InstrumentId
  /** Unique per instrument at this venue, and rising. */
  readonly tradeId: string
  readonly side: Side
  readonly quantity: Units
  readonly price: Units
  readonly fee: Units
  readonly feeCurrency: string
  /** `taker` where the venue does not say: the dearer of the two. */
  readonly liquidity: 'maker' | 'taker'
  readonly timeUs: number
  /** Quantity of the order filled so far, this fill included, where the notice says so. */
  readonly cumulativeQuantity?: Units
  /** `cumulative`: the venue gives no trade id, and `tradeId` is `<venueOrderId>:<cumulativeQuantity>`. Default `venue`. */
  readonly idSource?: 'venue' | 'cumulative'
  readonly feeSource?: 'venue' | 'estimated'
  /** A notice not yet settled against the venue's cumulative quantity. */
  readonly provisional?: boolean
  readonly correctsTradeId?: string
}

/** A settled fill and its place in the account's record. */
export type FillRecord = FillReport & { readonly cursor: string }
export type FillPage = { readonly fills: readonly FillRecord[]; readonly cursor: string; readonly more: boolean }

export type PlaceOutcome =
  | { readonly kind: 'accepted'; readonly report: OrderReport; readonly fills: readonly FillReport[] }
  /** The venue refused it: `code` is ours (closed list), `message` the venue's own words. */
  | { readonly kind: 'rejected'; readonly code: BrokerRejectCode; readonly message: string; readonly timeUs: number }
  /** Never written to the wire: past `sendBeforeUs`, gate halted, breaker open, budget used up. */
  | NotSent
  /** Sent, and no readable answer: a time-out, a dropped socket, a 5xx, an unreadable answer. Settled, never repeated. */
  | { readonly kind: 'unknown'; readonly message: string }

export type CancelOutcome =
  | { readonly kind: 'cancelled'; readonly report: OrderReport }
  /** The venue knows no such open order: a race with a fill, or never there. The order's own query decides. */
  | { readonly kind: 'not_open'; readonly message: string }
  | { readonly kind: 'rejected'; readonly code: BrokerRejectCode; readonly message: string }
  | NotSent
  | { readonly kind: 'unknown'; readonly message: string }

export type AmendOutcome =
  /** `order` goes on under the amendment's id; `replaced` is the old one as it ended, or what a split left of it. */
  | { readonly kind: 'amended'; readonly order: OrderReport; readonly replaced: OrderReport }
  | Exclude<CancelOutcome, { kind: 'cancelled' }>

export type NotSent = { readonly kind: 'not_sent'; readonly code: NotSentCode; readonly message: string }

export type QueryOutcome =
  | { readonly kind: 'found'; readonly report: OrderReport }
  /** The venue says that it has no such order. Once proves nothing. */
  | { readonly kind: 'not_found' }
  | { readonly kind: 'failed'; readonly message: string }

export type Balance = {
  readonly currency: string
  readonly free: Units
  readonly locked: Units
  /** What is there today, where trades settle later. */
  readonly settled?: Units
  /** Cash of trades not yet settled, by settlement day in Seoul. */
  readonly unsettled?: readonly { readonly date: string; readonly amount: Units }[]
}

/** Money, or what was bought, that came or went at the venue without a trade. */
export type AdjustmentReport = {
  /** Unique in its account: told again, it is the same one. */
  readonly noticeId: string
  /** As in the balances: a currency, or the symbol of a share. */
  readonly currency: string
  /** Signed; negative went out. */
  readonly amount: Units
  readonly reason: AdjustmentReason
  readonly timeUs: number
}

export type PositionReport = {
  readonly instrument: InstrumentId
  readonly quantity: Units
  readonly sellable?: Units
  readonly totalCost?: Units
  readonly timeUs: number
}

/** What the venue says without being asked. Calls are synchronous and in the order of the wire. */
export type BrokerListener = {
  /** An order's new state; `fill` is set when this notice is an execution. */
  onOrder(report: OrderReport, fill: FillReport | undefined): void
  /** The venue's balances changed (a hint: the ledger books fills, and reconciliation compares). */
  onBalances(balances: readonly Balance[], timeUs: number): void
  /** Where capabilities have it: no trade explains this change. */
  onAdjustment(adjustment: AdjustmentReport): void
  /** The order stream is up again, or down: while down, and until the caller has caught up, notices may be missing. */
  onOrderStream(state: 'up' | 'down', reason: string): void
}

export type MarketListener = {
  onBar(bar: Bar): void
  onTrade(trade: Trade): void
  onMarketStream(state: 'up' | 'down', reason: string): void
  onQuote?(quote: QuoteReport): void
  onOrderBook?(book: OrderBookReport): void
}

/** An amount is missing where the venue does not say it. `expectedPrice` is an auction's, and no trade. */
export type QuoteReport = {
  readonly instrument: InstrumentId
  readonly timeUs: number
  readonly lastPrice?: number
  readonly lastQuantity?: number
  readonly bidPrice?: number
  readonly bidQuantity?: number
  readonly askPrice?: number
  readonly askQuantity?: number
  readonly volume?: number
  readonly previousClose?: number
  readonly upperLimit?: number
  readonly lowerLimit?: number
  readonly expectedPrice?: number
  readonly session?: string
}
export type BookLevel = { readonly price: number; readonly quantity: number }
/** Best first on both sides. */
export type OrderBookReport = {
  readonly instrument: InstrumentId
  readonly timeUs: number
  readonly book?: BookScope
  readonly bids: readonly BookLevel[]
  readonly asks: readonly BookLevel[]
}

export type CandleQuery = {
  readonly instrument: InstrumentId
  readonly timeframe: string
  /** First open time wanted, µs; undefined = the latest `limit`. */
  readonly fromUs?: number
  readonly toUs?: number
  readonly limit?: number
}

export type TradeQuery = {
  readonly instrument: InstrumentId
  /** Exclusive; undefined = the latest `limit`. */
  readonly afterTradeId?: string
  readonly limit?: number
}

/** Closed bars of a timeframe or, without one, each public trade; `channel` asks for something else. */
export type MarketSubscription = {
  readonly instrument: InstrumentId
  readonly timeframe?: string | undefined
  readonly channel?: 'quotes' | 'orderBook'
}

/** Broker calls for market data that answer a question fail with `BrokerError`. */
export interface MarketDataPort {
  readonly capabilities: Capabilities
  instruments(symbols?: readonly InstrumentId[]): Promise<readonly Instrument[]>
  /** Closed bars only, oldest first. */
  candles(query: CandleQuery): Promise<readonly Bar[]>
  /** Public trades, oldest first. Their ids are unique per instrument, and each is one more than the last. */
  trades(query: TradeQuery): Promise<readonly Trade[]>
  /** Where capabilities have them. */
  quotes?(instruments: readonly InstrumentId[]): Promise<readonly QuoteReport[]>
  orderBook?(query: {
    readonly instrument: InstrumentId
    readonly depth?: number
    readonly book?: BookScope
  }): Promise<OrderBookReport>
  /** Streams these until `stop`; reconnects and resubscribes by itself, saying so by `onMarketStream`. */
  subscribe(subscriptions: readonly MarketSubscription[], listener: MarketListener): { stop(): Promise<void> }
}

/** One account at one broker. */
export interface BrokerPort {
  readonly capabilities: Capabilities
  placeOrder(intent: PlaceOrderIntent, beforeWrite?: BeforeWrite): Promise<PlaceOutcome>
  cancelOrder(order: CancelOrderIntent, beforeWrite?: BeforeWrite): Promise<CancelOutcome>
  /** Where capabilities have it. */
  amendOrder?(order: AmendOrderIntent, beforeWrite?: BeforeWrite): Promise<AmendOutcome>
  queryOrder(order: { readonly instrument: InstrumentId; readonly clientOrderId: ClientOrderId }): Promise<QueryOutcome>
  openOrders(instrument?: InstrumentId): Promise<readonly OrderReport[]>
  /** Fills of the account in this instrument after `afterTradeId` (exclusive; undefined = all that the venue keeps), oldest first. */
  fills(query: { readonly instrument: InstrumentId; readonly afterTradeId?: string }): Promise<readonly FillReport[]>
  /** The account's settled fills after a place in its record, where there is one: a broker service keeps it. */
  fillsAfter?(query: { readonly after?: string; readonly limit?: number }): Promise<FillPage>
  balances(): Promise<readonly Balance[]>
  /** Where holdings are not balances. */
  positions?(): Promise<readonly PositionReport[]>
  /** Order notices until `stop`; reconnects and resubscribes by itself. */
  subscribeOrders(listener: BrokerListener): { stop(): Promise<void> }
  /** The venue's clock less ours, µs, as last measured. */
  clockOffsetUs(): number
  /** The venue's own clock, asked now: by what it says, never by ours. Where `absenceProof` leans on it. @throws BrokerError */
  venueTimeUs?(): Promise<number>
  /**
   * The broker's own gate: while halted, new orders are refused (`not_sent`), cancels pass. The version is of what closes or opens
   * it; where that is newer and the gate stays as it is, something was said of one strategy.
   */
  setGate(state: 'open' | 'halted', tradingStateVersion?: number): void
  /** How the broker is, as far as its adapter knows without asking. */
  state?(): BrokerState
}

/** What an adapter knows of its broker without asking; shown by a broker service's health. */
export type BrokerState = {
  readonly session?: {
    readonly state: 'not_needed' | 'connected' | 'connecting' | 'logged_out' | 'blocked'
    readonly sinceUs: number
    readonly reason?: string
  }
  readonly limits?: readonly {
    readonly name: string
    readonly counts: BrokerLimit['counts']
    readonly limit: number
    readonly remaining: number
    readonly windowUs: number
    readonly resetsAtUs?: number
  }[]
}

export class BrokerError extends Error {
  override readonly name = 'BrokerError'
  readonly code: string
  readonly retryable: boolean
  /** Where the broker, or its rate budget, says when it can be asked again. */
  readonly retryAfterMs: number | undefined
  constructor(
    code: string,
    message: string,
    options?: { retryable?: boolean; retryAfterMs?: number | undefined; cause?: unknown },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options?.retryable ?? false
    this.retryAfterMs = options?.retryAfterMs
  }
}
