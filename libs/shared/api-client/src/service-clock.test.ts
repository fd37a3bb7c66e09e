/** What is believed of the venue's clock after answers that come quickly, late, or after somebody has set a clock. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ServiceClock } from './service-clock.ts'

/** The venue is so far ahead; the question takes so long to get there, and the answer to come back. */
type Answer = readonly [aheadMs: number, thereMs: number, backMs: number]

const CASES: readonly (readonly [situation: string, answers: readonly Answer[], expectedMs: number])[] = [
  ['the middle of the first answer', [[70, 10, 30]], 60],
  [
    'the quickest answer, whatever a slow one says',
    [
      [70, 5, 5],
      [70, 3900, 100],
      [70, 0, 4000],
    ],
    70,
  ],
  [
    'a quicker answer',
    [
      [70, 30, 10],
      [70, 2, 2],
    ],
    70,
  ],
  [
    'a slower answer that contradicts it, because a clock was set',
    [
      [70, 5, 5],
      [-900, 100, 100],
    ],
    -900,
  ],
  [
    'and after that the quicker one again',
    [
      [70, 5, 5],
      [-900, 150, 50],
      [-900, 20, 20],
    ],
    -900,
  ],
]
for (const [situation, answers, expectedMs] of CASES) {
  test(`goes by ${situation}`, () => {
    const clock = new ServiceClock()
    let nowMs = 1_000_000
    for (const [aheadMs, thereMs, backMs] of answers) {
      const askedMs = nowMs
      nowMs += thereMs + backMs
      clock.told((askedMs + thereMs + aheadMs) * 1000, askedMs * 1000, nowMs * 1000)
    }
    assert.equal(clock.offsetUs, expectedMs * 1000)
  })
}
