import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { formatUnits, instrumentId, parseUnits, type RecordedBars, type RecordedTrades } from '@jts/model'
import { defineStrategy, ema, crossedAbove, crossedBelow, type AnyStrategy } from '@jts/strategy-kit'
import {
  FILLS_CSV_HEADER,
  runBacktest,
  summarise,
  writeFillsCsv,
  type BacktestOptions,
  type BacktestResult,
} from './index.ts'

const MINUTE = 60_000_000

/** Bars of one minute; each row is open, high, low, close. */
function bars(rows: [number, number, number, number][], symbol = 'BTCUSDT', startUs = 0): RecordedBars {
  const column = (index: number): Float64Array => Float64Array.from(rows, (row) => row[index]!)
  return {
    kind: 'bars',
    file: 'made.csv',
    sha256: '',
    instrument: instrumentId(`BINANCE:${symbol}`),
    timeframe: '1m',
    length: rows.length,
    gaps: 0,
    missingBars: 0,
    openTimeUs: Float64Array.from(rows, (_, i) => startUs + i * MINUTE),
    closeTimeUs: Float64Array.from(rows, (_, i) => startUs + (i + 1) * MINUTE - 1000),
    open: column(0),
    high: column(1),
    low: column(2),
    close: column(3),
    volume: new Float64Array(rows.length),
  }
}

function run(
  strategy: AnyStrategy,
  market: RecordedBars | RecordedTrades,
  options: Partial<BacktestOptions> = {},
): BacktestResult {
  return runBacktest({ strategy, markets: [market], nowMs: () => 0, ...options })
}

/** Does at the n-th bar what is listed for it. */
function scripted(
  script: Record<number, (context: Parameters<NonNullable<AnyStrategy['onBar']>>[1]) => unknown>,
): AnyStrategy {
  return defineStrategy({
    name: 'scripted',
    parameters: {},
    state: () => ({}),
    onBar(_bar, context) {
      script[context.barCount]?.(context)
    },
  })
}

const flat = (price: number): [number, number, number, number] => [price, price, price, price]

