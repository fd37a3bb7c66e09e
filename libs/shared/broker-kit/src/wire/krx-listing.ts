/** What a broker says of a listing of the KRX: what it is, its limits of the day, and why it should be traded with care. */
import type * as api from '@jts/contracts/broker-api'
import {
  instrumentId,
  instrumentSymbol,
  krxInstrument,
  unlistedKrxInstrument,
  type Instrument,
  type KrxMarket,
  type Restriction,
} from '@jts/model'
import { toText, toUnits } from './amounts.ts'

type Reason = NonNullable<api.InstrumentListing['reasons']>[number]

const RESTRICTION_OF: Partial<Record<Reason, Restriction>> = {
  HALTED: 'halted',
  SUSPENDED: 'halted',
  MANAGED: 'managed',
  CAUTION: 'caution',
  WARNING: 'warning',
  DANGER: 'danger',
  DELISTING: 'delisting',
}
const MARKETS: readonly string[] = ['KOSPI', 'KOSDAQ', 'KONEX'] satisfies KrxMarket[]

/** Where a broker does not say what it is, nothing is taken for granted: it is `unlisted`. */
export function fromWireListing(said: api.InstrumentListing): Instrument {
  const id = instrumentId(said.instrument)
  const { market, kind, date, upperLimit, lowerLimit, alwaysOpen = false } = said
  const restrictions = [...new Set((said.reasons ?? []).flatMap((reason) => RESTRICTION_OF[reason] ?? []))]
  // A halt has a reason of its own.
  const tradable = said.tradable || restrictions.includes('halted')
  if (market === undefined || !MARKETS.includes(market) || kind === undefined || kind === 'other' || date === undefined)
    return { ...unlistedKrxInstrument(id), tradable, restrictions: ['unlisted', ...restrictions] }
  return krxInstrument({
    code: instrumentSymbol(id),
    market: market as KrxMarket,
    ...{ kind, date, tradable, restrictions, alwaysOpen, lotSize: toUnits(said.lotSize) },
    ...(upperLimit === undefined || lowerLimit === undefined
      ? {}
      : { priceLimits: { priceMin: toUnits(lowerLimit), priceMax: toUnits(upperLimit) } }),
  })
}

export function toWireListing(instrument: Instrument): Partial<api.InstrumentListing> {
  const { listing, restrictions, priceMin, priceMax, priceLimitsDate, sessions } = instrument
  if (listing === undefined) return {}
  const reasons = (Object.keys(RESTRICTION_OF) as Reason[]).filter(
    (reason) => reason !== 'SUSPENDED' && restrictions?.includes(RESTRICTION_OF[reason]!),
  )
  return {
    ...{ market: listing.market, kind: listing.kind },
    ...(reasons.length === 0 ? {} : { reasons }),
    ...(priceMax === undefined ? {} : { upperLimit: toText(priceMax) }),
    ...(priceMin === undefined ? {} : { lowerLimit: toText(priceMin) }),
    ...(priceLimitsDate === undefined ? {} : { date: priceLimitsDate }),
    ...(sessions === undefined ? { alwaysOpen: true } : {}),
  }
}
