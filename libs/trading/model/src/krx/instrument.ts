/** A Korean share as an instrument of a given day. */
import { instrumentId, instrumentSymbol, type InstrumentId } from '../ids.ts'
import type { Instrument, Restriction } from '../instruments.ts'
import { ONE, type Units } from '../numbers.ts'
import type { KstDate } from './kst.ts'
import { krxPriceLimits, type PriceLimits } from './price-limits.ts'
import { krxTickBands, type KrxKind, type KrxMarket } from './ticks.ts'

export type KrxListingOfDay = {
  /** Six characters, mostly digits: `005930`, `00104K`. */
  readonly code: string
  readonly market: KrxMarket
  readonly kind: KrxKind
  readonly date: KstDate
  /** The previous close, adjusted; without it the day's limits are not known. */
  readonly basePrice?: Units
  /** As a broker states them for this day: they stand above what follows from the base price. */
  readonly priceLimits?: PriceLimits
  readonly lotSize?: Units
  readonly tradable?: boolean
  readonly restrictions?: readonly Restriction[]
  /** A simulated market that never closes. */
  readonly alwaysOpen?: boolean
}

export function krxInstrument(given: KrxListingOfDay): Instrument {
  const { code, market, kind, date, basePrice, restrictions = [] } = given
  const tickBands = krxTickBands(market, kind, date)
  const grid = { tickSize: tickBands[0]!.tickSize, tickBands }
  const limits =
    given.priceLimits ?? (basePrice === undefined ? undefined : krxPriceLimits(basePrice, grid, market, date))
  const { sessions, ...common } = plainShare(instrumentId(`KRX:${code}`))
  return {
    ...common,
    ...grid,
    ...(given.lotSize === undefined ? {} : { lotSize: given.lotSize, quantityMin: given.lotSize }),
    tradable: given.tradable ?? true,
    listing: { market, kind },
    ...(given.alwaysOpen === true ? {} : { sessions }),
    ...(limits === undefined ? {} : { ...limits, priceLimitsDate: date }),
    ...(restrictions.length === 0 ? {} : { restrictions }),
  }
}

/** Before anybody has said what is listed under this code: it may be held, valued and sold, and is not bought. */
export function unlistedKrxInstrument(id: InstrumentId): Instrument {
  return { ...plainShare(id), restrictions: ['unlisted'] }
}

/** What all that the KRX trades has in common; its prices are in won, of whatever tick. */
function plainShare(id: InstrumentId) {
  const code = instrumentSymbol(id)
  return {
    id,
    symbol: code,
    baseCurrency: code,
    quoteCurrency: 'KRW',
    tickSize: ONE,
    lotSize: ONE,
    quantityMin: ONE,
    quantityMax: 0n,
    marketQuantityMax: 0n,
    notionalMin: 0n,
    notionalMax: 0n,
    tradable: true,
    sessions: 'KRX',
  } as const
}
