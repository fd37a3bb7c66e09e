/**
 * Speed of the backtester: a million generated bars through strategy, risk, orders, matching and ledger, for the shipped
 * EMA cross and for a strategy that was written a moment before; beside them, the same bars through a bare callback loop.
 *
 *     node bench/backtest.ts [bars]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { runBacktest, summarise } from '@jts/backtest'
import type { InstrumentId, RecordedBars } from '@jts/model'
import type { AnyStrategy } from '@jts/strategy-kit'
import { loadStrategy } from '@jts/strategy-kit/load'

export type BacktestBench = {
  readonly bars: number
  readonly node: string
  readonly cpu: string
  readonly emaCross: Measured
  readonly writtenOnTheSpot: Measured
  readonly bareLoop: { readonly barsPerSecond: number; readonly durationMs: number }
  /** The backtest's speed as a share of the bare loop's. */
  readonly fractionOfBareLoop: number
  readonly nanosecondsPerOrder: number
}
type Measured = {
  readonly barsPerSecond: number
  readonly barsPerSecondFirstRun: number
  readonly durationMs: number
  readonly orders: number
  readonly fills: number
  readonly digestMs: number
}

const RUNS = 5

const WRITTEN_ON_THE_SPOT = `
import { defineStrategy, integer, quantity, rsi, sma } from '@jts/strategy-kit'

export default defineStrategy({
  name: 'rsi-dip',
  parameters: { period: integer({ default: 14, min: 2 }), trend: integer({ default: 50, min: 2 }), quantity: quantity({ default: '0.01' }) },
  state: ({ period, trend }) => ({ rsi: rsi(period), trend: sma(trend) }),
  onBar(bar, { state, parameters, position, buy, sell }) {
    state.rsi.update(bar.close)
    state.trend.update(bar.close)
    if (position.isFlat && state.rsi.value < 35) buy(parameters.quantity)
    else if (position.isLong && state.rsi.value > 55 && bar.close > state.trend.value) sell(position.sellable)
  },
})
`

/** A seeded random walk on whole ticks, so that every run and every machine sees the same bars. */
export function generateBars(length: number, seed = 1): RecordedBars {
  const columns = Array.from({ length: 7 }, () => new Float64Array(length))
  const [openTimeUs, closeTimeUs, open, high, low, close, volume] = columns as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ]
  let state = seed >>> 0
  // Mulberry32.
  const random = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const minuteUs = 60_000_000
  let ticks = 6_000_000
  for (let i = 0; i < length; i++) {
    const first = ticks
    ticks = Math.max(100_000, ticks + Math.round((random() - 0.5) * 6000))
    openTimeUs[i] = 1_600_000_000_000_000 + i * minuteUs
    closeTimeUs[i] = openTimeUs[i]! + minuteUs - 1000
    open[i] = first / 100
    close[i] = ticks / 100
    high[i] = (Math.max(first, ticks) + Math.round(random() * 1000)) / 100
    low[i] = (Math.min(first, ticks) - Math.round(random() * 1000)) / 100
    volume[i] = Math.round(random() * 1e6) / 1e4
  }
  const file = `generated-${length}-bars-seed-${seed}`
  const instrument = 'BINANCE:BTCUSDT' as InstrumentId
  const rest = { openTimeUs, closeTimeUs, open, high, low, close, volume }
  return { kind: 'bars', file, sha256: '', instrument, timeframe: '1m', length, gaps: 0, missingBars: 0, ...rest }
}

export async function benchBacktest(bars = 1_000_000): Promise<BacktestBench> {
  const market = generateBars(bars)
  const emaCross = measure(await loadStrategy(resolve(import.meta.dirname, '../strategies/ema-cross.ts')), market)
  const folder = mkdtempSync(join(tmpdir(), 'jts-bench-'))
  let writtenOnTheSpot: Measured
  try {
    const file = join(folder, 'rsi-dip.ts')
    writeFileSync(file, WRITTEN_ON_THE_SPOT)
    writtenOnTheSpot = measure(await loadStrategy(file), market)
  } finally {
    rmSync(folder, { recursive: true })
  }
  const bareMs = median(Array.from({ length: RUNS }, () => bareLoop(market)))
  const bare = { barsPerSecond: Math.round((bars / bareMs) * 1000), durationMs: bareMs }
  const nanosecondsPerOrder = Math.round(((emaCross.durationMs - bareMs) * 1e6) / emaCross.orders)
  const fractionOfBareLoop = emaCross.barsPerSecond / bare.barsPerSecond
  const cpu = cpus()[0]?.model ?? 'unknown'
  return {
    bars,
    node: process.version,
    cpu,
    emaCross,
    writtenOnTheSpot,
    bareLoop: bare,
    fractionOfBareLoop,
    nanosecondsPerOrder,
  }
}

function measure(strategy: AnyStrategy, market: RecordedBars): Measured {
  const results = Array.from({ length: RUNS }, () =>
    runBacktest({ strategy, markets: [market], nowMs: () => performance.now() }),
  )
  const durationMs = median(results.map((result) => result.durationMs))
  const digestStartedMs = performance.now()
  const { orders, fills } = summarise(results[0]!)
  const digestMs = performance.now() - digestStartedMs
  const perSecond = (ms: number): number => Math.round((market.length / ms) * 1000)
  return {
    barsPerSecond: perSecond(durationMs),
    barsPerSecondFirstRun: perSecond(results[0]!.durationMs),
    durationMs,
    orders,
    fills,
    digestMs,
  }
}

/** The floor: two EMAs and their crossings over the same columns through a callback, with no trading system around it. */
function bareLoop(market: RecordedBars): number {
  const bar = { open: 0, high: 0, low: 0, close: 0, volume: 0 }
  let fast = NaN
  let slow = NaN
  let crossings = 0
  const onBar = (given: typeof bar): void => {
    const before = fast > slow
    fast = Number.isNaN(fast) ? given.close : fast + (2 / 11) * (given.close - fast)
    slow = Number.isNaN(slow) ? given.close : slow + (2 / 21) * (given.close - slow)
    if (fast > slow !== before) crossings++
  }
  const startedMs = performance.now()
  for (let i = 0; i < market.length; i++) {
    bar.open = market.open[i]!
    bar.high = market.high[i]!
    bar.low = market.low[i]!
    bar.close = market.close[i]!
    bar.volume = market.volume[i]!
    onBar(bar)
  }
  const durationMs = performance.now() - startedMs
  if (crossings === 0) throw new Error('expected crossings in the generated bars, found none')
  return durationMs
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}

if (import.meta.main) {
  console.log(JSON.stringify(await benchBacktest(Number(process.argv[2] ?? 1_000_000)), null, 2))
}
