/** Tick sizes of the KRX (호가가격단위) by date: 유가증권시장업무규정 시행세칙 제43조의2 and its KOSDAQ and KONEX counterparts. */
import { ONE, type Units } from '../numbers.ts'
import type { TickBand } from '../tick-size.ts'
import type { KstDate } from './kst.ts'

export type KrxMarket = 'KOSPI' | 'KOSDAQ' | 'KONEX'
/** Everything that trades like a share is a `stock`: preferred shares, REITs, SPACs. */
export type KrxKind = 'stock' | 'etf' | 'etn' | 'elw'

/** Pairs of (price from, tick size) in won, lowest first. */
type Won = readonly (readonly [from: number, tick: number])[]

/** From this date one table for all three markets. https://kr.investing.com/news/economy/article-871878 */
const UNIFIED_FROM: KstDate = '2023-01-25'
const UNIFIED = bands([
  [0, 1],
  [2000, 5],
  [5000, 10],
  [20_000, 50],
  [50_000, 100],
  [200_000, 500],
  [500_000, 1000],
])
/** 2010-10-04 to 2023-01-24; no recorded KOSPI price of these years is off it. */
const KOSPI_BEFORE = bands([
  [0, 1],
  [1000, 5],
  [5000, 10],
  [10_000, 50],
  [50_000, 100],
  [100_000, 500],
  [500_000, 1000],
])
/** KOSDAQ and KONEX had no step above 100 won. */
const KOSDAQ_BEFORE = bands([
  [0, 1],
  [1000, 5],
  [5000, 10],
  [10_000, 50],
  [50_000, 100],
])
/** ETF and ETN: 5 won at any price; since 2023-12-11 1 won below 2,000 won. */
const FUND_LOW_FROM: KstDate = '2023-12-11'
const FUND = bands([[0, 5]])
const FUND_LOW = bands([
  [0, 1],
  [2000, 5],
])

export function krxTickBands(market: KrxMarket, kind: KrxKind, date: KstDate): readonly TickBand[] {
  if (kind === 'elw') return FUND
  if (kind !== 'stock') return date >= FUND_LOW_FROM ? FUND_LOW : FUND
  if (date >= UNIFIED_FROM) return UNIFIED
  return market === 'KOSPI' ? KOSPI_BEFORE : KOSDAQ_BEFORE
}

function bands(won: Won): readonly TickBand[] {
  return won.map(([from, tick]) => ({ from: toUnits(from), tickSize: toUnits(tick) }))
}

function toUnits(won: number): Units {
  return BigInt(won) * ONE
}
