/** A halt: what it stops, what it counts, what it survives, and who lifts it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CancelOutcome, PlaceOutcome } from '@jts/broker-kit'
import { partitionOf, TOPICS, type NewEvent } from '@jts/contracts'
import { accountId } from '@jts/model'
import { deferred, FakeBroker } from '@jts/testkit/fake-broker'
import { haltOffline } from './halt-offline.ts'
import { ACCOUNT, UNKNOWN, type World, world } from './testing/world.ts'

/** What only a person lifts. */
const LOST = {
  account: ACCOUNT,
  cause: 'event log',
  code: 'LOG_STOPPED',
  reason: 'lost its footing',
  liftedBy: 'person',
} as const

describe('a strategy that was ended in its handler', () => {
  const told = async (w: World, type: 'StrategyBarred' | 'StrategyStarted'): Promise<void> => {
    const payload = { strategy: 'stuck', account: ACCOUNT, handler: 'onBar', reason: 'expected onBar to finish' }
    const about = { stream: ACCOUNT, account: ACCOUNT, correlationId: '', causationId: '', timeEventUs: 1 }
    w.harness.store.transact((turn) => turn.publish('orders.signals', { ...about, type, payload }))
    await w.run()
  }

  it('leaves its account reducing, over a restart, until a person starts it again', async () => {
    const w = await world()
    await told(w, 'StrategyBarred')
    await w.restart()
    await w.approve('s1')
    await w.approve('s2', { side: 'sell' })
    assert.deepEqual(await w.status(), ['accepted 0', 'denied 0'])
    assert.equal((await w.harness.events('orders.events', 'OrderDenied'))[0]!.payload.reasonCode, 'STRATEGY_STUCK')
    await told(w, 'StrategyStarted')
    await w.approve('s3')
    assert.deepEqual(await w.status(), ['accepted 0', 'accepted 0', 'denied 0'])
  })

  it('leaves its account reducing until a person resumes everything', async () => {
    const w = await world()
    await told(w, 'StrategyBarred')
    await w.service.api.resume({ account: '', by: 'a person' })
    await w.approve('s1')
    assert.deepEqual(await w.status(), ['accepted 0'])
    const states = await w.harness.events('orders.events', 'TradingStateChanged')
    assert.deepEqual(
      states.map(({ payload }) => `${payload.scope} ${payload.state}`),
      ['account reducing', 'account active', 'whole active'],
    )
  })
})

describe('a reader of the log that stands still', () => {
  const partition = partitionOf(ACCOUNT, TOPICS['orders.events'].partitions)
  const STOP = { reader: 'portfolio-tracker', topic: 'orders.events', partition, streams: [] as string[] }
  const told = async (w: World, ...events: Pick<NewEvent, 'type' | 'payload'>[]): Promise<void> => {
    const about = { stream: 'x', correlationId: '', causationId: '', timeEventUs: 1 }
    for (const event of events) {
      w.harness.store.transact((turn) => turn.publish('system.health', { ...about, ...event } as NewEvent))
    }
    await w.run()
  }
  const stopped = (stop: Partial<typeof STOP> = {}) =>
    ({ type: 'LogStopped', payload: { ...STOP, eventId: 'orders.events/x/7', reason: 'no', ...stop } }) as const
  const resumed = (reader: string) => ({ type: 'LogResumed', payload: { reader } }) as const
  const state = (w: World): string => w.service.tradingState(ACCOUNT)

  it('leaves its accounts reducing, over a restart and whatever a person says, until it reads on', async () => {
    const w = await world()
    await told(w, stopped(), stopped({ topic: 'orders.fills' }))
    await w.restart()
    await w.service.api.resume({ account: '', by: 'a person' })
    await w.approve('s1')
    await w.approve('s2', { side: 'sell' })
    assert.deepEqual(await w.status(), ['accepted 0', 'denied 0'])
    const [denied] = await w.harness.events('orders.events', 'OrderDenied')
    assert.equal(denied!.payload.reasonCode, 'LOG_STOPPED')
    const { accounts } = await w.service.api.getTradingState({})
    assert.equal(accounts[0]!.reason, 'portfolio-tracker could not take orders.events/x/7: no')
    await told(w, resumed('risk-management'))
    assert.equal(state(w), 'reducing')
    await told(w, resumed('portfolio-tracker'))
    assert.equal(state(w), 'active')
  })

  for (const [what, stop, expected] of [
    ['its own stream', { streams: [ACCOUNT] }, 'reducing'],
    ["other accounts' streams alone", { streams: ['sim.binance.other'] }, 'active'],
    ['another partition', { partition: (partition + 1) % 8 }, 'active'],
    ['market data', { topic: 'market-data.binance.candles' }, 'active'],
    ['what order execution itself reads', { reader: 'order-execution', topic: 'orders.signals' }, 'reducing'],
  ] as const) {
    it(`in ${what} leaves an account ${expected}`, async () => {
      const w = await world()
      await told(w, stopped({ ...stop, streams: [...('streams' in stop ? stop.streams : [])] }))
      assert.equal(state(w), expected)
    })
  }
})

