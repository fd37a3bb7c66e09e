/** Who is silent for too long, by a clock that the test moves. */
import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { HeartbeatVoice, HeartbeatWatch } from '@jts/runtime'
import { ManualClock } from './manual-clock.ts'

const START_US = 1_704_067_200_000_000
let clock: ManualClock
let told: string[]
let watch: HeartbeatWatch

beforeEach(() => {
  clock = new ManualClock(START_US)
  told = []
  watch = new HeartbeatWatch({
    wallClock: clock,
    peers: ['a', 'b'],
    silenceMaxMs: 5000,
    onMissing: (peer, silentMs) => told.push(`${peer} missing ${Math.floor(silentMs / 1000)} s`),
  })
  watch.start()
})

/** A peer that speaks every second. */
function speaking(peer: string): HeartbeatVoice {
  const voice = new HeartbeatVoice(clock, 1000, () => {
    if (watch.heard(peer, clock.nowUs())) told.push(`${peer} back`)
  })
  voice.start()
  return voice
}

describe('a watch', () => {
  it('misses who falls silent for five seconds, once, and hears it come back', async () => {
    const a = speaking('a')
    speaking('b')
    await clock.run(20_000)
    assert.deepEqual(told, [])
    a.stop()
    await clock.run(4900)
    assert.deepEqual(told, [])
    await clock.run(10_000)
    assert.deepEqual(told, ['a missing 5 s'])
    assert.deepEqual([...watch.missing], ['a'])
    speaking('a')
    assert.deepEqual(told, ['a missing 5 s', 'a back'])
    await clock.run(10_000)
    assert.deepEqual(told.length, 2)
  })

  it('misses who has never spoken', async () => {
    speaking('b')
    await clock.run(5300)
    assert.deepEqual(told, ['a missing 5 s'])
  })

  it('takes no old word for a sign of life, and nobody else for who is missing', async () => {
    speaking('b')
    await clock.run(6000)
    watch.heard('a', clock.nowUs() - 6_000_000)
    watch.heard('c', clock.nowUs())
    assert.deepEqual([...watch.missing], ['a'])
  })

  it('hears what has come in before it judges, when the process itself has stood still', async () => {
    const still = new ManualClock(START_US)
    const silent: string[] = []
    const own = new HeartbeatWatch({
      wallClock: {
        nowUs: () => still.nowUs() + stoodStillUs,
        after: (delayMs, callback) => still.after(delayMs, callback),
      },
      peers: ['a'],
      silenceMaxMs: 5000,
      onMissing: (peer) => silent.push(peer),
    })
    let stoodStillUs = 0
    own.start()
    await still.run(1000)
    stoodStillUs = 60_000_000
    await still.run(250)
    own.heard('a', still.nowUs() + stoodStillUs)
    await still.run(4000)
    assert.deepEqual(silent, [])
    await still.run(2000)
    assert.deepEqual(silent, ['a'])
  })

  it('says nothing after it has been stopped', async () => {
    watch.stop()
    await clock.run(60_000)
    assert.deepEqual(told, [])
    assert.equal(clock.waiting, 0)
  })
})
