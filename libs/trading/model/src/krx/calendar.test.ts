import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { KrxCalendar } from './calendar.ts'
import { dayNumber, isoDate, kstDateOf, kstInstantUs, kstSecondsOf, KrxError, secondsOfTime } from './kst.ts'

const calendar = new KrxCalendar()

describe('dates in Korea', () => {
  it('begin nine hours before those of UTC', () => {
    assert.equal(kstDateOf(Date.UTC(2026, 0, 5, 14, 59) * 1000), '2026-01-05')
    assert.equal(kstDateOf(Date.UTC(2026, 0, 5, 15, 0) * 1000), '2026-01-06')
    assert.equal(kstSecondsOf(Date.UTC(2026, 0, 5, 0, 0) * 1000), 9 * 3600)
    assert.equal(kstInstantUs('2026-01-05', secondsOfTime('09:00')), Date.UTC(2026, 0, 5) * 1000)
  })

  it('and instants agree both ways', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000 }), (seconds) => {
        const timeUs = seconds * 1_000_000
        assert.equal(kstInstantUs(kstDateOf(timeUs), kstSecondsOf(timeUs)), timeUs)
      }),
    )
  })

  for (const text of ['2026-02-30', '2026-1-5', '20260105', '', '2026-13-01']) {
    it(`refuse ${JSON.stringify(text)}`, () => {
      assert.throws(() => dayNumber(text), { name: 'KrxError', message: new RegExp(`found ${JSON.stringify(text)}`) })
    })
  }

  for (const text of ['9:00', '25:00', '24:01', '15:60', 'noon']) {
    it(`refuse ${text} as a time of day`, () => assert.throws(() => secondsOfTime(text), KrxError))
  }
})

describe('the KRX', () => {
  const cases: [date: string, trades: boolean, why: string][] = [
    ['2026-01-05', true, 'a Monday'],
    ['2026-01-03', false, 'a Saturday'],
    ['2026-01-04', false, 'a Sunday'],
    ['2026-01-01', false, 'new year'],
    ['2025-12-31', false, 'the last day of a year'],
    ['2026-02-17', false, '설날'],
    ['2026-05-01', false, 'Labour Day'],
    ['2026-05-25', false, 'the substitute of Buddha’s birthday'],
    ['2026-06-03', false, 'local elections'],
    ['2026-07-17', false, 'Constitution Day, a holiday again since 2026'],
    ['2025-07-17', true, 'Constitution Day before that'],
    ['2023-10-02', false, 'a day added at short notice'],
    ['2024-10-01', false, 'another one'],
  ]
  for (const [date, trades, why] of cases) {
    it(`is ${trades ? 'open' : 'closed'} on ${date}, ${why}`, () => assert.equal(calendar.isTradingDay(date), trades))
  }

  it('counts trading days over weekends and holidays', () => {
    assert.equal(calendar.tradingDayAfter('2026-02-13'), '2026-02-19')
    assert.equal(calendar.tradingDayAfter('2026-02-19', -1), '2026-02-13')
    assert.equal(calendar.tradingDayAfter('2024-12-27', 2), '2025-01-02')
    assert.equal(calendar.tradingDayFrom('2026-01-03'), '2026-01-05')
  })

  it('takes closures from a configuration', () => {
    const more = new KrxCalendar({ holidays: ['2026-12-24'], knownTo: '2027-12-31' })
    assert.equal(more.isTradingDay('2026-12-24'), false)
    assert.equal(more.isTradingDay('2027-01-04'), true)
  })

  it('says nothing about days whose holidays it does not know', () => {
    assert.throws(() => calendar.isTradingDay('2027-01-04'), {
      name: 'KrxError',
      message: /from 2009-01-01 to 2026-12-31.*found 2027-01-04/,
    })
    // The last settlements of a year reach into the next.
    assert.throws(() => calendar.tradingDayAfter('2026-12-30', 2), KrxError)
    assert.equal(calendar.isTradingDay('2027-01-02'), false)
  })

  it('every trading day is the one after the one before it', () => {
    const day = fc.integer({ min: dayNumber('2009-02-01'), max: dayNumber('2026-11-30') }).map(isoDate)
    fc.assert(
      fc.property(day, fc.integer({ min: 1, max: 5 }), (date, n) => {
        const open = calendar.tradingDayFrom(date)
        assert.equal(calendar.tradingDayAfter(calendar.tradingDayAfter(open, n), -n), open)
      }),
    )
  })
})
