/** The life of an order from approval to the wire, at a venue that answers, does not answer, or answers late. */
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import type { PlaceOrderIntent, PlaceOutcome } from '@jts/broker-kit'
import { parseUnits, type NotSentCode } from '@jts/model'
import { deferred } from '@jts/testkit/fake-broker'
import { SECOND, World, notSent, world } from './testing/world.ts'

describe('what the log holds beyond the state when the process starts', () => {
  it('an approval becomes one order, sent once', async () => {
    const world = new World()
    await world.approve('s1')
    await world.start()
    await world.run(5000)
    assert.equal(world.broker.placed.length, 1)
    assert.deepEqual(await world.said(), ['OrderSubmitting', 'OrderAccepted'])
  })

  it('an approval behind a restored order becomes one order too, and a cancel reaches its order', async () => {
    const world = await new World().start()
    await world.approve('s1')
    // Published while nothing here reads any more, as by another process.
    const before = world.broker.placed.length
    await world.harness.bus.stop()
    await world.approve('s2')
    await world.cancel('s1')
    await world.restart()
    await world.run(5000)
    assert.equal(before, 1)
    assert.equal(world.broker.placed.length, 1, 's2 alone is placed by the new process')
    assert.equal(world.broker.cancels.length, 1, 's1 is cancelled by it')
  })
})

