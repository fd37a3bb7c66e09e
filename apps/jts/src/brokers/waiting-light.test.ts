/** What a person reads beside a light while something waits: one sentence for a broker, whoever waits for it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitingLight } from './waiting-light.ts'

const KRX = 'sim.creon.krx'
const CASES: readonly (readonly [situation: string, absent: readonly string[], expected: string])[] = [
  [
    'a service that is silent, for whoever speaks to it',
    [
      'creon-service',
      `creon-service, orders ${KRX}`,
      `creon-service, orders ${KRX}, at the venue`,
      'creon-service, market data 1',
      'creon-service, market data 1, at the venue',
      'creon-service, market data 2',
      'creon-service market data',
      `creon-service ${KRX}`,
      `order-execution ${KRX}`,
      `creon-service, orders ${KRX}`,
    ],
    `it does not answer; waiting for it: market data, orders of ${KRX}`,
  ],
  [
    'a service that answers, whose broker does not',
    [`creon-service, orders ${KRX}, at the venue`, 'creon-service, market data 1, at the venue'],
    `it has no connection to its broker; waiting for it: market data, orders of ${KRX}`,
  ],
  [
    'streams of the venue itself',
    ['binance order stream main', 'binance market stream', 'binance market stream 2, connection 1'],
    'it has no connection to its broker; waiting for it: market data, orders of main',
  ],
  ['a service that nobody has asked yet', ['binance-service'], 'it does not answer'],
  ['a unit that is being opened', ['binance-service.market-data'], 'it does not answer; waiting for it: market data'],
  [
    'an account that is not caught up',
    [`order-execution ${KRX}`],
    `it answers; what was missed is being caught up with: orders of ${KRX}`,
  ],
  [
    'something else than a broker, each once',
    ['order-execution sim.binance.main', 'order-execution sim.binance.main'],
    'waiting for: order-execution sim.binance.main',
  ],
]
for (const [situation, absent, expected] of CASES) {
  test(`says of ${situation}: ${expected}`, () => {
    assert.deepEqual(waitingLight(absent), { state: 'starting', reason: expected })
  })
}

test('an open breaker says more than who waits, and nothing absent is a light that is up', () => {
  const { state, breaker, reason } = waitingLight(['creon breaker', `creon-service, orders ${KRX}`])
  assert.deepEqual([state, breaker], ['down', 'open'])
  assert.match(reason!, /^the breaker is open: creon does not answer/)
  assert.deepEqual(waitingLight([]), { state: 'up' })
})
