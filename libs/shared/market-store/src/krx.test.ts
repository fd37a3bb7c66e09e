/** Recordings of Korean shares: days by their date, minutes by their end, and gaps by the calendar of the exchange. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { kstInstantUs, secondsOfTime } from '@jts/model/krx'
import { parseRecordedMarket, RecordedMarketError } from './recorded-market.ts'

const at = (date: string, time: string): number => kstInstantUs(date, secondsOfTime(time))

function parse(file: string, lines: string[], options = {}) {
  const market = parseRecordedMarket(Buffer.from(`${lines.join('\n')}\n`), file, options)
  assert.ok(market.kind === 'bars')
  return market
}

describe('recorded days of a share', () => {
  const DAYS = 'krx-005930-1d-2026.csv'
  const HEADER = 'date,open,high,low,close,volume'

  it('span the session of their date, over weekends and holidays without a gap', () => {
    // 설날 from the 16th to the 18th.
    const market = parse(DAYS, [HEADER, '2026-02-13,100,110,90,105,7', '2026-02-19,105,106,104,105,9'])
    assert.deepEqual([market.instrument, market.timeframe, market.length, market.gaps], ['KRX:005930', '1d', 2, 0])
    assert.deepEqual([...market.openTimeUs], [at('2026-02-13', '09:00'), at('2026-02-19', '09:00')])
    assert.equal(market.closeTimeUs[0], at('2026-02-13', '15:30') - 1000)
  })

  it('that are missing on a trading day are a gap', () => {
    const lines = [HEADER, '2026-01-05,100,110,90,105,7', '2026-01-08,105,106,104,105,9']
    assert.throws(() => parse(DAYS, lines), {
      name: 'RecordedMarketError',
      message: /line 3.*expected the bar of 2026-01-06T00:00:00.000Z.*found a gap up to 2026-01-08/,
    })
    assert.deepEqual(
      [parse(DAYS, lines, { allowGaps: true })].map(({ gaps, missingBars }) => [gaps, missingBars]),
      [[1, 2]],
    )
  })

  const refused: [name: string, line: string, expected: RegExp][] = [
    ['on a day without a session', '2026-01-10,1,1,1,1,1', /expected the bar of 2026-01-06.*found 2026-01-10/],
    ['without a date', ',1,1,1,1,1', /expected a date such as 2026-01-05 in date, found an empty cell/],
    ['with half a date', '2026-01,1,1,1,1,1', /expected a date such as 2026-01-05 in date, found "2026-01"/],
    ['with a date that is none', '2026-13-45,1,1,1,1,1', /found "2026-13-45"/],
    ['of a halt, whose prices are 0', '2026-01-06,0,0,0,5,0', /expected/],
  ]
  for (const [name, line, expected] of refused) {
    it(`are refused ${name}`, () => {
      assert.throws(
        () => parse(DAYS, [HEADER, '2026-01-05,1,1,1,1,1', line]),
        (error: Error) => {
          assert.ok(error instanceof RecordedMarketError)
          assert.match(error.message, expected)
          return true
        },
      )
    })
  }
})

describe('recorded minutes of a share', () => {
  const MINUTES = 'krx-creon-005930-1m-2026.csv'
  const minute = (date: string, end: string): string => `${at(date, end) / 1000},x,100,101,99,100,5`
  const HEADER = 'bar_end_ms,kst_yyyymmddhhmm,open,high,low,close,volume'

  it('are stamped by their end, and skip the minutes before the closing price', () => {
    const market = parse(MINUTES, [
      HEADER,
      minute('2026-01-05', '15:19'),
      minute('2026-01-05', '15:20'),
      minute('2026-01-05', '15:30'),
      minute('2026-01-06', '09:01'),
    ])
    assert.deepEqual([market.instrument, market.timeframe, market.gaps], ['KRX:005930', '1m', 0])
    assert.deepEqual(
      [...market.openTimeUs],
      [at('2026-01-05', '15:18'), at('2026-01-05', '15:19'), at('2026-01-05', '15:29'), at('2026-01-06', '09:00')],
    )
    assert.equal(market.closeTimeUs[1], at('2026-01-05', '15:20') - 1000)
  })

  it('in which nothing traded are gaps', () => {
    const lines = [HEADER, minute('2026-01-05', '09:01'), minute('2026-01-05', '09:02'), minute('2026-01-05', '09:05')]
    assert.throws(() => parse(MINUTES, lines), /found a gap/)
    assert.equal(parse(MINUTES, lines, { allowGaps: true }).missingBars, 2)
  })
})