describe('from approval to the wire', () => {
  it('tells the life of an order from intent to fill, and books the fill once', async () => {
    const w = await world()
    await w.approve('s1')
    const { report, fill } = w.broker.execute(w.clientId, '1', { price: '99' })
    w.broker.notice(report, fill)
    await w.run()
    assert.deepEqual(await w.said(), ['OrderSubmitting', 'OrderAccepted', 'OrderFilled'])
    const [filled] = await w.harness.events('orders.events', 'OrderFilled')
    assert.equal(filled!.correlationId, 'candle/s1')
    assert.equal(filled!.payload.leavesQuantity, '0')
    assert.deepEqual(await w.harness.types('orders.fills'), ['OrderFilled'])
    assert.deepEqual(await w.status(), ['filled 1'])
  })

  it('shows one order by its id, open or closed, whatever the others are', async () => {
    const w = await world()
    await w.approve('s1')
    const { report, fill } = w.broker.execute(w.clientId, '1', { price: '99' })
    w.broker.notice(report, fill)
    await w.run()
    await w.approve('s2')
    const { api } = w.service
    const all = await api.listOrders({ account: '', openOnly: false, limit: 0, orderId: '' })
    assert.deepEqual(all.orders.map(({ status }) => status).sort(), ['accepted', 'filled'])
    for (const order of all.orders) {
      const { account, orderId } = order
      const { orders } = await api.listOrders({ account, openOnly: false, limit: 1, orderId })
      assert.deepEqual(orders, [order])
    }
    assert.deepEqual((await api.listOrders({ account: '', openOnly: false, limit: 0, orderId: 'x' })).orders, [])
  })

  it('has the intent on disk before the broker is called', async () => {
    const w = await world()
    let onDisk: unknown
    w.broker.onPlace = (intent) => {
      const reader = new DatabaseSync(w.harness.file, { readOnly: true })
      onDisk = JSON.parse(reader.prepare('SELECT record FROM orders_open').get()!['record'] as string)
      reader.close()
      return w.broker.take(intent)
    }
    await w.approve('s1')
    const { life, request } = onDisk as { life: { status: string }; request: PlaceOrderIntent }
    assert.equal(life.status, 'submitting')
    const { clientOrderId, intentTimeUs, sendBeforeUs } = w.broker.placed[0]!
    const tradingStateVersion = 0
    assert.deepEqual({ ...request }, { number: 1, clientOrderId, intentTimeUs, sendBeforeUs, tradingStateVersion })
    assert.equal(sendBeforeUs - intentTimeUs, 2 * SECOND)
  })

  it('sends one request at a time, in the order of approval', async () => {
    const w = await world()
    const first = deferred<PlaceOutcome>()
    w.broker.onPlace = (intent) => (w.broker.placed.length === 1 ? first.promise : w.broker.take(intent))
    await w.approve('s1')
    await w.approve('s2')
    await w.approve('s3')
    assert.equal(w.broker.placed.length, 1)
    first.resolve(w.broker.take(w.broker.placed[0]!))
    await w.run()
    assert.deepEqual(
      (await w.harness.events('orders.events', 'OrderSubmitting')).map((one) => one.payload.terms!.ref!.signalId),
      ['s1', 's2', 's3'],
    )
    assert.equal(w.broker.placed.length, 3)
  })

  it('makes one order of a signal that is approved twice', async () => {
    const w = await world()
    await w.approve('s1')
    await w.approve('s1')
    assert.equal(w.broker.placed.length, 1)
  })

  it('ends an order that the venue refuses as rejected, and goes on with the next', async () => {
    const w = await world()
    w.broker.onPlace = (intent) =>
      w.broker.placed.length > 1
        ? w.broker.take(intent)
        : { kind: 'rejected', code: 'INSUFFICIENT_BALANCE', message: 'too poor', timeUs: 0 }
    await w.approve('s1')
    await w.approve('s2')
    assert.deepEqual(await w.said(), ['OrderSubmitting', 'OrderRejected', 'OrderSubmitting', 'OrderAccepted'])
    assert.deepEqual(await w.status(), ['accepted 0', 'rejected 0'])
  })

  it('makes one new request of an order that came to the venue after its time, and no third', async () => {
    const tooLate: PlaceOutcome = { kind: 'rejected', code: 'OUTSIDE_RECEIVE_WINDOW', message: '-1021', timeUs: 0 }
    const w = await world()
    w.broker.onPlace = (intent) => (w.broker.placed.length === 1 ? tooLate : w.broker.take(intent))
    await w.approve('s1')
    assert.deepEqual(await w.said(), ['OrderSubmitting', 'OrderSubmitting', 'OrderAccepted'])
    assert.equal(new Set(w.broker.placed.map(({ clientOrderId }) => clientOrderId)).size, 2)
    w.broker.onPlace = () => tooLate
    await w.approve('s2')
    assert.deepEqual((await w.said()).slice(3), ['OrderSubmitting', 'OrderSubmitting', 'OrderRejected'])
    await w.run(60_000)
    assert.deepEqual([w.broker.placed.length, w.broker.orders.size], [4, 1])
  })

  it('makes no new request of an order that came too late once its approval is over', async () => {
    const reply = deferred<PlaceOutcome>()
    const w = await world()
    w.broker.onPlace = () => reply.promise
    await w.approve('s1', { validForUs: SECOND })
    await w.run(1500)
    reply.resolve({ kind: 'rejected', code: 'OUTSIDE_RECEIVE_WINDOW', message: '-1021', timeUs: 0 })
    await w.run()
    assert.deepEqual([w.broker.placed.length, await w.status()], [1, ['rejected 0']])
  })

  it('expires a signal whose approval was over before its intent could be written', async () => {
    const w = await world({}, (broker) => (broker.upAtOnce = false))
    await w.approve('s1', { validForUs: SECOND })
    await w.run(1500)
    w.broker.up()
    await w.run()
    assert.deepEqual(await w.said(), ['SignalExpired'])
    assert.equal(w.broker.placed.length, 0)
  })

  const refusals: [NotSentCode, string][] = [
    ['GATE_HALTED', 'TRADING_HALTED'],
    ['RATE_BUDGET', 'RATE_BUDGET'],
    ['INVALID', 'INVALID'],
  ]
  for (const [code, reasonCode] of refusals) {
    it(`denies with ${reasonCode} what was not sent for ${code}`, async () => {
      const w = await world()
      w.broker.onPlace = () => notSent(code)
      await w.approve('s1')
      assert.equal((await w.harness.events('orders.events', 'OrderDenied'))[0]!.payload.reasonCode, reasonCode)
      assert.equal(w.broker.placed.length, 1)
    })
  }

  it('makes a new request, under a new id, of what was not sent while the broker was unavailable', async () => {
    const w = await world()
    w.broker.onPlace = (intent) =>
      w.broker.placed.length === 1 ? notSent('BROKER_UNAVAILABLE') : w.broker.take(intent)
    await w.approve('s1')
    await w.run(300)
    assert.equal(w.broker.placed.length, 2)
    assert.notEqual(w.broker.placed[0]!.clientOrderId, w.broker.placed[1]!.clientOrderId)
    assert.deepEqual(await w.status(), ['accepted 0'])
  })

  it('waits for the stream before it sends what was not sent', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      if (w.broker.placed.length > 1) return w.broker.take(intent)
      w.broker.down()
      return notSent('BROKER_UNAVAILABLE')
    }
    await w.approve('s1')
    await w.run(5000)
    assert.equal(w.broker.placed.length, 1)
    w.broker.up()
    await w.run()
    assert.equal(w.broker.placed.length, 2)
  })

  it('sends nothing while the stream is down, although a catch-up was under way when it fell', async () => {
    const reading = deferred<undefined>()
    const w = await world({}, (broker) => (broker.upAtOnce = false))
    w.broker.onRead = (what) => (what === 'balances' ? reading.promise : undefined)
    w.broker.up()
    await w.run()
    w.broker.down()
    reading.resolve(undefined)
    await w.approve('s1')
    await w.run(2000)
    assert.equal(w.broker.placed.length, 0)
    w.broker.up()
    await w.run()
    assert.equal(w.broker.placed.length, 1)
  })

  it('takes a broker that throws for one that did not answer', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      if (w.broker.placed.length === 1) w.broker.take(intent)
      else return w.broker.take(intent)
      throw new Error('out of memory')
    }
    await w.approve('s1')
    await w.approve('s2')
    assert.deepEqual(await w.status(), ['accepted 0', 'accepted 0'])
    assert.equal(w.broker.placed.length, 2)
  })
})

it('keeps amounts exact: the request carries the approved quantity and limit', async () => {
  const w = await world()
  await w.approve('s1', { quantity: '0.12345678' })
  const { quantity, limitPrice, side, type, timeInForce } = w.broker.placed[0]!
  assert.deepEqual(
    { quantity, limitPrice, side, type, timeInForce },
    {
      quantity: parseUnits('0.12345678'),
      limitPrice: parseUnits('100'),
      side: 'buy',
      type: 'limit',
      timeInForce: 'gtc',
    },
  )
})
