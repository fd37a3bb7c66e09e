/**
 * When the money of a share trade changes hands: on the second trading day after it (T+2), 유가증권시장업무규정 제33조. Until then
 * proceeds can buy again but not be withdrawn, as every Korean broker handles it.
 */
import type { Units } from '../numbers.ts'
import type { KrxCalendar } from './calendar.ts'
import type { KstDate } from './kst.ts'

export const KRX_SETTLEMENT_DAYS = 2

export function settlementDate(tradeDate: KstDate, calendar: KrxCalendar): KstDate {
  return calendar.tradingDayAfter(tradeDate, KRX_SETTLEMENT_DAYS)
}

/** Cash by the day it is there: 예수금, D+1, D+2. */
export type CashByDay = { readonly settled: Units; readonly dPlus1: Units; readonly dPlus2: Units }

export type SettlementCashPlain = {
  readonly settled: string
  readonly pending: readonly (readonly [date: KstDate, amount: string])[]
}

/** KRW of one account with what is still on its way. */
export class SettlementCash {
  #settled: Units
  /** By settlement date. */
  readonly #pending = new Map<KstDate, Units>()

  constructor(settled: Units = 0n) {
    this.#settled = settled
  }

  /** A trade's money, fees and taxes included: positive for a sale, negative for a purchase. */
  trade(tradeDate: KstDate, amount: Units, calendar: KrxCalendar): void {
    const date = settlementDate(tradeDate, calendar)
    this.#pending.set(date, (this.#pending.get(date) ?? 0n) + amount)
  }

  /** Money that moves at once: a transfer, a dividend. */
  deposit(amount: Units): void {
    this.#settled += amount
  }

  /** Settles what is due on this date or before. */
  advanceTo(date: KstDate): void {
    for (const [due, amount] of this.#pending) {
      if (due > date) continue
      this.#settled += amount
      this.#pending.delete(due)
    }
  }

  /** Everything, settled or not: what can buy. */
  get total(): Units {
    let total = this.#settled
    for (const amount of this.#pending.values()) total += amount
    return total
  }

  /** As seen on this date, at which everything due has been settled: today, one trading day later, two later. */
  byDay(date: KstDate, calendar: KrxCalendar): CashByDay {
    const due = (last: KstDate): Units => {
      let sum = this.#settled
      for (const [day, amount] of this.#pending) if (day <= last) sum += amount
      return sum
    }
    return {
      settled: due(date),
      dPlus1: due(calendar.tradingDayAfter(date, 1)),
      dPlus2: due(calendar.tradingDayAfter(date, 2)),
    }
  }

  toPlain(): SettlementCashPlain {
    return {
      settled: String(this.#settled),
      pending: [...this.#pending].map(([date, amount]) => [date, String(amount)]),
    }
  }

  static fromPlain({ settled, pending }: SettlementCashPlain): SettlementCash {
    const cash = new SettlementCash(BigInt(settled))
    for (const [date, amount] of pending) cash.#pending.set(date, BigInt(amount))
    return cash
  }
}
