/** Days of a venue's own calendar as the times between which its candles lie, and the day whose collection is due. */
import {
  KrxCalendar,
  KrxError,
  krxDayBar,
  kstDateOf,
  kstInstantUs,
  kstSecondsOf,
  secondsOfTime,
  timeframeUs,
} from '@jts/model'

const DAY_US = timeframeUs('1d')
/** How far back a missed day is looked for. */
const DAYS_BACK = 14
/** Longer than any closure that the KRX has had. */
const DAYS_AHEAD = 20

export class DayError extends Error {
  override readonly name = 'DayError'
}

/** @throws DayError for what is no day */
export function startOfDayUs(venue: string, day: string): number {
  const startMs = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN
  // 2026-02-30 would pass for 2026-03-02.
  if (Number.isNaN(startMs) || !new Date(startMs).toISOString().startsWith(day)) {
    throw new DayError(`expected a day such as 2026-01-31, found ${JSON.stringify(day)}`)
  }
  return venue === 'KRX' ? kstInstantUs(day, 0) : startMs * 1000
}

/** From `fromDay` (else the last day before today that had trading) to the end of `toDay` (else now). @throws DayError */
export function rangeOfDays(
  venue: string,
  { fromDay, toDay }: { readonly fromDay: string; readonly toDay: string },
  nowUs: number,
  calendar = new KrxCalendar(),
): { readonly fromUs: number; readonly untilUs: number } {
  const fromUs = fromDay === '' ? startOfLastDay(venue, nowUs, calendar) : startOfDayUs(venue, fromDay)
  const untilUs = toDay === '' ? nowUs : Math.min(nowUs, startOfDayUs(venue, toDay) + DAY_US)
  if (fromUs >= untilUs) {
    throw new DayError(
      toDay === '' || fromDay === ''
        ? `expected a day that has begun, found ${fromDay === '' ? toDay : fromDay}`
        : `expected --from before --to, and days that have begun, found ${fromDay} and ${toDay}`,
    )
  }
  return { fromUs, untilUs }
}

function startOfLastDay(venue: string, nowUs: number, calendar: KrxCalendar): number {
  if (venue !== 'KRX') return (Math.floor(nowUs / DAY_US) - 1) * DAY_US
  for (let back = 1; back <= DAYS_AHEAD; back++) {
    const day = kstDateOf(nowUs - back * DAY_US)
    if (isTradingDay(day, calendar)) return krxDayBar(day).openTimeUs
  }
  throw new KrxError(`expected a day of trading within ${DAYS_AHEAD} days before ${kstDateOf(nowUs)}, found none`)
}

/** When a venue's day is collected: the time of day in Seoul, such as 16:30; on trading days only, where the venue has some. */
export type DailySchedule = { readonly at: string }

/** The newest day whose time has come and that is not collected yet: one that was missed is made up for. */
export function dueDay(
  venue: string,
  { at }: DailySchedule,
  lastDay: string | undefined,
  nowUs: number,
  calendar = new KrxCalendar(),
): string | undefined {
  const isToday = kstSecondsOf(nowUs) >= secondsOfTime(at)
  for (let back = isToday ? 0 : 1; back <= DAYS_BACK; back++) {
    const day = kstDateOf(nowUs - back * DAY_US)
    if (venue === 'KRX' && !isTradingDay(day, calendar)) continue
    return lastDay !== undefined && lastDay >= day ? undefined : day
  }
  return undefined
}

/** When the next run is due; past, when one is now. */
export function nextDueUs(
  venue: string,
  schedule: DailySchedule,
  lastDay: string | undefined,
  nowUs: number,
  calendar = new KrxCalendar(),
): number | undefined {
  const startUs = (day: string): number => kstInstantUs(day, secondsOfTime(schedule.at))
  const due = dueDay(venue, schedule, lastDay, nowUs, calendar)
  if (due !== undefined) return startUs(due)
  for (let ahead = 0; ahead <= DAYS_AHEAD; ahead++) {
    const day = kstDateOf(nowUs + ahead * DAY_US)
    if (startUs(day) > nowUs && (venue !== 'KRX' || isTradingDay(day, calendar))) return startUs(day)
  }
  return undefined
}

/** Beyond the table of holidays every weekday counts: a run that finds nothing new costs little. */
function isTradingDay(day: string, calendar: KrxCalendar): boolean {
  try {
    return calendar.isTradingDay(day)
  } catch (error) {
    if (!(error instanceof KrxError)) throw error
    return ![0, 6].includes(new Date(`${day}T00:00:00Z`).getUTCDay())
  }
}
