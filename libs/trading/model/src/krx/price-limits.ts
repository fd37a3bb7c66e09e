/**
 * The day's price limits (가격제한폭). Source: 유가증권시장업무규정 제20조 and its 시행세칙; KOSPI and KOSDAQ 30 % of the base price since
 * 2015-06-15, 15 % before; KONEX 15 %. Where a broker states the limits of the day, they stand above these.
 */
import { ceilToTick, floorToTick, tickSizeAt, type PriceGrid } from '../tick-size.ts'
import { floorToStep, ONE, type Units } from '../numbers.ts'
import type { KstDate } from './kst.ts'
import type { KrxMarket } from './ticks.ts'

const WIDE_FROM: KstDate = '2015-06-15'
const WIDE: Units = (ONE * 30n) / 100n
const NARROW: Units = (ONE * 15n) / 100n

export type PriceLimits = { readonly priceMin: Units; readonly priceMax: Units }

/**
 * Lowest and highest price of a day. The width is cut to the base price's own tick first, then each limit is brought inward
 * to the tick at its own price; so these limits are never wider than the exchange's.
 * @param basePrice the previous close, adjusted for corporate actions
 */
export function krxPriceLimits(basePrice: Units, grid: PriceGrid, market: KrxMarket, date: KstDate): PriceLimits {
  const share = market !== 'KONEX' && date >= WIDE_FROM ? WIDE : NARROW
  const width = floorToStep((basePrice * share) / ONE, tickSizeAt(grid, basePrice))
  return { priceMin: ceilToTick(grid, basePrice - width), priceMax: floorToTick(grid, basePrice + width) }
}
