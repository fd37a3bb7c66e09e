/** Cancels at a venue that carries them out, is faster, is away, or refuses. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PlaceOutcome } from '@jts/broker-kit'
import { deferred } from '@jts/testkit/fake-broker'
import { SECOND, UNKNOWN, notSent, world } from '../testing/world.ts'

describe('cancels', () => {
  it('end an open order when the venue has carried them out', async () => {
    const w = await world()
    await w.approve('s1')
    await w.cancel('s1')
    assert.deepEqual(await w.said(), ['OrderSubmitting', 'OrderAccepted', 'OrderPendingCancel', 'OrderCancelled'])
  })

  it('that lose the race against a fill leave the order filled', async () => {
    const w = await world()
    await w.approve('s1')
    w.broker.onCancel = (id) => {
      w.broker.execute(id, '1')
      return { kind: 'not_open', message: 'no such order' }
    }
    await w.cancel('s1')
    assert.deepEqual(await w.status(), ['filled 1'])
    assert.deepEqual(await w.bookedTrades(), [w.broker.trades[0]!.tradeId])
  })

  it('that come with an unseen partial fill book it before the order ends', async () => {
    const w = await world()
    await w.approve('s1', { quantity: '2' })
    w.broker.execute(w.clientId, '1')
    await w.cancel('s1')
    assert.deepEqual((await w.said()).slice(2), ['OrderPendingCancel', 'OrderFilled', 'OrderCancelled'])
    assert.deepEqual(await w.status(), ['cancelled 1'])
  })

  it('keep an order from being sent that was still waiting', async () => {
    const w = await world({}, (broker) => (broker.upAtOnce = false))
    await w.approve('s1')
    await w.cancel('s1')
    w.broker.up()
    await w.run()
    assert.deepEqual(await w.said(), ['OrderDenied'])
    assert.equal(w.broker.placed.length, 0)
  })

  it('keep an order from being sent again that the broker has not sent yet, and are told as that', async () => {
    const w = await world()
    w.broker.onPlace = () => notSent('BROKER_UNAVAILABLE')
    await w.approve('s1', { validForUs: 1_790 * SECOND })
    await w.run(30_000)
    const tried = w.broker.placed.length
    await w.cancel('s1')
    w.broker.onPlace = (intent) => w.broker.take(intent)
    await w.run(60_000)
    assert.deepEqual([w.broker.placed.length, w.broker.orders.size, await w.status()], [tried, 0, ['denied 0']])
    const [denied] = await w.harness.events('orders.events', 'OrderDenied')
    assert.equal(denied!.payload.reasonCode, 'CANCELLED_BEFORE_SENDING')
    await w.approve('s2')
    assert.deepEqual(await w.status(), ['accepted 0', 'denied 0'])
  })

  it('of an order that is on its way deny it at once when the broker has not sent it', async () => {
    const w = await world()
    const reply = deferred<PlaceOutcome>()
    w.broker.onPlace = () => reply.promise
    await w.approve('s1')
    await w.cancel('s1')
    reply.resolve(notSent('BROKER_UNAVAILABLE'))
    await w.run()
    assert.deepEqual([await w.said(), await w.status()], [['OrderSubmitting', 'OrderDenied'], ['denied 0']])
    await w.run(60_000)
    assert.deepEqual([w.broker.placed.length, w.broker.cancels.length], [1, 0])
  })

  it('of an order that is on its way are carried out as soon as it is known', async () => {
    const w = await world()
    const reply = deferred<PlaceOutcome>()
    w.broker.onPlace = () => reply.promise
    await w.approve('s1')
    await w.cancel('s1')
    assert.equal(w.broker.cancels.length, 0)
    reply.resolve(w.broker.take(w.broker.placed[0]!))
    await w.run()
    assert.deepEqual(await w.status(), ['cancelled 0'])
  })

  it('of an unknown order do not keep it from being settled, and no new request is made of it', async () => {
    const w = await world()
    w.broker.onPlace = () => UNKNOWN
    await w.approve('s1')
    await w.cancel('s1')
    await w.run(10_000)
    assert.equal(w.broker.placed.length, 1)
    assert.deepEqual(await w.status(), ['denied 0'])
  })

  it('that the broker could not send are sent again when the order is next seen to be open', async () => {
    const w = await world()
    await w.approve('s1')
    w.broker.onCancel = () => ({ kind: 'not_sent', code: 'BROKER_UNAVAILABLE', message: 'away' })
    await w.cancel('s1')
    assert.deepEqual(await w.status(), ['accepted 0'])
    w.broker.onCancel = (id) => w.broker.cancelAtVenue(id)
    w.broker.down()
    w.broker.up()
    await w.run()
    assert.deepEqual(await w.status(), ['cancelled 0'])
    assert.equal(new Set(w.broker.cancels.map((one) => one.cancelId)).size, 2)
  })

  for (const [situation, refusal] of [
    ['came too late', { kind: 'rejected', code: 'OUTSIDE_RECEIVE_WINDOW', message: '-1021' }],
    ['are beyond its limits', { kind: 'rejected', code: 'RATE_LIMIT', message: 'HTTP 429' }],
    ['could not be sent', { kind: 'not_sent', code: 'BROKER_UNAVAILABLE', message: 'away' }],
    ['were not answered', { kind: 'unknown', message: 'nobody answered' }],
  ] as const) {
    it(`that ${situation} are sent again within seconds, ever longer apart, with nobody speaking of the order`, async () => {
      const w = await world()
      await w.approve('s1')
      w.broker.onCancel = () => refusal
      await w.cancel('s1')
      await w.run(2_900)
      assert.equal(w.broker.cancels.length, 2)
      w.broker.onCancel = (id) => w.broker.cancelAtVenue(id)
      await w.run(100)
      assert.deepEqual(await w.status(), ['cancelled 0'])
      assert.equal(new Set(w.broker.cancels.map((one) => one.cancelId)).size, 3)
    })
  }

  it('that are to be sent again keep no service from ending', async () => {
    const w = await world()
    await w.approve('s1')
    w.broker.onCancel = () => ({ kind: 'not_sent', code: 'BROKER_UNAVAILABLE', message: 'away' })
    await w.cancel('s1')
    assert.ok(w.harness.wallClock.waiting > 0)
    await w.service.stop()
    assert.equal(w.harness.wallClock.waiting, 0)
  })

  it('that the venue refuses are not repeated', async () => {
    const w = await world()
    await w.approve('s1')
    w.broker.onCancel = () => ({ kind: 'rejected', code: 'REJECTED', message: 'no' })
    await w.cancel('s1')
    w.broker.down()
    w.broker.up()
    await w.run(60_000)
    assert.equal(w.broker.cancels.length, 1)
    assert.deepEqual(await w.status(), ['accepted 0'])
  })
})
