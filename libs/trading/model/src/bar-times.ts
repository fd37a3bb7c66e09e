/** Which bar follows which: every step on a market that never closes, by trading days and sessions on the KRX. */
import { timeframeUs } from './bars.ts'
import { instrumentVenue, type InstrumentId } from './ids.ts'
import { KrxBarClock, krxDayBar } from './krx/bar-clock.ts'
import { kstDateOf, KrxError } from './krx/kst.ts'
import { KrxSessions } from './krx/sessions.ts'

export interface BarTimes {
  /** Open time (µs) of the bar that must follow the one opened then. */
  next(openTimeUs: number): number
  /** How many bars are missing between two; undefined where the second stands where no bar can be. */
  missing(openTimeUs: number, nextOpenTimeUs: number): number | undefined
  /** When the bar with this close time opened. */
  openOf(closeTimeUs: number): number
}

export function barTimesOf(instrument: InstrumentId, timeframe: string, sessions?: KrxSessions): BarTimes {
  const stepUs = timeframeUs(timeframe)
  return instrumentVenue(instrument) === 'KRX' ? new KrxBarTimes(stepUs, sessions) : everyStep(timeframe)
}

/** Of a market that never closes. */
export function everyStep(timeframe: string): BarTimes {
  return new EveryStep(timeframeUs(timeframe))
}

/** A bar's last instant is 1 ms before the next one opens. */
const CLOSE_BEFORE_NEXT_US = 1000

class EveryStep implements BarTimes {
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

  openOf(closeTimeUs: number): number {
    return closeTimeUs + CLOSE_BEFORE_NEXT_US - this.#stepUs
  }
}

const DAY_US = timeframeUs('1d')

/** Where the holidays are not known (before 2009, and years to come), nothing is said to be missing. */
class KrxBarTimes implements BarTimes {
  readonly #stepUs: number
  readonly #sessions: KrxSessions
  readonly #withinDay: KrxBarClock | undefined

  constructor(stepUs: number, sessions = new KrxSessions()) {
    this.#stepUs = stepUs
    this.#sessions = sessions
    this.#withinDay = stepUs < DAY_US ? new KrxBarClock(stepUs, sessions) : undefined
  }

  next(openTimeUs: number): number {
    if (this.#withinDay !== undefined) return this.#withinDay.next(openTimeUs)
    return krxDayBar(this.#sessions.calendar.tradingDayAfter(kstDateOf(openTimeUs))).openTimeUs
  }

  missing(openTimeUs: number, nextOpenTimeUs: number): number | undefined {
    let missing = 0
    try {
      let expected = this.next(openTimeUs)
      for (; expected < nextOpenTimeUs; missing++) expected = this.next(expected)
      return expected === nextOpenTimeUs ? missing : undefined
    } catch (error) {
      if (error instanceof KrxError) return 0
      throw error
    }
  }

  openOf(closeTimeUs: number): number {
    if (this.#withinDay === undefined) return krxDayBar(kstDateOf(closeTimeUs)).openTimeUs
    return closeTimeUs + CLOSE_BEFORE_NEXT_US - this.#stepUs
  }
}
