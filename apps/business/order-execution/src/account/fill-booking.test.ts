/** Executions are booked once: told early, twice, late, by the list of trades, or of orders that are not ours. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PlaceOutcome } from '@jts/broker-kit'
import { deferred } from '@jts/testkit/fake-broker'
import { ACCOUNT, BTC, world } from '../testing/world.ts'

describe('fills', () => {
  it('are booked when their notices come before the reply', async () => {
    const w = await world()
    const reply = deferred<PlaceOutcome>()
    w.broker.onPlace = () => reply.promise
    await w.approve('s1', { quantity: '2' })
    const taken = w.broker.take(w.broker.placed[0]!)
    const first = w.broker.execute(w.clientId, '1')
    const second = w.broker.execute(w.clientId, '1')
    w.broker.notice(first.report, first.fill)
    w.broker.notice(second.report, second.fill)
    reply.resolve({ ...(taken as PlaceOutcome & { kind: 'accepted' }), fills: [first.fill, second.fill] })
    await w.run(3000)
    assert.deepEqual(await w.said(), ['OrderSubmitting', 'OrderAccepted', 'OrderFilled', 'OrderFilled'])
    assert.deepEqual(await w.status(), ['filled 2'])
  })

  it('are booked once when their notices come twice', async () => {
    const w = await world()
    await w.approve('s1', { quantity: '2' })
    const { report, fill } = w.broker.execute(w.clientId, '1')
    w.broker.notice(report, fill)
    w.broker.notice(report, fill)
    await w.service.reconcile(ACCOUNT)
    await w.run()
    assert.deepEqual(await w.bookedTrades(), [fill.tradeId])
    assert.deepEqual(await w.status(), ['partially_filled 1'])
  })

  it('that come after the order has ended are booked all the same', async () => {
    const w = await world()
    await w.approve('s1', { quantity: '2' })
    const cancelled = w.broker.end(w.clientId, 'cancelled')
    w.broker.notice(cancelled)
    const { report, fill } = w.broker.execute(w.clientId, '1')
    w.broker.notice(report, fill)
    await w.run()
    assert.deepEqual(await w.said(), ['OrderSubmitting', 'OrderAccepted', 'OrderCancelled', 'OrderFilled'])
    assert.deepEqual(await w.status(), ['cancelled 1'])
  })

  it('beyond the quantity of their order are booked as foreign and reported', async () => {
    const w = await world()
    await w.approve('s1')
    const first = w.broker.execute(w.clientId, '1')
    w.broker.notice(first.report, first.fill)
    const second = w.broker.execute(w.clientId, '1')
    w.broker.notice(second.report, second.fill)
    await w.run()
    assert.deepEqual((await w.said()).slice(2), ['OrderFilled', 'ForeignFill'])
    assert.deepEqual((await w.service.fills()).map((fill) => fill.strategy).sort(), ['external', 'one'])
  })

  it('of foreign orders are booked as external, once', async () => {
    const w = await world()
    const { report, fill } = w.broker.executeForeign(BTC, '0.5')
    w.broker.notice(report, fill)
    w.broker.notice(report, fill)
    await w.service.reconcile(ACCOUNT)
    assert.deepEqual(await w.said(), ['ForeignFill'])
  })

  it('are copied for history and outside readers as they are told, those of foreign orders too', async () => {
    const w = await world()
    await w.approve('s1')
    const own = w.broker.execute(w.clientId, '1')
    w.broker.notice(own.report, own.fill)
    const foreign = w.broker.executeForeign(BTC, '0.5')
    w.broker.notice(foreign.report, foreign.fill)
    await w.run()
    const told = await w.harness.events('orders.events', 'OrderFilled', 'ForeignFill')
    const copied = await w.harness.events('orders.fills')
    assert.deepEqual(
      copied.map(({ type, payload }) => ({ type, payload })),
      told.map(({ type, payload }) => ({ type, payload })),
    )
    assert.equal(copied.length, 2)
  })

  it('that no notice told of are found by the list of trades after a break of the stream', async () => {
    const w = await world()
    await w.approve('s1')
    w.broker.down()
    w.broker.execute(w.clientId, '1')
    w.broker.up()
    await w.run()
    assert.deepEqual(await w.status(), ['filled 1'])
  })

  it('that are found together are told one by one, so that an answer to one is made before the next', async () => {
    const w = await world()
    await w.approve('s1')
    await w.approve('s2')
    const told: string[] = []
    w.harness.bus.tap(['orders.fills'], ({ eventId }) => {
      told.push(`fill ${eventId.at(-1)}`)
      queueMicrotask(() => told.push(`answer ${eventId.at(-1)}`))
    })
    w.broker.down()
    for (const { clientOrderId } of w.broker.placed) w.broker.execute(clientOrderId, '1')
    w.broker.up()
    await w.run()
    assert.deepEqual(told, ['fill 1', 'answer 1', 'fill 2', 'answer 2'])
  })

  it('that no notice told of are found when the order has been quiet for too long', async () => {
    const w = await world()
    await w.approve('s1', { type: 'market' })
    w.broker.execute(w.clientId, '1')
    await w.run(1500)
    assert.deepEqual(await w.status(), ['accepted 0'])
    await w.run(3000)
    assert.deepEqual(await w.status(), ['filled 1'])
  })

  it('of a market order that waits for an auction are asked for ever more seldom, and found all the same', async () => {
    const w = await world()
    await w.approve('s1', { type: 'market' })
    let asked = 0
    w.broker.onQuery = (id) => {
      asked++
      return w.broker.known(id)
    }
    await w.run(120_000)
    assert.ok(asked >= 5 && asked <= 9, `asked ${asked} times in two minutes`)
    w.broker.execute(w.clientId, '1')
    await w.run(35_000)
    assert.deepEqual(await w.status(), ['filled 1'])
  })

  it('are found although the venue did not answer the first time', async () => {
    const w = await world()
    await w.approve('s1', { type: 'market' })
    w.broker.execute(w.clientId, '1')
    w.broker.onRead = () => {
      w.broker.onRead = () => undefined
      w.broker.away = true
    }
    w.broker.onQuery = (id) => {
      const known = w.broker.known(id)
      w.broker.away = true
      w.broker.onQuery = (again) => w.broker.known(again)
      return known
    }
    await w.run(4000)
    assert.deepEqual(await w.status(), ['accepted 0'])
    w.broker.away = false
    await w.run(10_000)
    assert.deepEqual(await w.status(), ['filled 1'])
  })

  it('end an order sized in quote only when the venue has said that all of them are there', async () => {
    const w = await world()
    const reply = deferred<PlaceOutcome>()
    w.broker.onPlace = () => reply.promise
    await w.approve('s1', { type: 'market', quoteQuantity: '300' })
    w.broker.take(w.broker.placed[0]!)
    const first = w.broker.execute(w.clientId, '1', { isLast: false })
    const second = w.broker.execute(w.clientId, '2', { isLast: true })
    reply.resolve({ kind: 'accepted', report: second.report, fills: [first.fill, second.fill] })
    await w.run()
    const leaves = (await w.harness.events('orders.events', 'OrderFilled')).map((one) => one.payload.leavesQuantity)
    assert.deepEqual(leaves, ['', '0'])
    assert.deepEqual(await w.status(), ['filled 3'])
  })

  it('end an order sized in quote that was filled while nobody listened', async () => {
    const w = await world()
    await w.approve('s1', { type: 'market', quoteQuantity: '300' })
    w.broker.down()
    w.broker.execute(w.clientId, '1', { isLast: false })
    w.broker.execute(w.clientId, '2', { isLast: true })
    // The list of trades does not say that these are all.
    w.broker.onQuery = () => ({ kind: 'failed', message: 'slow' })
    await w.service.reconcile(ACCOUNT)
    w.broker.onQuery = (id) => w.broker.known(id)
    w.broker.up()
    await w.run()
    assert.deepEqual(await w.status(), ['filled 3'])
    assert.deepEqual((await w.said()).slice(2), ['OrderFilled', 'OrderFilled', 'OrderExpired'])
  })

  it('end each of two orders sized in quote with its own last fill, though one search finds the fills of both', async () => {
    const w = await world()
    for (const signal of ['s1', 's2']) await w.approve(signal, { type: 'market', quoteQuantity: '300' })
    w.broker.down()
    const [first, second] = w.broker.placed.map((one) => one.clientOrderId)
    w.broker.execute(first!, '3', { isLast: true })
    w.broker.execute(second!, '1', { isLast: false })
    w.broker.execute(second!, '2', { isLast: true })
    w.broker.up()
    await w.run()
    const leaves = (await w.harness.events('orders.events', 'OrderFilled')).map((one) => one.payload.leavesQuantity)
    assert.deepEqual(leaves, ['0', '', '0'])
    assert.deepEqual(await w.status(), ['filled 3', 'filled 3'])
    assert.deepEqual(await w.harness.events('orders.events', 'OrderExpired'), [])
  })
})
