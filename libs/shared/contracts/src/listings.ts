/** The one door between an instrument of the KRX and what is said of it on the wire between services. */
import {
  formatUnits,
  instrumentId,
  instrumentSymbol,
  krxInstrument,
  kstDateOf,
  parseUnits,
  unlistedKrxInstrument,
  type Instrument,
  type KrxKind,
  type KrxMarket,
  type Restriction,
} from '@jts/model'
import type { Payload } from './events.ts'

export function listingOf(instrument: Instrument, nowUs: number): Payload<'InstrumentListed'> {
  const { id, listing, lotSize, tradable, restrictions = [], priceMin, priceMax, priceLimitsDate } = instrument
  return {
    instrument: id,
    market: listing?.market ?? '',
    kind: listing?.kind ?? '',
    lotSize: formatUnits(lotSize),
    tradable,
    restrictions: restrictions.filter((one) => one !== 'unlisted'),
    priceMin: priceMin === undefined ? '' : formatUnits(priceMin),
    priceMax: priceMax === undefined ? '' : formatUnits(priceMax),
    date: priceLimitsDate ?? kstDateOf(nowUs),
    alwaysOpen: listing !== undefined && instrument.sessions === undefined,
  }
}

export function instrumentOfListing(said: Payload<'InstrumentListed'>): Instrument {
  const { market, kind, date, tradable, alwaysOpen, priceMin, priceMax } = said
  const id = instrumentId(said.instrument)
  const restrictions = said.restrictions as readonly Restriction[]
  if (market === '' || kind === '') {
    return { ...unlistedKrxInstrument(id), tradable, restrictions: ['unlisted', ...restrictions] }
  }
  return krxInstrument({
    code: instrumentSymbol(id),
    market: market as KrxMarket,
    kind: kind as KrxKind,
    date,
    lotSize: parseUnits(said.lotSize),
    tradable,
    restrictions,
    alwaysOpen,
    ...(priceMin === '' || priceMax === ''
      ? {}
      : { priceLimits: { priceMin: parseUnits(priceMin), priceMax: parseUnits(priceMax) } }),
  })
}
