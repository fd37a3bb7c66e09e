/** Dates and times of day in Korea: UTC+9 without summer time since 1988. A date is `YYYY-MM-DD`. */
const KST_OFFSET_US = 9 * 3600 * 1_000_000
const DAY_US = 86_400 * 1_000_000
const DAY_MS = 86_400_000

/** A calendar date in Korea, `YYYY-MM-DD`. */
export type KstDate = string

export class KrxError extends Error {
  override readonly name = 'KrxError'
}

/** The date in Korea at this instant (µs since the epoch). */
export function kstDateOf(timeUs: number): KstDate {
  return isoDate(Math.floor((timeUs + KST_OFFSET_US) / DAY_US))
}

/** Seconds since midnight in Korea. */
export function kstSecondsOf(timeUs: number): number {
  const rest = (timeUs + KST_OFFSET_US) % DAY_US
  return Math.floor((rest < 0 ? rest + DAY_US : rest) / 1_000_000)
}

/** The instant (µs) of a time of day in Korea, given in seconds since midnight. */
export function kstInstantUs(date: KstDate, seconds: number): number {
  return dayNumber(date) * DAY_US - KST_OFFSET_US + seconds * 1_000_000
}

/** Days since 1970-01-01. @throws KrxError for what is not a date */
export function dayNumber(date: KstDate): number {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(date) ? Date.parse(`${date}T00:00:00Z`) : NaN
  const day = ms / DAY_MS
  // `Date` takes 2025-02-30 for 2025-03-02.
  if (Number.isNaN(day) || isoDate(day) !== date) {
    throw new KrxError(`expected a date such as 2026-01-05, found ${JSON.stringify(date)}`)
  }
  return day
}

export function isoDate(day: number): KstDate {
  return new Date(day * DAY_MS).toISOString().slice(0, 10)
}

/** Seconds since midnight from `HH:MM` or `HH:MM:SS`. @throws KrxError */
export function secondsOfTime(text: string): number {
  const match = /^([01]\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?$/.exec(text)
  const seconds = match === null ? NaN : Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3] ?? 0)
  if (Number.isNaN(seconds) || seconds > 86_400) {
    throw new KrxError(`expected a time of day such as 15:30, found ${JSON.stringify(text)}`)
  }
  return seconds
}

/** For people: `2026-01-06 08:59:55 KST`. */
export function kstText(timeUs: number): string {
  return `${new Date((timeUs + KST_OFFSET_US) / 1000).toISOString().slice(0, 19).replace('T', ' ')} KST`
}
