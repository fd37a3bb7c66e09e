/** Days of each venue, and when they are collected. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { kstDateOf, kstInstantUs, secondsOfTime } from '@jts/model'
import { dueDay, nextDueUs, rangeOfDays } from './collection-days.ts'

const at = (text: string): number => kstInstantUs(text.slice(0, 10), secondsOfTime(text.slice(11)))
const AFTER_CLOSE = { at: '16:30' }

describe('the day that is due', () => {
  // 2026-02-16 to 18 is 설날; the 14th and 15th are a weekend.
  const rows: [name: string, venue: string, now: string, last: string | undefined, due: string | undefined][] = [
    ['of a trading day before its time: the one before', 'KRX', '2026-02-20 16:29', undefined, '2026-02-19'],
    ['from its time on', 'KRX', '2026-02-20 16:30', '2026-02-19', '2026-02-20'],
    ['once', 'KRX', '2026-02-20 23:59', '2026-02-20', undefined],
    ['not on a weekend', 'KRX', '2026-02-21 18:00', '2026-02-20', undefined],
    ['not on a holiday', 'KRX', '2026-02-17 18:00', '2026-02-13', undefined],
    ['made up for when it was missed', 'KRX', '2026-02-18 10:00', '2026-02-12', '2026-02-13'],
    ['every day where the market never closes', 'BINANCE', '2026-02-21 18:00', '2026-02-20', '2026-02-21'],
    ['beyond the known holidays: every weekday', 'KRX', '2040-01-04 18:00', '2040-01-03', '2040-01-04'],
  ]
  for (const [name, venue, now, last, due] of rows) {
    it(name, () => assert.equal(dueDay(venue, AFTER_CLOSE, last, at(now)), due))
  }
})

describe('the next run', () => {
  const rows: [name: string, venue: string, now: string, last: string | undefined, next: string][] = [
    ['is of today before its time', 'KRX', '2026-02-20 09:00', '2026-02-19', '2026-02-20 16:30'],
    ['is due when its time has come', 'KRX', '2026-02-20 16:30', '2026-02-19', '2026-02-20 16:30'],
    ['is past when it was missed', 'KRX', '2026-02-20 09:00', '2026-02-13', '2026-02-19 16:30'],
    ['is past when there never was one', 'KRX', '2026-02-20 09:00', undefined, '2026-02-19 16:30'],
    ['is over the weekend', 'KRX', '2026-02-20 16:31', '2026-02-20', '2026-02-23 16:30'],
    ['is over a holiday and two weekends', 'KRX', '2026-02-13 18:00', '2026-02-13', '2026-02-19 16:30'],
    ['is tomorrow where the market never closes', 'BINANCE', '2026-02-20 18:00', '2026-02-20', '2026-02-21 16:30'],
    ['is on a weekday beyond the known holidays', 'KRX', '2039-12-30 18:00', '2039-12-30', '2040-01-02 16:30'],
  ]
  for (const [name, venue, now, last, next] of rows) {
    it(`${name}: ${next}`, () => assert.equal(nextDueUs(venue, AFTER_CLOSE, last, at(now)), at(next)))
  }
})

describe('a range of days', () => {
  const range = (venue: string, fromDay: string, toDay: string, now = '2026-02-20 18:00') =>
    rangeOfDays(venue, { fromDay, toDay }, at(now))
  it('begins with the last trading day before today unless told otherwise', () => {
    assert.equal(kstDateOf(range('KRX', '', '').fromUs), '2026-02-19')
    assert.equal(kstDateOf(range('KRX', '', '', '2026-02-19 09:30').fromUs), '2026-02-13')
    assert.equal(range('BINANCE', '', '').fromUs, Date.UTC(2026, 1, 19) * 1000)
    // Beyond the known holidays every weekday counts.
    assert.equal(kstDateOf(range('KRX', '', '', '2040-01-02 18:00').fromUs), '2039-12-30')
  })
  it('is of the days of the venue: Seoul’s or UTC’s', () => {
    assert.deepEqual(range('KRX', '2026-02-12', '2026-02-13'), {
      fromUs: at('2026-02-12 00:00'),
      untilUs: at('2026-02-14 00:00'),
    })
    const { fromUs, untilUs } = range('BINANCE', '2026-02-12', '2026-02-12')
    assert.deepEqual([fromUs, untilUs], [Date.UTC(2026, 1, 12) * 1000, Date.UTC(2026, 1, 13) * 1000])
  })
  it('ends now at the latest', () => assert.equal(range('KRX', '', '2026-03-01').untilUs, at('2026-02-20 18:00')))
  for (const [name, from, to, message] of [
    ['a day that is none', '2026-02-30', '', /expected a day such as 2026-01-31, found "2026-02-30"/],
    ['a word', 'yesterday', '', /found "yesterday"/],
    ['an end before its beginning', '2026-02-13', '2026-02-12', /--from before --to.*2026-02-13 and 2026-02-12/],
    ['the future', '2026-03-01', '', /expected a day that has begun, found 2026-03-01/],
  ] as const) {
    it(`refuses ${name}`, () => assert.throws(() => range('KRX', from, to), message))
  }
})
