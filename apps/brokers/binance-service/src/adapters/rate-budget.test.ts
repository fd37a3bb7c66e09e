import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../testing/manual-clock.ts'
import { fixture } from '../testing/fixtures.ts'
import { BINANCE_LIMITS, retryAfterUs, toLimitWindows, type Limits } from './limits.ts'
import { readExchangeInfo } from './messages.ts'
import { RateBudget } from './rate-budget.ts'

const SECOND = 1_000_000
const MINUTE = 60 * SECOND
const limits: Limits = {
  date: '2026-01-01',
  windows: [
    { counts: 'weight', header: 'x-mbx-used-weight-1m', lengthUs: MINUTE, limit: 100 },
    { counts: 'orders', header: 'x-mbx-order-count-10s', lengthUs: 10 * SECOND, limit: 4 },
  ],
}
/** 12 s into a minute: calendar windows do not begin with the process. */
const START = 1_000_000 * MINUTE + 12 * SECOND
const NEXT_MINUTE = { roomAtUs: START + 48 * SECOND }
const NEVER = { roomAtUs: Infinity }
const FAR = Number.MAX_SAFE_INTEGER
const weight = (amount: number) => ({ weight: amount, orders: 0 })
const order = { weight: 1, orders: 1 }

function start(): { clock: ManualClock; budget: RateBudget } {
  const clock = new ManualClock(START)
  return { clock, budget: new RateBudget(clock, () => clock.nowUs(), limits) }
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('each purpose stops at its share, so that what matters more still passes', () => {
  const { budget } = start()
  const far = FAR
  assert.equal(budget.acquire('history', weight(50), far), true)
  assert.notEqual(budget.acquire('history', weight(1), far), true)
  assert.equal(budget.acquire('reconcile', weight(35), far), true)
  assert.notEqual(budget.acquire('reconcile', weight(1), far), true)
  assert.equal(budget.acquire('order', weight(10), far), true)
  assert.notEqual(budget.acquire('order', weight(1), far), true)
  assert.equal(budget.acquire('cancel', weight(5), far), true)
  assert.notEqual(budget.acquire('cancel', weight(1), far), true)
})

test('who waits goes on when the calendar minute turns, the most important first', async () => {
  const { clock, budget } = start()
  assert.equal(budget.acquire('cancel', weight(100), FAR), true)
  budget.settle(weight(100), undefined)
  const went: string[] = []
  for (const priority of ['history', 'cancel'] as const) {
    void Promise.resolve(budget.acquire(priority, weight(50), FAR)).then(() => went.push(priority))
  }
  clock.advance(47 * SECOND)
  await turn()
  assert.deepEqual(went, [])
  clock.advance(SECOND)
  await turn()
  assert.deepEqual(went, ['cancel'])
  clock.advance(MINUTE)
  await turn()
  assert.deepEqual(went, ['cancel'], 'the cancel is not settled and still holds its room')
  budget.settle(weight(50), { 'x-mbx-used-weight-1m': '0' })
  await turn()
  assert.deepEqual(went, ['cancel', 'history'])
})

test('an order that could only go after its deadline is told so at once', async () => {
  const { clock, budget } = start()
  for (let n = 0; n < 3; n++) assert.equal(budget.acquire('order', order, FAR), true)
  assert.deepEqual(await budget.acquire('order', order, clock.nowUs() + 2 * SECOND), { roomAtUs: START + 8 * SECOND })
  assert.equal(budget.acquire('reduce', order, clock.nowUs() + 2 * SECOND), true)
})

test('the count of the venue replaces ours, upwards and downwards', async () => {
  const { budget } = start()
  assert.equal(budget.acquire('cancel', weight(1), FAR), true)
  budget.settle(weight(1), { 'x-mbx-used-weight-1m': '100' })
  assert.deepEqual(await budget.acquire('cancel', weight(1), START), NEXT_MINUTE)
  // A replay counts by market time: the venue says that a new minute has begun, while our clock stands.
  budget.settle(weight(0), { 'x-mbx-used-weight-1m': '2' })
  assert.equal(budget.acquire('history', weight(40), FAR), true)
})

test('a request that was never written gives its room back; one without an answer keeps it', async () => {
  const { budget } = start()
  assert.equal(budget.acquire('cancel', weight(100), FAR), true)
  budget.release(weight(100))
  assert.equal(budget.acquire('cancel', weight(100), FAR), true)
  budget.settle(weight(100), undefined)
  assert.deepEqual(await budget.acquire('cancel', weight(1), START), NEXT_MINUTE)
})

test('during a pause nothing goes, and after it everything does', async () => {
  const { clock, budget } = start()
  budget.pauseUntil(START + 3 * SECOND)
  let went = false
  void Promise.resolve(budget.acquire('cancel', weight(1), FAR)).then(() => (went = true))
  assert.deepEqual(await budget.acquire('order', order, START + 2 * SECOND), { roomAtUs: START + 3 * SECOND })
  clock.advance(2 * SECOND)
  await turn()
  assert.equal(went, false)
  clock.advance(SECOND)
  await turn()
  assert.equal(went, true)
})

test('closing ends every wait', async () => {
  const { budget } = start()
  budget.pauseUntil(START + MINUTE)
  const waiting = budget.acquire('cancel', weight(1), FAR)
  budget.close()
  assert.deepEqual(await waiting, NEVER)
})

test('limits stated by exchangeInfo replace the table', () => {
  const stated = toLimitWindows(readExchangeInfo(fixture('exchange-info')).rateLimits)
  assert.deepEqual(
    stated.map(({ header, limit }) => [header, limit]),
    [
      ['x-mbx-used-weight-1m', 6000],
      ['x-mbx-order-count-10s', 100],
      ['x-mbx-order-count-1d', 200_000],
    ],
  )
  assert.deepEqual(
    stated.map(({ header, lengthUs }) => [header, lengthUs]),
    BINANCE_LIMITS.windows.map(({ header, lengthUs }) => [header, lengthUs]),
  )
  const { budget } = start()
  budget.adopt(stated)
  for (let n = 0; n < 50; n++) assert.equal(budget.acquire('order', order, FAR), true)
})

test('Retry-After is in seconds, and a missing one is a minute', () => {
  assert.equal(retryAfterUs('7'), 7 * SECOND)
  assert.equal(retryAfterUs('0'), 0)
  assert.equal(retryAfterUs(undefined), MINUTE)
  assert.equal(retryAfterUs('soon'), MINUTE)
})

test('in a replay orders are counted by market time, and nobody waits for a time that stands', async () => {
  const clock = new ManualClock(START)
  let marketNowUs = 5 * SECOND
  const budget = new RateBudget(
    clock,
    () => clock.nowUs(),
    limits,
    () => marketNowUs,
  )
  for (let i = 0; i < 4; i++) {
    assert.equal(await budget.acquire('cancel', order, FAR), true)
    budget.settle(order, undefined)
  }
  clock.advance(MINUTE)
  assert.deepEqual(
    await budget.acquire('cancel', order, FAR),
    NEVER,
    'another minute of wall time, the same market time',
  )
  marketNowUs = 10 * SECOND
  assert.equal(await budget.acquire('cancel', order, FAR), true)
})