describe('a halt', () => {
  const halt = (w: World) =>
    w.service.api.halt({ account: '', reason: 'enough', by: 'a person', strategy: '', state: '' })

  it('is told to the broker with its version, which every later intent carries, over a restart', async () => {
    const w = await world()
    await w.approve('s1')
    await halt(w)
    assert.deepEqual([w.broker.gate, w.broker.gateVersion], ['halted', 1])
    await w.service.api.resume({ account: '', by: 'a person' })
    await w.approve('s2')
    const versions = (): unknown => w.broker.placed.map(({ tradingStateVersion }) => tradingStateVersion)
    assert.deepEqual(versions(), [0, 2])
    await w.restart()
    await w.approve('s3')
    assert.deepEqual([w.broker.gate, w.broker.gateVersion], ['open', 2])
    assert.deepEqual(versions(), [2])
  })

  it('answers when the send in flight has ended, having cancelled what is open and denied what waited', async () => {
    const w = await world()
    await w.approve('s1')
    const reply = deferred<PlaceOutcome>()
    w.broker.onPlace = () => reply.promise
    await w.approve('s2')
    await w.approve('s3')
    let answered = false
    const answer = halt(w).finally(() => (answered = true))
    await w.run(500)
    assert.equal(answered, false)
    assert.deepEqual(await w.status(), ['cancelled 0', 'denied 0', 'submitting 0'], 'what is open waits for no send')
    reply.resolve(w.broker.take(w.broker.placed[1]!))
    await w.run(100)
    const { state, cancelled, unknown } = await answer
    // What waited was taken back before it was sent, and counts, too.
    assert.deepEqual({ state, cancelled, unknown }, { state: 'halted', cancelled: 3, unknown: 0 })
    await w.run()
    assert.deepEqual(await w.status(), ['cancelled 0', 'cancelled 0', 'denied 0'])
    assert.equal(w.broker.gate, 'halted')
  })

  it('cancels what is open at one broker at once, however long another keeps a send, or its list of orders', async () => {
    const w = await world({}, undefined, undefined, 'adopt')
    const other = { account: accountId('sim.other.main'), broker: new FakeBroker(w.harness.wallClock) }
    w.others.push(other)
    await w.restart()
    w.broker.onPlace = () => new Promise(() => undefined)
    w.broker.openOrders = () => new Promise(() => undefined)
    await w.approve('s1')
    await w.approve('s2', { account: other.account })
    void halt(w)
    await w.run(500)
    assert.deepEqual(await w.status(), ['cancelled 0', 'submitting 0'])
  })

  type OnCancel = (w: World, clientOrderId: string) => CancelOutcome | Promise<CancelOutcome>
  const CANCELS: readonly (readonly [situation: string, onCancel: OnCancel, cancelled: number, open: number])[] = [
    ['is carried out', (w, id) => w.broker.cancelAtVenue(id), 1, 0],
    ['the broker could not send', () => ({ kind: 'not_sent', code: 'BROKER_UNAVAILABLE', message: 'away' }), 0, 1],
    ['the venue refuses', () => ({ kind: 'rejected', code: 'REJECTED', message: 'no' }), 0, 1],
    ['has no answer in time', () => new Promise(() => undefined), 0, 1],
    [
      'comes too late for a fill',
      (w, id) => {
        w.broker.execute(id, '1')
        return { kind: 'not_open', message: 'no such order' }
      },
      ...([0, 0] as const),
    ],
  ]
  for (const [situation, onCancel, ...expected] of CANCELS) {
    it(`counts as cancelled what the venue has cancelled, and as open what is left: a cancel that ${situation}`, async () => {
      const w = await world()
      await w.approve('s1')
      w.broker.onCancel = (id) => onCancel(w, id)
      const answer = halt(w)
      await w.run(2500)
      const { cancelled, open, unknown } = await answer
      assert.deepEqual([cancelled, open, unknown], [...expected, 0])
    })
  }

  it('counts what is unknown, and cancels it once it is known', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      w.broker.take(intent)
      w.broker.away = true
      return UNKNOWN
    }
    await w.approve('s1')
    const answer = halt(w)
    await w.run(100)
    const { cancelled, unknown, open } = await answer
    assert.deepEqual({ cancelled, unknown, open }, { cancelled: 0, unknown: 1, open: 1 })
    w.broker.away = false
    await w.run(1000)
    assert.deepEqual(await w.status(), ['cancelled 0'])
  })

  it('survives a restart: the gate is shut before anything is sent, and new signals are denied', async () => {
    const w = await world()
    await halt(w)
    await w.restart()
    assert.equal(w.broker.gate, 'halted')
    await w.approve('s1')
    assert.equal((await w.harness.events('orders.events', 'OrderDenied'))[0]!.payload.reasonCode, 'TRADING_HALTED')
    assert.equal(w.broker.placed.length, 0)
  })

  it('that was written while nobody was there cancels at the next start what is open', async () => {
    const w = await world()
    await w.approve('s1')
    await haltOffline(w.harness.store, {
      ...{ scope: { account: '', strategy: '' }, state: 'halted', reason: 'enough', by: 'a person' },
      nowUs: w.harness.wallClock.nowUs(),
    })
    assert.deepEqual(await w.status(), ['accepted 0'])
    await w.restart()
    await w.run(1000)
    assert.deepEqual(await w.status(), ['cancelled 0'])
    assert.equal(w.broker.gate, 'halted')
  })

  it('is lifted by a person, and by nothing else', async () => {
    const w = await world()
    await w.service.api.halt({ account: ACCOUNT, reason: '', by: '', strategy: '', state: '' })
    w.service.hold(LOST)
    await w.approve('s1', { side: 'sell' })
    assert.deepEqual(await w.status(), ['denied 0'])
    await w.service.api.resume({ account: ACCOUNT, by: 'a person' })
    await w.approve('s2')
    assert.deepEqual(await w.status(), ['accepted 0', 'denied 0'])
    assert.equal(w.broker.gate, 'open')
  })

  for (const [whose, scope] of [
    ['everything', { account: '', strategy: '' }],
    ['an account', { account: ACCOUNT, strategy: '' }],
    ['a strategy', { account: ACCOUNT, strategy: 'one' }],
  ] as const) {
    it(`that only reduces leaves halted what a person has halted, of ${whose}, with a process and without`, async () => {
      const w = await world()
      const said = { ...scope, reason: 'enough', by: 'a person' }
      await w.service.api.halt({ ...said, state: '' })
      const before = [w.broker.gate, w.broker.gateVersion]
      const answer = await w.service.api.halt({ ...said, reason: 'a script', by: 'a script', state: 'reducing' })
      const message = 'it stays halted (enough): a halt that only reduces lets nothing through that a person has halted'
      assert.deepEqual([answer.state, answer.message], ['halted', message])
      assert.deepEqual([w.broker.gate, w.broker.gateVersion], before)
      const offline = { scope, state: 'reducing', reason: 'a script', by: 'a script' } as const
      assert.equal(await haltOffline(w.harness.store, { ...offline, nowUs: w.harness.wallClock.nowUs() }), 'halted')
      await w.restart()
      assert.deepEqual([w.broker.gate, w.broker.gateVersion], before)
      await w.approve('s1', { side: 'sell' })
      assert.deepEqual(await w.status(), ['denied 0'])
    })
  }

  it('of an account that does not exist is refused', async () => {
    const w = await world()
    await assert.rejects(
      w.service.api.halt({ account: 'sim.binance.other', reason: '', by: '', strategy: '', state: '' }),
      /NOT_FOUND|expected one/,
    )
  })

  it('that only reduces denies buys and lets sells pass', async () => {
    const w = await world()
    w.service.hold(LOST)
    await w.approve('s1', { side: 'buy' })
    await w.approve('s2', { side: 'sell' })
    assert.deepEqual(await w.status(), ['accepted 0', 'denied 0'])
  })
})
