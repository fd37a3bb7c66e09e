/** Market data as facts: bars and public trades. Prices and volumes are float64; times are microseconds since the epoch. */
import type { InstrumentId } from './ids.ts'

export type Side = 'buy' | 'sell'

export type Bar = {
  readonly instrument: InstrumentId
  /** Canonical timeframe, for example `1m`, `4h`, `1d`. */
  readonly timeframe: string
  readonly openTimeUs: number
  /** Last instant of the bar, as Binance stamps it: next open − 1 ms. */
  readonly closeTimeUs: number
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly volume: number
  readonly final: boolean
  readonly revision: number
  readonly source: string
}

/** Someone's execution in market data; not a fill. */
export type Trade = {
  readonly instrument: InstrumentId
  readonly tradeId: string
  readonly timeUs: number
  readonly price: number
  readonly quantity: number
  /** The side that took liquidity. */
  readonly aggressor: Side
}

const SECOND_US = 1_000_000
/** Timeframes of Binance spot, by length. A month has no fixed length and is left out. */
export const TIMEFRAMES: Readonly<Record<string, number>> = {
  '1s': SECOND_US,
  '1m': 60 * SECOND_US,
  '3m': 180 * SECOND_US,
  '5m': 300 * SECOND_US,
  '15m': 900 * SECOND_US,
  '30m': 1800 * SECOND_US,
  '1h': 3600 * SECOND_US,
  '2h': 7200 * SECOND_US,
  '4h': 14_400 * SECOND_US,
  '6h': 21_600 * SECOND_US,
  '8h': 28_800 * SECOND_US,
  '12h': 43_200 * SECOND_US,
  '1d': 86_400 * SECOND_US,
  '3d': 259_200 * SECOND_US,
  '1w': 604_800 * SECOND_US,
}

/** Length of a timeframe in µs. @throws Error naming the known timeframes. */
export function timeframeUs(timeframe: string): number {
  const length = TIMEFRAMES[timeframe]
  if (length === undefined) {
    throw new Error(`expected a timeframe of ${Object.keys(TIMEFRAMES).join(', ')}, found ${JSON.stringify(timeframe)}`)
  }
  return length
}

/** The timeframe with this length, or undefined. */
export function timeframeOfLength(lengthUs: number): string | undefined {
  return Object.keys(TIMEFRAMES).find((name) => TIMEFRAMES[name] === lengthUs)
}
