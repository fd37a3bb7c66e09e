/**
 * When a Korean share can be traded: the sessions of the KRX and of NXT on one day, as data with dates. Configuration may
 * replace them, since the hours change by announcement (the KRX has announced markets from 07:00 and until 20:00 for 2026).
 *
 * Sources: KRX 유가증권시장업무규정 제4조, https://global.krx.co.kr (trading hours), NXT's announcement of 2025-03-04.
 */
import { KrxCalendar, type KrxCalendarOptions } from './calendar.ts'
import {
  dayNumber,
  isoDate,
  kstDateOf,
  kstInstantUs,
  kstSecondsOf,
  KrxError,
  secondsOfTime,
  type KstDate,
} from './kst.ts'
import type { OrderType, TimeInForce } from '../orders.ts'

export const KRX_VENUES = ['KRX', 'NXT'] as const
export type KrxVenue = (typeof KRX_VENUES)[number]

export const SESSION_PHASES = [
  // Orders are collected for one price: 동시호가.
  'opening-auction',
  'continuous',
  'closing-auction',
  // NXT before and after the KRX's hours; limit orders only.
  'pre-market',
  'after-market',
  // Off-hours trading at one price, which takes order types of its own.
  'off-hours',
] as const
export type SessionPhase = (typeof SESSION_PHASES)[number]

export type Session = {
  readonly venue: KrxVenue
  readonly phase: SessionPhase
  /** `HH:MM[:SS]` in Korea; the end is exclusive. */
  readonly from: string
  readonly to: string
}

/** Sessions that hold from a date on, until the next entry. */
export type SessionTable = readonly { readonly since: KstDate; readonly sessions: readonly Session[] }[]

/** Days on which everything but the end of off-hours trading moves: the university entrance exam (수능). */
export type ShiftedDay = { readonly date: KstDate; readonly minutes: number; readonly what: 'day' | 'open' }

const krx = (close: string, auction: string): readonly Session[] => [
  { venue: 'KRX', phase: 'opening-auction', from: '08:30', to: '09:00' },
  { venue: 'KRX', phase: 'continuous', from: '09:00', to: auction },
  { venue: 'KRX', phase: 'closing-auction', from: auction, to: close },
]
const KRX_NOW = krx('15:30', '15:20')
const KRX_OFF_HOURS: readonly Session[] = [{ venue: 'KRX', phase: 'off-hours', from: '15:40', to: '18:00' }]
const NXT: readonly Session[] = [
  { venue: 'NXT', phase: 'pre-market', from: '08:00', to: '08:50' },
  { venue: 'NXT', phase: 'continuous', from: '09:00:30', to: '15:20' },
  { venue: 'NXT', phase: 'after-market', from: '15:40', to: '20:00' },
]

export const KRX_SESSIONS: SessionTable = [
  { since: '2009-01-01', sessions: krx('15:00', '14:50') },
  { since: '2016-08-01', sessions: [...KRX_NOW, ...KRX_OFF_HOURS] },
  { since: '2025-03-04', sessions: [...KRX_NOW, ...KRX_OFF_HOURS, ...NXT] },
]

/** The exam moves the whole day by an hour; the first session of a year opens an hour late and closes as ever (`LATE_OPENING`). */
export const KRX_SHIFTED_DAYS: readonly ShiftedDay[] = [
  ...[
    '2016-11-17',
    // Put off by an earthquake the evening before, when the hours stood already: both days were late.
    '2017-11-16',
    '2017-11-23',
    '2018-11-15',
    '2019-11-14',
    '2020-12-03',
    '2021-11-18',
    '2022-11-17',
    '2023-11-16',
    '2024-11-14',
    '2025-11-13',
    '2026-11-19',
  ].map((date): ShiftedDay => ({ date, minutes: 60, what: 'day' })),
]

export type KrxSessionOptions = {
  readonly calendar?: KrxCalendar
  readonly table?: SessionTable
  /** Beside the shipped ones. */
  readonly shiftedDays?: readonly ShiftedDay[]
}

type Span = { readonly session: Session; readonly from: number; readonly to: number }

/** Answers where in the trading day an instant lies. Works each day out once. */
export class KrxSessions {
  readonly calendar: KrxCalendar
  readonly #table: SessionTable
  readonly #shifted: ReadonlyMap<KstDate, ShiftedDay>
  #date: KstDate = ''
  #spans: readonly Span[] = []

