/**
 * What a Korean share trade costs besides its price: the broker's commission on both sides, and on a sale the securities
 * transaction tax (증권거래세) with the rural special tax (농어촌특별세) of KOSPI shares.
 *
 * The tax applies by the day on which the shares change hands, which is the settlement day: a change on 1 January holds for
 * trades of the last two sessions of December.
 */
import { floorToStep, ONE, parseUnits, type Units } from '../numbers.ts'
import type { Side } from '../bars.ts'
import type { KrxCalendar } from './calendar.ts'
import type { KstDate } from './kst.ts'
import { settlementDate } from './settlement.ts'
import type { KrxKind, KrxMarket } from './ticks.ts'

/** A rate in percent: commissions such as 0.0140527 % are finer than a share of eight decimals. */
export type Percent = Units
type TaxRates = { readonly since: KstDate; readonly rates: Readonly<Record<KrxMarket, SaleTax>> }
export type SaleTax = { readonly transaction: Percent; readonly rural: Percent }

const taxed = (transaction: string, rural = '0'): SaleTax => ({
  transaction: parseUnits(transaction),
  rural: parseUnits(rural),
})

/**
 * By settlement date. 증권거래세법 제8조, 시행령 제5조; 농어촌특별세법 제5조. Announced, among others, in
 * https://www.hankookilbo.com/News/Read/201905211157035366 (2019), https://hankyung.com/article/2020072267916 (2021),
 * https://m.hygood.co.kr/board/customerNotice/detail/1419 (2024, 2025) and the decree of December 2025 (2026).
 */
const SALE_TAXES: readonly TaxRates[] = [
  { since: '2009-01-01', rates: { KOSPI: taxed('0.15', '0.15'), KOSDAQ: taxed('0.3'), KONEX: taxed('0.3') } },
  { since: '2019-06-03', rates: { KOSPI: taxed('0.1', '0.15'), KOSDAQ: taxed('0.25'), KONEX: taxed('0.1') } },
  { since: '2021-01-01', rates: { KOSPI: taxed('0.08', '0.15'), KOSDAQ: taxed('0.23'), KONEX: taxed('0.1') } },
  { since: '2023-01-01', rates: { KOSPI: taxed('0.05', '0.15'), KOSDAQ: taxed('0.2'), KONEX: taxed('0.1') } },
  { since: '2024-01-01', rates: { KOSPI: taxed('0.03', '0.15'), KOSDAQ: taxed('0.18'), KONEX: taxed('0.1') } },
  { since: '2025-01-01', rates: { KOSPI: taxed('0', '0.15'), KOSDAQ: taxed('0.15'), KONEX: taxed('0.1') } },
  { since: '2026-01-01', rates: { KOSPI: taxed('0.05', '0.15'), KOSDAQ: taxed('0.2'), KONEX: taxed('0.1') } },
]
/** Funds and warrants pay none. */
const UNTAXED: SaleTax = { transaction: 0n, rural: 0n }

/** The online commission that Korean brokers ask, unless configured. */
export const KRX_COMMISSION_DEFAULT: Percent = parseUnits('0.015')

const WON = ONE

export type KrxListing = { readonly market: KrxMarket; readonly kind: KrxKind }

export type TradeCosts = {
  readonly commission: Units
  /** Transaction tax and rural special tax together, each cut to the won. */
  readonly tax: Units
  readonly total: Units
}

/** @throws KrxError for a date before the table or out of the calendar */
export function saleTaxOf({ market, kind }: KrxListing, tradeDate: KstDate, calendar: KrxCalendar): SaleTax {
  if (kind !== 'stock') return UNTAXED
  const settled = settlementDate(tradeDate, calendar)
  return SALE_TAXES.findLast(({ since }) => since <= settled)!.rates[market]
}

/** Costs in KRW of one fill, each part cut to the won as brokers do. */
export function krxCosts(
  fill: { readonly side: Side; readonly quantity: Units; readonly price: Units; readonly tradeDate: KstDate },
  listing: KrxListing,
  calendar: KrxCalendar,
  commissionPercent: Percent = KRX_COMMISSION_DEFAULT,
): TradeCosts {
  const notional = (fill.quantity * fill.price) / ONE
  const commission = inWon(notional, commissionPercent)
  if (fill.side === 'buy') return { commission, tax: 0n, total: commission }
  const { transaction, rural } = saleTaxOf(listing, fill.tradeDate, calendar)
  const tax = inWon(notional, transaction) + inWon(notional, rural)
  return { commission, tax, total: commission + tax }
}

function inWon(notional: Units, percent: Percent): Units {
  return floorToStep((notional * percent) / (100n * ONE), WON)
}
