/** A lock whose acquire was not answered may be held all the same, by nobody: it is given back as soon as Redis answers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { LOST, type RedisDoor } from './redis-client.ts'
import { RedisLockHint } from './redis.ts'

/** A Redis that answers from its so-manieth question on, and what it was asked. */
function answersFrom(question: number): { readonly door: RedisDoor; readonly asked: string[] } {
  const asked: string[] = []
  const ask = (what: string): Promise<unknown> => Promise.resolve(asked.push(what) < question ? LOST : 1)
  return { door: { ask } as RedisDoor, asked }
}

test('is asked for again and again until Redis answers, and then no more', async () => {
  const { door, asked } = answersFrom(4)
  assert.equal(await new RedisLockHint(door, () => 'holder').acquire('x', 60_000), undefined)
  for (const end = performance.now() + 60_000; asked.length < 4 && performance.now() < end;) await setTimeout(20)
  await setTimeout(500)
  assert.deepEqual(asked, ['lock acquire', ...Array<string>(3).fill('lock release')])
})

test('is left to its time when Redis does not answer within it', async () => {
  const { door, asked } = answersFrom(Infinity)
  await new RedisLockHint(door, () => 'holder').acquire('x', 300)
  await setTimeout(1000)
  const { length } = asked
  await setTimeout(500)
  assert.ok(length >= 2 && asked.length === length, asked.join())
})
