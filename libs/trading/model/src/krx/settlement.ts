/**
 * When the money of a share trade changes hands: on the second trading day after it (T+2), 유가증권시장업무규정 제33조. Until then
 * proceeds can buy again but not be withdrawn, as every Korean broker handles it.
 */
import type { Units } from '../numbers.ts'
import type { KrxCalendar } from './calendar.ts'
import { KrxError, type KstDate } from './kst.ts'

export const KRX_SETTLEMENT_DAYS = 2

export function settlementDate(tradeDate: KstDate, calendar: KrxCalendar): KstDate {
  return calendar.tradingDayAfter(tradeDate, KRX_SETTLEMENT_DAYS)
}

/** Cash by the day it is there: 예수금, D+1, D+2. */
export type CashByDay = { readonly settled: Units; readonly dPlus1: Units; readonly dPlus2: Units }

/** What changes hands on one day: the proceeds of sales, and what purchases cost. */
export type SettlementDay = { readonly date: KstDate; readonly receivable: Units; readonly payable: Units }

export type SettlementCashPlain = {
  readonly settled: string
  readonly undated: string
  readonly pending: readonly (readonly [date: KstDate, receivable: string, payable: string])[]
}

/** KRW of one account with what is still on its way. */
export class SettlementCash {
  #settled: Units
  #undated: Units = 0n
  readonly #pending = new Map<KstDate, SettlementDay>()

  constructor(settled: Units = 0n) {
    this.#settled = settled
  }

  /**
   * A trade's money, fees and taxes included: positive for a sale, negative for a purchase. Where the calendar ends before it
   * settles, it is on its way all the same, without a day.
   */
  trade(tradeDate: KstDate, amount: Units, calendar: KrxCalendar): void {
    let date: KstDate
    try {
      date = settlementDate(tradeDate, calendar)
    } catch (error) {
      if (!(error instanceof KrxError)) throw error
      this.#undated += amount
      return
    }
    const { receivable, payable } = this.#pending.get(date) ?? { receivable: 0n, payable: 0n }
    this.#pending.set(
      date,
      amount > 0n
        ? { date, receivable: receivable + amount, payable }
        : { date, receivable, payable: payable - amount },
    )
  }

  /** Money that moves at once: a transfer, a dividend. */
  deposit(amount: Units): void {
    this.#settled += amount
  }

  /** Settles what is due on this date or before. */
  advanceTo(date: KstDate): void {
    for (const day of this.#pending.values()) {
      if (day.date > date) continue
      this.#settled += day.receivable - day.payable
      this.#pending.delete(day.date)
    }
  }

  /**
   * What the broker says is there on a date. The difference to what we know is on its way from trades that we have not seen:
   * of a day that nobody has said. The total stays.
   */
  correct(date: KstDate, settled: Units): void {
    const difference = this.settledOn(date) - settled
    this.#settled -= difference
    this.#undated += difference
  }

  /** Everything, settled or not: what can buy. */
  get total(): Units {
    let total = this.#settled + this.#undated
    for (const { receivable, payable } of this.#pending.values()) total += receivable - payable
    return total
  }

  get undated(): Units {
    return this.#undated
  }

  settledOn(date: KstDate): Units {
    let sum = this.#settled
    for (const day of this.#pending.values()) if (day.date <= date) sum += day.receivable - day.payable
    return sum
  }

  /** What changes hands after this date, the next day first. */
  daysAfter(date: KstDate): readonly SettlementDay[] {
    return [...this.#pending.values()].filter((day) => day.date > date).sort((a, b) => (a.date < b.date ? -1 : 1))
  }

  /** As seen on this date, at which everything due has been settled: today, one trading day later, two later. */
  byDay(date: KstDate, calendar: KrxCalendar): CashByDay {
    return {
      settled: this.settledOn(date),
      dPlus1: this.settledOn(calendar.tradingDayAfter(date, 1)),
      dPlus2: this.settledOn(calendar.tradingDayAfter(date, 2)),
    }
  }

  toPlain(): SettlementCashPlain {
    return {
      settled: String(this.#settled),
      undated: String(this.#undated),
      pending: [...this.#pending.values()].map(({ date, receivable, payable }) => [
        date,
        String(receivable),
        String(payable),
      ]),
    }
  }

  static fromPlain({ settled, undated, pending }: SettlementCashPlain): SettlementCash {
    const cash = new SettlementCash(BigInt(settled))
    cash.#undated = BigInt(undated)
    for (const [date, receivable, payable] of pending) {
      cash.#pending.set(date, { date, receivable: BigInt(receivable), payable: BigInt(payable) })
    }
    return cash
  }
}
