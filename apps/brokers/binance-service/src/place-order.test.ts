import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PlaceOutcome } from '@jts/broker-kit'
import { parseUnits, type ClientOrderId } from '@jts/model'
import { Activity, systemClock } from '@jts/runtime'
import { Signer } from './adapters/auth.ts'
import { endpointsOfVenue } from './config.ts'
import { marketBuy, testBroker } from './testing/broker.ts'
import { fixture } from './testing/fixtures.ts'
import { ManualClock } from './testing/manual-clock.ts'
import { ScriptedVenue, type Answer } from './testing/scripted-venue.ts'
import { until } from './testing/until.ts'

const venue = await ScriptedVenue.start()
const broker = testBroker(venue.endpoints)
/** Time stands for it, until a test lets the time-out pass. */
const clock = new ManualClock(systemClock.nowUs())
const patient = testBroker(venue.endpoints, { wallClock: clock })
await broker.start()
after(async () => {
  await Promise.all([broker.stop(), patient.stop()])
  await venue.stop()
})
beforeEach(() => {
  venue.asked.length = 0
  venue.script = () => undefined
})

const refusal = (status: number, code: number, msg: string, headers = {}): Answer => ({
  status,
  headers,
  body: { code, msg },
})
const onOrder = (answer: Answer): void => {
  venue.script = ({ path }) => (path === '/api/v3/order' ? answer : undefined)
}
const summary = (outcome: PlaceOutcome): string =>
  'code' in outcome ? `${outcome.kind} ${outcome.code}` : outcome.kind

test('a placed order is signed with the time of the intent and a window that ends at sendBefore', async () => {
  onOrder({ body: fixture('new-order-full') })
  const intent = marketBuy()
  const outcome = await broker.placeOrder(intent)
  assert.equal(outcome.kind, 'accepted')
  assert.equal(outcome.kind === 'accepted' && outcome.fills.length, 2)
  const [asked] = venue.asked
  assert.equal(asked?.method, 'POST')
  assert.equal(asked?.headers['x-mbx-apikey'], 'test-key')
  assert.equal(asked?.params.get('timestamp'), String(intent.intentTimeUs / 1000))
  assert.equal(asked?.params.get('recvWindow'), '30000')
  assert.equal(asked?.params.get('newClientOrderId'), 'order-1')
  assert.equal(asked?.params.get('newOrderRespType'), 'FULL')
  const [payload, signature] = asked!.raw.split('&signature=')
  assert.equal(signature, new Signer({ apiKey: '', apiSecret: 'test-secret' }).sign(payload!))
})

test('the receive window is at most the 60 s of the venue', async () => {
  onOrder({ body: fixture('new-order-full') })
  const intent = marketBuy()
  await broker.placeOrder({ ...intent, sendBeforeUs: intent.intentTimeUs + 90_000_000 })
  assert.equal(venue.asked[0]?.params.get('recvWindow'), '60000')
})

const ANSWERS: readonly (readonly [string, Answer, string])[] = [
  ['accepted then 504', { status: 504, body: '' }, 'unknown'],
  ['503 with -1007', refusal(503, -1007, 'Timeout waiting for response from backend server.'), 'unknown'],
  ['400 with -1006', refusal(400, -1006, 'Execution status unknown.'), 'unknown'],
  ['garbage for JSON', { body: 'not json' }, 'unknown'],
  ['JSON of another shape', { body: { symbol: 'BTCUSDT' } }, 'unknown'],
  [
    'the answer to another order',
    { body: { ...(fixture('new-order-full') as object), clientOrderId: 'x' } },
    'unknown',
  ],
  ['a destroyed socket', 'destroy', 'unknown'],
  ['no answer at all', 'hang', 'unknown'],
  ['a duplicate of an open order', refusal(400, -2010, 'Duplicate order sent.'), 'unknown'],
  [
    'no balance',
    refusal(400, -2010, 'Account has insufficient balance for requested action.'),
    'rejected INSUFFICIENT_BALANCE',
  ],
  ['a filter', refusal(400, -1013, 'Filter failure: NOTIONAL'), 'rejected FILTER_FAILURE'],
  ['a late timestamp', refusal(400, -1021, 'Timestamp outside of the recvWindow.'), 'rejected OUTSIDE_RECEIVE_WINDOW'],
  ['an unknown code', refusal(400, -9999, 'Something new.'), 'rejected REJECTED'],
]
for (const [name, answer, expected] of ANSWERS) {
  test(`placing answered by ${name} is ${expected}, and is sent once`, async () => {
    onOrder(answer)
    const placing = (answer === 'hang' ? patient : broker).placeOrder(marketBuy())
    await until(() => venue.asked.length > 0)
    if (answer === 'hang') clock.advance(10_000_000)
    assert.equal(summary(await placing), expected)
    await sleep(20)
    assert.equal(venue.asked.length, 1)
  })
}

