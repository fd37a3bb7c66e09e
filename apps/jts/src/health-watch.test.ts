/** When the operator is told that a part is down, and when that it works again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HealthWatch, type HealthChange } from './health-watch.ts'
import type { ServiceLight } from './service-light.ts'

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

const AMBIGUOUS = { code: 'ORDER_AMBIGUOUS', message: 'a fits several orders' }
const DRY_RUN = { code: 'DRY_RUN', message: 'orders are not sent' }
const LOGGED_OUT = { code: 'SESSION_LOGGED_OUT', message: 'login 1 failed' }
const TAKEN_BACK = { code: 'FILL_TAKEN_BACK', message: 'order 1' }

for (const [situation, saying, expected] of [
  ['once what a service says of itself, however long', [[DRY_RUN], [DRY_RUN]], [[DRY_RUN]]],
  ['what comes beside it', [[DRY_RUN], [AMBIGUOUS, DRY_RUN]], [[DRY_RUN], [AMBIGUOUS, DRY_RUN]]],
  ['nothing when one of it is over', [[AMBIGUOUS, DRY_RUN], [DRY_RUN]], [[AMBIGUOUS, DRY_RUN]]],
  [
    'what was found of another order',
    [[TAKEN_BACK], [{ ...TAKEN_BACK, message: 'order 2' }]],
    [[TAKEN_BACK], [{ ...TAKEN_BACK, message: 'order 2' }]],
  ],
  ['a login that fails again no second time', [[LOGGED_OUT], [{ ...LOGGED_OUT, message: 'login 2' }]], [[LOGGED_OUT]]],
  ['why a part waits, when it is known', [[], [LOGGED_OUT]], [[], [LOGGED_OUT]]],
  ['it again after it was up', [[DRY_RUN], 'up', [DRY_RUN]], [[DRY_RUN], 'up', [DRY_RUN]]],
] as const) {
  test(`tells ${situation}`, () => {
    const watch = new HealthWatch()
    const reasonOf = (says: readonly { code: string; message: string }[]): string =>
      says.map(({ code, message }) => `${code}: ${message}`).join()
    const found = saying.flatMap((one) =>
      [1, 2, 3, 4].flatMap(() =>
        watch.look([one === 'up' ? light('up') : { ...light('degraded', reasonOf(one)), says: one }]),
      ),
    )
    assert.deepEqual(
      found.map(({ state, reason }) => (state === 'up' ? 'up' : reason)),
      expected.map((one) => (one === 'up' ? 'up' : reasonOf(one))),
    )
  })
}
