/** What a person reads beside a light while something waits: one sentence for a broker, whoever waits for it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BrokerWord } from './broker-word.ts'
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
    `degraded: it does not answer; waiting for it: market data, orders of ${KRX}`,
  ],
  [
    'a service that answers, whose broker does not',
    [
      `creon-service, orders ${KRX}, at the venue`,
      'creon-service, market data 1, at the venue',
      'creon-service market data',
    ],
    `degraded: it has no connection to its broker; waiting for it: market data, orders of ${KRX}`,
  ],
  [
    'streams of the venue itself',
    ['binance order stream main', 'binance market stream', 'binance market stream 2, connection 1'],
    'degraded: it has no connection to its broker; waiting for it: market data, orders of main',
  ],
  ['a service that nobody has asked yet', ['binance-service'], 'degraded: it does not answer'],
  [
    'a unit that is being opened',
    ['binance-service.market-data'],
    'degraded: it does not answer; waiting for it: market data',
  ],
  [
    'an account that is not caught up',
    [`order-execution ${KRX}`],
    `starting: it answers; what was missed is being caught up with: orders of ${KRX}`,
  ],
  [
    'something else than a broker, each once',
    ['order-execution sim.binance.main', 'order-execution sim.binance.main'],
    'starting: waiting for: order-execution sim.binance.main',
  ],
]
for (const [situation, absent, expected] of CASES) {
  test(`says of ${situation}: ${expected}`, () => {
    const { state, reason, ...more } = waitingLight(absent)
    assert.deepEqual([`${state}: ${reason}`, more], [expected, {}])
  })
}

test('an open breaker says more than who waits, and nothing absent is a light that is up', () => {
  const { state, breaker, reason } = waitingLight(['creon breaker', `creon-service, orders ${KRX}`])
  assert.deepEqual([state, breaker], ['down', 'open'])
  assert.match(reason!, /^the breaker is open: creon does not answer/)
  assert.deepEqual(waitingLight([]), { state: 'up' })
})

const AMBIGUOUS = { code: 'ORDER_AMBIGUOUS', message: 'requests a fit several orders: a person has to decide' }
const LOGGED_OUT = { code: 'SESSION_LOGGED_OUT', message: 'HTS is logged out' }
const CONNECTING = { code: 'SESSION_CONNECTING', message: 'the HTS is being started' }
const DRY_RUN = { code: 'DRY_RUN', message: 'orders are not sent: started without --live' }
const AT_VENUE = [`creon-service, orders ${KRX}, at the venue`, 'creon-service market data']
const AWAY = [`creon-service, orders ${KRX}`, 'creon-service, market data 1']
const SAID: readonly (readonly [string, BrokerWord['says'], 'now' | 'before', readonly string[], string])[] = [
  ['what a person has to decide', [AMBIGUOUS], 'now', [], `degraded: ORDER_AMBIGUOUS: ${AMBIGUOUS.message}`],
  [
    'why nothing reaches the broker',
    [LOGGED_OUT],
    'now',
    AT_VENUE,
    `degraded: SESSION_LOGGED_OUT: HTS is logged out; waiting for it: market data, orders of ${KRX}`,
  ],
  ['that it is on its way', [CONNECTING], 'now', [], 'starting: SESSION_CONNECTING: the HTS is being started'],
  [
    'all of it',
    [AMBIGUOUS, DRY_RUN],
    'now',
    [],
    `degraded: ORDER_AMBIGUOUS: ${AMBIGUOUS.message}; DRY_RUN: ${DRY_RUN.message}`,
  ],
  [
    'why a breaker is open',
    [DRY_RUN],
    'now',
    ['creon breaker'],
    `down: the breaker is open: DRY_RUN: ${DRY_RUN.message}; no order is sent to it`,
  ],
  [
    'what it said before one question was lost',
    [AMBIGUOUS],
    'before',
    [],
    `degraded: ORDER_AMBIGUOUS: ${AMBIGUOUS.message}`,
  ],
  [
    'nothing any more when it is silent to everybody',
    [AMBIGUOUS],
    'before',
    AWAY,
    `degraded: it does not answer; waiting for it: market data, orders of ${KRX}`,
  ],
  ['nothing when all is well', [], 'now', [], 'up: '],
]
for (const [what, says, when, absent, expected] of SAID) {
  test(`says of what a broker's service says itself ${what}: ${expected}`, () => {
    const { state, reason = '', says: shown = [] } = waitingLight(absent, { says, isOld: when === 'before' })
    assert.equal(`${state}: ${reason}`, expected)
    assert.deepEqual(shown, when === 'before' && absent.length > 0 ? [] : says)
  })
}
