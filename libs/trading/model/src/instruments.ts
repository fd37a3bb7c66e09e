/** Instruments: what can be traded, in which steps, and the dated table of the listings that JTS ships. */
import { formatUnits, parseUnits, type Units } from './numbers.ts'
import { KRX_HOLIDAYS_TO } from './krx/holidays.ts'
import type { KstDate } from './krx/kst.ts'
import { krxInstrument, unlistedKrxInstrument } from './krx/instrument.ts'
import type { KrxListing } from './krx/costs.ts'
import type { KrxVenue } from './krx/sessions.ts'
import type { TickBand } from './tick-size.ts'
import { IdError, instrumentId, instrumentSymbol, instrumentVenue, type InstrumentId } from './ids.ts'

/**
 * Why the venue or the exchange keeps an instrument from trading as others do: trading halted (거래정지), managed issue
 * (관리종목), investment caution (투자주의), warning (투자경고) and danger (투자위험), trading until delisting (정리매매), volatility
 * interruption (VI). `unlisted`: nobody has said yet what it is, so nothing is known that its orders could be judged by.
 */
export const RESTRICTIONS = [
  'halted',
  'unlisted',
  'managed',
  'caution',
  'warning',
  'danger',
  'delisting',
  'volatility-interruption',
] as const
export type Restriction = (typeof RESTRICTIONS)[number]
/** What a trader may accept; of a halt and of the unknown there is nothing to accept. */
export type AcceptableRestriction = Exclude<Restriction, 'halted' | 'unlisted'>

/** All amounts in units of 1e-8. A bound of 0 means that the venue sets none. */
export type Instrument = {
  readonly id: InstrumentId
  readonly symbol: string
  readonly baseCurrency: string
  readonly quoteCurrency: string
  /** Smallest price step; where it grows with the price, that of the lowest band (`tickSizeAt` knows the others). */
  readonly tickSize: Units
  readonly tickBands?: readonly TickBand[]
  /** Price limits, where the venue sets some and they are known: of one day, and of no other. */
  readonly priceMin?: Units
  readonly priceMax?: Units
  readonly priceLimitsDate?: KstDate
  /** Smallest quantity step. */
  readonly lotSize: Units
  readonly quantityMin: Units
  readonly quantityMax: Units
  /** Largest quantity of a market order; 0 = none. */
  readonly marketQuantityMax: Units
  readonly notionalMin: Units
  readonly notionalMax: Units
  readonly tradable: boolean
  readonly restrictions?: readonly Restriction[]
  /** Of a Korean share: what its taxes and ticks go by. */
  readonly listing?: KrxListing
  /** Whose trading sessions hold for it; a venue that never closes has none. */
  readonly sessions?: KrxVenue
}

/** Quote currencies of Binance spot, longest first, so that the longest suffix wins. */
const BINANCE_QUOTES = ['FDUSD', 'USDT', 'USDC', 'TUSD', 'BUSD', 'BNB', 'BTC', 'ETH', 'EUR', 'TRY', 'BRL', 'JPY', 'DAI']

/** Base and quote of a venue's symbol. @throws IdError when no known quote currency fits. */
export function splitSymbol(id: InstrumentId): { base: string; quote: string } {
  const symbol = instrumentSymbol(id)
  const venue = instrumentVenue(id)
  if (venue === 'UPBIT') {
    const [quote, base] = symbol.split('-')
    if (quote && base) return { base, quote }
  } else if (venue === 'KRX') {
    return { base: symbol, quote: 'KRW' }
  } else {
    for (const quote of BINANCE_QUOTES) {
      if (symbol.endsWith(quote) && symbol.length > quote.length) return { base: symbol.slice(0, -quote.length), quote }
    }
  }
  throw new IdError(`expected a symbol that ends in a known quote currency (${BINANCE_QUOTES.join(', ')}), found ${id}`)
}

type Filters = { tickSize: string; lotSize: string; notionalMin: string }

/**
 * Binance spot filters as published in exchangeInfo on the date given (LOT_SIZE, PRICE_FILTER, NOTIONAL).
 * Used where no venue can be asked: the backtest and the local venue.
 */
export const BINANCE_FILTERS_DATE = '2024-12-01'
const BINANCE_FILTERS: Readonly<Record<string, Filters>> = {
  BTCUSDT: { tickSize: '0.01', lotSize: '0.00001', notionalMin: '5' },
  ETHUSDT: { tickSize: '0.01', lotSize: '0.00001', notionalMin: '5' },
}
const UNKNOWN_FILTERS: Filters = { tickSize: '0.01', lotSize: '0.00001', notionalMin: '0' }

/** What a person must know where the shipped table does not have this instrument; undefined when it has. */
export function shippedAssumption(id: InstrumentId): string | undefined {
  if (instrumentVenue(id) === 'KRX') return `${id} is taken for a KOSPI share: its ticks and taxes go by that`
  if (instrumentSymbol(id) in BINANCE_FILTERS) return undefined
  return `no filters are shipped for ${id}: lot 0.00001, tick 0.01, no minimum notional`
}

/**
 * The instrument by the shipped table; an unknown symbol gets lot 0.00001, tick 0.01, its quote by the longest suffix and
 * no minimum notional (`shippedAssumption` tells the caller, who says so to the person).
 * @param date whose tick table holds, for a Korean share
 */
export function shippedInstrument(text: string, date: KstDate = KRX_HOLIDAYS_TO): Instrument {
  const id = instrumentId(text)
  if (instrumentVenue(id) === 'KRX') return koreanShare(id, date)
  const { base, quote } = splitSymbol(id)
  const filters = BINANCE_FILTERS[instrumentSymbol(id)] ?? UNKNOWN_FILTERS
  return {
    id,
    symbol: instrumentSymbol(id),
    baseCurrency: base,
    quoteCurrency: quote,
    tickSize: parseUnits(filters.tickSize),
    lotSize: parseUnits(filters.lotSize),
    quantityMin: parseUnits(filters.lotSize),
    quantityMax: parseUnits('9000000'),
    marketQuantityMax: 0n,
    notionalMin: parseUnits(filters.notionalMin),
    notionalMax: parseUnits('9000000'),
    tradable: true,
  }
}

/**
 * What somebody has traded by hand, to be booked by its name alone. Where not even its currencies follow from that, it gets
 * currencies of its own: nothing is guessed, no other balance moves, and the comparison with the broker tells of it.
 */
export function instrumentByName(id: InstrumentId): Instrument {
  if (instrumentVenue(id) === 'KRX') return unlistedKrxInstrument(id)
  try {
    return shippedInstrument(id)
  } catch {
    const symbol = instrumentSymbol(id)
    const known = shippedInstrument('BINANCE:BTCUSDT')
    return { ...known, id, symbol, baseCurrency: symbol, quoteCurrency: `quote of ${symbol}`, tradable: false }
  }
}

/** Nothing is shipped about single issues: taken for a KOSPI share. */
function koreanShare(id: InstrumentId, date: KstDate): Instrument {
  return krxInstrument({ code: instrumentSymbol(id), market: 'KOSPI', kind: 'stock', date })
}

/** One line for a person: what steps this instrument trades in. */
export function describeInstrument(instrument: Instrument): string {
  const minimum = instrument.notionalMin === 0n ? 'none' : formatUnits(instrument.notionalMin)
  return `${instrument.id}: lot ${formatUnits(instrument.lotSize)}, tick ${formatUnits(instrument.tickSize)}, minimum notional ${minimum}`
}
