/** A broker that answers questions and does not send: how often it is asked to, and what becomes of the orders that wait. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PlaceOrderIntent, PlaceOutcome } from '@jts/broker-kit'
import { SECOND, notSent, world, type World } from '../testing/world.ts'

/** As long as an opening auction. */
const AUCTION_US = 1_790 * SECOND

const refuses = (): PlaceOutcome => notSent('BROKER_UNAVAILABLE')

/** Seconds from one request to the next. */
const gaps = (w: World): number[] =>
  w.broker.placed.slice(1).map(({ intentTimeUs }, i) => (intentTimeUs - w.broker.placed[i]!.intentTimeUs) / SECOND)

const signalsOf = async (w: World, type: 'OrderSubmitting' | 'OrderAccepted'): Promise<string[]> =>
  (await w.harness.events('orders.events', type)).map(({ payload }) =>
    String('terms' in payload ? payload.terms?.ref?.signalId : payload.ref?.signalId),
  )

describe('an order that the broker does not send', () => {
  for (const code of ['BROKER_UNAVAILABLE', 'TOO_LATE'] as const) {
    it(`for ${code} is tried at once and then ever more seldom, each time under a new id`, async () => {
      const w = await world()
      w.broker.onPlace = () => notSent(code)
      await w.approve('s1', { validForUs: AUCTION_US })
      await w.run(60_000)
      assert.deepEqual(gaps(w), [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15, 15])
      assert.equal(new Set(w.broker.placed.map(({ clientOrderId }) => clientOrderId)).size, 10)
      assert.equal((await w.said()).length, 10)
    })
  }

  it('has its last chance before its approval ends, and is sent once if the broker is back by then', async () => {
    const w = await world()
    w.broker.onPlace = refuses
    await w.approve('s1', { validForUs: 50 * SECOND })
    // Without the end it would be tried 40 and 55 seconds after the first time.
    await w.run(44_000)
    w.broker.onPlace = (intent) => w.broker.take(intent)
    await w.run(600_000)
    assert.deepEqual([gaps(w).at(-1), await w.status()], [4.6, ['accepted 0']])
    assert.equal(w.broker.orders.size, 1)
  })

  it('ends as expired when its last chance was none, and is not asked for again', async () => {
    const w = await world()
    w.broker.onPlace = refuses
    await w.approve('s1', { validForUs: 50 * SECOND })
    await w.run(600_000)
    assert.deepEqual([w.broker.placed.length, await w.status()], [10, ['expired 0']])
    assert.equal((await w.said()).at(-1), 'OrderExpired')
  })

  it('is tried at once when the order stream comes up again, and the time that was set is void', async () => {
    const w = await world()
    w.broker.onPlace = refuses
    await w.approve('s1', { validForUs: AUCTION_US })
    await w.run(30_000)
    assert.equal(w.broker.placed.length, 8)
    w.broker.down()
    w.broker.up()
    await w.run()
    assert.equal(w.broker.placed.length, 9)
    await w.run(14_900)
    assert.equal(w.broker.placed.length, 9)
    await w.run(100)
    assert.equal(w.broker.placed.length, 10)
  })

  it('makes the next one wait no longer than the first time, once the broker has answered', async () => {
    const w = await world()
    const answers: ((intent: PlaceOrderIntent) => PlaceOutcome)[] = [
      ...[refuses, refuses, refuses],
      (intent) => w.broker.take(intent),
      ...[refuses, refuses],
    ]
    w.broker.onPlace = (intent) => (answers.shift() ?? ((one) => w.broker.take(one)))(intent)
    await w.approve('s1')
    await w.approve('s2')
    await w.run(10_000)
    assert.deepEqual(gaps(w), [0.2, 0.4, 0.8, 0, 0.2, 0.4])
    assert.deepEqual(await signalsOf(w, 'OrderAccepted'), ['s1', 's2'])
  })

  it('lets those behind it go first, when it is not sent again and again: the broker may take them', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => (intent.side === 'sell' ? refuses() : w.broker.take(intent))
    await w.approve('s1', { side: 'sell', validForUs: AUCTION_US })
    await w.approve('s2')
    await w.approve('s3')
    await w.run(9000)
    assert.deepEqual(await signalsOf(w, 'OrderAccepted'), ['s2', 's3'])
  })

  it('stays before those behind it while the broker is away for a moment', async () => {
    const w = await world()
    w.broker.onPlace = refuses
    await w.approve('s1')
    await w.approve('s2')
    await w.run(1000)
    w.broker.onPlace = (intent) => w.broker.take(intent)
    await w.run(1000)
    assert.deepEqual(await signalsOf(w, 'OrderAccepted'), ['s1', 's2'])
  })

  it('does not keep one that is approved meanwhile from its chance, however soon that ends', async () => {
    const w = await world()
    w.broker.onPlace = refuses
    await w.approve('s1', { validForUs: AUCTION_US })
    await w.run(41_000)
    w.broker.onPlace = (intent) => (intent.side === 'sell' ? w.broker.take(intent) : refuses())
    await w.approve('s2', { side: 'sell', validForUs: 10 * SECOND })
    await w.run(10_000)
    assert.deepEqual(await signalsOf(w, 'OrderAccepted'), ['s2'])
  })

  it('does not hide that the approval of one behind it is over', async () => {
    const w = await world()
    w.broker.onPlace = refuses
    await w.approve('s1', { validForUs: AUCTION_US })
    await w.approve('s2', { validForUs: SECOND })
    await w.run(1500)
    assert.deepEqual(await w.status(), ['approved 0', 'expired 0'])
  })

  it('leaves no timer behind when the process ends', async () => {
    const w = await world()
    w.broker.onPlace = refuses
    await w.approve('s1', { validForUs: AUCTION_US })
    await w.run(30_000)
    await w.service.stop()
    assert.equal(w.harness.wallClock.waiting, 0)
  })
})
