/**
 * What the gateway shows and its page reads: plain JSON. Money is shortest decimal text, counts are numbers, times are
 * microseconds since the epoch.
 */
import type { AdjustmentReason } from '@jts/model/adjustments'
import type { Side } from '@jts/model/bars'
import type { Mode } from '@jts/model/ids'
import type { OrderStatus, OrderType } from '@jts/model/orders'

/** `unknown`: the service that keeps it does not answer. */
export type TradingState = 'active' | 'reducing' | 'halted' | 'unknown'

export type ServiceView = {
  readonly name: string
  readonly state: 'up' | 'starting' | 'degraded' | 'down'
  readonly reason?: string
  /** Of a broker whose circuit breaker is not closed: nothing is sent to it. */
  readonly breaker?: 'open'
  /** What the service of a broker says of itself that a person should know; `reason` has it, too. */
  readonly says?: readonly { readonly code: string; readonly message: string }[]
  /** Of a process among several: what it owns now (accounts, strategies, …), and since when it runs. */
  readonly owns?: readonly string[]
  readonly sinceUs?: number
}

/** An account, or one instrument of it, that does not trade freely by itself, and why; `code` is empty where a person has said so. */
export type AccountStateView = {
  readonly account: string
  /** Empty: all of it. */
  readonly instrument: string
  readonly state: Exclude<TradingState, 'active'>
  readonly code: string
  readonly reason: string
}

export type InstrumentView = { readonly id: string; readonly timeframe: string; readonly quoteCurrency: string }

export type StrategyView = {
  readonly instance: string
  readonly strategy: string
  readonly account: string
  readonly instrument: string
  readonly timeframe: string
  readonly parameters: Readonly<Record<string, unknown>>
  /**
   * `warming_up` on bars of the past, and not trading yet; `stopped` by a person; `barred` because a handler threw or did not come back;
   * `unknown` while its engine does not answer.
   */
  readonly state: 'running' | 'warming_up' | 'stopped' | 'barred' | 'unknown'
  /** What a person has said of its orders alone, and why; absent while nothing stands against them. */
  readonly tradingState?: Exclude<TradingState, 'active'>
  readonly tradingStateReason?: string
  /** What it wants as soon as its market takes orders; absent when nothing. */
  readonly waiting?: readonly WaitingView[]
}

export type WaitingView = {
  readonly signalId: string
  readonly side: Side
  /** In the base currency or, for an order sized in quote, in that. */
  readonly quantity: string
  readonly limitPrice?: string
  /** Market time from which on risk is asked. */
  readonly notBeforeUs: number
}

/** How far a collection of past candles is, or how it ended; `scheduled` where none has begun yet. */
export type CollectionView = {
  readonly venue: string
  readonly timeframe: string
  readonly fromDay: string
  readonly toDay: string
  readonly state: 'scheduled' | 'running' | 'done' | 'cancelled' | 'failed'
  /** What it waits for, or why it failed as a whole. */
  readonly reason: string
  readonly by: 'person' | 'schedule'
  readonly total: number
  readonly done: number
  readonly candles: number
  readonly gaps: number
  readonly failures: readonly { readonly instrument: string; readonly reason: string; readonly attempts: number }[]
  readonly startedUs: number
  readonly endedUs: number
  /** When the calendar collects there next; past: as soon as nothing else is being collected; 0: never. */
  readonly nextUs: number
}

/** Days of the venue's own calendar, both included. Without a venue: every one; without instruments and markets: what is traded. */
export type CollectRequestView = {
  readonly venue?: string
  readonly instruments?: readonly string[]
  readonly markets?: readonly string[]
  readonly timeframe?: string
  readonly from?: string
  readonly to?: string
}

export type StatusView = {
  readonly mode: Mode
  readonly version: string
  readonly tradingState: TradingState
  readonly tradingStateReason?: string
  /** Accounts that are not active by themselves. */
  readonly accountStates: readonly AccountStateView[]
  readonly startedAtUs: number
  readonly marketTimeUs: number
  readonly fillModel?: string
  readonly services: readonly ServiceView[]
  readonly instruments: readonly InstrumentView[]
  readonly strategies: readonly StrategyView[]
  /** The last of each venue. */
  readonly collections: readonly CollectionView[]
}

/** Why a light is not green. `down`: a service is; `degraded`: one is not up yet or says so itself, a breaker is open, or an account does not trade freely. */
export type HealthView = {
  readonly status: 'up' | 'degraded' | 'down'
  readonly tradingState: TradingState
  readonly tradingStateReason?: string
  readonly services: readonly ServiceView[]
  readonly accountStates: readonly AccountStateView[]
}

export type PositionView = {
  readonly strategy: string
  readonly instrument: string
  readonly quantity: string
  readonly averagePrice: string
  readonly totalCost: string
  readonly markPrice: string
  readonly unrealisedPnl: string
  readonly realisedPnl: string
}

