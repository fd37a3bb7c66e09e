/** Which times of a series are still to be asked for. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { firstMissing, grown, type Stretch } from './stretches.ts'

const stretch = (fromUs: number, untilUs: number): Stretch => ({
  ...{ fromUs, untilUs, firstOpenUs: fromUs, lastCloseUs: untilUs - 1 },
})

describe('the first part of a range that is missing', () => {
  const rows: [name: string, stretches: Stretch[], range: [number, number], found: [number, number] | undefined][] = [
    ['is all of it where nothing is collected', [], [10, 50], [10, 50]],
    ['is nothing where everything is', [stretch(10, 50)], [10, 50], undefined],
    ['is nothing within a longer stretch', [stretch(0, 90)], [10, 50], undefined],
    ['is what lies after the stretch', [stretch(10, 30)], [10, 50], [30, 50]],
    ['is what lies before it', [stretch(30, 60)], [10, 50], [10, 30]],
    ['is the hole between two', [stretch(10, 20), stretch(30, 60)], [10, 50], [20, 30]],
    ['is all of it between two that it does not touch', [stretch(0, 5), stretch(60, 70)], [10, 50], [10, 50]],
    ['goes over two that touch', [stretch(10, 20), stretch(20, 30)], [10, 50], [30, 50]],
  ]
  for (const [name, stretches, [fromUs, untilUs], expected] of rows) {
    it(name, () => {
      const found = firstMissing(stretches, fromUs, untilUs)
      assert.deepEqual(found && [found.fromUs, found.untilUs], expected)
    })
  }
})

describe('a stretch after an answer', () => {
  const part = (stretches: Stretch[], fromUs: number, untilUs: number) => firstMissing(stretches, fromUs, untilUs)!
  it('reaches to its last bar, and no farther: later ones may come late', () => {
    const missing = part([], 10, 50)
    assert.deepEqual(grown(missing, { firstOpenUs: 12, lastCloseUs: 29, isWhole: true }), {
      ...{ fromUs: 10, untilUs: 30, firstOpenUs: 12, lastCloseUs: 29 },
    })
    assert.equal(grown(missing, { firstOpenUs: 0, lastCloseUs: 0, isWhole: true }).untilUs, 10)
  })
  it('goes on the one before it', () => {
    const found = grown(part([stretch(10, 20)], 10, 50), { firstOpenUs: 20, lastCloseUs: 29, isWhole: false })
    assert.deepEqual(found, { fromUs: 10, untilUs: 30, firstOpenUs: 10, lastCloseUs: 29 })
  })
  it('becomes one with the next when what lies between is whole, with bars or without', () => {
    const missing = part([stretch(10, 20), stretch(30, 60)], 10, 60)
    for (const bars of [
      { firstOpenUs: 20, lastCloseUs: 29 },
      { firstOpenUs: 0, lastCloseUs: 0 },
    ]) {
      const found = grown(missing, { ...bars, isWhole: true })
      assert.deepEqual(found, { fromUs: 10, untilUs: 60, firstOpenUs: 10, lastCloseUs: 59 })
    }
    assert.equal(grown(missing, { firstOpenUs: 20, lastCloseUs: 24, isWhole: false }).untilUs, 25)
  })
})
