import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from './testing/manual-clock.ts'
import { VenueClock } from './venue-clock.ts'

const SECOND = 1_000_000

test('the offset comes from the middle of the shortest round trip', async () => {
  const wall = new ManualClock(1000 * SECOND)
  const venue = new VenueClock(wall)
  const trips: readonly (readonly [thereUs: number, backUs: number])[] = [
    [900_000, 100_000],
    [10_000, 10_000],
    [100_000, 900_000],
  ]
  let sample = 0
  await venue.measure(async () => {
    const [thereUs, backUs] = trips[sample++]!
    wall.advance(thereUs)
    const serverUs = wall.nowUs() + 5 * SECOND
    wall.advance(backUs)
    return serverUs
  })
  assert.equal(sample, 3)
  assert.equal(venue.offsetUs(), 5 * SECOND)
  assert.equal(venue.nowUs(), wall.nowUs() + 5 * SECOND)
})

test('a failed measurement keeps the last offset', async () => {
  const wall = new ManualClock(0)
  const venue = new VenueClock(wall)
  await venue.measure(async () => 7 * SECOND)
  await assert.rejects(venue.measure(() => Promise.reject(new Error('down'))))
  assert.equal(venue.offsetUs(), 7 * SECOND)
})

test('two wishes to measure at once are one measurement', async () => {
  const venue = new VenueClock(new ManualClock(0))
  let asked = 0
  const ask = async (): Promise<number> => ++asked
  await Promise.all([venue.measure(ask), venue.measure(ask)])
  assert.equal(asked, 3)
})
