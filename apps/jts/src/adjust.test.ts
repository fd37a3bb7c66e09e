/** A person books what moved without a trade: the whole difference, once, or nothing; then the ledger equals the broker. */
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { BrokerError } from '@jts/broker-kit'
import type { AdjustRequestView } from '@jts/contracts/gateway'
import { accountId, instrumentId, shippedInstrument } from '@jts/model'
import { createOrderExecution } from '@jts/order-execution'
import { createPortfolioTracker } from '@jts/portfolio-tracker'
import { createRiskManagement } from '@jts/risk-management'
import { HEARTBEAT } from '@jts/runtime'
import { FakeBroker } from '@jts/testkit/fake-broker'
import { Harness } from '@jts/testkit/harness'
import { adjust, type Adjusting } from './adjust.ts'
import { routedOrders, routedPortfolio } from './distributed/routed.ts'
import { findStory } from './why/find.ts'
import { tellStory } from './why/story.ts'

const ACCOUNT = accountId('sim.binance.main')
const BTC = instrumentId('BINANCE:BTCUSDT')
const open: Harness[] = []

afterEach(async () => {
  for (const harness of open.splice(0)) {
    assert.deepEqual(harness.poison, [])
    await harness.remove()
  }
})

async function world(before?: { readonly harness: Harness; readonly broker: FakeBroker }) {
  const harness = before?.harness.killed() ?? Harness.open()
  open.push(harness)
  const { store, bus, marketClock, wallClock, activity, log } = harness
  const broker = new FakeBroker(wallClock)
  if (before !== undefined) broker.goOnFrom(before.broker)
  const common = { store, bus, marketClock, log, instruments: [shippedInstrument(BTC)], marketTopics: [] }
  const tracker = createPortfolioTracker({ ...common, equityCurrencyOf: () => 'USDT' })
  const risk = createRiskManagement({
    ...common,
    limits: {},
    approvalValidUs: 0,
    heartbeats: { times: HEARTBEAT, wallClock, accounts: [] },
  })
  const execution = createOrderExecution({
    ...{ store, bus, marketClock, wallClock, activity, log },
    accounts: [{ account: ACCOUNT, broker, instruments: [BTC], strategies: [] }],
    ...{ sendWindowUs: 2_000_000, quietMarketOrderUs: 2_000_000, quietOrderUs: 30_000_000 },
    heartbeats: HEARTBEAT,
  })
  await tracker.start()
  await execution.restore()
  await bus.start()
  await risk.start()
  await execution.start()
  await harness.run(1000)
  // As between processes: the calls go to the owner of the account.
  const system: Adjusting = {
    orders: routedOrders(new Map([[ACCOUNT, execution.api]])),
    portfolio: routedPortfolio(new Map([[ACCOUNT, tracker.api]])),
  }
  return {
    harness,
    broker,
    execution,
    says: (changes: Partial<AdjustRequestView>) => {
      const said = {
        account: ACCOUNT,
        asset: 'USDT',
        amount: '250.5',
        reason: 'deposit',
        words: 'from the bank',
      } as const
      return adjust(system, { ...said, ...changes, by: 'test' }, (ms) => harness.run(ms))
    },
    compare: async () => {
      await execution.reconcile(ACCOUNT)
      await harness.run(1000)
    },
    account: async () => (await tracker.api.getCurrentPortfolio({ account: ACCOUNT })).accounts[0]!,
    states: async () => (await execution.api.getTradingState({})).accounts.map(({ state }) => state),
    adjusted: async () =>
      (await harness.events('orders.events', 'BalanceAdjusted')).map(
        ({ payload: { currency, amount, source, reason, by, words } }) =>
          `${source} ${by}: ${reason} ${amount} ${currency}, ${words}`,
      ),
  }
}
type World = Awaited<ReturnType<typeof world>>

const refuses = (work: Promise<unknown>, code: string, message: RegExp) =>
  assert.rejects(work, (error: Error & { code?: string }) => {
    assert.equal(error.code, code)
    assert.match(error.message, message)
    return true
  })

/** Two comparisons have found it: the account only reduces. */
async function held(move: (w: World) => void): Promise<World> {
  const w = await world()
  move(w)
  await w.compare()
  await w.compare()
  await w.harness.run(2000)
  assert.deepEqual(await w.states(), ['reducing'])
  return w
}

test('a deposit that nobody told of is booked by a person, and the account trades on', async () => {
  const w = await held(({ broker }) => broker.move('USDT', '250.5'))
  const health = await w.harness.events('system.health', 'ServiceHealth')
  assert.match(
    health.map(({ payload }) => payload.reason).join('\n'),
    /ledger 10000, broker 10250.5; .*\.\/jts adjust sim.binance.main USDT 250.5$/,
  )
  const answer = await w.says({})
  assert.equal(answer.outcome, 'booked')
  await w.harness.run(2000)
  const account = await w.account()
  assert.deepEqual([account.equity, account.reconciled, account.differences], ['10250.5', 'equal', []])
  assert.equal(account.realisedPnl, '0')
  assert.deepEqual(await w.states(), ['active'])
  assert.deepEqual(await w.adjusted(), ['person test: deposit 250.5 USDT, from the bank'])
  const story = tellStory((await findStory(w.harness.bus, answer.adjustmentId))!)
  assert.deepEqual(
    story.map(({ text }) => text),
    [
      '250.5 USDT without a trade: deposit, booked by test: from the bank',
      'a person: 250.5 USDT came in without a trade: deposit, booked by test: from the bank',
    ],
  )
})

