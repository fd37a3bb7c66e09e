import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccountStateView, HealthView, ServiceView } from '@jts/contracts/gateway'
import { healthOf } from './health-of.ts'
import { FakePorts } from './testing/fake-ports.ts'

const up = (name: string): ServiceView => ({ name, state: 'up' })
const held: AccountStateView = {
  account: 'sim.creon.krx',
  instrument: '',
  state: 'reducing',
  code: 'HEARTBEAT_MISSING',
  reason: 'no word for 5 s',
}

const cases: [situation: string, services: ServiceView[], accounts: AccountStateView[], HealthView['status']][] = [
  ['all services up', [up('order-execution'), up('creon-service')], [], 'up'],
  ['one not up yet', [up('order-execution'), { name: 'creon-service', state: 'starting' }], [], 'degraded'],
  ['one that says so itself', [{ name: 'kafka', state: 'degraded', reason: 'one copy' }], [], 'degraded'],
  ['a breaker open', [up('order-execution'), { ...up('creon-service'), breaker: 'open' }], [], 'degraded'],
  ['an account that only reduces', [up('order-execution')], [held], 'degraded'],
  ['one down', [up('order-execution'), { name: 'creon-service', state: 'down', reason: 'refused' }], [], 'down'],
]

for (const [situation, services, accountStates, status] of cases) {
  test(`${situation}: ${status}, with what each says`, () => {
    const health = healthOf({ ...new FakePorts().statusNow(), services, accountStates })
    assert.deepEqual(health, { status, tradingState: 'active', services, accountStates })
  })
}
