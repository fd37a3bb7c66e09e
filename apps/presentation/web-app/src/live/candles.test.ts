import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CandleView } from '../views.ts'
import { CANDLES_MAX, mergeCandles, tailChange, withCandles } from './candles.ts'

const candle = (openTimeUs: number, close: number, final = false, volume = close): CandleView => ({
  instrument: 'A:B',
  timeframe: '1m',
  openTimeUs,
  open: 1,
  high: 9,
  low: 1,
  close,
  volume,
  final,
})
const closes = (candles: readonly CandleView[]) => candles.map(({ openTimeUs, close }) => [openTimeUs, close])

describe('candles', () => {
  it('take a new word on the last candle, and the next one', () => {
    assert.deepEqual(closes(withCandles([candle(1, 1)], [candle(1, 2), candle(2, 3)])), [
      [1, 2],
      [2, 3],
    ])
  })
  it('are not reopened by a late word once closed', () => {
    assert.deepEqual(closes(withCandles([candle(1, 5, true)], [candle(1, 2)])), [[1, 5]])
  })
  it('take a late candle at its place in time', () => {
    assert.deepEqual(closes(withCandles([candle(1, 1), candle(3, 3)], [candle(2, 2)])), [
      [1, 1],
      [2, 2],
      [3, 3],
    ])
  })
  it('stay within their bound', () => {
    const many = Array.from({ length: CANDLES_MAX }, (_, index) => candle(index, 1))
    assert.ok(withCandles(many, [candle(CANDLES_MAX, 1)]).length < CANDLES_MAX)
  })
  it('keep what the stream said while they were fetched, but not what is older', () => {
    const fetched = [candle(1, 1, true), candle(2, 5, false, 5)]
    const heard = [candle(0, 9, true), candle(1, 7, false, 0.5), candle(2, 4, false, 4), candle(3, 3)]
    assert.deepEqual(closes(mergeCandles(fetched, heard)), [
      [1, 1],
      [2, 5],
      [3, 3],
    ])
  })
})

describe('tail change', () => {
  const [first, second] = [candle(1, 1, true), candle(2, 2)]
  it('is the changed last candle and what follows it', () => {
    const next = [first, candle(2, 4), candle(3, 3)]
    assert.deepEqual(closes(tailChange([first, second], next)!), [
      [2, 4],
      [3, 3],
    ])
  })
  it('is nothing when nothing changed', () => assert.deepEqual(tailChange([first, second], [first, second]), []))
  it('is undefined when the past changed, a candle was put between, or the list was cut', () => {
    assert.equal(tailChange([first, second], [candle(1, 8), second]), undefined)
    assert.equal(tailChange([first, candle(3, 1)], [first, candle(2, 1), candle(3, 1)]), undefined)
    assert.equal(tailChange([first, second], [second, candle(3, 3)]), undefined)
    assert.equal(tailChange([], [first]), undefined)
  })
})
