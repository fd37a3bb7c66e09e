/** What becomes of a request that the venue has not answered. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BrokerError, type PlaceOutcome } from '@jts/broker-kit'
import { deferred } from '@jts/testkit/fake-broker'
import { ACCOUNT, SECOND, UNKNOWN, world, type World } from '../testing/world.ts'

describe('a request without an answer', () => {
  it('is settled by the query that finds it', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      w.broker.take(intent)
      return UNKNOWN
    }
    await w.approve('s1')
    assert.deepEqual(await w.said(), ['OrderSubmitting', 'OrderUnknown', 'OrderAccepted'])
    assert.equal(w.broker.placed.length, 1)
  })

  it('is settled by the stream while the query still finds nothing', async () => {
    const w = await world()
    w.broker.onPlace = () => UNKNOWN
    await w.approve('s1')
    await w.run(500)
    const taken = w.broker.take(w.broker.placed[0]!)
    w.broker.notice((taken as { report: Parameters<typeof w.broker.notice>[0] }).report)
    await w.run(5000)
    assert.deepEqual(await w.said(), ['OrderSubmitting', 'OrderUnknown', 'OrderAccepted'])
    assert.equal(w.broker.placed.length, 1)
  })

  it('is made anew exactly once, under a new id, when the venue has proved its absence', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => (w.broker.placed.length === 1 ? UNKNOWN : w.broker.take(intent))
    await w.approve('s1')
    await w.run(1900)
    assert.equal(w.broker.placed.length, 1, 'not before the window is over')
    await w.run(10_000)
    assert.equal(w.broker.placed.length, 2)
    assert.notEqual(w.broker.placed[0]!.clientOrderId, w.broker.placed[1]!.clientOrderId)
    const requests = await w.harness.events('orders.events', 'OrderSubmitting')
    assert.deepEqual(
      requests.map((one) => one.payload.requestNumber),
      [1, 2],
    )
    assert.deepEqual(await w.status(), ['accepted 0'])
  })

  it('is made anew exactly once, although the stream came up again and again while it was asked for', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => (w.broker.placed.length === 1 ? UNKNOWN : w.broker.take(intent))
    await w.approve('s1')
    for (let times = 0; times < 4; times++) {
      w.broker.down()
      w.broker.up()
      await w.run(300)
    }
    w.broker.down()
    await w.run(5000)
    w.broker.up()
    await w.run(10_000)
    assert.equal(w.broker.placed.length, 2)
  })

  const lost = async (): Promise<World> => {
    const w = await world()
    w.broker.onPlace = () => UNKNOWN
    await w.approve('s1', { validForUs: 600 * SECOND })
    return w
  }
  const endsAfterTwo = async (w: World): Promise<void> => {
    await w.run(30_000)
    const [expired] = await w.harness.events('orders.events', 'OrderExpired')
    assert.equal(expired!.payload.reasonCode, 'NOT_FOUND')
    assert.equal((await w.harness.events('orders.events', 'OrderSubmitting')).length, 2)
    assert.deepEqual(await w.status(), ['expired 0'])
    await w.run(60_000)
    assert.equal((await w.harness.events('orders.events', 'OrderSubmitting')).length, 2)
  }

  it('ends as expired(NOT_FOUND) when its one new request is lost as well, however long its approval holds', async () => {
    await endsAfterTwo(await lost())
  })

  it('is not made anew a second time by a process that has forgotten the first', async () => {
    const w = await lost()
    await w.run(6000)
    assert.equal(w.broker.placed.length, 2)
    await w.restart()
    w.broker.onPlace = () => UNKNOWN
    await endsAfterTwo(w)
  })

  it('is proved absent by two questions a second apart, the first a second after its window', async () => {
    const w = await lost()
    const sentUs = w.harness.wallClock.nowUs()
    while (w.broker.placed.length < 2) await w.run(50)
    const first = w.broker.placed[0]!.clientOrderId
    const [last, before] = w.broker.queriedAtUs.filter((_, n) => w.broker.queries[n] === first).toReversed()
    assert.ok(before! > sentUs + 3 * SECOND, 'the window of two seconds, and the margin')
    assert.ok(last! - before! >= SECOND)
  })

  it('is not taken for absent because our clock has stepped: what counts is what the venue says of its own', async () => {
    const w = await lost()
    w.broker.venueAheadUs = -20 * SECOND
    await w.run(15_000)
    assert.equal(w.broker.placed.length, 1)
    w.broker.take(w.broker.placed[0]!)
    await w.run(10_000)
    assert.deepEqual(await w.status(), ['accepted 0'])
    assert.equal(w.broker.placed.length, 1)
  })

  it('is not waited for by a clock that has stepped back: the window is over when the venue says so', async () => {
    const w = await lost()
    w.broker.venueAheadUs = 3600 * SECOND
    await w.run(1500)
    assert.equal(w.broker.placed.length, 2)
  })

  it('is not taken for absent while the venue does not say its time', async () => {
    const w = await lost()
    w.broker.venueTimeUs = () => Promise.reject(new BrokerError('UNAVAILABLE', 'no time', { retryable: true }))
    await w.run(60_000)
    assert.equal(w.broker.placed.length, 1)
    assert.deepEqual(await w.status(), ['unknown 0'])
  })

  it('ends as expired(NOT_FOUND) when its absence is proved after the approval is over', async () => {
    const w = await world()
    w.broker.onPlace = () => UNKNOWN
    await w.approve('s1', { validForUs: SECOND })
    await w.run(5000)
    const [expired] = await w.harness.events('orders.events', 'OrderExpired')
    assert.equal(expired!.payload.reasonCode, 'NOT_FOUND')
    assert.equal(w.broker.placed.length, 1)
  })

  it('is never made anew at a broker that cannot prove absence, and keeps the order open through the settle window', async () => {
    const w = await world({ absenceProof: 'none' })
    w.broker.onPlace = () => UNKNOWN
    await w.approve('s1', { validForUs: 600 * SECOND })
    await w.run(31_000)
    assert.deepEqual(await w.status(), ['unknown 0'])
    await w.run(5000)
    assert.deepEqual(await w.status(), ['expired 0'])
    assert.equal(w.broker.placed.length, 1)
  })

  const givenUp = async (): Promise<World> => {
    const w = await world({ absenceProof: 'none' })
    w.broker.onPlace = () => UNKNOWN
    await w.approve('s1', { quantity: '2' })
    await w.run(40_000)
    assert.deepEqual(await w.status(), ['expired 0'])
    return w
  }

  it('is booked and reported when it turns up filled after it was given up', async () => {
    const w = await givenUp()
    w.broker.take(w.broker.placed[0]!)
    const { report, fill } = w.broker.execute(w.clientId, '2')
    w.broker.notice(report, fill)
    await w.run()
    assert.deepEqual(await w.status(), ['filled 2'])
    assert.deepEqual((await w.said()).slice(2), ['OrderExpired', 'OrderFoundLate', 'OrderFilled'])
    const [late] = await w.harness.events('orders.events', 'OrderFoundLate')
    assert.match(late!.payload.reason, /had ended as expired, found one that is filled/)
  })

  const turnsUp: [string, (w: World) => unknown][] = [
    [
      'a notice',
      (w) => {
        const { report, fill } = w.broker.execute(w.clientId, '0.5')
        w.broker.notice(report, fill)
      },
    ],
    ['a reconciliation', (w) => w.service.reconcile(ACCOUNT)],
    [
      'a break of the stream',
      (w) => {
        w.broker.down()
        w.broker.up()
      },
    ],
    ['a restart', (w) => w.restart()],
  ]
  for (const [how, turnUp] of turnsUp) {
    it(`is adopted, cancelled and reported when it turns up open after it was given up, by ${how}`, async () => {
      const w = await givenUp()
      w.broker.take(w.broker.placed[0]!)
      const id = w.clientId
      await turnUp(w)
      await w.run()
      const filled = how === 'a notice' ? '0.5' : '0'
      assert.deepEqual(await w.status(), [`cancelled ${filled}`])
      assert.deepEqual(
        w.broker.cancels.map(({ clientOrderId }) => clientOrderId),
        [id],
      )
      assert.deepEqual((await w.said()).slice(2), [
        'OrderExpired',
        'OrderFoundLate',
        'OrderAccepted',
        ...(how === 'a notice' ? ['OrderFilled' as const] : []),
        'OrderPendingCancel',
        'OrderCancelled',
      ])
      await w.service.reconcile(ACCOUNT)
      await w.run()
      assert.equal((await w.harness.events('orders.events', 'OrderFoundLate')).length, 1, 'once')
    })
  }

  it('is asked for until the venue answers', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      w.broker.take(intent)
      w.broker.away = true
      return UNKNOWN
    }
    await w.approve('s1')
    await w.run(20_000)
    assert.deepEqual(await w.status(), ['unknown 0'])
    w.broker.away = false
    await w.run(1000)
    assert.deepEqual(await w.status(), ['accepted 0'])
  })

  it('holds the next request back until its own answer has come', async () => {
    const w = await world()
    const answer = deferred<PlaceOutcome>()
    w.broker.onPlace = (intent) => (w.broker.placed.length === 1 ? answer.promise : w.broker.take(intent))
    await w.approve('s1')
    // The stream falls and returns, and the window passes, while the request is still on its way.
    w.broker.down()
    w.broker.up()
    await w.run(10_000)
    answer.resolve({ kind: 'rejected', code: 'REJECTED', message: 'no', timeUs: 0 })
    await w.run(10_000)
    assert.equal(w.broker.placed.length, 1)
    assert.deepEqual(await w.status(), ['rejected 0'])
  })
})
