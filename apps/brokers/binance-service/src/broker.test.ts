import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import type { BrokerError, CancelOutcome } from '@jts/broker-kit'
import { parseUnits, type ClientOrderId } from '@jts/model'
import { systemClock } from '@jts/runtime'
import type { BinanceBroker } from './broker.ts'
import { BTCUSDT, marketBuy, testBroker } from './testing/broker.ts'
import { fixture } from './testing/fixtures.ts'
import { ManualClock } from './testing/manual-clock.ts'
import { ScriptedVenue, type Answer } from './testing/scripted-venue.ts'
import { until } from './testing/until.ts'

const venue = await ScriptedVenue.start()
const broker = testBroker(venue.endpoints)
/** Time stands for it, until a test lets the time-out pass. */
const clock = new ManualClock(systemClock.nowUs())
const patient = testBroker(venue.endpoints, { wallClock: clock })
after(async () => {
  await Promise.all([broker.stop(), patient.stop()])
  await venue.stop()
})
beforeEach(() => {
  venue.asked.length = 0
})

const order = { instrument: BTCUSDT, clientOrderId: 'order-1' as ClientOrderId }
const answer = (all: Answer): void => {
  venue.script = ({ path }) => (path === '/api/v3/time' || path === '/api/v3/ping' ? undefined : all)
}
const refusal = (status: number, code: number, msg: string): Answer => ({ status, body: { code, msg } })

/** What comes of a question that is answered so; where it never is, once its time is over. */
async function answered<T>(reply: Answer, ask: (broker: BinanceBroker) => Promise<T>): Promise<T> {
  answer(reply)
  if (reply !== 'hang') return await ask(broker)
  const asking = ask(patient)
  await until(() => venue.asked.length > 0)
  clock.advance(10_000_000)
  return await asking
}

const CANCELS: readonly (readonly [string, Answer, string])[] = [
  ['the cancelled order', { body: fixture('cancel-order') }, 'cancelled'],
  ['an unknown order', refusal(400, -2011, 'Unknown order sent.'), 'not_open'],
  ['a forbidden account', refusal(400, -2011, 'This account may not place or cancel orders.'), 'rejected REJECTED'],
  ['a late timestamp', refusal(400, -1021, 'Outside of the recvWindow.'), 'rejected OUTSIDE_RECEIVE_WINDOW'],
  ['504', { status: 504, body: '' }, 'unknown'],
  ['a destroyed socket', 'destroy', 'unknown'],
  ['no answer', 'hang', 'unknown'],
  ['another shape', { body: {} }, 'unknown'],
]
const summary = (outcome: CancelOutcome): string =>
  'code' in outcome ? `${outcome.kind} ${outcome.code}` : outcome.kind
for (const [name, reply, expected] of CANCELS) {
  test(`a cancel answered by ${name} is ${expected}`, async () => {
    const { intentTimeUs, sendBeforeUs } = marketBuy()
    const cancelId = 'cancel-1' as ClientOrderId
    const cancel = { ...order, cancelId, intentTimeUs, sendBeforeUs }
    const outcome = await answered(reply, (asked) => asked.cancelOrder(cancel))
    assert.equal(summary(outcome), expected)
    const [asked] = venue.asked
    assert.equal(asked?.method, 'DELETE')
    assert.equal(asked?.params.get('origClientOrderId'), 'order-1')
    assert.equal(asked?.params.get('newClientOrderId'), 'cancel-1')
    assert.equal(asked?.params.get('timestamp'), String(intentTimeUs / 1000))
  })
}

const QUERIES: readonly (readonly [string, Answer, string])[] = [
  ['the order', { body: fixture('query-order') }, 'found'],
  ['no such order', refusal(400, -2013, 'Order does not exist.'), 'not_found'],
  ['an archived order', refusal(400, -2026, 'Order was archived.'), 'failed'],
  ['504', { status: 504, body: '' }, 'failed'],
  ['no answer', 'hang', 'failed'],
  ['another shape', { body: [] }, 'failed'],
]
for (const [name, reply, expected] of QUERIES) {
  test(`a query answered by ${name} is ${expected}`, async () => {
    assert.equal((await answered(reply, (asked) => asked.queryOrder(order))).kind, expected)
  })
}

