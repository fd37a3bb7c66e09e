import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Generator } from './generator.ts'

const NOW = Date.UTC(2026, 0, 5, 12, 0, 30) * 1000

test('the same seed, symbol and time give the same price, whatever was asked before', () => {
  const a = new Generator(['BTCUSDT', 'ETHUSDT'], 7, NOW)
  const b = new Generator(['ETHUSDT', 'BTCUSDT'], 7, NOW + 5e6)
  a.klines('BTCUSDT', '1h', { limit: 10 })
  for (const quarter of [a.quarter, a.quarter - 1000, 12_345]) {
    assert.deepEqual(a.trade('BTCUSDT', quarter), b.trade('BTCUSDT', quarter))
  }
  assert.notEqual(a.price('BTCUSDT', 1), new Generator(['BTCUSDT'], 8, NOW).price('BTCUSDT', 1))
})

test('a thousand klines are there from the start, without a hole, and only the last may be open', () => {
  const generator = new Generator(['BTCUSDT'], 7, NOW)
  for (const interval of ['1s', '1m', '1h']) {
    const rows = generator.klines('BTCUSDT', interval, { limit: 1000 })
    assert.equal(rows.length, 1000)
    rows.forEach((row, index) => {
      assert.ok(row.low <= row.open && row.open <= row.high && row.low <= row.close && row.close <= row.high)
      if (index > 0) assert.equal(row.openUs, rows[index - 1]!.closeUs + 1000)
      if (index < rows.length - 1) assert.ok(row.isClosed)
    })
  }
})

test('averages of 10 and 20 seconds cross within tens of seconds', () => {
  const generator = new Generator(['BTCUSDT'], 1, NOW)
  const closes = generator.klines('BTCUSDT', '1s', { limit: 1000 }).map(({ close }) => close)
  let fast = closes[0]!
  let slow = closes[0]!
  let crosses = 0
  let wasAbove = false
  for (const close of closes) {
    fast += (close - fast) * (2 / 11)
    slow += (close - slow) * (2 / 21)
    if (fast > slow !== wasAbove) crosses++
    wasAbove = fast > slow
  }
  assert.ok(crosses > 20 && crosses < 200, `${crosses} crosses in 1000 seconds`)
})

test('volumes differ from bar to bar, and a short bar has the volume of its trades', () => {
  const generator = new Generator(['BTCUSDT'], 1, NOW)
  for (const interval of ['1s', '1m', '1h']) {
    const volumes = generator.klines('BTCUSDT', interval, { limit: 300 }).map(({ volume }) => volume)
    const mean = volumes.reduce((sum, volume) => sum + volume, 0) / volumes.length
    assert.ok(Math.max(...volumes) > 1.5 * mean && Math.min(...volumes) < 0.7 * mean, interval)
    assert.ok(new Set(volumes).size > 200, interval)
  }
  const [last] = generator.klines('BTCUSDT', '1s', { limit: 2 })
  const trades = generator
    .trades('BTCUSDT', { limit: 8 })
    .filter(({ timeUs }) => timeUs >= last!.openUs && timeUs <= last!.closeUs)
  assert.equal(last!.volume.toFixed(5), trades.reduce((sum, { quantity }) => sum + quantity, 0).toFixed(5))
})

test('trades are asked for from an id on, as far as they have happened', () => {
  const generator = new Generator(['BTCUSDT'], 1, NOW)
  const last = generator.quarter
  const ids = (fromId: number) => generator.trades('BTCUSDT', { fromId, limit: 3 }).map(({ id }) => id)
  assert.deepEqual(ids(last - 9), [last - 9, last - 8, last - 7])
  assert.deepEqual(ids(last), [last])
  assert.deepEqual(ids(last + 1), [])
})
