import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { instrumentId } from '@jts/model'
import { RisingFillCursor } from './fill-cursor.ts'

const BTC = instrumentId('BINANCE:BTCUSDT')
const named = (...ids: number[]) => ids.map((id) => ({ tradeId: String(id) }))
/** Found in the list and booked. */
const read = (cursor: RisingFillCursor, ...ids: number[]): void => {
  for (const { tradeId } of named(...ids)) {
    cursor.remember(BTC, tradeId)
    cursor.advance(BTC, tradeId)
  }
}
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)
const again = (cursor: RisingFillCursor): RisingFillCursor => {
  const restored = new RisingFillCursor()
  restored.restore(cursor.toText())
  return restored
}

describe('a cursor over rising ids', () => {
  it('knows what was booked, and nothing because a later one was', () => {
    const cursor = new RisingFillCursor()
    cursor.open(BTC, named(90, 100))
    read(cursor, 102)
    assert.deepEqual(
      ['90', '95', '100', '101', '102'].map((id) => cursor.has(BTC, id)),
      [true, true, true, false, true],
    )
  })

  it('reads the list from before the last hundred on, over a restart', () => {
    const cursor = new RisingFillCursor()
    cursor.open(BTC, named(1))
    read(cursor, ...range(2, 101))
    assert.deepEqual(cursor.query(BTC), { afterTradeId: '1' })
    read(cursor, 103, 102, 103)
    assert.deepEqual(cursor.query(BTC), { afterTradeId: '3' })
    assert.deepEqual(again(cursor).query(BTC), { afterTradeId: '3' })
  })

  it('is not led on by notices', () => {
    const cursor = new RisingFillCursor()
    cursor.open(BTC, [])
    for (const id of range(1, 5000)) cursor.remember(BTC, String(id * 2))
    assert.deepEqual(cursor.query(BTC), {})
    assert.equal(cursor.has(BTC, '3'), false)
    assert.equal(cursor.has(BTC, '4'), true)
  })

  it('forgets what lies more than a thousand below where the list is read, and takes it for known', () => {
    const cursor = new RisingFillCursor()
    cursor.open(BTC, [])
    read(cursor, ...range(1, 3000).map((n) => n * 2))
    assert.equal(cursor.has(BTC, '1'), true)
    assert.equal(cursor.has(BTC, '5001'), false)
    assert.ok(range(1, 3000).every((n) => cursor.has(BTC, String(n * 2))))
  })

  it('takes what an earlier JTS had read for known, and reads on from there', () => {
    const cursor = new RisingFillCursor()
    cursor.restore(JSON.stringify({ [BTC]: '50', 'BINANCE:ETHUSDT': '' }))
    assert.deepEqual(cursor.query(BTC), { afterTradeId: '50' })
    assert.deepEqual([cursor.has(BTC, '49'), cursor.has(BTC, '51')], [true, false])
    assert.deepEqual(cursor.query(instrumentId('BINANCE:ETHUSDT')), {})
  })
})
