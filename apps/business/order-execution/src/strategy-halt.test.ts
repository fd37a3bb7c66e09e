/** A halt of one strategy: what it stops, what it leaves alone, what it survives, and the intent that was written before it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { HaltResponse } from '@jts/contracts/orders-api'
import type { AccountId, InstrumentId, StrategyInstanceId, TradingState } from '@jts/model'
import { deferred } from '@jts/testkit/fake-broker'
import fc from 'fast-check'
import { AccountStates, isStoppedIn } from './domain/account-states.ts'
import { haltOffline } from './halt-offline.ts'
import { ACCOUNT, BTC, UNKNOWN, type World, world } from './testing/world.ts'

const HALT = { account: '', strategy: 'one', state: '', reason: 'enough', by: 'a person' }
const halt = (w: World, change: Partial<typeof HALT> = {}): Promise<HaltResponse> =>
  w.service.api.halt({ ...HALT, ...change })
const resume = (w: World, strategy = 'one'): Promise<HaltResponse> =>
  w.service.api.resumeStrategy({ account: '', strategy, by: 'a person' })

async function orders(w: World): Promise<string[]> {
  const found = await w.service.api.listOrders({ account: '', openOnly: false, limit: 0, orderId: '' })
  return found.orders.map(({ strategy, side, status }) => `${strategy} ${side} ${status}`).sort()
}

async function denials(w: World): Promise<string[]> {
  const denied = await w.harness.events('orders.events', 'OrderDenied')
  return denied.map(({ payload }) => `${payload.terms!.ref!.strategy} ${payload.reasonCode}: ${payload.reason}`)
}

async function states(w: World): Promise<string[]> {
  const { strategies } = await w.service.api.getTradingState({})
  return strategies.map(({ strategy, state, reason, version }) => `${strategy} ${state} ${version} ${reason}`.trim())
}

describe('a halt of one strategy', () => {
  it('cancels its own open orders and denies its new ones; another strategy of the account goes on', async () => {
    const w = await world()
    await w.approve('s1')
    await w.approve('s2', { strategy: 'two' })
    const answer = await halt(w)
    await w.run(100)
    assert.deepEqual(answer, { state: 'halted', cancelled: 1, unknown: 0, open: 0, message: 'enough' })
    assert.equal(w.broker.gate, 'open')
    await w.approve('s3', { side: 'sell' })
    await w.approve('s4', { strategy: 'two' })
    assert.deepEqual(await orders(w), ['one buy cancelled', 'one sell denied', 'two buy accepted', 'two buy accepted'])
    assert.deepEqual(await denials(w), ['one STRATEGY_HALTED: expected strategy one to be active, found halted'])
  })

  it('is told on the stream of its account, and shown', async () => {
    const w = await world()
    await halt(w)
    await resume(w)
    const told = await w.harness.events('orders.events', 'TradingStateChanged')
    assert.deepEqual(
      told.map(({ stream, correlationId, payload }) => [stream, correlationId, payload]),
      (['halted', 'active'] as const).map((state, n) => [
        ACCOUNT,
        `trading-state/${ACCOUNT}/one/${n + 1}`,
        {
          ...{ scope: 'strategy', strategy: 'one', state, version: n + 1 },
          ...{ reason: state === 'halted' ? 'enough' : '', by: 'a person', reasonCode: '' },
        },
      ]),
    )
    assert.deepEqual(await states(w), ['one active 2'])
    const { state, accounts } = await w.service.api.getTradingState({})
    assert.deepEqual([state, accounts[0]!.state], ['active', 'active'])
  })

  it('survives a restart, and the resume of everything: only its own resume lifts it', async () => {
    const w = await world()
    await halt(w)
    await w.restart()
    await w.service.api.resume({ account: '', by: 'a person' })
    await w.approve('s1')
    assert.deepEqual(await orders(w), ['one buy denied'])
    assert.equal((await resume(w)).state, 'active')
    await w.restart()
    await w.approve('s2')
    assert.deepEqual(await orders(w), ['one buy accepted', 'one buy denied'])
  })

  it('that was written while nobody was there cancels at the next start what it has open, and nothing else', async () => {
    const w = await world()
    await w.approve('s1')
    await w.approve('s2', { strategy: 'two' })
    const scope = { account: ACCOUNT, strategy: 'one' }
    await haltOffline(w.harness.store, { ...HALT, scope, state: 'halted', nowUs: w.harness.wallClock.nowUs() })
    await w.restart()
    await w.run(1000)
    assert.deepEqual(await orders(w), ['one buy cancelled', 'two buy accepted'])
    assert.deepEqual(await states(w), ['one halted 1 enough'])
    const told = await w.harness.events('orders.events', 'TradingStateChanged')
    assert.deepEqual(
      told.map(({ payload }) => [payload.scope, payload.strategy, payload.state]),
      [['strategy', 'one', 'halted']],
    )
  })

  it('counts what is unknown, and cancels it once it is known', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      w.broker.take(intent)
      w.broker.away = true
      return UNKNOWN
    }
    await w.approve('s1')
    const { cancelled, unknown, open } = await halt(w)
    assert.deepEqual({ cancelled, unknown, open }, { cancelled: 0, unknown: 1, open: 1 })
    w.broker.away = false
    await w.run(1000)
    assert.deepEqual(await orders(w), ['one buy cancelled'])
  })

  it('that only reduces cancels and refuses its buys, and lets its sells pass', async () => {
    const w = await world()
    await w.approve('s1')
    await w.approve('s2', { side: 'sell' })
    const { state, cancelled, open } = await halt(w, { state: 'reducing' })
    assert.deepEqual([state, cancelled, open], ['reducing', 1, 0])
    await w.run(100)
    await w.approve('s3')
    await w.approve('s4', { side: 'sell' })
    assert.deepEqual(await orders(w), ['one buy cancelled', 'one buy denied', 'one sell accepted', 'one sell accepted'])
    assert.match((await denials(w))[0]!, /^one STRATEGY_REDUCING: /)
  })

  for (const [what, change, code] of [
    ['a strategy that is not there', { strategy: 'three' }, 'NOT_FOUND'],
    ['a strategy of another account', { account: 'sim.binance.other' }, 'NOT_FOUND'],
    ['a state that no halt has', { state: 'active' }, 'INVALID_ARGUMENT'],
  ] as const) {
    it(`of ${what} is refused, and nothing is said`, async () => {
      const w = await world()
      await assert.rejects(halt(w, change), { code })
      assert.deepEqual(await states(w), [])
    })
  }

  it('that was written for its account before the strategy left the configuration is taken all the same', async () => {
    const w = await world()
    assert.equal((await halt(w, { account: ACCOUNT, strategy: 'former' })).state, 'halted')
    await w.approve('s1', { strategy: 'former' })
    assert.deepEqual(await orders(w), ['former buy denied'])
  })

  it('of a strategy that is not there names those that are', async () => {
    const w = await world()
    const message = 'strategy: expected one of one, two, found "three"'
    await assert.rejects(halt(w, { strategy: 'three' }), { message })
    await assert.rejects(resume(w, 'three'), { message })
    await assert.rejects(resume(w, ''), { code: 'INVALID_ARGUMENT' })
  })
})

describe('an intent that was written before a halt and not sent yet', () => {
  /** Its request waits for its turn, at the broker, when the halt comes. */
  async function waiting(strategy: string) {
    const w = await world()
    const turn = deferred<undefined>()
    w.broker.untilWritten = async () => void (await turn.promise)
    await w.approve('s1', { strategy })
    assert.equal(w.broker.placed.length, 1)
    let isAnswered = false
    const answer = halt(w).finally(() => (isAnswered = true))
    await w.run(100)
    return {
      w,
      answer,
      isAnswered: () => isAnswered,
      async written() {
        w.broker.untilWritten = undefined
        turn.resolve(undefined)
        await w.run(100)
      },
    }
  }

  it('of the strategy is not sent: the halt waits for that, and names it', async () => {
    const { w, answer, isAnswered, written } = await waiting('one')
    assert.equal(isAnswered(), false)
    await written()
    assert.deepEqual(await answer, { state: 'halted', cancelled: 0, unknown: 0, open: 0, message: 'enough' })
    assert.deepEqual(await orders(w), ['one buy denied'])
    assert.match((await denials(w))[0]!, /^one STRATEGY_HALTED: /)
    assert.equal(w.broker.orders.size, 0)
  })

  it('of another strategy is sent once, by a new intent under the newer version, and no halt waits for it', async () => {
    const { w, answer, isAnswered, written } = await waiting('two')
    assert.equal(isAnswered(), true)
    assert.equal((await answer).cancelled, 0)
    await written()
    assert.deepEqual(await orders(w), ['two buy accepted'])
    assert.equal(w.broker.orders.size, 1)
    assert.deepEqual(
      w.broker.placed.map(({ tradingStateVersion }) => tradingStateVersion),
      [0, 1],
    )
    assert.notEqual(w.broker.placed[0]!.clientOrderId, w.broker.placed[1]!.clientOrderId)
  })

  it('that was killed with it is settled, and has no new request while its strategy is halted', async () => {
    const w = await world()
    w.broker.untilWritten = () => new Promise(() => undefined)
    await w.approve('s1', { validForUs: 600_000_000 })
    const scope = { account: ACCOUNT, strategy: 'one' }
    await haltOffline(w.harness.store, { ...HALT, scope, state: 'halted', nowUs: w.harness.wallClock.nowUs() })
    await w.restart()
    await w.run(10_000)
    assert.deepEqual(await orders(w), ['one buy denied'])
    assert.deepEqual([w.broker.placed.length, w.broker.orders.size], [0, 0])
  })
})

