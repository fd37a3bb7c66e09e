import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineStrategy } from '@jts/strategy-kit'
import { timeframeOf } from './strategies.ts'

const common = { parameters: {}, state: () => ({}) }
const handler = (): void => undefined
const onBars = defineStrategy({ ...common, name: 'bars', onBar: handler })
const on4h = defineStrategy({ ...common, name: 'four', onBar: handler, bars: { timeframe: '4h' } })
const onTrades = defineStrategy({ ...common, name: 'trades', onTrade: handler })
const onBoth = defineStrategy({ ...common, name: 'both', onBar: handler, onTrade: handler })

test('a live strategy runs on what it is told to, else on what it handles', () => {
  assert.equal(timeframeOf(onBars, undefined, '1m'), '1m')
  assert.equal(timeframeOf(onBars, '5m', '1m'), '5m')
  assert.equal(timeframeOf(on4h, undefined, '1m'), '4h')
  assert.equal(timeframeOf(onTrades, undefined, '1m'), undefined)
  assert.equal(timeframeOf(onBoth, undefined, '1m'), '1m')
})

test('it is refused what it does not handle, in words', () => {
  assert.throws(() => timeframeOf(onTrades, '1m', '1m'), /trades: expected trades, which it handles, found bars/)
  assert.throws(() => timeframeOf(on4h, '1m', '1m'), /four: expected 4h bars, found 1m/)
})
