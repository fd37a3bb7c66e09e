import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TradeCandles } from './trade-candles.ts'

const MINUTE_US = 60_000_000

test('candles grow trade by trade from the first whole minute on, and end with the first trade of the next', () => {
  const candles = new TradeCandles()
  const take = (seconds: number, price: number): unknown =>
    candles
      .take({
        ...{ instrument: 'BINANCE:BTCUSDT', tradeId: '1', aggressor: 'buy' },
        ...{ timeUs: MINUTE_US + seconds * 1_000_000, price, quantity: 2 },
      })
      .map(({ openTimeUs, open, high, low, close, volume, final }) => {
        return [openTimeUs / MINUTE_US, open, high, low, close, volume, final]
      })
  assert.deepEqual(take(30, 100), [])
  assert.deepEqual(take(59, 101), [])
  assert.deepEqual(take(60, 102), [[2, 102, 102, 102, 102, 2, false]])
  assert.deepEqual(take(70, 99), [[2, 102, 102, 99, 99, 4, false]])
  assert.deepEqual(take(200, 105), [
    [2, 102, 102, 99, 99, 4, true],
    [4, 105, 105, 105, 105, 2, false],
  ])
})
