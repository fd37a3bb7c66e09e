import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { of, SECOND_US, START_US } from './contract.ts'
import { ReplicaShare, splitLimit } from './replica-share.ts'

const LONG_AGO = 0
const minute = { key: 'weight', lengthUs: 60 * SECOND_US, limit: 6000 }
const day = { key: 'orders', lengthUs: 86_400 * SECOND_US, limit: 160_000 }

test('the parts never make more than the limit, and each replica has one where there is one for each', () => {
  for (const [limit, replicas, reserve, expected] of [
    [6000, 2, 0.2, { own: 600, shared: 4800 }],
    [50, 3, 0.2, { own: 3, shared: 41 }],
    [20, 2, 0, { own: 0, shared: 20 }],
    [5, 2, 1, { own: 2, shared: 1 }],
    [2, 2, 0.2, { own: 1, shared: 0 }],
    [1, 2, 0.2, { own: 0, shared: 1 }],
    [0, 1, 0.2, { own: 0, shared: 0 }],
  ] as const) {
    assert.deepEqual(splitLimit(limit, { replicas, reserve }), expected)
  }
})

test('a part grows while its window runs', () => {
  const share = new ReplicaShare({ replicas: 2, reserve: 0.2 }, LONG_AGO)
  assert.equal(share.take([of(minute, 100)], START_US), 0)
  assert.equal(share.take([of(minute, 1)], START_US), START_US + 10 * SECOND_US)
  assert.equal(share.take([of(minute, 250)], START_US), START_US + 30 * SECOND_US)
  assert.equal(share.take([of(minute, 500)], START_US + 59 * SECOND_US), 0)
  assert.equal(share.take([of(minute, 1)], START_US + 59 * SECOND_US), START_US + 60 * SECOND_US)
  assert.equal(share.take([of(minute, 601)], START_US), Infinity)
  assert.equal(share.take([of(minute, 301, 0.5)], START_US), Infinity)
})

test('one that starts in a window leaves out what its former self may have used', () => {
  const share = new ReplicaShare({ replicas: 2, reserve: 0.2 }, START_US + 15 * SECOND_US)
  assert.equal(share.take([of(minute, 1)], START_US + 15 * SECOND_US), START_US + 20 * SECOND_US)
  assert.equal(share.take([of(minute, 101)], START_US + 20 * SECOND_US), START_US + 30 * SECOND_US)
  assert.equal(share.take([of(minute, 100)], START_US + 20 * SECOND_US), 0)
  const short = { key: 'a second', lengthUs: SECOND_US, limit: 20 }
  assert.equal(share.take([of(short, 1)], START_US + 15 * SECOND_US), START_US + 16 * SECOND_US)
  assert.equal(share.take([of(short, 2)], START_US + 16 * SECOND_US), 0)
})

test("the venue's count stops a replica where strangers have used the limit up", () => {
  const share = new ReplicaShare({ replicas: 2, reserve: 0.2 }, LONG_AGO)
  assert.equal(share.take([of(minute, 1)], START_US), 0)
  share.settle('weight', START_US, 5990)
  assert.equal(share.take([of(minute, 20)], START_US), START_US + 60 * SECOND_US)
  assert.equal(share.take([of(minute, 10)], START_US), 0)
})

test('over any number of restarts a replica never uses more than its own part', () => {
  const step = fc.record({
    waitUs: fc.integer({ min: 0, max: 20 * SECOND_US }),
    cost: fc.integer({ min: 1, max: 120 }),
    isRestarted: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.constantFrom(minute, day), fc.array(step, { maxLength: 60 }), (window, steps) => {
      const split = { replicas: 2, reserve: 0.2 }
      const used = new Map<number, number>()
      let nowUs = START_US
      let share = new ReplicaShare(split, LONG_AGO)
      for (const { waitUs, cost, isRestarted } of steps) {
        nowUs += waitUs
        if (isRestarted) share = new ReplicaShare(split, nowUs)
        const atUs = share.take([of(window, cost)], nowUs)
        assert.ok(atUs === 0 || atUs > nowUs)
        if (atUs > 0) continue
        const startUs = Math.floor(nowUs / window.lengthUs)
        used.set(startUs, (used.get(startUs) ?? 0) + cost)
      }
      for (const sum of used.values()) assert.ok(sum <= splitLimit(window.limit, split).own)
    }),
    { numRuns: 300 },
  )
})
