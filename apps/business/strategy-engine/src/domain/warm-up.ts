/** What an instance has seen of the past before its first live bar, and what of it was not to be had. */
import { barTimesOf, everyStep, type Bar, type BarTimes, type Instrument, type KrxSessions } from '@jts/model'
import { warmUpOf, type AnyStrategy, type ParameterTable, type ParameterValues } from '@jts/strategy-kit'

/** The bars that it was given, and the close of the last one: what comes over the bus up to there it has seen. */
export type WarmUp = { readonly bars: number; readonly untilUs: number }

/** Bars of the past that an instance wants: none where it runs on trades. */
export function warmUpBarsOf(config: {
  readonly definition: AnyStrategy
  readonly parameters: ParameterValues<ParameterTable>
  readonly timeframe?: string | undefined
}): number {
  return config.timeframe === undefined ? 0 : warmUpOf(config.definition, config.parameters)
}

/** In plain words; undefined when it has seen all that it wanted. */
export function shortcomingOf(wanted: number, found: number, missing: number): string | undefined {
  const fewer = `expected ${wanted} bars of warm-up, found ${found}: its source has no more`
  const holes = `the source lacks ${missing} between the bars of warm-up`
  if (found < wanted)
    return `${missing > 0 ? `${fewer}, and lacks ${missing} between them` : fewer}; it goes on with these`
  return missing > 0 ? `${holes}; it goes on without them` : undefined
}

export type FirstLive = {
  readonly instrument: Pick<Instrument, 'id' | 'sessions'>
  /** Its market never closes, whatever the calendar says. */
  readonly isAlwaysOpen: boolean
  readonly sessions: KrxSessions
}

/** Bars between the end of the warm-up and the first live one, though the market was open. */
export function missingBefore(bar: Bar, { untilUs, bars }: WarmUp, market: FirstLive): number {
  if (bars === 0) return 0
  const times = timesOf(bar, market)
  return times?.missing(times.openOf(untilUs), bar.openTimeUs) ?? 0
}

/** A simulated market's past keeps to sessions and its present does not: what lies between the two is not known. */
function timesOf({ timeframe }: Bar, { instrument, isAlwaysOpen, sessions }: FirstLive): BarTimes | undefined {
  if (instrument.sessions === undefined) return everyStep(timeframe)
  return isAlwaysOpen ? undefined : barTimesOf(instrument.id, timeframe, sessions)
}
