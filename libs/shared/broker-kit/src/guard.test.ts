import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { test } from 'node:test'
import type { ClientOrderId, InstrumentId } from '@jts/model'
import { systemClock } from '@jts/runtime'
import { BrokerGuard, type BreakerView, type GuardOptions } from './guard.ts'
import { BrokerError, type BrokerListener, type BrokerPort, type CancelOutcome, type PlaceOutcome } from './port.ts'

const names = { instrument: 'BINANCE:BTCUSDT' as InstrumentId, clientOrderId: 'a' as ClientOrderId }
const window = { intentTimeUs: 1, sendBeforeUs: 2 }
const order = { ...names, side: 'buy', type: 'market', quantity: 1n, ...window } as const
const cancel = { ...names, cancelId: 'c' as ClientOrderId, ...window }
const UNKNOWN: PlaceOutcome = { kind: 'unknown', message: 'no answer' }

/** A port of which only what a test scripts is there. */
function guarded(port: Partial<BrokerPort>, options: Partial<GuardOptions> = {}) {
  const changes: BreakerView[] = []
  const guard = new BrokerGuard({
    ...{ broker: 'creon', clock: systemClock, failures: 2, openMs: [60_000, 60_000] },
    ...options,
    onChange: (view) => changes.push(view),
  })
  return { guard, changes, broker: guard.guardBroker(port as BrokerPort) }
}

test('unknown outcomes in a row open the breaker: the next order is not sent, and says why', async () => {
  let sent = 0
  const { broker, guard, changes } = guarded({ placeOrder: () => Promise.resolve((sent++, UNKNOWN)) })
  assert.deepEqual(await broker.placeOrder(order), UNKNOWN)
  assert.deepEqual(await broker.placeOrder(order), UNKNOWN)
  const third = await broker.placeOrder(order)
  assert.equal(third.kind === 'not_sent' && third.code, 'BROKER_UNAVAILABLE')
  assert.match(third.kind === 'not_sent' ? third.message : '', /breaker of creon is open: no answer/)
  assert.equal(sent, 2)
  assert.equal(guard.view().state, 'open')
  assert.deepEqual(
    changes.map(({ state, reason }) => [state, reason]),
    [['open', 'no answer']],
  )
})

test('a rejection is an answer: it opens nothing', async () => {
  const rejected: PlaceOutcome = { kind: 'rejected', code: 'MARKET_CLOSED', message: 'closed', timeUs: 1 }
  const { broker, guard } = guarded({ placeOrder: () => Promise.resolve(rejected) })
  for (let i = 0; i < 10; i++) assert.deepEqual(await broker.placeOrder(order), rejected)
  assert.deepEqual([guard.view().state, guard.view().consecutiveFailures], ['closed', 0])
})

test('a cancel goes through an open breaker', async () => {
  const cancelled: CancelOutcome = { kind: 'not_open', message: 'filled' }
  const { broker, guard } = guarded({
    placeOrder: () => Promise.resolve(UNKNOWN),
    cancelOrder: () => Promise.resolve(cancelled),
  })
  await broker.placeOrder(order)
  await broker.placeOrder(order)
  assert.equal(guard.view().state, 'open')
  assert.deepEqual(await broker.cancelOrder(cancel), cancelled)
})

test('what never answers ends by the time-out: a question as an error, an order as unknown', async () => {
  const never = () => new Promise<never>(() => undefined)
  const { broker } = guarded({ balances: never, placeOrder: never }, { timeoutMs: 20 })
  await assert.rejects(broker.balances(), { name: 'BrokerError', code: 'BROKER_UNAVAILABLE', retryable: true })
  assert.equal((await broker.placeOrder(order)).kind, 'unknown')
})

test('questions beyond the bulkhead are refused at once, and orders are not held up by them', async () => {
  const waiting: (() => void)[] = []
  const { broker } = guarded(
    {
      balances: () => new Promise((resolve) => waiting.push(() => resolve([]))),
      placeOrder: () => Promise.resolve({ kind: 'rejected', code: 'REJECTED', message: '', timeUs: 1 }),
    },
    { questions: [1, 1] },
  )
  const [first, second] = [broker.balances(), broker.balances()]
  await assert.rejects(broker.balances(), /too many calls wait for creon/)
  assert.equal((await broker.placeOrder(order)).kind, 'rejected')
  waiting.shift()!()
  await first
  while (waiting.length === 0) await setTimeout(1)
  waiting.shift()!()
  assert.deepEqual(await second, [])
})

test('after a while one call may try, and an answer closes the breaker', async () => {
  let isAway = true
  const { broker, guard } = guarded(
    {
      balances: () => (isAway ? Promise.reject(new BrokerError('BROKER_UNAVAILABLE', 'away')) : Promise.resolve([])),
    },
    { openMs: [30, 30] },
  )
  for (let i = 0; i < 2; i++) await assert.rejects(broker.balances())
  assert.equal(guard.view().state, 'open')
  isAway = false
  await setTimeout(60)
  assert.deepEqual(await broker.balances(), [])
  assert.deepEqual([guard.view().state, guard.view().reason], ['closed', undefined])
})

test('an order stream that is up again closes the breaker', async () => {
  let listener: BrokerListener | undefined
  const { broker, guard, changes } = guarded({
    placeOrder: () => Promise.resolve(UNKNOWN),
    subscribeOrders: (given) => {
      listener = given
      return { stop: () => Promise.resolve() }
    },
  })
  const heard: string[] = []
  broker.subscribeOrders({
    onOrder: () => 0,
    onBalances: () => 0,
    onAdjustment: () => undefined,
    onOrderStream: (state) => heard.push(state),
  })
  for (let i = 0; i < 2; i++) await broker.placeOrder(order)
  listener!.onOrderStream('up', 'subscribed')
  assert.equal(guard.view().state, 'closed')
  assert.deepEqual(
    changes.map(({ state }) => state),
    ['open', 'closed'],
  )
  assert.deepEqual(heard, ['up'])
})

test('a query that failed counts, and one behind an open breaker is failed, not «not found»', async () => {
  const { broker } = guarded({ queryOrder: () => Promise.resolve({ kind: 'failed', message: 'away' }) })
  for (let i = 0; i < 3; i++) assert.equal((await broker.queryOrder(names)).kind, 'failed')
})
