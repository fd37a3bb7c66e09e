/** On which days the KRX trades. */
import { KRX_HOLIDAYS, KRX_HOLIDAYS_FROM, KRX_HOLIDAYS_TO } from './holidays.ts'
import { dayNumber, isoDate, KrxError, type KstDate } from './kst.ts'

export type KrxCalendarOptions = {
  /** Closures that the shipped list does not have; weekends among them change nothing. */
  readonly holidays?: readonly KstDate[] | undefined
  /** Last date for which the holidays are known; the end of the shipped list when not given. */
  readonly knownTo?: KstDate | undefined
}

/** 1970-01-01 was a Thursday. */
const WEEKDAY_OF_DAY_0 = 4

export class KrxCalendar {
  readonly #closed = new Set<number>()
  readonly #from = dayNumber(KRX_HOLIDAYS_FROM)
  readonly #to: number

  constructor({ holidays = [], knownTo = KRX_HOLIDAYS_TO }: KrxCalendarOptions = {}) {
    for (const [year, days] of Object.entries(KRX_HOLIDAYS)) {
      for (const day of days.split(' ')) this.#closed.add(dayNumber(`${year}-${day}`))
    }
    for (const date of holidays) this.#closed.add(dayNumber(date))
    this.#to = dayNumber(knownTo)
  }

  /** @throws KrxError outside the years whose holidays are known: a guess would settle money on the wrong day */
  isTradingDay(date: KstDate): boolean {
    return this.#isTrading(dayNumber(date))
  }

  /** The n-th trading day after (negative: before) this date, which need not be one itself. @throws KrxError */
  tradingDayAfter(date: KstDate, n = 1): KstDate {
    let day = dayNumber(date)
    const step = n < 0 ? -1 : 1
    for (let left = Math.abs(n); left > 0;) {
      day += step
      if (this.#isTrading(day)) left--
    }
    return isoDate(day)
  }

  /** This date when it is a trading day, otherwise the next. @throws KrxError */
  tradingDayFrom(date: KstDate): KstDate {
    return this.isTradingDay(date) ? date : this.tradingDayAfter(date)
  }

  /** Whether the holidays of its year are known. */
  knows(date: KstDate): boolean {
    const day = dayNumber(date)
    return day >= this.#from && day <= this.#to
  }

  #isTrading(day: number): boolean {
    const weekday = (((day + WEEKDAY_OF_DAY_0) % 7) + 7) % 7
    if (weekday === 0 || weekday === 6) return false
    if (day < this.#from || day > this.#to) {
      throw new KrxError(
        `expected a date from ${isoDate(this.#from)} to ${isoDate(this.#to)}, for which the KRX holidays are known, ` +
          `found ${isoDate(day)}`,
      )
    }
    return !this.#closed.has(day)
  }
}
