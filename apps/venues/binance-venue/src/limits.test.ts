import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Limits } from './limits.ts'

test('weight is counted per calendar minute; over it comes 429, and 418 for those who go on', () => {
  let nowUs = 90e6
  const limits = new Limits(() => nowUs)
  limits.use('a', 5990)
  limits.use('a', 10)
  assert.equal(limits.usedWeight('a'), 6000)
  assert.throws(() => limits.use('a', 1), { code: -1003, status: 429, retryAfter: 30 })
  limits.use('b', 1)
  nowUs = 120e6
  limits.use('a', 6000)
  for (let count = 0; count <= 50; count++) assert.throws(() => limits.use('a', 1), { status: 429 })
  assert.throws(() => limits.use('a', 1), { status: 418, retryAfter: 120 })
  nowUs = 239e6
  assert.throws(() => limits.use('a', 1), { status: 418 })
  nowUs = 240e6
  limits.use('a', 1)
})

test('orders are counted per account and 10 seconds, and a filled order no longer counts', () => {
  let nowUs = 0
  const limits = new Limits(() => nowUs)
  for (let count = 0; count < 100; count++) limits.countOrder(0, 1)
  assert.throws(() => limits.checkOrder(0), { code: -1015, status: 429, retryAfter: 10 })
  limits.checkOrder(1)
  limits.countOrder(0, -1)
  limits.checkOrder(0)
  assert.deepEqual(limits.orderCounts(0), [99, 99])
  nowUs = 10e6
  assert.deepEqual(limits.orderCounts(0), [0, 99])
})
