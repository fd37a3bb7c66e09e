import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseUnits, shippedInstrument, strategyInstanceId } from '@jts/model'
import { StrategyRunner, parseParameters } from '@jts/strategy-kit'
import emaCross from './ema-cross.ts'

const instrument = shippedInstrument('BINANCE:BTCUSDT')

/** What the strategy asks for at each closing price; every order fills at once, a buy less 0.1 %. */
function asks(closes: number[], given = {}): string[] {
  const parameters = parseParameters(emaCross, given)
  const runner = new StrategyRunner({
    definition: emaCross,
    parameters,
    instance: strategyInstanceId('one'),
    instrument,
  })
  return closes.map((close, i) => {
    const times = { openTimeUs: i, closeTimeUs: i }
    const bar = { open: close, high: close, low: close, close, volume: 1, timeframe: '1m', instrument: instrument.id }
    runner.onBar({ ...bar, ...times, final: true, revision: 0, source: 'test' })
    if (runner.intentCount === 0) return ''
    const { order, side, quantity = 0n } = runner.intents[0]!
    runner.onFill(order, side, quantity, side === 'buy' ? quantity - quantity / 1000n : -quantity, close, i)
    return side
  })
}

describe('ema-cross', () => {
  const quick = { fast: 1, slow: 3 }

  it('buys when the fast average rises through the slow one, sells when it falls back', () => {
    assert.deepEqual(asks([10, 10, 10, 12, 13, 9, 8, 12], quick), ['', '', '', 'buy', '', 'sell', '', 'buy'])
  })

  it('a crossing that asks for nothing is no signal: a fall while flat, a rise while long', () => {
    assert.deepEqual(asks([10, 10, 10, 8, 12, 12, 12], quick), ['', '', '', '', 'buy', '', ''])
  })

  it('gives no signal before bar number `slow`', () => {
    assert.deepEqual(asks([10, 12, 12, 13], { fast: 1, slow: 4 }), ['', '', '', ''])
    assert.deepEqual(asks([10, 10, 12], quick), ['', '', 'buy'])
  })

  it('has the defaults 10, 20 and 0.01', () => {
    assert.deepEqual(parseParameters(emaCross), { fast: 10, slow: 20, quantity: parseUnits('0.01') })
  })
})
