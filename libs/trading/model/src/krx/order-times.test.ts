/** The time from which an order may go out that a bar has caused. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { krxDayBar } from './bar-clock.ts'
import { kstDateOf, kstInstantUs, kstSecondsOf, secondsOfTime, type KstDate } from './kst.ts'
import { openingAuctionUntilUs, orderNotBeforeUs } from './order-times.ts'
import { krxSessionsOf, takesOrders, type KrxHours, type KrxVenue, type OrderKind } from './sessions.ts'

const MARKET: OrderKind = { type: 'market', timeInForce: 'gtc' }
const IOC: OrderKind = { type: 'limit', timeInForce: 'ioc' }

type Case = {
  of: KstDate
  timeframe?: string
  venue?: KrxVenue | undefined
  kind?: OrderKind
  hours?: KrxHours
  expected: string
}

function notBefore({ of, timeframe = '1d', venue = 'KRX', kind = MARKET, hours }: Case): string {
  const { closeTimeUs } = krxDayBar(of)
  const instrument = venue === undefined ? {} : { sessions: venue }
  const timeUs = orderNotBeforeUs({ timeframe, closeTimeUs }, instrument, kind, krxSessionsOf(hours))
  return timeUs === undefined ? 'at once' : textOf(timeUs)
}

function textOf(timeUs: number): string {
  const seconds = kstSecondsOf(timeUs)
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return `${kstDateOf(timeUs)} ${parts.map((part) => String(part).padStart(2, '0')).join(':')}`
}

describe('an order that a bar has caused', () => {
  const later: KrxHours = {
    sessions: [{ since: '2026-06-01', sessions: [{ venue: 'KRX', phase: 'continuous', from: '07:00', to: '20:00' }] }],
  }
  const cases: [name: string, one: Case][] = [
    ['of a day waits for the next opening auction', { of: '2026-01-05', expected: '2026-01-06 08:30:05' }],
    ['of a Friday waits over the weekend', { of: '2026-01-09', expected: '2026-01-12 08:30:05' }],
    ['before a holiday of five days', { of: '2025-10-02', expected: '2025-10-10 08:30:05' }],
    ['before the exam day (수능), which opens late', { of: '2025-11-12', expected: '2025-11-13 09:30:05' }],
    ['of the exam day itself', { of: '2025-11-13', expected: '2025-11-14 08:30:05' }],
    ["of a year's last session", { of: '2025-12-30', expected: '2026-01-02 09:30:05' }],
    ['when the day still ended at 15:00', { of: '2016-07-28', expected: '2016-07-29 08:30:05' }],
    ['of a week', { of: '2026-01-09', timeframe: '1w', expected: '2026-01-12 08:30:05' }],
    [
      'of a day, at once or never: no auction has that',
      { of: '2026-01-05', kind: IOC, expected: '2026-01-06 09:00:05' },
    ],
    ['of a minute goes at once or not at all', { of: '2026-01-05', timeframe: '1m', expected: 'at once' }],
    ['of twelve hours as of a minute', { of: '2026-01-05', timeframe: '12h', expected: 'at once' }],
    [
      'at NXT, by limit',
      { of: '2026-01-05', venue: 'NXT', kind: { type: 'limit', timeInForce: 'gtc' }, expected: '2026-01-06 08:00:05' },
    ],
    [
      'at NXT, at market: not before its own hours',
      { of: '2026-01-05', venue: 'NXT', expected: '2026-01-06 09:00:35' },
    ],
    [
      'before a holiday that is configured',
      { of: '2026-01-05', hours: { holidays: ['2026-01-06'] }, expected: '2026-01-07 08:30:05' },
    ],
    ['before hours that are configured', { of: '2026-05-29', hours: later, expected: '2026-06-01 07:00:05' }],
    [
      'in a year that is configured',
      { of: '2026-12-30', hours: { holidays: ['2027-01-01'], knownTo: '2027-01-31' }, expected: '2027-01-04 09:30:05' },
    ],
  ]
  for (const [name, one] of cases) it(`${name}: ${one.expected}`, () => assert.equal(notBefore(one), one.expected))

  it('where nothing closes goes at once', () => {
    const { closeTimeUs } = krxDayBar('2026-01-05')
    assert.equal(orderNotBeforeUs({ timeframe: '1d', closeTimeUs }, {}, MARKET, krxSessionsOf()), undefined)
  })

  it('into a year whose holidays are not known is not guessed', () => {
    assert.throws(() => notBefore({ of: '2026-12-30', expected: '' }), {
      name: 'KrxError',
      message: /expected a date from 2009-01-01 to 2026-12-31, .* found 2027-01-01/,
    })
  })

  it('that no configured session takes is not guessed either', () => {
    const hours: KrxHours = {
      sessions: [{ since: '2026-01-01', sessions: [{ venue: 'KRX', phase: 'off-hours', from: '15:40', to: '18:00' }] }],
    }
    assert.throws(() => notBefore({ of: '2026-01-05', hours, expected: '' }), {
      name: 'KrxError',
      message: /expected KRX to take gtc market orders within 20 trading days after 2026-01-05/,
    })
  })

  it('waits, on every day of fifteen years, for the first second of a session that takes it and for no later day', () => {
    const sessions = krxSessionsOf()
    const { calendar } = sessions
    let [date, checked] = ['2009-01-02', 0]
    for (; date < '2026-12-30'; date = calendar.tradingDayAfter(date)) {
      const { closeTimeUs } = krxDayBar(date)
      const timeUs = orderNotBeforeUs({ timeframe: '1d', closeTimeUs }, { sessions: 'KRX' }, MARKET, sessions)!
      assert.equal(kstDateOf(timeUs), calendar.tradingDayAfter(date))
      assert.equal(takesOrders(sessions.at(timeUs)!.phase), true)
      assert.equal(sessions.at(timeUs - 5_000_001), undefined)
      assert.ok(timeUs < kstInstantUs(kstDateOf(timeUs), secondsOfTime('10:00')))
      const untilUs = openingAuctionUntilUs(timeUs, { sessions: 'KRX' }, sessions)!
      assert.equal(sessions.at(untilUs + 4_999_999)!.phase, 'opening-auction')
      assert.equal(sessions.at(untilUs + 5_000_000)!.phase, 'continuous')
      checked++
    }
    assert.ok(checked > 4000)
  })
})

describe('an order that its opening auction still takes', () => {
  const halfHour: KrxHours = { shiftedDays: [{ date: '2026-01-06', minutes: 90, what: 'open' }] }
  const elsewhere: KrxHours = {
    sessions: [{ since: '2026-01-01', sessions: [{ venue: 'KRX', phase: 'continuous', from: '08:00', to: '20:00' }] }],
  }
  type UntilCase = { signal: [KstDate, string]; venue?: KrxVenue | undefined; hours?: KrxHours; expected: string }
  const cases: [name: string, one: UntilCase][] = [
    ['is taken until shortly before its end', { signal: ['2026-01-06', '08:30:05'], expected: '2026-01-06 08:59:55' }],
    ['is none when its signal came in the midst of it', { signal: ['2026-01-06', '08:45:00'], expected: 'none' }],
    ['is none before it', { signal: ['2026-01-06', '08:29:59'], expected: 'none' }],
    ['is none after it', { signal: ['2026-01-06', '09:00:00'], expected: 'none' }],
    ['is none in the closing auction', { signal: ['2026-01-06', '15:20:05'], expected: 'none' }],
    ['is none on a holiday', { signal: ['2026-01-01', '08:30:05'], expected: 'none' }],
    [
      'ends an hour late on the exam day (수능)',
      { signal: ['2025-11-13', '09:30:05'], expected: '2025-11-13 09:59:55' },
    ],
    ['is none at the usual time of that day', { signal: ['2025-11-13', '08:30:05'], expected: 'none' }],
    ["ends late on a year's first", { signal: ['2026-01-02', '09:30:05'], expected: '2026-01-02 09:59:55' }],
    [
      'ends late on a day that is configured so',
      { signal: ['2026-01-06', '10:00:05'], hours: halfHour, expected: '2026-01-06 10:29:55' },
    ],
    [
      'is none where hours without an auction are configured',
      { signal: ['2026-01-06', '08:30:05'], hours: elsewhere, expected: 'none' },
    ],
    ['is none at NXT, which has no auction', { signal: ['2026-01-06', '08:30:05'], venue: 'NXT', expected: 'none' }],
    ['is none where nothing closes', { signal: ['2026-01-06', '08:30:05'], venue: undefined, expected: 'none' }],
    ['is none in a year that is not known', { signal: ['2027-01-05', '08:30:05'], expected: 'none' }],
    ['is none before all years that are', { signal: ['1970-01-01', '08:30:05'], expected: 'none' }],
  ]
  for (const [name, one] of cases) {
    it(`${name}: ${one.signal.join(' ')}, ${one.expected}`, () => {
      const [date, time] = one.signal
      const instrument = !('venue' in one)
        ? { sessions: 'KRX' as const }
        : one.venue === undefined
          ? {}
          : { sessions: one.venue }
      const signalTimeUs = kstInstantUs(date, secondsOfTime(time))
      const untilUs = openingAuctionUntilUs(signalTimeUs, instrument, krxSessionsOf(one.hours))
      assert.equal(untilUs === undefined ? 'none' : textOf(untilUs), one.expected)
    })
  }
})
