/** Which past bar follows which. */
import { barTimesOf, everyStep, timeframeUs, type BarTimes, type InstrumentId } from '@jts/model'

const DAY_US = timeframeUs('1d')

/** @param alwaysOpen a simulated market: its past keeps to sessions and its present never closes, so no minute of it is missing or wrong */
export function timesOfPast(instrument: InstrumentId, timeframe: string, alwaysOpen = false): BarTimes {
  if (!alwaysOpen || timeframeUs(timeframe) >= DAY_US) return barTimesOf(instrument, timeframe)
  const steps = everyStep(timeframe)
  return {
    next: (openTimeUs) => steps.next(openTimeUs),
    openOf: (closeTimeUs) => steps.openOf(closeTimeUs),
    missing: (openTimeUs, nextUs) => (steps.missing(openTimeUs, nextUs) === undefined ? undefined : 0),
  }
}
