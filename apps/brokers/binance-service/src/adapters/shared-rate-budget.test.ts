import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemorySharedBudget } from '@jts/transport/cache/memory'
import { ManualClock } from '../testing/manual-clock.ts'
import type { LimitWindow } from './limits.ts'
import { RateBudget } from './rate-budget.ts'
import { SharedRateBudget } from './shared-rate-budget.ts'

const SECOND_US = 1_000_000
const windows: LimitWindow[] = [
  { counts: 'weight', header: 'x-weight', lengthUs: 60 * SECOND_US, limit: 100 },
  { counts: 'orders', header: 'x-orders', lengthUs: 10 * SECOND_US, limit: 10 },
]
const BEGIN_US = 1_700_000_040 * SECOND_US

function world() {
  const clock = new ManualClock(BEGIN_US)
  const nowUs = (): number => clock.nowUs()
  const shared = new MemorySharedBudget()
  const budgets = [1, 2].map(() => {
    const own = new RateBudget(clock, nowUs, { date: '', windows })
    return new SharedRateBudget({ own, shared, clock, nowUs, windows, name: 'venue' })
  })
  return { clock, budgets: budgets as [SharedRateBudget, SharedRateBudget] }
}

const SOON_US = BEGIN_US + SECOND_US
const NEXT_MINUTE = { roomAtUs: BEGIN_US + 60 * SECOND_US }
const weight = (n: number) => ({ weight: n, orders: 0 })

test('weight that one process has used is not there for another', async () => {
  const { budgets } = world()
  assert.equal(await budgets[0].acquire('cancel', weight(60), SOON_US), true)
  assert.deepEqual(await budgets[1].acquire('cancel', weight(60), SOON_US), NEXT_MINUTE)
  assert.equal(await budgets[1].acquire('cancel', weight(40), SOON_US), true)
})

test('orders are each process’s own: an account has one owner', async () => {
  const { budgets } = world()
  for (const budget of budgets) {
    const order = { weight: 1, orders: 9 }
    assert.equal(await budget.acquire('order', order, SOON_US), true)
    assert.deepEqual(await budget.acquire('order', { weight: 1, orders: 1 }, SOON_US), {
      roomAtUs: BEGIN_US + 10 * SECOND_US,
    })
  }
})

test('what the venue states to one counts for all', async () => {
  const { budgets } = world()
  const cost = weight(1)
  await budgets[0].acquire('cancel', cost, SOON_US)
  budgets[0].settle(cost, { 'x-weight': '95' })
  assert.deepEqual(await budgets[1].acquire('cancel', weight(10), SOON_US), NEXT_MINUTE)
  assert.equal(await budgets[1].acquire('cancel', weight(5), SOON_US), true)
})

test('a question waits for the next window, an order whose time ends before is told so', async () => {
  const { clock, budgets } = world()
  await budgets[0].acquire('cancel', weight(100), SOON_US)
  const waiting = budgets[1].acquire('history', weight(50), BEGIN_US + 70 * SECOND_US)
  assert.deepEqual(await budgets[1].acquire('order', weight(1), SOON_US), NEXT_MINUTE)
  clock.advance(60 * SECOND_US)
  assert.equal(await waiting, true)
})

test('a stop ends the wait', async () => {
  const { budgets } = world()
  await budgets[0].acquire('cancel', weight(100), SOON_US)
  const waiting = budgets[1].acquire('history', weight(50), BEGIN_US + 70 * SECOND_US)
  await new Promise((resolve) => setImmediate(resolve))
  budgets[1].close()
  assert.deepEqual(await waiting, { roomAtUs: Infinity })
})
