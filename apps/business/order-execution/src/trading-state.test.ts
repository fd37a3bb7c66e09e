/** A halt: what it stops, what it counts, what it survives, and who lifts it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PlaceOutcome } from '@jts/broker-kit'
import { deferred } from '@jts/testkit/fake-broker'
import { ACCOUNT, UNKNOWN, type World, world } from './testing/world.ts'

/** What only a person lifts. */
const LOST = {
  account: ACCOUNT,
  cause: 'event log',
  code: 'LOG_STOPPED',
  reason: 'lost its footing',
  liftedBy: 'person',
} as const

describe('a halt', () => {
  const halt = (w: World) => w.service.api.halt({ account: '', reason: 'enough', by: 'a person' })

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
    reply.resolve(w.broker.take(w.broker.placed[1]!))
    await w.run(100)
    const { state, cancelled, unknown } = await answer
    assert.deepEqual({ state, cancelled, unknown }, { state: 'halted', cancelled: 2, unknown: 0 })
    await w.run()
    assert.deepEqual(await w.status(), ['cancelled 0', 'cancelled 0', 'denied 0'])
    assert.equal(w.broker.gate, 'halted')
  })

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

  it('is lifted by a person, and by nothing else', async () => {
    const w = await world()
    await w.service.api.halt({ account: ACCOUNT, reason: '', by: '' })
    w.service.hold(LOST)
    await w.approve('s1', { side: 'sell' })
    assert.deepEqual(await w.status(), ['denied 0'])
    await w.service.api.resume({ account: ACCOUNT, by: 'a person' })
    await w.approve('s2')
    assert.deepEqual(await w.status(), ['accepted 0', 'denied 0'])
    assert.equal(w.broker.gate, 'open')
  })

  it('of an account that does not exist is refused', async () => {
    const w = await world()
    await assert.rejects(
      w.service.api.halt({ account: 'sim.binance.other', reason: '', by: '' }),
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
