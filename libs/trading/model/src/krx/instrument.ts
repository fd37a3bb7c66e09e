/** A Korean share as an instrument of a given day. */
import { instrumentId, instrumentSymbol } from '../ids.ts'
import type { Instrument, Restriction } from '../instruments.ts'
import { ONE, type Units } from '../numbers.ts'
import type { KstDate } from './kst.ts'
import { krxPriceLimits } from './price-limits.ts'
import { krxTickBands, type KrxKind, type KrxMarket } from './ticks.ts'

export type KrxListingOfDay = {
  /** Six characters, mostly digits: `005930`, `00104K`. */
  readonly code: string
  readonly market: KrxMarket
  readonly kind: KrxKind
  readonly date: KstDate
  /** The previous close, adjusted; without it the day's limits are not known. */
  readonly basePrice?: Units
  readonly restrictions?: readonly Restriction[]
}

export function krxInstrument(given: KrxListingOfDay): Instrument {
  const { code, market, kind, date, basePrice, restrictions = [] } = given
  const id = instrumentId(`KRX:${code}`)
  const tickBands = krxTickBands(market, kind, date)
  const grid = { tickSize: tickBands[0]!.tickSize, tickBands }
  return {
    id,
    symbol: instrumentSymbol(id),
    baseCurrency: code,
    quoteCurrency: 'KRW',
    ...grid,
    lotSize: ONE,
    quantityMin: ONE,
    quantityMax: 0n,
    marketQuantityMax: 0n,
    notionalMin: 0n,
    notionalMax: 0n,
    tradable: true,
    listing: { market, kind },
    sessions: 'KRX',
    ...(basePrice === undefined ? {} : krxPriceLimits(basePrice, grid, market, date)),
    ...(restrictions.length === 0 ? {} : { restrictions }),
  }
}
