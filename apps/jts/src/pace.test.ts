/** How `--speed` of a replay is read, and what it does to the releases. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pace, replaySpeed } from './pace.ts'

describe('the speed of a replay', () => {
  const rows: [said: string | undefined, untilEnd: boolean, speed: number | 'max'][] = [
    [undefined, true, 'max'],
    [undefined, false, 60],
    ['max', false, 'max'],
    ['12.5', true, 12.5],
  ]
  for (const [said, untilEnd, speed] of rows) {
    it(`${said ?? 'unsaid'}, ${untilEnd ? 'until the end' : 'with a dashboard'}, is ${speed}`, () => {
      assert.equal(replaySpeed({ 'until-end': untilEnd, speed: said }), speed)
    })
  }
  for (const said of ['0', '-1', 'fast', '']) {
    it(`is refused when it is ${JSON.stringify(said)}`, () => {
      const message = `--speed: expected max or a number above 0, found ${JSON.stringify(said)}`
      assert.throws(() => replaySpeed({ 'until-end': true, speed: said }), { name: 'UserError', message })
    })
  }
})

describe('releases', () => {
  /** Market minutes by when they are released; each takes as long as given. */
  async function released(speed: number, tookMs: readonly number[]): Promise<number[]> {
    let nowMs = 500
    const hold = pace(speed, { nowMs: () => nowMs, sleep: (ms) => Promise.resolve(void (nowMs += ms)) })!
    const times: number[] = []
    for (const [minute, ms] of tookMs.entries()) {
      await hold({ timeUs: (minute + 1) * 60_000_000 })
      times.push(nowMs - 500)
      nowMs += ms
    }
    return times
  }

  it('are held back to the speed, from the first on', async () => {
    assert.deepEqual(await released(60, [10, 10, 10, 10]), [0, 1000, 2000, 3000])
    assert.deepEqual(await released(0.5, [1, 1]), [0, 120_000])
  })
  it('that are late are not caught up with', async () => {
    assert.deepEqual(await released(60, [10, 2500, 10, 10]), [0, 1000, 3500, 4500])
  })
  it('of one time go together, and at full speed nobody waits', async () => {
    let slept = 0
    const hold = pace(60, { nowMs: () => slept, sleep: (ms) => Promise.resolve(void (slept += ms)) })!
    for (const timeUs of [60_000_000, 120_000_000, 120_000_000]) await hold({ timeUs })
    assert.equal(slept, 1000)
    assert.equal(pace('max'), undefined)
  })
})
