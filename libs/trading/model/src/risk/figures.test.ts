import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  accountId,
  instrumentId,
  parseUnits,
  RiskEngine,
  shippedInstrument,
  strategyInstanceId,
  type SignalId,
} from '../index.ts'

test('a decision that is explained tells what each rule measured, the passed ones too', () => {
  const account = accountId('sim.binance.main')
  const instrument = instrumentId('BINANCE:BTCUSDT')
  const engine = new RiskEngine({ notionalMaxPerOrder: parseUnits('50000'), signalAgeMaxUs: 5_000_000 })
  engine.setInstrument(shippedInstrument(instrument))
  engine.setCash(account, 'USDT', parseUnits('100000'))
  engine.mark(instrument, 60_000, 1_000_000)
  const decision = engine.check(
    {
      signalId: 's1' as SignalId,
      account,
      strategy: strategyInstanceId('one'),
      instrument,
      side: 'buy',
      type: 'limit',
      timeInForce: 'gtc',
      quantity: parseUnits('0.5'),
      limitPrice: parseUnits('60000'),
      signalTimeUs: 1_000_000,
    },
    3_000_000,
    { explain: true },
  )
  assert.equal(decision.approved, true)
  const figures = Object.fromEntries(decision.checks.map(({ rule, reason }) => [rule, reason]))
  assert.equal(figures['trading-state'], 'active')
  assert.equal(figures['tick-size'], '60000 in steps of 0.01')
  assert.equal(figures['lot-size'], '0.5 in steps of 0.00001')
  assert.equal(figures['stale-signal'], '2 s of at most 5 s')
  assert.equal(figures['notional-max-per-order'], '30000 USDT of at most 50000 USDT an order')
  assert.match(figures['cash']!, /^30\d+(\.\d+)? USDT at worst of 100000 USDT not reserved$/)
  assert.equal(figures['sellable-quantity'], undefined)
})
