/** A Korean share in the backtest: won, commission and taxes. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatUnits, instrumentId, krxDayBar, kstInstantUs, secondsOfTime, type RecordedBars } from '@jts/model'
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

  /** Buys on the first bar in each way that there is, and tells what became of it. */
  const buys = (timeInForce: 'gtc' | 'ioc', limit?: string) =>
    defineStrategy({
      name: 'buys',
      parameters: {},
      state: () => ({}),
      onBar(_bar, { barCount, buy }) {
        if (barCount === 1) buy('1', { timeInForce, ...(limit === undefined ? {} : { limit }) })
      },
    })
  const outcome = (bars: RecordedBars, ordered: ReturnType<typeof buys>) => {
    const { fills, denials } = runBacktest({ strategy: ordered, markets: [bars], nowMs: () => 0, cash: '1000000' })
    return [...denials.keys(), ...fills.map(({ price }) => formatUnits(price))].join()
  }

  it('fills what a day has caused at the next open, whatever the order and however late that day opens', () => {
    for (const dates of [
      ['2025-01-06', '2025-01-07'],
      ['2025-11-12', '2025-11-13'],
      ['2024-12-30', '2025-01-02'],
    ]) {
      const bars = days(dates, [54_000, 55_000])
      assert.equal(outcome(bars, buys('gtc')), '55000')
      assert.equal(outcome(bars, buys('gtc', '56000')), '55000')
      assert.equal(outcome(bars, buys('ioc', '56000')), '55000')
    }
  })

  it('asks risk when the orders would go out, and judges a price by the time in which there could be a newer one', () => {
    const daily = defineStrategy({
      name: 'daily',
      parameters: {},
      state: () => ({}),
      onBar(_bar, { barCount, buy }) {
        buy('1', barCount === 1 ? {} : { timeInForce: 'ioc', limit: '90000' })
      },
    })
    const dates = ['2025-01-09', '2025-01-10', '2025-01-13']
    const deniedAt = (seconds: number, on = dates): string[] => {
      const limits = { marketDataAgeMaxUs: seconds * 1_000_000, signalAgeMaxUs: 1 }
      const { denials } = run({ strategy: daily, limits, markets: [days(on, [54_000, 55_000, 57_000])] })
      return [...denials.values()].map(({ firstReason }) => firstReason)
    }
    assert.deepEqual(deniedAt(30), [])
    // The exam day (수능) trades until 16:30.
    assert.deepEqual(deniedAt(30, ['2024-11-13', '2024-11-14', '2024-11-15']), [])
    // The opening auction makes no price; «at once» is asked five seconds into the day, and the close was a millisecond early.
    assert.deepEqual(deniedAt(3), ['expected a price of KRX:005930 of at most 3 s, found one of 5.001 s'])
  })

  it('judges what a fill causes by the books alone: a recording of days does not say when in the day it came', () => {
    const answering = defineStrategy({
      name: 'answering',
      parameters: {},
      state: () => ({}),
      onBar(_bar, { barCount, buy }) {
        if (barCount === 1) buy('1')
      },
      onFill({ side }, { sell, position }) {
        if (side === 'buy') sell(position.sellable, { limit: '50000', timeInForce: 'ioc' })
      },
    })
    // 2025-01-02 opened at ten; bars of days are all stamped as if they began at nine.
    const result = run({
      strategy: answering,
      markets: [days(['2024-12-30', '2025-01-02', '2025-01-03'], [54_000, 55_000, 56_000])],
    })
    assert.deepEqual([...result.denials.keys()], [])
    assert.deepEqual(
      result.fills.map(({ side, price }) => `${side} ${formatUnits(price)}`),
      ['buy 55000', 'sell 56000'],
    )
  })

  it('sends nothing on the last minute of a day, which is heard when it has closed', () => {
    const minutes = (...times: readonly string[]): RecordedBars => {
      const ends = times.map((time) => kstInstantUs('2025-01-06', secondsOfTime(time)))
      return {
        ...days(
          times.map(() => '2025-01-06'),
          times.map(() => 54_000),
        ),
        timeframe: '1m',
        openTimeUs: Float64Array.from(ends, (end) => end - 60_000_000),
        closeTimeUs: Float64Array.from(ends, (end) => end - 1000),
      }
    }
    assert.equal(outcome(minutes('15:20', '15:30'), buys('gtc')), '54000')
    assert.equal(outcome(minutes('15:30'), buys('gtc')), 'SESSION_CLOSED')
    // Heard when the closing auction has begun, which has no «at once».
    assert.equal(outcome(minutes('15:19', '15:30'), buys('ioc', '55000')), '54000')
    assert.equal(outcome(minutes('15:20', '15:30'), buys('ioc', '55000')), 'SESSION_PHASE')
  })
})
