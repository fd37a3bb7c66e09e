import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '@jts/runtime'
import { ManualClock } from '@jts/testkit/manual-clock'
import { archivedToo, keepHouse } from './housekeeping.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

test('a pass comes soon after the start and then every hour; one that fails is told once, tried every minute, and told when it is over', async () => {
  const clock = new ManualClock(0)
  const told: string[] = []
  let passes = 0
  let fails = false
  const house = keepHouse({
    wallClock: clock,
    log: silentLogger,
    pass: () => {
      passes++
      return fails ? Promise.reject(new Error('no space left on device')) : Promise.resolve()
    },
    onState: (state, reason) => told.push(`${state} ${reason}`),
  })
  await clock.run(60_000)
  assert.equal(passes, 1)
  fails = true
  await clock.run(HOUR_MS + 2 * MINUTE_MS)
  assert.equal(passes, 4)
  assert.deepEqual(told, ['degraded old events could not leave the log: no space left on device'])
  fails = false
  await clock.run(MINUTE_MS)
  assert.equal(passes, 5)
  assert.equal(told.length, 2)
  assert.match(told[1]!, /^up/)
  await clock.run(HOUR_MS)
  assert.equal(passes, 6)
  await house.stop()
  await clock.run(5 * HOUR_MS)
  assert.equal(passes, 6)
})

test('a pass that is under way when the process stops ends first', async () => {
  const clock = new ManualClock(0)
  let finish: () => void = () => undefined
  const house = keepHouse({
    wallClock: clock,
    log: silentLogger,
    pass: () => new Promise<void>((resolve) => (finish = resolve)),
    onState: assert.fail,
  })
  await clock.run(60_000)
  let isStopped = false
  const stopping = house.stop().then(() => (isStopped = true))
  await clock.run(1000)
  assert.equal(isStopped, false)
  finish()
  await stopping
})

test('market data is archived when that is asked for', () => {
  assert.deepEqual(archivedToo(undefined), [])
  assert.ok(archivedToo(true).every((topic) => topic.startsWith('market-data.')))
  assert.ok(archivedToo(true).length > 0)
})
