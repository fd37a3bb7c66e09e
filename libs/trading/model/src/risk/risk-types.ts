/** What is asked of risk, and what it answers. */
import type { Units } from '../numbers.ts'
import type { AccountId, InstrumentId, SignalId, StrategyInstanceId } from '../ids.ts'
import type { Side } from '../bars.ts'
import type { AcceptableRestriction } from '../instruments.ts'
import type { HoldCode } from './holds.ts'
import type { OrderType, TimeInForce } from '../orders.ts'

/** What a strategy wants, as it is put before risk. Size is `quantity` in base or `quoteQuantity` in quote, never both. */
export type RiskIntent = {
  readonly signalId: SignalId
  readonly account: AccountId
  readonly strategy: StrategyInstanceId
  readonly instrument: InstrumentId
  readonly side: Side
  readonly type: OrderType
  readonly quantity?: Units | undefined
  readonly quoteQuantity?: Units | undefined
  readonly limitPrice?: Units | undefined
  readonly timeInForce: TimeInForce
  readonly signalTimeUs: number
}

/** A limit that is absent is not checked; the venue's own rules and the cash always are. */
export type RiskLimits = {
  readonly notionalMaxPerOrder?: Units
  /** A market order reserves last × (1 + collar); 0.01 when not given. */
  readonly marketCollar?: number
  /** Fee rate reserved on top of a buy, for venues that take it from the quote currency; 0 when not given. */
  readonly feeRateReserved?: number
  /** The same strategy, instrument, side and quantity again within this time is a duplicate. */
  readonly duplicateWindowUs?: number
  readonly signalAgeMaxUs?: number
  /** How far a limit price may be from the last price, against us, as a share of it: beyond that it is a slip. */
  readonly priceCollar?: number
  /** Orders of an account that may be approved within a minute of market time; those that reduce count and are never kept back. */
  readonly ordersPerMinuteMax?: number
  /** What an account may have at risk in one instrument, in its quote currency: the position at the last price, and open buys. */
  readonly exposureMaxPerInstrument?: Units
  readonly marketDataAgeMaxUs?: number
  /** Restrictions under which a person wants to buy all the same. */
  readonly restrictionsAllowed?: readonly AcceptableRestriction[]
}

export const MARKET_COLLAR_DEFAULT = 0.01

export type TradingState = 'active' | 'reducing' | 'halted'
/** Whom a trading state applies to; nothing given = everyone. */
export type TradingScope = { readonly account?: AccountId; readonly strategy?: StrategyInstanceId }

export type DenialCode =
  | HoldCode
  | 'DUPLICATE_SIGNAL'
  | 'MALFORMED_INTENT'
  | 'INSTRUMENT_UNKNOWN'
  | 'TRADING_HALTED'
  | 'TRADING_REDUCING'
  | 'STRATEGY_HALTED'
  | 'STRATEGY_REDUCING'
  | 'INSTRUMENT_NOT_TRADABLE'
  | 'TICK_SIZE'
  | 'PRICE_LIMIT'
  | 'INSTRUMENT_HALTED'
  | 'LISTING_UNKNOWN'
  | 'INSTRUMENT_MANAGED'
  | 'INSTRUMENT_CAUTION'
  | 'INSTRUMENT_WARNING'
  | 'INSTRUMENT_DANGER'
  | 'INSTRUMENT_DELISTING'
  | 'VOLATILITY_INTERRUPTION'
  | 'SESSION_CLOSED'
  | 'SESSION_PHASE'
  | 'SESSION_UNKNOWN'
  | 'LOT_SIZE'
  | 'QUANTITY_MIN'
  | 'QUANTITY_MAX'
  | 'STALE_SIGNAL'
  | 'NO_MARKET_PRICE'
  | 'STALE_MARKET_DATA'
  | 'DUPLICATE_ORDER'
  | 'NOTIONAL_MIN'
  | 'NOTIONAL_MAX'
  | 'NOTIONAL_MAX_PER_ORDER'
  | 'PRICE_COLLAR'
  | 'EXPOSURE_MAX_PER_INSTRUMENT'
  | 'ORDER_RATE'
  | 'INSUFFICIENT_CASH'
  | 'INSUFFICIENT_POSITION'

/** One rule's finding, for `why` and the screens; built only when asked for. */
export type RiskCheck = {
  readonly rule: string
  readonly passed: boolean
  readonly code?: DenialCode
  /** Why it objected, or what it measured when it did not. */
  readonly reason?: string
}

export type RiskDecision =
  | {
      readonly approved: true
      readonly quantity: Units
      /** 0..1: the used share of the tightest limit. */
      readonly riskScore: number
      readonly checks: readonly RiskCheck[]
    }
  | {
      readonly approved: false
      readonly reasonCode: DenialCode
      /** With the figures: what was expected and what was found. */
      readonly reason: string
      readonly riskScore: number
      readonly checks: readonly RiskCheck[]
    }

/** What an advisory check judges: someone's stated portfolio, not our books. */
export type AdvisoryPortfolio = {
  readonly cash: Readonly<Record<string, Units>>
  readonly positions: Readonly<Record<string, Units>>
}
