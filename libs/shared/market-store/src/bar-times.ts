/** Which bar follows which: every step on a market that never closes, by trading days and sessions on the KRX. */
import { timeframeUs } from '@jts/model/bars'
import { KRX_HOLIDAYS_FROM } from '@jts/model/krx/holidays'
import { KrxBarClock, kstDateOf, krxDayBar, KrxSessions } from '@jts/model/krx'

export interface BarTimes {
  /** Open time of the bar that must follow. */
  next(openTimeUs: number): number
  /** How many bars are missing between two; undefined where the second stands where no bar can be. */
  missing(openTimeUs: number, nextOpenTimeUs: number): number | undefined
}

export class EveryStep implements BarTimes {
  readonly #stepUs: number

  constructor(stepUs: number) {
    this.#stepUs = stepUs
  }

  next(openTimeUs: number): number {
    return openTimeUs + this.#stepUs
  }

  missing(openTimeUs: number, nextOpenTimeUs: number): number | undefined {
    const spacing = nextOpenTimeUs - openTimeUs
    return spacing % this.#stepUs === 0 ? spacing / this.#stepUs - 1 : undefined
  }
}

const DAY_US = timeframeUs('1d')

/** Before 2009 the holidays are not known, and nothing is said to be missing. */
export class KrxBarTimes implements BarTimes {
  readonly #sessions = new KrxSessions()
  readonly #withinDay: KrxBarClock | undefined

  constructor(stepUs: number) {
    this.#withinDay = stepUs < DAY_US ? new KrxBarClock(stepUs, this.#sessions) : undefined
  }

  next(openTimeUs: number): number {
    if (this.#withinDay !== undefined) return this.#withinDay.next(openTimeUs)
    return krxDayBar(this.#sessions.calendar.tradingDayAfter(kstDateOf(openTimeUs))).openTimeUs
  }

  missing(openTimeUs: number, nextOpenTimeUs: number): number | undefined {
    if (kstDateOf(openTimeUs) < KRX_HOLIDAYS_FROM) return 0
    let missing = 0
    let expected = this.next(openTimeUs)
    for (; expected < nextOpenTimeUs; missing++) expected = this.next(expected)
    return expected === nextOpenTimeUs ? missing : undefined
  }
}
