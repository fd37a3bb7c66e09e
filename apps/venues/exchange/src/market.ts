/** Market data as the exchange serves it: klines of any interval, and public trades. */

/** Lengths in µs; a month has none and goes by the calendar. */
export const INTERVALS: Readonly<Record<string, number>> = {
  '1s': 1e6,
  '1m': 60e6,
  '3m': 180e6,
  '5m': 300e6,
  '15m': 900e6,
  '30m': 1800e6,
  '1h': 3600e6,
  '2h': 7200e6,
  '4h': 14_400e6,
  '6h': 21_600e6,
  '8h': 28_800e6,
  '12h': 43_200e6,
  '1d': 86_400e6,
  '3d': 259_200e6,
  '1w': 604_800e6,
  '1M': 0,
}
/** Weeks start on Monday, and the epoch was a Thursday. */
const WEEK_SHIFT_US = 4 * 86_400e6

export type Kline = {
  readonly openUs: number
  /** Last instant: next open − 1 ms. */
  readonly closeUs: number
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly volume: number
  readonly trades: number
  readonly isClosed: boolean
}

export type PublicTrade = {
  readonly id: number
  readonly timeUs: number
  readonly price: number
  readonly quantity: number
  readonly buyerMaker: boolean
}

export type KlineQuery = { readonly fromUs?: number; readonly toUs?: number; readonly limit: number }
export type TradeQuery = { readonly fromId?: number; readonly limit: number }

/** Only what has already happened; a source never shows its future. */
export type Market = {
  /** False when the interval cannot be built from what is recorded. */
  supports(symbol: string, interval: string): boolean
  /** Oldest first: from `fromUs` on, or else the newest up to `toUs`. */
  klines(symbol: string, interval: string, query: KlineQuery): Kline[]
  /** Oldest first: from `fromId` on, or else the newest. */
  trades(symbol: string, query: TradeQuery): PublicTrade[]
}

export function isInterval(interval: string): boolean {
  return Object.hasOwn(INTERVALS, interval)
}

/** Open time of the interval that holds this instant. */
export function intervalOpen(interval: string, timeUs: number): number {
  const length = INTERVALS[interval]!
  if (length === 0) {
    const date = new Date(timeUs / 1000)
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) * 1000
  }
  const shift = interval === '1w' ? WEEK_SHIFT_US : 0
  return timeUs - ((timeUs - shift) % length)
}

/** Open time of the interval after the one that opens here. */
export function intervalNext(interval: string, openUs: number): number {
  const length = INTERVALS[interval]!
  if (length > 0) return openUs + length
  const date = new Date(openUs / 1000)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) * 1000
}
