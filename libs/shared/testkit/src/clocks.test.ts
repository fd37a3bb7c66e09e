/** Market time as it is waited for. Here because the runtime may not use the testkit. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MarketClock } from '@jts/runtime'
import { ManualClock, settled } from './manual-clock.ts'

describe('market time, waited for', () => {
  it('comes by the wall where it may not fall behind it', async () => {
    const wall = new ManualClock(1_000_000)
    const clock = new MarketClock(wall)
    const called: number[] = []
    clock.at(31_000_000, () => called.push(clock.nowUs()))
    await wall.run(29_999)
    assert.deepEqual(called, [])
    await wall.run(1)
    assert.deepEqual(called, [31_000_000])
    assert.equal(wall.waiting, 0)
  })

  it('comes by an event that is ahead of the wall, once', async () => {
    const wall = new ManualClock(0)
    const clock = new MarketClock(wall)
    let calls = 0
    clock.at(60_000_000, () => calls++)
    clock.advanceTo(59_999_999)
    assert.equal(calls, 0)
    clock.advanceTo(60_000_000)
    clock.advanceTo(70_000_000)
    await wall.run(120_000)
    assert.equal(calls, 1)
  })

  it('comes by events alone in a replay, and never by waiting', async () => {
    const clock = new MarketClock(undefined)
    let calls = 0
    clock.at(1, () => calls++)
    await settled()
    assert.equal(calls, 0)
    clock.advanceTo(1)
    assert.equal(calls, 1)
  })

  it('that is over already is told at once, but not before the call returns', async () => {
    const clock = new MarketClock(new ManualClock(5))
    let calls = 0
    clock.at(5, () => calls++)
    assert.equal(calls, 0)
    clock.at(4, () => calls++).cancel()
    await settled()
    assert.equal(calls, 1)
  })

  it('is not waited for any more when it is cancelled', async () => {
    const wall = new ManualClock(0)
    const clock = new MarketClock(wall)
    clock.at(20_000_000, () => assert.fail('called')).cancel()
    clock.advanceTo(20_000_000)
    await wall.run(60_000)
    assert.equal(wall.waiting, 0)
  })
})