describe('backtest', () => {
  it('fills a market order at the next open, books the fee in what is received, and sells what is held', () => {
    const strategy = scripted({ 1: ({ buy }) => buy('0.01'), 2: ({ sell, position }) => sell(position.sellable) })
    const result = run(strategy, bars([flat(40000), [43956.48, 44000, 43000, 44000], [44462, 44462, 44462, 44462]]))
    const summary = summarise(result)
    assert.deepEqual(
      result.fills.map((fill) => [fill.timeUs, fill.side, formatUnits(fill.quantity), formatUnits(fill.price)]),
      [
        [MINUTE, 'buy', '0.01', '43956.48'],
        [2 * MINUTE, 'sell', '0.00999', '44462'],
      ],
    )
    assert.deepEqual(summary.fees, { BTC: '0.00001', USDT: '0.44417538' })
    assert.equal(summary.cash, '100004.16640462')
    assert.equal(summary.realisedPnl, '4.16640462')
    assert.equal(summary.position, '0')
    assert.equal(summary.equity, summary.cash)
    assert.equal(summary.fillModel, 'next-open')
  })

  it('an order without a next open counts as signal and order, and stays unfilled', () => {
    const { signals, approved, orders, fills } = summarise(
      run(scripted({ 1: ({ buy }) => buy('0.01') }), bars([flat(1000)])),
    )
    assert.deepEqual([signals, approved, orders, fills], [1, 1, 1, 0])
  })

  it('nothing is ordered on the first bars of a strategy that warms up, and all of it counts from the bar after', () => {
    const wanting = (warmUp: number): AnyStrategy =>
      defineStrategy({
        ...{ name: 'wanting', parameters: {}, state: () => ({}), bars: { warmUp } },
        onBar(_bar, { barCount, buy, position }) {
          if (barCount >= 2 && position.isFlat) buy('1')
        },
      })
    const market = bars([flat(100), flat(101), flat(102), flat(103), flat(104)])
    const warm = run(wanting(3), market)
    assert.deepEqual(
      warm.fills.map((fill) => fill.timeUs),
      [4 * MINUTE],
      'it wants to from the second bar on, may on the fourth, and fills at the open of the fifth',
    )
    const { bars: count, warmUpBars, signals, orders } = summarise(warm)
    assert.deepEqual([count, warmUpBars, signals, orders], [5, 3, 1, 1])
    const cold = run(wanting(0), market)
    assert.deepEqual([cold.fills[0]!.timeUs, 'warmUpBars' in summarise(cold)], [2 * MINUTE, false])
    const said: string[] = []
    const short = run(wanting(5), market, { log: (message) => said.push(message) })
    assert.equal(short.counts.signals, 0)
    assert.match(
      said.join(),
      /^made.csv: expected more bars than the 5 of the warm-up, found 5: nothing can be ordered$/,
    )
  })

  it('a limit order fills at its limit, timed at the close, and the strategy knows at that close', () => {
    const seen: number[] = []
    const strategy = defineStrategy({
      name: 'resting',
      parameters: {},
      state: () => ({}),
      onBar(_bar, { barCount, buy, position }) {
        seen.push(position.quantity)
        if (barCount === 1) buy('1', { limit: '95' })
      },
    })
    const result = run(strategy, bars([flat(100), [100, 101, 94, 96]]))
    assert.equal(result.fills[0]!.timeUs, 2 * MINUTE - 1000)
    assert.equal(formatUnits(result.fills[0]!.price), '95')
    assert.equal(result.fills[0]!.liquidity, 'maker')
    assert.deepEqual(seen, [0, 0.999])
  })

  it('a fill beyond the cash at hand does not happen', () => {
    const strategy = scripted({ 1: ({ buy }) => buy('0.9') })
    const result = run(strategy, bars([flat(100), flat(120)]), { cash: '100' })
    assert.deepEqual([result.counts.approved, result.counts.fills, result.counts.expired], [1, 0, 1])
    assert.equal(summarise(result).cash, '100')
  })

  it('without limits only cash and the venue’s rules deny; the strategy is flat again at once', () => {
    const strategy = scripted({
      1: ({ buy }) => buy('10'),
      2: ({ buy, position }) => (position.isFlat ? buy('0.01') : undefined),
    })
    const result = run(strategy, bars([flat(100000), flat(100000), flat(100000)]))
    assert.deepEqual([result.counts.denied, result.counts.fills], [1, 1])
    assert.match(result.denials.get('INSUFFICIENT_CASH')!.firstReason, /expected 1010000 USDT/)
  })

  it('the limits given are kept', () => {
    const limits = { notionalMaxPerOrder: parseUnits('999') }
    const result = run(scripted({ 1: ({ buy }) => buy('0.01') }), bars([flat(100000), flat(100000)]), { limits })
    assert.equal(result.denials.get('NOTIONAL_MAX_PER_ORDER')!.count, 1)
  })

  it('slippage goes against us and is named', () => {
    const strategy = scripted({ 1: ({ buy }) => buy('0.01') })
    const result = run(strategy, bars([flat(60000), flat(60000)]), { slippageBps: 1 })
    assert.equal(formatUnits(result.fills[0]!.price), '60006')
    assert.equal(summarise(result).slippageBps, 1)
  })

  it('cancelled orders do not fill', () => {
    const strategy = scripted({ 1: ({ buy }) => buy('1', { limit: '95' }), 2: ({ cancel }) => cancel(1) })
    const result = run(strategy, bars([flat(100), flat(100), [90, 90, 90, 90]]))
    assert.deepEqual([result.counts.fills, result.counts.cancelled], [0, 1])
  })

  it('an order placed on a fill waits for the next open', () => {
    const strategy = defineStrategy({
      name: 'answers',
      parameters: {},
      state: () => ({}),
      onBar: (_bar, { barCount, buy }) => void (barCount === 1 && buy('1')),
      onFill: (fill, { sell, position }) => void (fill.side === 'buy' && sell(position.sellable)),
    })
    const { fills } = run(strategy, bars([flat(100), flat(101), flat(102)]))
    assert.deepEqual(
      fills.map((fill) => [fill.side, formatUnits(fill.price)]),
      [
        ['buy', '101'],
        ['sell', '102'],
      ],
    )
  })

  it('what a fill makes the strategy cancel in the same phase has filled by then', () => {
    const strategy = defineStrategy({
      name: 'late',
      parameters: {},
      state: () => ({}),
      onBar: (_bar, { barCount, buy }) => void (barCount === 1 && (buy('1'), buy('2'), buy('3', { limit: '90' }))),
      onFill: (fill, { cancel }) => void (fill.order === 1 && (cancel(2), cancel(3))),
    })
    const { counts } = run(strategy, bars([flat(100), flat(101), flat(80)]))
    assert.deepEqual([counts.fills, counts.cancelled], [2, 1])
  })

  it('risk decides on all that one event has caused before any of it takes effect', () => {
    const strategy = scripted({
      1: ({ buy }) => buy('0.8', { limit: '90' }),
      2: ({ buy, cancel }) => (cancel(1), buy('0.8', { limit: '90' })),
      3: ({ buy }) => buy('0.8', { limit: '90' }),
    })
    const { counts } = run(strategy, bars([flat(100), flat(100), flat(100)]), { cash: '100' })
    assert.deepEqual([counts.denied, counts.cancelled, counts.approved], [1, 1, 2])
  })

  it('the venue counts what it holds back for other orders as spent', () => {
    const strategy = scripted({ 1: ({ buy }) => (buy('0.5', { limit: '100' }), buy('0.4')) })
    const result = run(strategy, bars([flat(110), flat(130)]), { cash: '100' })
    assert.deepEqual([result.counts.approved, result.counts.expired], [2, 1])
  })

  it('the venue rejects a limit far from the market and an order too many', () => {
    const strategy = scripted({
      1: ({ buy }) => (buy('1', { limit: '19.99' }), buy('1', { limit: '20' })),
      2: ({ buy }) => Array.from({ length: 201 }, () => buy('0.1', { limit: '50' })),
    })
    const { counts } = run(strategy, bars([flat(100), flat(100)]))
    assert.deepEqual([counts.orders, counts.rejected], [203, 3])
  })

  it('a maker-only order that would take is rejected where it is placed', () => {
    const strategy = scripted({ 1: ({ buy }) => buy('1', { limit: '100', makerOnly: true }) })
    const { counts } = run(strategy, bars([flat(100)]))
    assert.deepEqual([counts.approved, counts.orders, counts.rejected], [1, 1, 1])
  })

  it('a size in quote buys whole lots', () => {
    const strategy = scripted({ 1: ({ buy }) => buy('100', { quote: true }) })
    const { fills } = run(strategy, bars([flat(30000), flat(30000)]))
    assert.equal(formatUnits(fills[0]!.quantity), '0.00333')
  })

  function trades(...prices: number[]): RecordedTrades {
    const column = (value: (i: number) => number) => Float64Array.from(prices, (_, i) => value(i))
    return {
      kind: 'trades',
      file: 'made.csv',
      sha256: '',
      instrument: instrumentId('BINANCE:BTCUSDT'),
      length: prices.length,
      tradeId: prices.map((_, i) => String(i + 1)),
      timeUs: column((i) => (i + 1) * 1000),
      price: column((i) => prices[i]!),
      quantity: column(() => 0.001),
      buyerMaker: Uint8Array.from(prices, () => 0),
    }
  }

  it('trades: a market order fills at the next trade', () => {
    const strategy = defineStrategy({
      name: 'ticks',
      parameters: {},
      state: () => ({ seen: 0 }),
      onTrade(_trade, { state, buy }) {
        if (++state.seen === 1) buy('0.5')
      },
    })
    const market = trades(100, 101.5)
    const { fills } = run(strategy, market)
    assert.deepEqual([fills.length, formatUnits(fills[0]!.price), fills[0]!.timeUs], [1, '101.5', 2000])
    assert.throws(() => run(scripted({}), market), /scripted: expected bars, which it handles, found trades/)
  })

  it('trades: a fill is told before the trade that made it, and its answer is judged by the trade before', () => {
    const told: string[] = []
    const strategy = defineStrategy({
      name: 'ticks',
      parameters: {},
      state: () => ({ seen: 0 }),
      onTrade(trade, { state, buy }) {
        told.push(`trade ${trade.price}`)
        if (++state.seen === 1) buy('1')
      },
      onFill(fill, { buy }) {
        told.push(`fill ${fill.price}`)
        if (told.length < 4) buy('1')
      },
    })
    const limits = { notionalMaxPerOrder: parseUnits('105'), marketCollar: 0 }
    const { counts } = run(strategy, trades(100, 110, 120), { limits })
    assert.deepEqual(told, ['trade 100', 'fill 110', 'trade 110', 'fill 120', 'trade 120'])
    assert.equal(counts.denied, 0, 'at 110 the second would be above the limit')
  })

  it('several instruments share the cash, in order of time', () => {
    const strategy = scripted({ 1: ({ buy, instrument }) => buy(instrument.symbol === 'BTCUSDT' ? '0.6' : '6') })
    const markets = [bars([flat(100), flat(100)]), bars([flat(10), flat(10)], 'ETHUSDT', 30_000_000)]
    const result = runBacktest({ strategy, markets, nowMs: () => 0, cash: '125' })
    assert.deepEqual(summarise(result).positions, { 'BINANCE:BTCUSDT': '0.5994', 'BINANCE:ETHUSDT': '5.994' })
    assert.deepEqual(
      result.fills.map((fill) => [fill.timeUs, fill.strategy]),
      [
        [MINUTE, 'scripted-BTCUSDT'],
        [MINUTE + 30_000_000, 'scripted-ETHUSDT'],
      ],
    )
    assert.equal(summarise(result).cash, '5')
  })

  it('the equity watch reports the largest fall', () => {
    const strategy = scripted({ 1: ({ buy }) => buy('1') })
    const result = run(strategy, bars([flat(100), flat(100), flat(50), flat(80)]), { cash: '200', feeRate: '0' })
    assert.equal(result.drawdownMax, 0.25)
  })

  /** Pseudo-random closes that cross often. */
  function walk(length: number): RecordedBars {
    let state = 7
    let price = 50000
    const rows = Array.from({ length }, (): [number, number, number, number] => {
      const open = price
      state = (state * 1103515245 + 12345) % 2147483648
      price = Math.max(100, Math.round((price + (state / 2147483648 - 0.5) * 400) * 100) / 100)
      return [open, Math.max(open, price), Math.min(open, price), price]
    })
    return bars(rows)
  }
  const cross = defineStrategy({
    name: 'cross',
    parameters: {},
    state: () => ({ fast: ema(10, { seed: 'first' }), slow: ema(20, { seed: 'first' }) }),
    onBar(bar, { state, position, barCount, buy, sell }) {
      state.fast.update(bar.close)
      state.slow.update(bar.close)
      if (barCount < 20) return
      if (position.isFlat && crossedAbove(state.fast, state.slow)) buy('0.01')
      else if (position.isLong && crossedBelow(state.fast, state.slow)) sell(position.sellable)
    },
  })

  it('gives the same run twice, and the exported rows hash to the digest', () => {
    const market = walk(5000)
    const [first, second] = [run(cross, market), run(cross, market)]
    assert.ok(first.counts.fills > 100)
    assert.deepEqual(summarise(first), summarise(second))
    let csv = ''
    writeFillsCsv(first.fills, (piece) => (csv += piece))
    const rows = csv.slice(FILLS_CSV_HEADER.length + 1)
    assert.equal(createHash('sha256').update(rows).digest('hex'), summarise(first).fillsSha256)
  })

  it('equity is the opening cash, realised and unrealised PnL', () => {
    const result = run(cross, walk(3333))
    const { ledger, lastPrices } = result
    let sum = result.openingCash
    for (const { strategy, instrument, position } of ledger.positions()) {
      sum += position.realisedPnl + ledger.unrealisedPnl(strategy, instrument, lastPrices.get(instrument)!)
    }
    assert.equal(summarise(result).equity, formatUnits(sum))
  })

  it('tells its progress to the end', () => {
    const told: [number, number][] = []
    run(scripted({}), walk(70_000), { onProgress: (done, total) => told.push([done, total]) })
    assert.deepEqual(told, [
      [65_536, 70_000],
      [70_000, 70_000],
    ])
  })

  it('refuses no market, one instrument twice, and two quote currencies', () => {
    const strategy = scripted({})
    const nowMs = (): number => 0
    assert.throws(() => runBacktest({ strategy, markets: [], nowMs }), /expected at least one recorded market/)
    const one = bars([flat(1)])
    assert.throws(() => runBacktest({ strategy, markets: [one, one], nowMs }), /expected one recording per instrument/)
    const other = bars([flat(1)], 'ETHBTC')
    assert.throws(
      () => runBacktest({ strategy, markets: [one, other], nowMs }),
      /expected one quote currency in a run, found USDT, BTC/,
    )
  })
})
