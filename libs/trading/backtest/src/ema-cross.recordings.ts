/**
 * The shipped EMA cross on real recordings, against figures worked out independently in decimal arithmetic.
 * Run with `JTS_RECORDINGS=<folder of recordings> node --test <this file>`.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { instrumentId, type RecordedBars } from '@jts/model'
import { loadStrategy } from '@jts/strategy-kit/load'
import { runBacktest, summarise } from './index.ts'

const folder = process.env.JTS_RECORDINGS
const strategyFile = join(import.meta.dirname, '../../../../strategies/ema-cross.ts')

const EXPECTED: Record<string, Record<string, unknown>> = {
  'binance-spot-BTCUSDT-1m-2024-12.csv.gz': {
    bars: 41761,
    signals: 1912,
    orders: 1912,
    fills: 1912,
    cash: '98021.98814056',
    position: '0',
    equity: '98021.98814056',
    realisedPnl: '-1978.01185944',
    fees: { BTC: '0.00956', USDT: '942.55008074' },
    fillsSha256: 'b4855dbb1014a18e6f23894308711abb4e70a9ec9438bef306783601b194fee0',
  },
  'binance-spot-BTCUSDT-15m-2024H1.csv.gz': {
    bars: 17476,
    signals: 835,
    orders: 835,
    fills: 835,
    cash: '99071.35170488',
    position: '0.00999',
    equity: '99698.44408478',
    realisedPnl: '-318.24659512',
    fees: { BTC: '0.00418', USDT: '247.89577472' },
    fillsSha256: 'dee58fdbeb1c219738389c1ff9af3071e55d97b8c10f166bed84de4e95b016be',
  },
  'binance-spot-BTCUSDT-4h-2024-01to03.csv.gz': {
    bars: 499,
    signals: 16,
    orders: 16,
    fills: 15,
    cash: '99561.72159727',
    position: '0.00999',
    equity: '100203.41825827',
    realisedPnl: '223.50169727',
    fees: { BTC: '0.00008', USDT: '3.55887013' },
    fillsSha256: 'f602633b356389c4b12d4d53c356887f9565e022964f98b1b43e98a16d6c14eb',
  },
  'binance-spot-BTCUSDT-1d-2017to2021.csv.gz': {
    bars: 1246,
    signals: 45,
    orders: 45,
    fills: 45,
    cash: '99969.43139854',
    position: '0.00999',
    equity: '100342.77148474',
    realisedPnl: '78.68579854',
    fees: { BTC: '0.00023', USDT: '1.82138906' },
    fillsSha256: '92db6202ec1994b066416f0353572e4f80fd3ef8419ea9fd9bf524abf0b0c5bb',
  },
}

/** A few lines instead of the market store, which this library may not import. */
function read(file: string): RecordedBars {
  const [, ...lines] = gunzipSync(readFileSync(file)).toString().trim().split('\n')
  const rows = lines.map((line) => line.split(',').map(Number))
  const column = (index: number, factor = 1): Float64Array => Float64Array.from(rows, (row) => row[index]! * factor)
  return {
    kind: 'bars',
    file,
    sha256: '',
    instrument: instrumentId('BINANCE:BTCUSDT'),
    timeframe: '1m',
    length: rows.length,
    gaps: 0,
    missingBars: 0,
    openTimeUs: column(0, 1000),
    open: column(1),
    high: column(2),
    low: column(3),
    close: column(4),
    volume: column(5),
    closeTimeUs: column(6, 1000),
  }
}

describe('ema-cross on recordings', { skip: folder === undefined }, () => {
  for (const [name, expected] of Object.entries(EXPECTED)) {
    it(`${name}: counts, money and every fill`, async () => {
      const strategy = await loadStrategy(strategyFile)
      const market = read(join(folder!, name))
      const summary = summarise(runBacktest({ strategy, markets: [market], nowMs: () => 0 }))
      for (const [key, value] of Object.entries(expected)) {
        assert.deepEqual(summary[key as keyof typeof summary], value, key)
      }
      assert.equal(summary.denied, 0)
    })
  }
})