describe('the states of everything, an account, its strategies and what JTS holds', () => {
  const state = fc.constantFrom<TradingState>('active', 'reducing', 'halted')
  const STRICTNESS = ['active', 'reducing', 'halted']

  it('let an order meet the strictest of those that are about it, and the version rises with each word', () => {
    fc.assert(
      fc.property(state, state, state, state, fc.boolean(), (whole, own, ofIt, ofOther, isHeld) => {
        const all = new AccountStates()
        let version = all.versionOf(ACCOUNT)
        for (const [account, strategy, said] of [
          ['', '', whole],
          [ACCOUNT, '', own],
          [ACCOUNT, 'one', ofIt],
          [ACCOUNT, 'two', ofOther],
        ] as [string, string, TradingState][]) {
          const scope = { account, strategy }
          all.say(scope, { state: said, version: all.said(scope).version + 1, reason: '', by: '' })
          assert.ok(all.versionOf(ACCOUNT) > version)
          version = all.versionOf(ACCOUNT)
        }
        const cause = { account: ACCOUNT as AccountId, cause: 'test', reason: 'held' }
        if (isHeld) all.hold({ ...cause, code: 'HEARTBEAT_MISSING', liftedBy: 'machine' })
        const met = all.ofOrder(ACCOUNT, BTC as InstrumentId, 'one' as StrategyInstanceId)
        const about = [whole, own, ofIt, ...(isHeld ? (['reducing'] as const) : [])]
        const strictest = about.toSorted((a, b) => STRICTNESS.indexOf(b) - STRICTNESS.indexOf(a))[0]
        assert.equal(met.state, strictest)
        const isOthers = [whole, own].includes(met.state) || (isHeld && met.state === 'reducing')
        assert.equal(met.isOfStrategy ?? false, met.state !== 'active' && !isOthers)
        assert.equal(isStoppedIn(met.state, 'sell'), met.state === 'halted')
      }),
    )
  })
})
