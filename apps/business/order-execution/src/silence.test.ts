/** Order execution while risk is silent or holds an account: no new risk goes out, what reduces does, and it recovers by itself. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Payload } from '@jts/contracts'
import { HEARTBEAT } from '@jts/runtime'
import { Heartbeats } from '@jts/transport'
import { ACCOUNT, BTC, world, type World } from './testing/world.ts'

type Holds = Payload<'Heartbeat'>['holds']

/** Risk management as order execution hears it. */
function riskOf(w: World, holds: () => Holds = () => []): Heartbeats {
  const { store, wallClock, log } = w.harness
  const says = () => ({ holds: holds() })
  return new Heartbeats({ service: 'risk-management', store, wallClock, log, times: HEARTBEAT, says })
}

const listening = (): Promise<World> => world({}, undefined, HEARTBEAT)

async function accountState(w: World): Promise<string> {
  const { accounts } = await w.service.api.getTradingState({})
  return accounts.map(({ state, reasonCode }) => `${state} ${reasonCode}`.trim()).join()
}

async function states(w: World): Promise<string[]> {
  const said = await w.harness.events('orders.events', 'TradingStateChanged')
  return said.map(({ payload }) => [payload.scope, payload.state, payload.reasonCode].join(' ').trim())
}

async function denials(w: World): Promise<string[]> {
  return (await w.harness.events('orders.events', 'OrderDenied')).map(({ payload }) => payload.reasonCode)
}

it('denies new risk while risk is silent, lets reducing orders pass, and goes on when it is heard again', async () => {
  const w = await listening()
  const risk = riskOf(w)
  risk.start()
  await w.run(20_000)
  await w.approve('s1')
  assert.equal(w.broker.placed.length, 1)
  risk.stop()
  await w.run(6000)
  await w.approve('s2')
  await w.approve('s3', { side: 'sell' })
  assert.deepEqual(await denials(w), ['HEARTBEAT_MISSING'])
  assert.equal(w.broker.placed.length, 2)
  assert.equal(await accountState(w), 'reducing HEARTBEAT_MISSING')
  risk.start()
  await w.run()
  await w.approve('s4')
  assert.equal(w.broker.placed.length, 3)
  assert.deepEqual(await states(w), ['account reducing HEARTBEAT_MISSING', 'account active'])
  risk.stop()
})

it('says what risk lets only reduce, until risk no longer says so', async () => {
  const w = await listening()
  let holds: Holds = []
  const risk = riskOf(w, () => holds)
  risk.start()
  holds = [{ account: ACCOUNT, instrument: '', reasonCode: 'HEARTBEAT_MISSING', reason: 'the market is silent' }]
  await w.run(10_000)
  assert.deepEqual(await states(w), ['account reducing HEARTBEAT_MISSING'], 'said once, however often it is heard')
  holds = []
  await w.run(1000)
  assert.equal(await accountState(w), 'active')
  risk.stop()
})

it('denies new risk in the one instrument that risk holds, and says nothing of the account', async () => {
  const w = await listening()
  let holds: Holds = [
    { account: ACCOUNT, instrument: BTC, reasonCode: 'RECONCILIATION_DIFFERENCE', reason: 'the ledger differs' },
    { account: ACCOUNT, instrument: 'BINANCE:ETHUSDT', reasonCode: 'RECONCILIATION_DIFFERENCE', reason: 'here too' },
  ]
  const risk = riskOf(w, () => holds)
  risk.start()
  await w.run()
  await w.approve('s1')
  await w.approve('s2', { side: 'sell' })
  assert.deepEqual([await denials(w), await states(w)], [['RECONCILIATION_DIFFERENCE'], []])
  const { accounts } = await w.service.api.getTradingState({})
  assert.deepEqual(
    accounts.map(({ instrument, state }) => `${instrument} ${state}`),
    [' active', `${BTC} reducing`, 'BINANCE:ETHUSDT reducing'],
  )
  holds = holds.slice(1)
  await w.run(1000)
  await w.approve('s3')
  assert.deepEqual(await w.status(), ['accepted 0', 'accepted 0', 'denied 0'])
  risk.stop()
})

it('still holds the account after a restart, and lets go when risk is heard', async () => {
  const w = await listening()
  await w.run(6000)
  assert.equal(await accountState(w), 'reducing HEARTBEAT_MISSING')
  await w.restart()
  assert.equal(await accountState(w), 'reducing HEARTBEAT_MISSING')
  const risk = riskOf(w)
  risk.start()
  await w.run()
  assert.equal(await accountState(w), 'active')
  risk.stop()
})

it('never lifts a halt: what a person has set stays when risk is heard again', async () => {
  const w = await listening()
  await w.service.api.halt({ account: ACCOUNT, reason: 'enough', by: 'a person', strategy: '', state: '' })
  await w.run(6000)
  const risk = riskOf(w)
  risk.start()
  await w.run(2000)
  assert.equal(await accountState(w), 'halted')
  assert.equal(w.broker.gate, 'halted')
  risk.stop()
})

it('stays reducing when a person resumes while risk is silent', async () => {
  const w = await listening()
  await w.run(6000)
  await w.service.api.halt({ account: ACCOUNT, reason: 'enough', by: 'a person', strategy: '', state: '' })
  const answer = await w.service.api.resume({ account: ACCOUNT, by: 'a person' })
  assert.equal(answer.state, 'reducing')
  assert.match(answer.message, /^expected a heartbeat of risk-management/)
  await w.approve('s1')
  assert.deepEqual(await denials(w), ['HEARTBEAT_MISSING'])
})
