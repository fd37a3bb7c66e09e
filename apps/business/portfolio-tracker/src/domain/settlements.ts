/** Cash of an account whose market settles later than it trades: by our fills, and by the broker's own words. */
import type { SettlementView } from '@jts/contracts/portfolio-api'
import {
  formatUnits,
  instrumentVenue,
  kstDateOf,
  parseUnits,
  SettlementCash,
  type Fill,
  type KrxCalendar,
  type KstDate,
  type SettlementCashPlain,
  type Units,
} from '@jts/model'

/** What the broker said that a new order may use. */
type Orderable = { readonly amount: string; readonly timeUs: number }
export type SettlementPlain = { readonly cash: SettlementCashPlain; readonly orderable?: Orderable }
export type CashWords = { readonly currency: string; readonly orderable: string; readonly settled: string }

const CURRENCY = 'KRW'

/** Whether this fill's money changes hands later. */
export function settlesLater({ instrument }: Fill): boolean {
  return instrumentVenue(instrument) === 'KRX'
}

export class Settlement {
  readonly currency = CURRENCY
  readonly #cash: SettlementCash
  #orderable: Orderable | undefined

  /** @param settled all cash that is known when its trades begin to be followed */
  constructor(settled: Units | SettlementPlain) {
    if (typeof settled === 'bigint') this.#cash = new SettlementCash(settled)
    else {
      this.#cash = SettlementCash.fromPlain(settled.cash)
      this.#orderable = settled.orderable
    }
  }

  /** A fill has moved the cash of the ledger by this much. */
  book({ timeUs }: Fill, amount: Units, calendar: KrxCalendar): void {
    const date = kstDateOf(timeUs)
    this.#cash.advanceTo(date)
    this.#cash.trade(date, amount, calendar)
  }

  /** Money that came in (or, negative, went out) without a trade: it is there at once. */
  adjust(amount: Units): void {
    this.#cash.deposit(amount)
  }

  /** @param isSameCount whether the broker spoke of an account with the fills that are booked here */
  hear(said: CashWords, timeUs: number, isSameCount: boolean): void {
    this.#orderable = { amount: said.orderable, timeUs }
    if (said.settled !== '' && isSameCount) this.#cash.correct(kstDateOf(timeUs), parseUnits(said.settled))
  }

  view(date: KstDate): SettlementView {
    return {
      currency: CURRENCY,
      date,
      settled: formatUnits(this.#cash.settledOn(date)),
      days: this.#cash.daysAfter(date).map((day) => ({
        date: day.date,
        receivable: formatUnits(day.receivable),
        payable: formatUnits(day.payable),
      })),
      undated: formatUnits(this.#cash.undated),
      orderable: this.#orderable?.amount ?? '',
      orderableTimeUs: this.#orderable?.timeUs ?? 0,
    }
  }

  toPlain(): SettlementPlain {
    return { cash: this.#cash.toPlain(), ...(this.#orderable === undefined ? {} : { orderable: this.#orderable }) }
  }
}
