/** The shape of a strategy: one object that can be read aloud. */
import { timeframeUs, type Bar, type Side, type Trade } from '@jts/model/bars'
import type { Instrument } from '@jts/model/instruments'
import type { TimeInForce } from '@jts/model/orders'
import type { Units } from '@jts/model/numbers'
import type { ParameterTable, ParameterValues } from './parameters.ts'
import { StrategyError } from './strategy-error.ts'
import { checkWarmUp } from './warm-up.ts'

/**
 * An amount. Exact as `Units` or text; a number is an estimate and is rounded down to the instrument's lot step
 * (a price to the nearest tick).
 */
export type Amount = Units | string | number

export type OrderOptions = {
  /** A limit order at this price; without it, a market order. */
  readonly limit?: Amount
  /** `gtc` for limit orders when not given. */
  readonly timeInForce?: TimeInForce
  /** Only as maker: the venue refuses it when it would trade at once. */
  readonly makerOnly?: boolean
  /** The amount is in quote currency: spend or receive this much. Market orders only. */
  readonly quote?: boolean
}

/** A strategy's own order, by its number within the strategy instance. */
export type OrderNumber = number

export type PositionView = {
  /** After fees, as float64: for sizing and comparing, not for booking. */
  readonly quantity: number
  /** The same, exact. */
  readonly units: Units
  /** Held, not spoken for by working or unknown sells, rounded down to the lot step. */
  readonly sellable: Units
  /** Below one lot, and nothing working or unknown. */
  readonly isFlat: boolean
  /** At least one lot can be sold. */
  readonly isLong: boolean
  /** Orders that have not ended, unknown ones not counted. */
  readonly working: number
  /** Orders that were sent and whose fate is not known. */
  readonly unknown: number
}

/** An execution of one of the strategy's orders. */
export type FillView = {
  readonly order: OrderNumber
  readonly side: Side
  readonly quantity: number
  readonly price: number
  readonly timeUs: number
}

/** What handlers get. It is one object, filled anew for each event: take out what you need, do not keep it. */
export type StrategyContext<P extends ParameterTable, S> = {
  readonly parameters: ParameterValues<P>
  /** Plain data and indicators; the one place where a strategy may remember something. */
  readonly state: S
  readonly position: PositionView
  readonly instrument: Instrument
  readonly lotSize: Units
  /** Closed bars seen, the present one and those of the warm-up included. */
  readonly barCount: number
  /** This bar is of the past: what is asked for is no order, and its number is 0. */
  readonly isWarmingUp: boolean
  /** Market time of the event. */
  readonly nowUs: number
  readonly buy: (amount: Amount, options?: OrderOptions) => OrderNumber
  readonly sell: (amount: Amount, options?: OrderOptions) => OrderNumber
  readonly cancel: (order: OrderNumber) => void
  /** Buys or sells at market what is missing to hold this quantity, working orders counted; 0 when nothing is. */
  readonly target: (quantity: Amount) => OrderNumber
  readonly log: (message: string) => void
}

export type StrategyDefinition<P extends ParameterTable = ParameterTable, S = unknown> = {
  readonly name: string
  readonly description?: string
  readonly parameters: P
  /** Data that the strategy wants: a timeframe it insists on, settled bars that it sees before it may trade. */
  readonly bars?: {
    readonly timeframe?: string
    readonly warmUp?: number | ((parameters: ParameterValues<P>) => number)
  }
  /** Length of `onTimer`'s beat, such as `1h`, by market time. */
  readonly timer?: string
  readonly state: (parameters: ParameterValues<P>) => S
  onBar?(bar: Bar, context: StrategyContext<P, S>): void
  onTrade?(trade: Trade, context: StrategyContext<P, S>): void
  onFill?(fill: FillView, context: StrategyContext<P, S>): void
  onTimer?(timeUs: number, context: StrategyContext<P, S>): void
}

// Parameter and state types matter to a strategy's author only; whoever runs strategies takes any of them.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyStrategy = StrategyDefinition<any, any>

export { StrategyError }

const HANDLERS = ['onBar', 'onTrade', 'onFill', 'onTimer'] as const

/** Checks the definition where it is written, so that a slip shows when the file is loaded. */
export function defineStrategy<const P extends ParameterTable, S>(
  definition: StrategyDefinition<P, S>,
): StrategyDefinition<P, S> {
  checkDefinition(definition)
  return definition
}

/** @throws StrategyError naming what was expected and found. */
export function checkDefinition(value: unknown): asserts value is AnyStrategy {
  if (typeof value !== 'object' || value === null) throw new StrategyError(`expected a strategy, found ${typeof value}`)
  const given = value as Record<string, unknown>
  if (typeof given.name !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(given.name)) {
    throw new StrategyError(`expected a strategy's name such as ema-cross, found ${JSON.stringify(given.name)}`)
  }
  if (typeof given.parameters !== 'object' || given.parameters === null) {
    throw new StrategyError(
      `${given.name}: expected parameters (an object, may be empty), found ${typeof given.parameters}`,
    )
  }
  if (typeof given.state !== 'function') {
    throw new StrategyError(`${given.name}: expected state to be a function, found ${typeof given.state}`)
  }
  for (const handler of HANDLERS) {
    if (given[handler] !== undefined && typeof given[handler] !== 'function') {
      throw new StrategyError(`${given.name}: expected ${handler} to be a function, found ${typeof given[handler]}`)
    }
  }
  if (given.onBar === undefined && given.onTrade === undefined && given.onTimer === undefined) {
    throw new StrategyError(`${given.name}: expected onBar, onTrade or onTimer, found none of them`)
  }
  checkBars(given.name, given.bars, given.onBar !== undefined)
}

function checkBars(name: string, bars: unknown, hasOnBar: boolean): void {
  if (bars === undefined) return
  if (typeof bars !== 'object' || bars === null) {
    throw new StrategyError(`${name}: expected bars to be an object such as { warmUp: 20 }, found ${String(bars)}`)
  }
  const { timeframe, warmUp } = bars as Record<string, unknown>
  if (timeframe !== undefined) checkTimeframe(name, timeframe)
  if (warmUp === undefined) return
  if (!hasOnBar) throw new StrategyError(`${name}: expected onBar beside bars.warmUp, found none`)
  // What depends on the parameters is checked when they are known.
  if (typeof warmUp !== 'function') checkWarmUp(name, warmUp)
}

function checkTimeframe(name: string, timeframe: unknown): void {
  try {
    timeframeUs(timeframe as string)
  } catch (cause) {
    throw new StrategyError(`${name}: bars.timeframe: ${(cause as Error).message}`, { cause })
  }
}

/** What a strategy is to run on: bars of a timeframe or, without one, trades. `file` is where it was found. */
export type MarketGiven = { readonly timeframe?: string | undefined; readonly file?: string | undefined }

/** @throws StrategyError when the strategy has no handler for this, or insists on bars of another length. */
export function checkMarket(strategy: AnyStrategy, { timeframe, file }: MarketGiven): void {
  const where = file === undefined ? '' : ` in ${file}`
  const [handler, kind, other] =
    timeframe === undefined ? (['onTrade', 'trades', 'bars'] as const) : (['onBar', 'bars', 'trades'] as const)
  if (strategy[handler] === undefined && strategy.onTimer === undefined) {
    throw new StrategyError(`${strategy.name}: expected ${other}, which it handles, found ${kind}${where}`)
  }
  const wanted = strategy.bars?.timeframe
  if (wanted === undefined || wanted === timeframe) return
  throw new StrategyError(`${strategy.name}: expected ${wanted} bars, found ${timeframe ?? kind}${where}`)
}
