/** The `krx:` section of `jts.yaml`: what the exchange announces beside the shipped tables. */
import { z } from 'zod'
import { dayNumber, KRX_HOLIDAYS_TO, KRX_VENUES, secondsOfTime, SESSION_PHASES } from '@jts/model'

const DAY_MS = 86_400_000
const KST_OFFSET_MS = 9 * 3_600_000

const date = z.string({ error: 'expected a date such as 2027-01-01' }).superRefine(says(dayNumber))
const time = z.string({ error: "expected a time in Korea such as '09:00', in quotes" }).superRefine(says(secondsOfTime))

const session = z
  .strictObject({
    venue: z.enum(KRX_VENUES, { error: `expected one of ${KRX_VENUES.join(', ')}` }).default('KRX'),
    phase: z.enum(SESSION_PHASES, { error: `expected one of ${SESSION_PHASES.join(', ')}` }),
    from: time,
    to: time,
  })
  .superRefine(({ from, to }, context) => {
    // Compared only once both are times: what is wrong with one is said above.
    if (!isTime(from) || !isTime(to) || secondsOfTime(from) < secondsOfTime(to)) return
    context.addIssue({ code: 'custom', path: ['to'], message: `expected a time after ${from}` })
  })

const sessionsFrom = z
  .strictObject({ since: date, sessions: z.array(session).min(1, 'expected at least one session') })
  .superRefine(({ sessions }, context) => {
    sessions.forEach((one, i) => {
      const other = sessions.slice(0, i).find(({ venue, from, to }) => {
        if (venue !== one.venue || ![from, to, one.from, one.to].every(isTime)) return false
        return secondsOfTime(from) < secondsOfTime(one.to) && secondsOfTime(one.from) < secondsOfTime(to)
      })
      if (other === undefined) return
      const message = `expected sessions of ${one.venue} one after the other, and ${one.phase} not within ${other.phase}`
      context.addIssue({ code: 'custom', path: ['sessions', i, 'from'], message })
    })
  })

export const krxSchema = z.strictObject({
  /** Closures that the shipped list does not have. */
  holidays: z.array(date).optional(),
  /** Last date whose holidays are known, when `holidays` goes beyond the shipped list. */
  knownTo: date
    .refine((text) => text >= KRX_HOLIDAYS_TO, `expected ${KRX_HOLIDAYS_TO}, to which the shipped list goes, or later`)
    .optional(),
  /** Days that open late: `day` moves the whole day (수능일), `open` its beginning alone. 0 minutes: as ever. */
  shiftedDays: z
    .array(
      z.strictObject({
        date,
        minutes: z.number().int().min(0, 'expected 0 minutes or more').max(360, 'expected at most 360 minutes'),
        what: z.enum(['day', 'open'], { error: 'expected day or open' }).default('day'),
      }),
    )
    .optional(),
  /** All sessions of a day, from a date on, in place of the shipped ones. */
  sessions: z.array(sessionsFrom).optional(),
})

/** The KRX tells of next year's holidays in December. */
const CALENDAR_SHORT_DAYS = 45

/**
 * What to tell a person when the known holidays end soon: from the day after, orders in Korean shares are denied (`SESSION_UNKNOWN`),
 * because a guess could send them on a holiday. Undefined while there is time.
 */
export function calendarEnds(
  krx: { readonly knownTo?: string | undefined } | undefined,
  nowMs: number,
): string | undefined {
  const knownTo = krx?.knownTo ?? KRX_HOLIDAYS_TO
  const left = dayNumber(knownTo) - Math.floor((nowMs + KST_OFFSET_MS) / DAY_MS)
  if (left > CALENDAR_SHORT_DAYS) return undefined
  const end = left < 0 ? `ended on ${knownTo}` : `end on ${knownTo}, in ${left} days`
  return `the known holidays of the KRX ${end}; orders in Korean shares are denied after that`
}

/** The model's own words about what it expects; what was found is said beside them. */
function says(parse: (text: string) => unknown): (text: string, context: z.RefinementCtx) => void {
  return (text, context) => {
    try {
      parse(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message.split(', found ')[0]! })
    }
  }
}

function isTime(text: string): boolean {
  try {
    secondsOfTime(text)
    return true
  } catch {
    return false
  }
}
