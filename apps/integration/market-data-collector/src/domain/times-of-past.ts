/** Which past bar follows which. */
import { barTimesOf, everyStep, timeframeUs, type BarTimes, type InstrumentId, type KrxSessions } from '@jts/model'

const DAY_US = timeframeUs('1d')

export type TimesOptions = {
  /** A simulated market: its past keeps to sessions and its present never closes, so no minute of it is missing or wrong. */
  readonly alwaysOpen?: boolean | undefined
  /** The hours of the KRX as they are configured; without them the shipped ones. */
  readonly sessions?: KrxSessions | undefined
}

export function timesOfPast(instrument: InstrumentId, timeframe: string, options: TimesOptions = {}): BarTimes {
  const { alwaysOpen = false, sessions } = options
  if (!alwaysOpen || timeframeUs(timeframe) >= DAY_US) return barTimesOf(instrument, timeframe, sessions)
  const steps = everyStep(timeframe)
  return {
    next: (openTimeUs) => steps.next(openTimeUs),
    openOf: (closeTimeUs) => steps.openOf(closeTimeUs),
    missing: (openTimeUs, nextUs) => (steps.missing(openTimeUs, nextUs) === undefined ? undefined : 0),
  }
}
