import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ServerLight } from './server-light.ts'

for (const [situation, ask, expected] of [
  ['answers', () => Promise.resolve(), { state: 'up' }],
  [
    'answers, with what a person should know',
    () => Promise.resolve('one copy of each event'),
    { state: 'degraded', reason: 'one copy of each event' },
  ],
  [
    'refuses',
    () => Promise.reject(new Error('connect ECONNREFUSED')),
    { state: 'down', reason: 'it does not answer: connect ECONNREFUSED' },
  ],
] as const) {
  test(`a server that ${situation}: ${expected.state}`, async () => {
    const light = new ServerLight('kafka', ask)
    await light.start()
    light.stop()
    assert.deepEqual(light.light(), { name: 'kafka', ...expected })
  })
}
