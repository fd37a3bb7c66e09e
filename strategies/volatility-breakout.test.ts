import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { kstInstantUs, krxInstrument, secondsOfTime, strategyInstanceId } from '@jts/model'
import { StrategyRunner, parseParameters } from '@jts/strategy-kit'
import volatilityBreakout from './volatility-breakout.ts'

const instrument = krxInstrument({ code: '005930', market: 'KOSPI', kind: 'stock', date: '2026-01-05' })

type Row = [date: string, time: string, open: number, high: number, low: number, close: number]

/** What the strategy asks for at each bar; orders fill at once. */
function asks(rows: readonly Row[], given = {}): string[] {
  const runner = new StrategyRunner({
    definition: volatilityBreakout,
    parameters: parseParameters(volatilityBreakout, given),
    instance: strategyInstanceId('one'),
    instrument,
  })
  return rows.map(([date, time, open, high, low, close]) => {
    const openTimeUs = kstInstantUs(date, secondsOfTime(time))
    const market = { instrument: instrument.id, timeframe: '1h', source: 'test', final: true, revision: 0, volume: 1 }
    runner.onBar({ ...market, openTimeUs, closeTimeUs: openTimeUs + 3_599_999_000, open, high, low, close })
    if (runner.intentCount === 0) return ''
    const { order, side, quantity = 0n } = runner.intents[0]!
    runner.onFill(order, side, quantity, side === 'buy' ? quantity : -quantity, close, openTimeUs)
    return side
  })
}

describe('volatility breakout', () => {
  const yesterday: Row[] = [
    ['2026-01-05', '09:00', 70_000, 71_000, 69_000, 70_500],
    ['2026-01-05', '10:00', 70_500, 70_800, 69_500, 70_000],
  ]

  it('buys when a bar closes above the open + k × the range of yesterday, once a day, and sells on the next day', () => {
    const rows: Row[] = [
      ...yesterday,
      // Yesterday ranged over 2,000 won: the target is 70,000 + 0.5 × 2,000 = 71,000.
      ['2026-01-06', '09:00', 70_000, 71_500, 70_000, 71_000],
      ['2026-01-06', '10:00', 71_000, 71_200, 70_900, 71_100],
      ['2026-01-06', '11:00', 71_100, 72_000, 71_000, 71_900],
      ['2026-01-07', '09:00', 72_000, 72_500, 71_500, 72_100],
      ['2026-01-07', '10:00', 72_100, 72_300, 72_000, 72_200],
    ]
    assert.deepEqual(asks(rows), ['', '', '', 'buy', '', 'sell', ''])
  })

  it('asks for nothing on its first day, whose yesterday it has not seen', () => {
    assert.deepEqual(asks([...yesterday, ['2026-01-05', '11:00', 70_000, 90_000, 70_000, 90_000]]), ['', '', ''])
  })

  it('takes part again on the day after a sale', () => {
    const rows: Row[] = [
      ...yesterday,
      ['2026-01-06', '10:00', 70_000, 71_200, 70_000, 71_200],
      // Range 1,200: the target is 71,000 + 600.
      ['2026-01-07', '09:00', 71_000, 72_000, 71_000, 71_900],
      ['2026-01-07', '10:00', 71_900, 72_000, 71_800, 71_900],
    ]
    assert.deepEqual(asks(rows), ['', '', 'buy', 'sell', 'buy'])
  })

  it('lets a crypto day begin at 09:00', () => {
    const rows: Row[] = [
      ['2026-01-05', '10:00', 100, 120, 100, 110],
      // Still the day that began on the fifth.
      ['2026-01-06', '08:00', 110, 119, 105, 119],
      ['2026-01-06', '09:00', 119, 125, 119, 125],
    ]
    // Its target is 119 + 0.5 × 20; that of a day from midnight 110 + 0.5 × 20.
    assert.deepEqual(asks(rows, { dayStart: 9 }), ['', '', ''])
    assert.deepEqual(asks(rows), ['', '', 'buy'])
  })
})
