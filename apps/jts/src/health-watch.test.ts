/** When the operator is told that a part is down, and when that it works again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HealthWatch, type HealthChange } from './health-watch.ts'
import type { ServiceLight } from './system.ts'

const light = (state: ServiceLight['state'], reason?: string): ServiceLight => ({
  name: 'order-execution',
  state,
  ...(reason === undefined ? {} : { reason }),
})

function told(watch: HealthWatch, ...states: ServiceLight['state'][]): string[] {
  return states.flatMap((state) => watch.look([light(state, `it is ${state}`)])).map(inWords)
}

function inWords({ service, state, reason }: HealthChange): string {
  return `${service} ${state}: ${reason}`
}

for (const [situation, states, expected] of [
  ['nothing of a part that works', ['up', 'up', 'up', 'up'], []],
  ['nothing of one that was away for a moment', ['up', 'down', 'down', 'up', 'starting', 'up'], []],
  ['once that a part is down, however long', ['down', 'down', 'down', 'down', 'down'], ['down: it is down']],
  ['that one which waits for another is degraded', ['starting', 'starting', 'starting'], ['degraded: it is starting']],
  ['that one which says so of itself is degraded', ['degraded', 'degraded', 'degraded'], ['degraded: it is degraded']],
  ['that it works again', ['down', 'down', 'down', 'up', 'up'], ['down: it is down', 'up: it works again']],
] as const) {
  test(`tells ${situation}`, () => {
    assert.deepEqual(
      told(new HealthWatch(), ...states),
      expected.map((one) => `order-execution ${one}`),
    )
  })
}

test('tells of a process that has ended although it is back before anybody looks', () => {
  const watch = new HealthWatch()
  assert.equal(
    inWords(watch.ended('order-execution', 'was ended by SIGKILL')),
    'order-execution down: its process was ended by SIGKILL; it is started again',
  )
  assert.deepEqual(told(watch, 'starting', 'up', 'up'), ['order-execution up: it works again'])
})
