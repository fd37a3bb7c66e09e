import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fasterClock } from './clocks.ts'

test('a faster clock begins with the wall and runs so many times as fast', () => {
  let nowUs = 1_000_000
  const clock = fasterClock({ nowUs: () => nowUs }, 50)
  assert.equal(clock.nowUs(), 1_000_000)
  nowUs += 20
  assert.equal(clock.nowUs(), 1_001_000)
})
