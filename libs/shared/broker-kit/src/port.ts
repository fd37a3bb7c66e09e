/**
 * The broker port: what JTS needs of any broker, in our words. One adapter a broker stands behind it; nobody outside asks
 * for a broker by name, only for its capabilities.
 *
 * Amounts are `Units` (1e-8), times are µs since the epoch by the venue's clock unless said otherwise.
 */
import type { Bar, ClientOrderId, Instrument, InstrumentId, Side, Trade, Units, VenueOrderId } from '@jts/model'

export type BrokerOrderType = 'market' | 'limit' | 'limit_maker'
export type BrokerTimeInForce = 'gtc' | 'ioc' | 'fok'

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
  readonly streams: readonly ('candles' | 'trades' | 'quotes' | 'orders')[]
  /**
   * Whether the venue can prove that a request never became an order, and what that takes: a signed request is refused by
   * the venue itself once `recvWindow` is over. Without proof, a missing order ends as `expired(not_found)`.
   */
  readonly absenceProof: 'none' | 'receive-window'
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
}

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
  readonly liquidity: 'maker' | 'taker'
  readonly timeUs: number
  /** Quantity of the order filled so far, this fill included, where the notice says so. */
  readonly cumulativeQuantity?: Units
}

export type PlaceOutcome =
  | { readonly kind: 'accepted'; readonly report: OrderReport; readonly fills: readonly FillReport[] }
  /** The venue refused it: `code` is ours (closed list), `message` the venue's own words. */
  | { readonly kind: 'rejected'; readonly code: BrokerRejectCode; readonly message: string; readonly timeUs: number }
  /** Never written to the wire: past `sendBeforeUs`, gate halted, breaker open, budget used up. */
  | { readonly kind: 'not_sent'; readonly code: NotSentCode; readonly message: string }
  /** Sent, and no readable answer: a time-out, a dropped socket, a 5xx, an unreadable answer. Settled, never repeated. */
  | { readonly kind: 'unknown'; readonly message: string }

export type CancelOutcome =
  | { readonly kind: 'cancelled'; readonly report: OrderReport }
  /** The venue knows no such open order: a race with a fill, or never there. The order's own query decides. */
  | { readonly kind: 'not_open'; readonly message: string }
  | { readonly kind: 'rejected'; readonly code: BrokerRejectCode; readonly message: string }
  | { readonly kind: 'not_sent'; readonly code: NotSentCode; readonly message: string }
  | { readonly kind: 'unknown'; readonly message: string }

export type BrokerRejectCode =
  | 'INSUFFICIENT_BALANCE'
  | 'FILTER_FAILURE'
  | 'DUPLICATE_CLIENT_ORDER_ID'
  | 'MARKET_CLOSED'
  | 'WOULD_TAKE'
  | 'OUTSIDE_RECEIVE_WINDOW'
  | 'AUTHENTICATION'
  | 'RATE_LIMIT'
  | 'NOT_SUPPORTED'
  | 'REJECTED'

export type NotSentCode = 'TOO_LATE' | 'GATE_HALTED' | 'BROKER_UNAVAILABLE' | 'RATE_BUDGET' | 'INVALID'

export type QueryOutcome =
  | { readonly kind: 'found'; readonly report: OrderReport }
  /** The venue says that it has no such order. Once proves nothing. */
  | { readonly kind: 'not_found' }
  | { readonly kind: 'failed'; readonly message: string }

export type Balance = { readonly currency: string; readonly free: Units; readonly locked: Units }

/** What the venue says without being asked. Calls are synchronous and in the order of the wire. */
export type BrokerListener = {
  /** An order's new state; `fill` is set when this notice is an execution. */
  onOrder(report: OrderReport, fill: FillReport | undefined): void
  /** The venue's balances changed (a hint: the ledger books fills, and reconciliation compares). */
  onBalances(balances: readonly Balance[], timeUs: number): void
  /** The order stream is up again, or down: while down, and until the caller has caught up, notices may be missing. */
  onOrderStream(state: 'up' | 'down', reason: string): void
}

export type MarketListener = {
  onBar(bar: Bar): void
  onTrade(trade: Trade): void
  onMarketStream(state: 'up' | 'down', reason: string): void
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

/** Closed bars of a timeframe or, without one, each public trade. */
export type MarketSubscription = { readonly instrument: InstrumentId; readonly timeframe?: string | undefined }

/** Broker calls for market data that answer a question fail with `BrokerError`. */
export interface MarketDataPort {
  readonly capabilities: Capabilities
  instruments(symbols?: readonly InstrumentId[]): Promise<readonly Instrument[]>
  /** Closed bars only, oldest first. */
  candles(query: CandleQuery): Promise<readonly Bar[]>
  /** Public trades, oldest first. Their ids are unique per instrument, and each is one more than the last. */
  trades(query: TradeQuery): Promise<readonly Trade[]>
  /** Streams these until `stop`; reconnects and resubscribes by itself, saying so by `onMarketStream`. */
  subscribe(subscriptions: readonly MarketSubscription[], listener: MarketListener): { stop(): Promise<void> }
}

/** One account at one broker. */
export interface BrokerPort {
  readonly capabilities: Capabilities
  placeOrder(intent: PlaceOrderIntent): Promise<PlaceOutcome>
  cancelOrder(order: {
    readonly instrument: InstrumentId
    readonly clientOrderId: ClientOrderId
    /** The id of the cancel request itself. */
    readonly cancelId: ClientOrderId
    readonly intentTimeUs: number
    readonly sendBeforeUs: number
  }): Promise<CancelOutcome>
  queryOrder(order: { readonly instrument: InstrumentId; readonly clientOrderId: ClientOrderId }): Promise<QueryOutcome>
  openOrders(instrument?: InstrumentId): Promise<readonly OrderReport[]>
  /** Fills of the account in this instrument after `afterTradeId` (exclusive; undefined = all that the venue keeps), oldest first. */
  fills(query: { readonly instrument: InstrumentId; readonly afterTradeId?: string }): Promise<readonly FillReport[]>
  balances(): Promise<readonly Balance[]>
  /** Order notices until `stop`; reconnects and resubscribes by itself. */
  subscribeOrders(listener: BrokerListener): { stop(): Promise<void> }
  /** The venue's clock less ours, µs, as last measured. */
  clockOffsetUs(): number
  /** The broker's own gate: while halted, new orders are refused (`not_sent`), cancels pass. */
  setGate(state: 'open' | 'halted'): void
}

export class BrokerError extends Error {
  override readonly name = 'BrokerError'
  readonly code: string
  readonly retryable: boolean
  constructor(code: string, message: string, options?: { retryable?: boolean; cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options?.retryable ?? false
  }
}