export type AccountView = {
  readonly account: string
  readonly equity: string
  readonly equityCurrency: string
  readonly realisedPnl: string
  readonly unrealisedPnl: string
  readonly cash: Readonly<Record<string, string>>
  readonly fees: Readonly<Record<string, string>>
  /** What came in without a trade since the opening, less what went out: in equity, in no PnL. */
  readonly adjusted: Readonly<Record<string, string>>
  readonly positions: readonly PositionView[]
  /** Whether the ledger agrees with the broker's own record. */
  readonly reconciled: 'equal' | 'different' | 'unchecked'
  /** Of the last comparison, whether another has found the same or not. */
  readonly differences: readonly DifferenceView[]
  /** Of a market that settles later than it trades. */
  readonly settlement?: SettlementView
}

export type DifferenceView = { readonly currency: string; readonly ours: string; readonly venue: string }

/** What a person says of a difference. `amount` is signed, and exactly what differs. */
export type AdjustRequestView = {
  readonly account: string
  readonly asset: string
  readonly amount: string
  readonly reason: AdjustmentReason
  readonly words: string
}

/** `already`: it was booked before by these words, and nothing differs any more. */
export type AdjustmentView = {
  readonly account: string
  readonly asset: string
  readonly amount: string
  readonly outcome: 'booked' | 'already'
  readonly adjustmentId: string
}

/** Cash by the day on which it changes hands. */
export type SettlementView = {
  readonly currency: string
  /** Today, in Korea. */
  readonly date: string
  readonly settled: string
  /** The coming days, in their order. */
  readonly days: readonly { readonly date: string; readonly receivable: string; readonly payable: string }[]
  /** On its way, of a day that nobody has said; signed, and absent when there is nothing. */
  readonly undated?: string
  /** What the broker said, and when, that a new order may use. */
  readonly orderable?: { readonly amount: string; readonly timeUs: number }
}

export type PortfolioView = { readonly accounts: readonly AccountView[] }

export type CandleView = {
  readonly instrument: string
  readonly timeframe: string
  readonly openTimeUs: number
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly volume: number
  readonly final: boolean
}

export type OrderView = {
  readonly orderId: string
  readonly clientOrderId: string
  readonly venueOrderId?: string
  readonly account: string
  readonly strategy: string
  readonly instrument: string
  readonly side: Side
  readonly type: OrderType
  readonly quantity: string
  readonly limitPrice?: string
  readonly status: OrderStatus
  readonly filledQuantity: string
  readonly averageFillPrice?: string
  readonly reason?: string
  readonly timeUs: number
  readonly correlationId: string
}

export type FillView = {
  readonly fillId: string
  readonly account: string
  readonly strategy: string
  readonly instrument: string
  readonly side: Side
  readonly quantity: string
  readonly price: string
  readonly fee: string
  readonly feeCurrency: string
  readonly timeUs: number
  readonly orderId: string
}

export type DecisionView = {
  readonly signalId: string
  readonly correlationId: string
  readonly account: string
  readonly strategy: string
  readonly instrument: string
  readonly side: Side
  readonly type: OrderType
  readonly quantity: string
  readonly price: string
  /** While it waits for its market to take orders: the time from which on risk is asked. Nothing is decided then. */
  readonly notBeforeUs?: number
  readonly approved: boolean
  readonly adjustedQuantity: string
  readonly reasonCode?: string
  readonly reason?: string
  /** 0..1, the used share of the tightest limit. */
  readonly riskScore: number
  readonly timeUs: number
}

/** The answer to a halt or resume: how many orders were cancelled, are in an unknown state, and are still open. */
export type HaltView = {
  readonly tradingState: TradingState
  readonly cancelled: number
  readonly unknown: number
  readonly open: number
  readonly message: string
}

/** How far a halt goes: nothing is sent any more, or only what reduces. */
export type HaltState = Extract<TradingState, 'halted' | 'reducing'>

/** The same of one strategy: how its engine is then, too, which a resume starts where it is stopped or barred. */
export type StrategyHaltView = HaltView & { readonly instance: string; readonly state: StrategyView['state'] }

export type GatewayUpdate =
  | { readonly type: 'candle'; readonly data: CandleView }
  | { readonly type: 'order'; readonly data: OrderView }
  | { readonly type: 'fill'; readonly data: FillView }
  | { readonly type: 'decision'; readonly data: DecisionView }
  | { readonly type: 'portfolio'; readonly data: PortfolioView }
  | { readonly type: 'status'; readonly data: StatusView }
  | { readonly type: 'collections'; readonly data: readonly CollectionView[] }

/** Lists come newest first, as a screen shows them; candles come oldest first. */
export type SnapshotView = {
  readonly status: StatusView
  readonly portfolio: PortfolioView
  readonly orders: readonly OrderView[]
  readonly fills: readonly FillView[]
  readonly decisions: readonly DecisionView[]
}

/** What the stream says. `resync` asks the reader to fetch the candles again: some were left out because it was slow. */
export type StreamMessage =
  | { readonly type: 'snapshot'; readonly data: SnapshotView }
  | GatewayUpdate
  | { readonly type: 'resync'; readonly data: { readonly of: 'candles' } }
  | { readonly type: 'heartbeat'; readonly data: { readonly timeUs: number } }