test('fills are read page by page after the last known trade until a page is not full', async () => {
  const row = (fixture('my-trades') as object[])[0]
  venue.script = ({ path, params }) => {
    if (path !== '/api/v3/myTrades') return undefined
    const from = Number(params.get('fromId'))
    const count = Math.max(0, Math.min(1000, 2500 - from))
    return { body: Array.from({ length: count }, (_, index) => ({ ...row, id: from + index })) }
  }
  const fills = await broker.fills({ instrument: BTCUSDT, afterTradeId: '99' })
  assert.equal(fills.length, 2400)
  assert.deepEqual([fills[0]?.tradeId, fills.at(-1)?.tradeId], ['100', '2499'])
  assert.deepEqual(
    venue.asked.map(({ params }) => params.get('fromId')),
    ['100', '1100', '2100'],
  )
  venue.asked.length = 0
  await broker.fills({ instrument: BTCUSDT, afterTradeId: '2499' })
  assert.equal(venue.asked.length, 1)
})

test('without a last known trade, fills begin at the first that the venue keeps', async () => {
  answer({ body: fixture('my-trades') })
  assert.equal((await broker.fills({ instrument: BTCUSDT })).length, 2)
  assert.equal(venue.asked[0]?.params.get('fromId'), '0')
})

test('open orders are asked for one instrument or for all', async () => {
  answer({ body: [fixture('query-order')] })
  const [report] = await broker.openOrders(BTCUSDT)
  assert.equal(report?.venueOrderId, '28')
  await broker.openOrders()
  assert.deepEqual(
    venue.asked.map(({ params }) => params.get('symbol')),
    ['BTCUSDT', null],
  )
})

test('a question that finds no room in the rate budget in time is refused at once, and not asked', async () => {
  answer({ body: [] })
  const hour = { counts: 'weight', header: 'x-mbx-used-weight-1h', lengthUs: 3_600_000_000, limit: 100 } as const
  // Half past.
  const wallClock = new ManualClock(1_767_601_800_000_000)
  const full = testBroker(venue.endpoints, { wallClock, limits: { date: '', windows: [hour] }, questionWaitMs: 4000 })
  await full.openOrders()
  await assert.rejects(full.openOrders(), {
    ...{ name: 'BrokerError', code: 'RATE_BUDGET', retryable: true },
    message: /^GET \/api\/v3\/openOrders: no room in the rate budget for another \d+ s$/,
  })
  assert.equal(venue.asked.length, 1)
  await full.stop()
})

test('balances leave out what is zero, and are exact', async () => {
  answer({ body: fixture('account') })
  const balances = await broker.balances()
  assert.deepEqual(balances[1], { currency: 'USDT', free: parseUnits('1000.12345678'), locked: parseUnits('20') })
  assert.equal(venue.asked[0]?.params.get('omitZeroBalances'), 'true')
})

const FAILURES: readonly (readonly [string, Answer, object])[] = [
  ['a wrong key', refusal(401, -2015, 'Invalid API-key.'), { code: 'AUTHENTICATION', retryable: false }],
  ['a late timestamp', refusal(400, -1021, 'late'), { code: 'OUTSIDE_RECEIVE_WINDOW', retryable: true }],
  ['504', { status: 504, body: '' }, { code: 'BROKER_UNAVAILABLE', retryable: true }],
  ['another shape', { body: { balances: 'none' } }, { code: 'UNREADABLE', retryable: false }],
]
for (const [name, reply, expected] of FAILURES) {
  test(`a question answered by ${name} fails with its code, without a secret`, async () => {
    answer(reply)
    await assert.rejects(broker.balances(), (error: BrokerError) => {
      const { code, retryable } = error
      assert.deepEqual({ code, retryable }, expected)
      assert.doesNotMatch(error.message, /signature|test-secret|test-key/)
      return true
    })
  })
}
