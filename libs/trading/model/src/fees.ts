/** What a venue keeps of a trade. */
import type { Side } from './bars.ts'
import type { Instrument } from './instruments.ts'
import { KrxCalendar } from './krx/calendar.ts'
import { krxCosts, type KrxListing } from './krx/costs.ts'
import { kstDateOf } from './krx/kst.ts'
import { formatUnits, ONE, parseUnits, type Units } from './numbers.ts'

const ONE_SQUARED = ONE * ONE

/**
 * The fee in the asset that is received (base for a buy, quote for a sell), rounded down to eight decimals: Binance's rule.
 * `rate` is a fraction: 0.1 % is `parseUnits('0.001')`.
 */
export function feeOfReceived(side: Side, quantity: Units, price: Units, rate: Units): Units {
  return side === 'buy' ? (quantity * rate) / ONE : (quantity * price * rate) / ONE_SQUARED
}

/** What a venue asks for a fill, and in which currency. */
export type FeeModel = {
  /** As it was configured, or the venue's usual one. */
  readonly rate: string
  readonly feeOf: (side: Side, quantity: Units, price: Units, timeUs: number) => Units
  readonly currencyOf: (side: Side) => string
}

/**
 * The fees of an instrument's venue.
 * @param rate a fraction, decimal text: of what is received (0.001 when not given), or of the price paid as a Korean broker's
 *   commission (0.00015 when not given), to which the taxes come
 */
export function feeModelOf(instrument: Instrument, rate?: string): FeeModel {
  return instrument.listing === undefined
    ? feesOfReceived(instrument, rate ?? '0.001')
    : krxFees(instrument, instrument.listing, rate ?? '0.00015')
}

function feesOfReceived({ baseCurrency, quoteCurrency }: Instrument, rate: string): FeeModel {
  const units = parseUnits(rate)
  return {
    rate: formatUnits(units),
    feeOf: (side, quantity, price) => feeOfReceived(side, quantity, price, units),
    currencyOf: (side) => (side === 'buy' ? baseCurrency : quoteCurrency),
  }
}

function krxFees({ quoteCurrency }: Instrument, listing: KrxListing, rate: string): FeeModel {
  const calendar = new KrxCalendar()
  const percent = parseUnits(`${rate}e2`)
  return {
    rate,
    feeOf: (side, quantity, price, timeUs) =>
      krxCosts({ side, quantity, price, tradeDate: kstDateOf(timeUs) }, listing, calendar, percent).total,
    currencyOf: () => quoteCurrency,
  }
}
