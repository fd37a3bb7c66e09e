/** At which times bars of a Korean share begin: within continuous trading, and one for the price of the closing auction. */
import type { KrxSessions } from './sessions.ts'
import { kstDateOf, kstInstantUs, secondsOfTime, type KstDate } from './kst.ts'

/** A day's bar spans continuous trading and both auctions. */
export function krxDayBar(date: KstDate): { readonly openTimeUs: number; readonly closeTimeUs: number } {
  return {
    openTimeUs: kstInstantUs(date, secondsOfTime('09:00')),
    closeTimeUs: kstInstantUs(date, secondsOfTime('15:30')) - 1000,
  }
}

/** Which bar follows which, for bars shorter than a day: minutes in which nothing can trade have none. */
export class KrxBarClock {
  readonly #stepUs: number
  readonly #sessions: KrxSessions
  /** Of the day last asked about. */
  #date: KstDate = ''
  #times: readonly number[] = []

  constructor(stepUs: number, sessions: KrxSessions) {
    this.#stepUs = stepUs
    this.#sessions = sessions
  }

  /** Open time (µs) of the bar after the one that opened at `openTimeUs`. @throws KrxError out of the calendar */
  next(openTimeUs: number): number {
    const date = kstDateOf(openTimeUs)
    const inDay = this.#of(date)[firstAbove(this.#times, openTimeUs)]
    return inDay ?? this.#of(this.#sessions.calendar.tradingDayAfter(date))[0]!
  }

  #of(date: KstDate): readonly number[] {
    if (date !== this.#date) {
      this.#times = barTimesUs(date, this.#stepUs, this.#sessions)
      this.#date = date
    }
    return this.#times
  }
}

/** Index of the first of these rising times that is above; their count when none is. */
function firstAbove(times: readonly number[], timeUs: number): number {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (times[middle]! > timeUs) high = middle
    else low = middle + 1
  }
  return low
}

/** Open times of a day's bars, µs. */
export function barTimesUs(date: KstDate, stepUs: number, sessions: KrxSessions): number[] {
  const times: number[] = []
  for (const { venue, phase, from, to } of sessions.of(date)) {
    if (venue !== 'KRX') continue
    const end = kstInstantUs(date, secondsOfTime(to))
    if (phase === 'continuous') {
      for (let t = kstInstantUs(date, secondsOfTime(from)); t < end; t += stepUs) times.push(t)
    } else if (phase === 'closing-auction') times.push(end - stepUs)
  }
  return times
}
