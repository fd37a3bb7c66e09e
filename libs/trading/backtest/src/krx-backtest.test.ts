/** A Korean share in the backtest: won, commission and taxes. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatUnits, instrumentId, krxDayBar, type RecordedBars } from '@jts/model'
import { defineStrategy } from '@jts/strategy-kit'
import { runBacktest, summarise } from './index.ts'

const strategy = defineStrategy({
  name: 'in-and-out',
  parameters: {},
  state: () => ({}),
  onBar(_bar, { barCount, buy, sell, position }) {
    if (barCount === 1) buy('10')
    if (barCount === 2 && position.isLong) sell(position.sellable)
  },
})

function days(dates: readonly string[], open: readonly number[]): RecordedBars {
  const price = Float64Array.from(open)
  return {
    kind: 'bars',
    file: 'made.csv',
    sha256: '',
    instrument: instrumentId('KRX:005930'),
    timeframe: '1d',
    length: dates.length,
    gaps: 0,
    missingBars: 0,
    openTimeUs: Float64Array.from(dates, (date) => krxDayBar(date).openTimeUs),
    closeTimeUs: Float64Array.from(dates, (date) => krxDayBar(date).closeTimeUs),
    open: price,
    high: price,
    low: price,
    close: price,
    volume: new Float64Array(dates.length),
  }
}

const market = days(['2025-01-06', '2025-01-07', '2025-01-08'], [54_000, 55_000, 57_000])
const run = (options = {}) => runBacktest({ strategy, markets: [market], nowMs: () => 0, cash: '1000000', ...options })

describe('a backtest of a Korean share', () => {
  it('pays commission on both sides and the tax of the day on the sale, all in won', () => {
    const result = run()
    assert.deepEqual(
      result.fills.map((fill) => [fill.side, formatUnits(fill.price), formatUnits(fill.fee), fill.feeCurrency]),
      [
        // 550,000 × 0.015 %
        ['buy', '55000', '82', 'KRW'],
        // 570,000 × 0.015 % + 570,000 × 0.15 %
        ['sell', '57000', '940', 'KRW'],
      ],
    )
    const { cash, realisedPnl, fees, position } = summarise(result)
    assert.deepEqual(
      { cash, realisedPnl, fees, position },
      { cash: '1018978', realisedPnl: '18978', fees: { KRW: '1022' }, position: '0' },
    )
  })

  it('takes the commission that is given', () => {
    assert.equal(formatUnits(run({ feeRate: '0' }).fills[0]!.fee), '0')
    assert.equal(formatUnits(run({ feeRate: '0.000140527' }).fills[0]!.fee), '77')
  })

  it('does not buy what the cash pays without its commission only', () => {
    // Risk reserves more than the price; with just that and no more at the open the fill does not happen.
    const rising = days(['2025-01-06', '2025-01-07', '2025-01-08'], [50_000, 65_000, 65_000])
    const result = runBacktest({ strategy, markets: [rising], nowMs: () => 0, cash: '650000' })
    assert.deepEqual([result.counts.orders, result.counts.fills, result.counts.expired], [1, 0, 1])
    assert.equal(runBacktest({ strategy, markets: [rising], nowMs: () => 0, cash: '650097' }).counts.fills > 0, true)
  })

  for (const dates of [
    ['2008-12-29', '2008-12-30'],
    ['2026-12-29', '2026-12-30'],
  ]) {
    it(`refuses recordings around ${dates[0]}, whose taxes it does not know`, () => {
      assert.throws(() => runBacktest({ strategy, markets: [days(dates, [1, 1])], nowMs: () => 0 }), {
        name: 'StrategyError',
        message: /made.csv: the taxes of its trades are not known: expected a date from 2009-01-01/,
      })
    })
  }
})