test('a rejection carries the words of the venue', async () => {
  onOrder(refusal(400, -1013, 'Filter failure: NOTIONAL'))
  const outcome = await broker.placeOrder(marketBuy())
  assert.equal(outcome.kind === 'rejected' && outcome.message, '-1013 Filter failure: NOTIONAL')
})

test('an answer cut off in the middle is unknown', async () => {
  onOrder({ headers: { 'content-length': '500' }, body: '{"symbol":' })
  assert.equal((await broker.placeOrder(marketBuy())).kind, 'unknown')
})

const UNSENT: readonly (readonly [string, Parameters<typeof marketBuy>[0], string])[] = [
  ['past sendBefore', { sendBeforeUs: systemClock.nowUs() - 1 }, 'not_sent TOO_LATE'],
  ['with two sizes', { quoteQuantity: 1n }, 'not_sent INVALID'],
  ['with a long id', { clientOrderId: 'x'.repeat(37) as ClientOrderId }, 'not_sent INVALID'],
  ['a limit without a price', { type: 'limit' }, 'not_sent INVALID'],
  ['a market order with a price', { limitPrice: parseUnits('1') }, 'not_sent INVALID'],
]
for (const [name, change, expected] of UNSENT) {
  test(`an order ${name} is ${expected}`, async () => {
    assert.equal(summary(await broker.placeOrder(marketBuy(change))), expected)
    assert.equal(venue.asked.length, 0)
  })
}

test('a halted gate refuses orders and lets cancels pass', async () => {
  onOrder({ body: fixture('cancel-order') })
  broker.setGate('halted')
  assert.equal(summary(await broker.placeOrder(marketBuy())), 'not_sent GATE_HALTED')
  const { instrument, clientOrderId, intentTimeUs, sendBeforeUs } = marketBuy()
  const cancelId = 'cancel-1' as ClientOrderId
  const outcome = await broker.cancelOrder({ instrument, clientOrderId, cancelId, intentTimeUs, sendBeforeUs })
  assert.equal(outcome.kind, 'cancelled')
  broker.setGate('open')
})

test('an order that waits for a connection until it is late is not written', async () => {
  venue.script = ({ path }) => (path === '/api/v3/order' ? 'hang' : undefined)
  const standing = new ManualClock(systemClock.nowUs())
  const slow = testBroker(venue.endpoints, { wallClock: standing })
  await slow.start()
  const both = ['a', 'b'].map((id) => slow.placeOrder(marketBuy({ clientOrderId: id as ClientOrderId })))
  await until(() => venue.asked.length === 2)
  standing.advance(1_000_000)
  const intentTimeUs = standing.nowUs() + slow.clockOffsetUs()
  let told = ''
  const late = marketBuy({ intentTimeUs, sendBeforeUs: intentTimeUs + 150_000 })
  void slow.placeOrder(late).then((outcome) => (told = summary(outcome)))
  // The time of the two is over, and with it the wait for a connection.
  standing.advance(9_000_000)
  await until(() => told !== '' || venue.asked.length > 2)
  assert.equal(told, 'not_sent TOO_LATE')
  assert.deepEqual((await Promise.all(both)).map(summary), ['unknown', 'unknown'])
  await sleep(50)
  assert.equal(venue.asked.length, 2)
  await slow.stop()
})