test('asked twice, also over a restart, it is booked once; another one of the same amount is another matter', async () => {
  const w = await held(({ broker }) => broker.move('USDT', '250.5'))
  const { adjustmentId } = await w.says({})
  assert.deepEqual(await w.says({}), {
    ...{ account: ACCOUNT, asset: 'USDT', amount: '250.5' },
    outcome: 'already',
    adjustmentId,
  })
  const again = await world(w)
  assert.equal((await again.says({})).outcome, 'already')
  assert.equal((await again.adjusted()).length, 1)
  again.broker.move('USDT', '250.5')
  const second = await again.says({})
  assert.equal(second.outcome, 'booked')
  assert.notEqual(second.adjustmentId, adjustmentId)
  assert.equal((await again.account()).equity, '10501')
})

test('never is more booked, or less, or anything else than differs at that moment', async () => {
  const w = await world()
  await refuses(
    w.says({}),
    'REFUSED',
    /expected a difference of 250.5, found that nothing differs \(ledger 10000, broker 10000\)/,
  )
  w.broker.move('USDT', '250.5')
  for (const amount of ['250.50000001', '250', '501']) {
    await refuses(
      w.says({ amount }),
      'REFUSED',
      /found one of 250.5 \(ledger 10000, broker 10250.5\); nothing is booked/,
    )
  }
  await refuses(w.says({ amount: '-250.5', reason: 'withdrawal' }), 'REFUSED', /found one of 250.5/)
  await refuses(w.says({ asset: 'BTC' }), 'REFUSED', /BTC: expected a difference of 250.5, found that nothing differs/)
  assert.deepEqual(await w.adjusted(), [])
  assert.equal((await w.says({ amount: '250.50' })).outcome, 'booked')
})

test('what can never be is refused before anybody is asked', async () => {
  const w = await world()
  for (const [change, field] of [
    [{ amount: '-1' }, /a deposit above 0/],
    [{ amount: '0', reason: 'correction' }, /more or less than 0/],
    [{ amount: '1.123456789' }, /at most 8 places/],
    [{ asset: 'usdt' }, /asset: expected/],
    [{ words: ' ' }, /words: expected/],
    [{ reason: 'gift' as 'deposit' }, /reason: expected one of deposit, withdrawal/],
  ] as const) {
    await refuses(w.says(change), 'BAD_REQUEST', field)
  }
  await refuses(w.says({ account: 'sim.binance.other' }), 'NOT_FOUND', /expected one of sim.binance.main/)
  w.broker.down()
  await refuses(w.says({}), 'REFUSED', /found that it is not yet: the order stream fell/)
})

for (const [what, at] of [
  ['fills', 1],
  ['balances', 1],
  ['balances', 2],
  ['fills', 4],
] as const) {
  test(`a broker that fails while its ${what} are read for the ${at}. time is told of, and nothing is booked`, async () => {
    const w = await held(({ broker }) => broker.move('USDT', '250.5'))
    let reads = 0
    w.broker.onRead = (read) => {
      if (read === what && ++reads === at) throw new BrokerError('RATE_BUDGET', 'no room', { retryable: true })
    }
    await refuses(
      w.says({}),
      'REFUSED',
      /^sim.binance.main: expected an answer of the broker, found no room; ask again$/,
    )
    assert.deepEqual(await w.adjusted(), [])
    assert.equal((await w.says({})).outcome, 'booked')
  })
}

test('a difference that only one look finds is not booked', async () => {
  const w = await world()
  let reads = 0
  w.broker.onRead = (what) => {
    // Gone again by the second look.
    if (what === 'balances' && ++reads === 1) w.broker.move('USDT', '-250.5')
  }
  w.broker.move('USDT', '250.5')
  await refuses(w.says({}), 'REFUSED', /found that nothing differs/)
  assert.deepEqual(await w.adjusted(), [])
})

test('an account that trades between the looks is adjusted all the same: the difference stays', async () => {
  const w = await world()
  w.broker.move('USDT', '250.5')
  let reads = 0
  w.broker.onRead = (what) => {
    if (what !== 'balances' || ++reads > 1) return
    setImmediate(() => {
      const { report, fill } = w.broker.executeForeign(BTC, '1')
      w.broker.move('USDT', '-100')
      w.broker.move('BTC', '1')
      w.broker.notice(report, fill)
    })
  }
  assert.equal((await w.says({})).outcome, 'booked')
  await w.compare()
  assert.equal((await w.account()).reconciled, 'equal')
  assert.equal((await w.account()).fillCount, 1)
})

test('a notice between the looks leaves nothing to book; one of before comes too late to be booked again', async () => {
  const w = await world()
  const told = w.broker.move('USDT', '250.5')
  let reads = 0
  w.broker.onRead = (what) => {
    if (what === 'balances' && ++reads === 1) setImmediate(() => w.broker.tellAdjustment(told))
  }
  await refuses(w.says({}), 'REFUSED', /nothing differs/)
  w.broker.onRead = () => undefined
  const late = w.broker.move('USDT', '7')
  await w.harness.run(1000)
  assert.equal((await w.says({ amount: '7' })).outcome, 'booked')
  w.broker.tellAdjustment(late)
  await w.compare()
  assert.deepEqual(await w.adjusted(), ['broker : deposit 250.5 USDT, ', 'person test: deposit 7 USDT, from the bank'])
  assert.equal((await w.account()).reconciled, 'equal')
})

test('two who ask at once book it once', async () => {
  const w = await held(({ broker }) => broker.move('BNB', '3'))
  const said = { asset: 'BNB', amount: '3' }
  const outcomes = await Promise.allSettled([w.says(said), w.says(said)])
  assert.equal((await w.adjusted()).length, 1)
  assert.ok(outcomes.some((one) => one.status === 'fulfilled' && one.value.outcome === 'booked'))
})
