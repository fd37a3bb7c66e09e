import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakePorts } from '@jts/api-gateway/testing/fake-ports'
import { statusLines } from './status.ts'

test('the status tells what is halted, held, stopped or down, and why', () => {
  const ports = new FakePorts({ empty: true })
  const account = 'sim.binance.main'
  const held = { state: 'reducing', code: 'HEARTBEAT_MISSING', reason: 'expected a heartbeat' } as const
  ports.accountStates = [
    { account, instrument: '', ...held },
    { account, instrument: 'BINANCE:BTCUSDT', state: 'reducing', code: '', reason: 'a person' },
  ]
  ports.strategyStates.set('ema-btc', { state: 'barred', tradingState: 'halted', tradingStateReason: 'odd signals' })
  assert.deepEqual(statusLines(ports.statusNow()).split('\n'), [
    'Trading (sim): active',
    'sim.binance.main: reducing (HEARTBEAT_MISSING: expected a heartbeat)',
    'sim.binance.main BINANCE:BTCUSDT: reducing (a person)',
    'strategy ema-btc (sim.binance.main): halted, barred (odd signals)',
    'strategy breakout-samsung (sim.kis.main): active',
    'kis-service: starting (connecting to the stream)',
    '',
  ])
})
