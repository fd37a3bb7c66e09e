import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock as clock } from '@jts/runtime'
import { cacheContract, START_US, TOKEN_TIMES } from './contract.ts'
import { MemoryCache, MemoryLockHint, MemorySharedBudget, MemoryTokens } from './memory.ts'
import { standStill } from './standing-time.ts'

function counting(): () => string {
  let count = 0
  return () => `id${++count}`
}

cacheContract({
  name: 'memory',
  place: () => {
    const run = standStill(START_US)
    const replica = {
      cache: new MemoryCache(clock),
      tokens: new MemoryTokens({ clock, randomId: counting(), ...TOKEN_TIMES }),
      locks: new MemoryLockHint(clock),
      budget: new MemorySharedBudget(),
    }
    // A millisecond of it passes in a few turns of the event loop.
    let isOpen = true
    const passing = (async () => {
      while (isOpen) await run(1)
    })()
    return Promise.resolve({
      clock,
      replica: () => replica,
      pass: (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve)),
      close: () => {
        isOpen = false
        return passing
      },
    })
  },
})

test('a cache in memory keeps its newest values', async () => {
  const cache = new MemoryCache(clock, 2)
  for (const key of ['a', 'b', 'a', 'c']) await cache.set(key, key, 1000)
  assert.deepEqual(await Promise.all(['a', 'b', 'c'].map((key) => cache.get(key))), ['a', undefined, 'c'])
})

test('fencing tokens rise over a restart, and while time stands', async () => {
  const run = standStill(START_US)
  const tokens: number[] = []
  for (let restart = 0; restart < 3; restart++) {
    const locks = new MemoryLockHint(clock)
    for (let i = 0; i < 3; i++) {
      const held = await locks.acquire('x', 1000)
      tokens.push(held!.fencingToken)
      await held!.release()
    }
    await run(1)
  }
  assert.deepEqual(
    tokens,
    tokens.toSorted((a, b) => a - b),
  )
  assert.equal(new Set(tokens).size, tokens.length)
})
