/** The simulated Creon has a calendar of its own, so that a slip of ours would show; the days in both are facts, and the same. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { dayNumber, isoDate, KRX_HOLIDAYS_TO, KrxSessions, type KstDate, type SessionPhase } from '@jts/model'

const FILE = 'apps/brokers/creon-service/src/simulated_com/krx_days.json'

type Hours = Record<'entry' | 'open' | 'auction' | 'close' | 'afterClose' | 'singlePrice' | 'end', string>
type Days = {
  readonly from: KstDate
  readonly to: KstDate
  readonly closed: Readonly<Record<string, string>>
  readonly hours: Hours
  readonly otherHours: readonly (Hours & { readonly dates: readonly KstDate[] })[]
}
const days = JSON.parse(readFileSync(new URL(`../../../../${FILE}`, import.meta.url), 'utf8')) as Days
const closed = new Set(
  Object.entries(days.closed).flatMap(([year, list]) => list.split(' ').map((day) => `${year}-${day}`)),
)

type Spans = readonly (readonly [SessionPhase, from: string, to: string])[]

function spansOfVenue(date: KstDate): Spans {
  const weekday = new Date(`${date}T00:00:00Z`).getUTCDay()
  if (weekday === 0 || weekday === 6 || closed.has(date)) return []
  const { entry, open, auction, close, afterClose, end } =
    days.otherHours.find(({ dates }) => dates.includes(date)) ?? days.hours
  return [
    ['opening-auction', entry, open],
    ['continuous', open, auction],
    ['closing-auction', auction, close],
    ['off-hours', afterClose, end],
  ]
}

it('the simulated Creon keeps the days and hours of the KRX that JTS knows, each day of them', () => {
  assert.equal(days.to, KRX_HOLIDAYS_TO)
  const sessions = new KrxSessions()
  for (let day = dayNumber(days.from); day <= dayNumber(days.to); day++) {
    const date = isoDate(day)
    const ours = sessions.of(date).filter(({ venue }) => venue === 'KRX')
    const spans: Spans = ours.map(({ phase, from, to }) => [phase, from, to])
    assert.deepEqual(spansOfVenue(date), spans, `${date} in ${FILE} and in libs/trading/model/src/krx`)
  }
})