  constructor({ calendar = new KrxCalendar(), table = KRX_SESSIONS, shiftedDays = [] }: KrxSessionOptions = {}) {
    this.calendar = calendar
    this.#table = [...table].sort((a, b) => (a.since < b.since ? -1 : 1))
    this.#shifted = new Map([...KRX_SHIFTED_DAYS, ...shiftedDays].map((day) => [day.date, day]))
    for (const { sessions } of this.#table) for (const session of sessions) spanOf(session)
  }

  /** The session of this venue that is open at an instant, or undefined. @throws KrxError for a date out of the calendar */
  at(timeUs: number, venue: KrxVenue = 'KRX'): Session | undefined {
    const date = kstDateOf(timeUs)
    if (date !== this.#date) {
      this.#spans = this.#spansOf(date)
      this.#date = date
    }
    const seconds = kstSecondsOf(timeUs)
    for (const { session, from, to } of this.#spans) {
      if (session.venue === venue && seconds >= from && seconds < to) return session
    }
    return undefined
  }

  /** The sessions of a date in their order, as they are held that day; empty when it is not a trading day. */
  of(date: KstDate): readonly Session[] {
    return this.#spansOf(date).map(({ session, from, to }) => ({ ...session, from: timeOf(from), to: timeOf(to) }))
  }

  /** How long prices could be made between two instants, µs; without the gaps in which nothing trades. @throws KrxError */
  tradingUs(fromUs: number, toUs: number, venue: KrxVenue = 'KRX'): number {
    let sum = 0
    const last = dayNumber(kstDateOf(toUs))
    for (let day = dayNumber(kstDateOf(fromUs)); day <= last; day++) {
      const date = isoDate(day)
      for (const { session, from, to } of this.#spansOf(date)) {
        if (session.venue !== venue || !makesPrices(session.phase)) continue
        const [beginUs, endUs] = [kstInstantUs(date, from), kstInstantUs(date, to)]
        sum += Math.max(0, Math.min(endUs, toUs) - Math.max(beginUs, fromUs))
      }
    }
    return sum
  }

  #spansOf(date: KstDate): readonly Span[] {
    if (!this.calendar.isTradingDay(date)) return []
    const sessions = this.#table.findLast(({ since }) => since <= date)?.sessions ?? []
    const spans = sessions.map(spanOf)
    const shift = this.#shifted.get(date)
    if (shift !== undefined) return spans.flatMap((span) => shiftedSpan(span, shift))
    return isFirstOfYear(date, this.calendar) ? spans.flatMap((span) => shiftedSpan(span, LATE_OPENING)) : spans
  }
}

const LATE_OPENING = { minutes: 60, what: 'open' } as const

/** On the exam day NXT holds no pre-market, and off-hours and after-market trading end when they always do. */
function shiftedSpan({ session, from, to }: Span, { minutes, what }: Pick<ShiftedDay, 'minutes' | 'what'>): Span[] {
  const by = minutes * 60
  const { phase } = session
  if (phase === 'pre-market') return []
  if (phase === 'opening-auction') return [{ session, from: from + by, to: to + by }]
  if (what === 'open') return [{ session, from: phase === 'continuous' ? from + by : from, to }]
  const endsAsEver = phase === 'off-hours' || phase === 'after-market'
  return [{ session, from: from + by, to: endsAsEver ? to : to + by }]
}

function isFirstOfYear(date: KstDate, calendar: KrxCalendar): boolean {
  return date.slice(5) < '01-08' && calendar.tradingDayFrom(`${date.slice(0, 4)}-01-01`) === date
}

/** @throws KrxError when a session ends before it begins */
function spanOf(session: Session): Span {
  const [from, to] = [secondsOfTime(session.from), secondsOfTime(session.to)]
  if (from >= to) {
    throw new KrxError(
      `expected ${session.phase} of ${session.venue} to end after it begins, found ${session.from} to ${session.to}`,
    )
  }
  return { session, from, to }
}

function timeOf(seconds: number): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const text = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}`
  return seconds % 60 === 0 ? text : `${text}:${two(seconds % 60)}`
}

/** What a configuration says beside the shipped tables, as plain data. */
export type KrxHours = KrxCalendarOptions & {
  readonly shiftedDays?: readonly ShiftedDay[] | undefined
  /** From their dates on in place of the shipped ones. */
  readonly sessions?: SessionTable | undefined
}

/** @throws KrxError for a date or a time that is none */
export function krxSessionsOf({ holidays, knownTo, shiftedDays = [], sessions = [] }: KrxHours = {}): KrxSessions {
  const calendar = new KrxCalendar({ holidays, knownTo })
  return new KrxSessions({ calendar, table: [...KRX_SESSIONS, ...sessions], shiftedDays })
}

/** Whether an ordinary limit or market order may be sent in this phase. */
export function takesOrders(phase: SessionPhase): boolean {
  return phase !== 'off-hours'
}

/** Whether new prices come in this phase: before an opening auction has ended, the last one is that of the day before. */
function makesPrices(phase: SessionPhase): boolean {
  return phase !== 'opening-auction' && phase !== 'off-hours'
}

/** What of an order a phase may not have. */
export type OrderKind = { readonly type: OrderType; readonly timeInForce: TimeInForce }

/** What an order asks for that this phase does not have: an auction has no «at once», and NXT's own hours know only limit orders. */
export function refusedIn(phase: SessionPhase, { type, timeInForce }: OrderKind): string | undefined {
  const isAuction = phase === 'opening-auction' || phase === 'closing-auction'
  if (isAuction && timeInForce !== 'gtc') return `an ${timeInForce} order`
  const isBesideKrx = phase === 'pre-market' || phase === 'after-market'
  return isBesideKrx && type === 'market' ? 'a market order' : undefined
}