test('a gate that closes while the order waits for its connection keeps it off the wire', async () => {
  onOrder({ body: fixture('new-order-full') })
  const cold = testBroker(venue.endpoints)
  const placing = cold.placeOrder(marketBuy())
  cold.setGate('halted')
  assert.equal(summary(await placing), 'not_sent GATE_HALTED')
  assert.equal(venue.asked.length, 0)
  await cold.stop()
})

test('without anybody listening the order is certainly not sent', async () => {
  // A port that no process is given by chance.
  const nobody = testBroker(endpointsOfVenue('http://127.0.0.1:1'))
  const outcome = await nobody.placeOrder(marketBuy())
  assert.equal(summary(outcome), 'not_sent BROKER_UNAVAILABLE')
  assert.match(outcome.kind === 'not_sent' ? outcome.message : '', /ECONNREFUSED/)
  await assert.rejects(nobody.start(), { name: 'BrokerError', code: 'BROKER_UNAVAILABLE', retryable: true })
  await nobody.stop()
})

test('429 rejects the order, and nothing is sent before Retry-After is over', async () => {
  const paused = testBroker(venue.endpoints)
  onOrder(refusal(429, -1015, 'Too many new orders.', { 'retry-after': '1' }))
  const startUs = systemClock.nowUs()
  assert.equal(summary(await paused.placeOrder(marketBuy())), 'rejected RATE_LIMIT')
  onOrder({ body: fixture('new-order-full') })
  // Over before the pause is, and by a machine that stands still perhaps already now.
  const short = marketBuy({ sendBeforeUs: startUs + 900_000 })
  assert.match(summary(await paused.placeOrder(short)), /^not_sent (RATE_BUDGET|TOO_LATE)$/)
  assert.equal(venue.asked.length, 1)
  assert.equal(summary(await paused.placeOrder(marketBuy())), 'accepted')
  assert.ok(systemClock.nowUs() - startUs >= 990_000)
  await paused.stop()
})

test('a used-up budget stated by the venue keeps orders from being sent', async () => {
  const noonUs = Date.UTC(2026, 0, 5, 12) * 1000
  const full = testBroker(venue.endpoints, {
    wallClock: new ManualClock(noonUs),
    limits: {
      date: '2026-01-01',
      windows: [{ counts: 'orders', header: 'x-mbx-order-count-1d', lengthUs: 86_400_000_000, limit: 100 }],
    },
  })
  onOrder({ headers: { 'X-MBX-ORDER-COUNT-1D': '95' }, body: fixture('new-order-full') })
  const order = marketBuy({ intentTimeUs: noonUs, sendBeforeUs: noonUs + 2_000_000 })
  assert.equal(summary(await full.placeOrder(order)), 'accepted')
  assert.equal(summary(await full.placeOrder(order)), 'not_sent RATE_BUDGET')
  await full.stop()
})

test('a refused timestamp measures the clock again', async () => {
  let asked = 0
  venue.script = ({ path }) => {
    if (path === '/api/v3/order') return refusal(400, -1021, 'ahead')
    if (path !== '/api/v3/time') return undefined
    asked++
    return { body: { serverTime: Date.now() + 3000 } }
  }
  await broker.placeOrder(marketBuy())
  await until(() => asked === 3 && Math.abs(broker.clockOffsetUs() - 3_000_000) < 1_000_000)
})

test('the activity lasts until those who awaited the answer have begun what follows', async () => {
  const activity = new Activity()
  const counted = testBroker(venue.endpoints, { activity })
  onOrder({ body: fixture('new-order-full') })
  const seen: string[] = []
  const consumer = (async (): Promise<void> => {
    await counted.placeOrder(marketBuy())
    await Promise.resolve()
    activity.enter('consumer')
    seen.push('consumer')
  })()
  assert.equal(activity.isIdle(), false)
  const idle = activity.whenIdle().then(() => seen.push('idle'))
  await consumer
  await sleep(5)
  activity.leave('consumer')
  await idle
  assert.deepEqual(seen, ['consumer', 'idle'])
  await counted.stop()
})
