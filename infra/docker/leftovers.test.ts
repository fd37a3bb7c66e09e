import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { abandoned, projectOf } from './leftovers.ts'

test('what a run left is cleared once its process has ended, and nothing else', () => {
  const { pid: ended } = spawnSync('true')
  const left = ['-network', '_kafka_1', '_run', '-aBc123'].map((rest) => `${projectOf(ended)}${rest}`)
  const others = [
    `${projectOf(process.pid)}-network`,
    projectOf(ended),
    'podman',
    'jts_kafka_1',
    'my-jts-test-1_kafka_1',
  ]
  assert.deepEqual(abandoned([...left, ...others]), left)
})

test('a number that something else has by now is no run', (t) => {
  const other = spawn('sleep', ['60'])
  t.after(() => other.kill())
  assert.deepEqual(abandoned([`${projectOf(other.pid!)}_kafka_1`]), [`${projectOf(other.pid!)}_kafka_1`])
})
