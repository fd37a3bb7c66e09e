import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseUnits } from '@jts/model/numbers'
import { decideAtOpen, decideAtTrade, decideInRange, slip, type Decision } from './matching.ts'
import type { OrderKind, Side, TimeInForce } from './orders.ts'

const TICK = parseUnits('0.01')
const order = (side: Side, kind: OrderKind, timeInForce: TimeInForce, price: string) => ({
  side,
  kind,
  timeInForce,
  price: parseUnits(price),
})
const say = (decision: Decision) =>
  decision.kind === 'fill'
    ? `fill ${Number(decision.price) / 1e8} ${decision.maker ? 'maker' : 'taker'}`
    : decision.kind

test('at the open, orders fill, wait or expire', () => {
  const cases: [Side, OrderKind, TimeInForce, string, boolean, string][] = [
    ['buy', 'market', 'gtc', '0', true, 'fill 100 taker'],
    ['sell', 'market', 'gtc', '0', true, 'fill 100 taker'],
    ['buy', 'limit', 'gtc', '100', true, 'fill 100 taker'],
    ['buy', 'limit', 'gtc', '101', false, 'fill 100 maker'],
    ['buy', 'limit', 'gtc', '99.99', true, 'wait'],
    ['sell', 'limit', 'gtc', '100', true, 'fill 100 taker'],
    ['sell', 'limit', 'gtc', '100.01', true, 'wait'],
    ['buy', 'limit', 'ioc', '100', true, 'fill 100 taker'],
    ['buy', 'limit', 'ioc', '99', true, 'expire'],
    ['sell', 'limit', 'fok', '101', true, 'expire'],
    ['sell', 'post-only', 'gtc', '99', true, 'fill 100 maker'],
  ]
  for (const [side, kind, timeInForce, price, isNew, expected] of cases) {
    const decision = decideAtOpen(order(side, kind, timeInForce, price), isNew, parseUnits('100'), 0, TICK)
    assert.equal(say(decision), expected, `${side} ${kind} ${timeInForce} ${price}`)
  }
})

test('within a bar, a resting limit fills at its price only when the bar trades through it', () => {
  const cases: [Side, string, boolean, string][] = [
    ['buy', '90', false, 'wait'],
    ['buy', '90.01', false, 'fill 90.01 maker'],
    ['buy', '90.01', true, 'wait'],
    ['sell', '110', false, 'wait'],
    ['sell', '109.99', false, 'fill 109.99 maker'],
  ]
  for (const [side, price, isNew, expected] of cases) {
    const decision = decideInRange(order(side, 'limit', 'gtc', price), isNew, parseUnits('90'), parseUnits('110'))
    assert.equal(say(decision), expected, `${side} ${price}`)
  }
})

test('at a recorded trade, new orders take its price and resting ones need it to go through them', () => {
  const cases: [OrderKind, TimeInForce, string, boolean, string][] = [
    ['market', 'gtc', '0', true, 'fill 100 taker'],
    ['limit', 'gtc', '100', true, 'fill 100 taker'],
    ['limit', 'gtc', '100', false, 'wait'],
    ['limit', 'gtc', '100.01', false, 'fill 100.01 maker'],
    ['limit', 'fok', '99', true, 'expire'],
  ]
  for (const [kind, timeInForce, price, isNew, expected] of cases) {
    const decision = decideAtTrade(order('buy', kind, timeInForce, price), isNew, parseUnits('100'), 0, TICK)
    assert.equal(say(decision), expected, `${kind} ${timeInForce} ${price} ${isNew}`)
  }
})

test('slippage moves the price against the taker and onto the worse tick', () => {
  const cases: [Side, string, number, string][] = [
    ['buy', '100', 0, '100'],
    ['buy', '100.005', 0, '100.005'],
    ['buy', '100', 5, '100.05'],
    ['buy', '100.01', 5, '100.07'],
    ['sell', '100', 5, '99.95'],
    ['sell', '100.01', 5, '99.95'],
    ['buy', '100', 0.5, '100.01'],
  ]
  for (const [side, price, bps, expected] of cases) {
    assert.equal(slip(side, parseUnits(price), bps, TICK), parseUnits(expected), `${side} ${price} ${bps}`)
  }
})
