import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { fillLine, fillsDigest, type FillFacts } from './fills.ts'
import { instrumentId } from './ids.ts'
import { parseUnits } from './numbers.ts'

function fact(timeMs: number, symbol: string, tradeId: string): FillFacts {
  return {
    timeUs: timeMs * 1000,
    instrument: instrumentId(`BINANCE:${symbol}`),
    side: 'buy',
    quantity: parseUnits('0.0100'),
    price: parseUnits('60000.10'),
    fee: parseUnits('0.00001'),
    feeCurrency: 'BTC',
    tradeId,
  }
}

describe('fills', () => {
  it('a line has the amounts in their shortest text', () => {
    assert.equal(
      fillLine(fact(1704398400000, 'BTCUSDT', '1')),
      '1704398400000,BINANCE:BTCUSDT,buy,0.01,60000.1,0.00001,BTC',
    )
  })

  it('the digest is over the lines by time, instrument and trade id as a number', () => {
    const ordered = [fact(1, 'AAA', '9'), fact(1, 'AAA', '10'), fact(1, 'BBB', '2'), fact(2, 'AAA', '1')]
    const expected = createHash('sha256')
      .update(ordered.map((one) => fillLine(one) + '\n').join(''))
      .digest('hex')
    assert.equal(fillsDigest(ordered.toReversed()), expected)
    assert.equal(fillsDigest(ordered), expected)
  })

  it('the digest of no fills is the digest of nothing', () => {
    assert.equal(fillsDigest([]), createHash('sha256').digest('hex'))
  })

  it('many fills are hashed as if in one piece', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => fact(i, 'BTCUSDT', String(i)))
    const whole = many.map((one) => fillLine(one) + '\n').join('')
    assert.equal(fillsDigest(many), createHash('sha256').update(whole).digest('hex'))
  })
})
