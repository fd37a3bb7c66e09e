/** An order that the venue had accepted and no longer knows, and comparisons that do not come off. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deferred } from '@jts/testkit/fake-broker'
import { ACCOUNT, world, type World } from '../testing/world.ts'

/** Taken by the venue, which has forgotten it since. */
async function forgotten(): Promise<World> {
  const w = await world()
  await w.approve('s1', { quantity: '2' })
  w.broker.orders.delete(w.clientId)
  return w
}

const compare = async (w: World): Promise<void> => {
  await w.service.reconcile(ACCOUNT)
  await w.run(1000)
}

describe('an accepted order that the venue no longer knows', () => {
  it('ends with its reason when two comparisons have not found it', async () => {
    const w = await forgotten()
    await compare(w)
    assert.deepEqual(await w.status(), ['accepted 0'], 'once proves nothing')
    await compare(w)
    assert.deepEqual(await w.status(), ['expired 0'])
    const [expired] = await w.harness.events('orders.events', 'OrderExpired')
    assert.equal(expired!.payload.reasonCode, 'NOT_FOUND')
    assert.match(expired!.payload.reason, /accepted/)
    assert.equal(expired!.payload.leavesQuantity, '0')
    await compare(w)
    assert.equal((await w.harness.events('orders.events', 'OrderExpired')).length, 1)
  })

  it('does not end by two comparisons at the same moment, nor by queries alone', async () => {
    const w = await forgotten()
    await w.service.reconcile(ACCOUNT)
    await w.service.reconcile(ACCOUNT)
    assert.deepEqual(await w.status(), ['accepted 0'])
    const other = await forgotten()
    await other.run(600_000)
    assert.deepEqual(await other.status(), ['accepted 0'])
  })

  it('stays when it was there again in between', async () => {
    const w = await world()
    await w.approve('s1')
    const report = w.broker.orders.get(w.clientId)!
    for (let times = 0; times < 3; times++) {
      w.broker.orders.delete(w.clientId)
      await compare(w)
      w.broker.orders.set(w.clientId, report)
      await compare(w)
    }
    assert.deepEqual(await w.status(), ['accepted 0'])
  })

  it('stays while the venue does not answer for it, and while a comparison does not count', async () => {
    const w = await forgotten()
    w.broker.onQuery = () => ({ kind: 'failed', message: 'slow' })
    for (let times = 0; times < 3; times++) await compare(w)
    assert.deepEqual(await w.status(), ['accepted 0'])
    const moving = await world()
    await moving.approve('s1', { quantity: '9' })
    await moving.approve('s2', { quantity: '9' })
    const [lost, other] = moving.broker.placed.map(({ clientOrderId }) => clientOrderId)
    moving.broker.orders.delete(lost!)
    moving.broker.onRead = (what) => {
      if (what === 'balances') moving.broker.execute(other!, '0.1')
    }
    for (let times = 0; times < 3; times++) await compare(moving)
    assert.ok((await moving.status()).includes('accepted 0'))
  })

  it('has its fills booked first, and ends as filled when they are all of it', async () => {
    const w = await world()
    await w.approve('s1', { quantity: '2' })
    w.broker.execute(w.clientId, '2')
    w.broker.orders.delete(w.clientId)
    await compare(w)
    await compare(w)
    assert.deepEqual(await w.status(), ['filled 2'])
    assert.equal((await w.said()).includes('OrderExpired'), false)
  })

  it('is adopted, cancelled and reported when it turns up open after all, over a restart', async () => {
    const w = await world()
    await w.approve('s1', { quantity: '2' })
    const { report, fill } = w.broker.execute(w.clientId, '0.5')
    w.broker.notice(report, fill)
    w.broker.orders.delete(w.clientId)
    await compare(w)
    await compare(w)
    assert.deepEqual(await w.status(), ['expired 0.5'])
    w.broker.orders.set(w.clientId, report)
    await w.restart()
    await w.run()
    assert.deepEqual(await w.status(), ['cancelled 0.5'])
    const said = await w.said()
    assert.deepEqual(said.slice(said.indexOf('OrderExpired')), [
      'OrderExpired',
      'OrderFoundLate',
      'OrderAccepted',
      'OrderPendingCancel',
      'OrderCancelled',
    ])
  })
})

const SERVICE = `order-execution ${ACCOUNT}`

describe('comparisons', () => {
  const health = async (w: World): Promise<string[]> =>
    (await w.harness.events('system.health', 'ServiceHealth')).map(
      ({ payload }) => `${payload.service} ${payload.state}`,
    )
  const compared = (w: World): Promise<number> =>
    w.harness.events('orders.events', 'BalancesReported').then(({ length }) => length)

  it('are made by itself, soon after the start and then every period', async () => {
    const w = await world({}, undefined, undefined, undefined, { firstMs: 3000, everyMs: 60_000 })
    await w.run(3000)
    assert.equal(await compared(w), 1)
    await w.run(120_000)
    assert.equal(await compared(w), 3)
    assert.deepEqual(await health(w), [])
    await w.service.stop()
    await w.run(120_000)
    assert.equal(await compared(w), 3)
  })

  const failing: [string, (w: World) => void, (w: World) => void][] = [
    [
      'the account does not hold still',
      (w) => {
        w.broker.onRead = (what) => {
          if (what === 'balances') w.broker.execute(w.clientId, '0.01')
        }
      },
      (w) => void (w.broker.onRead = () => undefined),
    ],
    ['the broker fails', (w) => void (w.broker.away = true), (w) => void (w.broker.away = false)],
    [
      'the broker never answers',
      (w) => {
        const { promise, resolve } = deferred<undefined>()
        w.broker.onRead = () => promise
        hung.set(w, () => resolve(undefined))
      },
      (w) => {
        w.broker.onRead = () => undefined
        hung.get(w)!()
      },
    ],
  ]
  const hung = new Map<World, () => void>()
  for (const [why, breakIt, mend] of failing) {
    it(`tell the operator when three periods have passed without one, and when one has come off: ${why}`, async () => {
      const w = await world({}, undefined, undefined, undefined, { firstMs: 3000, everyMs: 60_000 })
      await w.approve('s1', { quantity: '9' })
      await w.run(3000)
      breakIt(w)
      await w.run(120_000)
      assert.deepEqual(await health(w), [])
      // One that has no answer has failed when the next is due.
      await w.run(why === 'the broker never answers' ? 121_000 : 61_000)
      assert.deepEqual(await health(w), [`${SERVICE} degraded`])
      const [told] = await w.harness.events('system.health', 'ServiceHealth')
      assert.match(told!.payload.reason, /sim\.binance\.main: expected a comparison with the broker/)
      await w.run(180_000)
      assert.deepEqual(await health(w), [`${SERVICE} degraded`], 'once')
      mend(w)
      await w.run(61_000)
      assert.deepEqual(await health(w), [`${SERVICE} degraded`, `${SERVICE} up`])
    })
  }

  it('tell of an account whose order stream never came up', async () => {
    const w = await world({}, (broker) => (broker.upAtOnce = false), undefined, undefined, {
      firstMs: 3000,
      everyMs: 60_000,
    })
    await w.run(180_000)
    assert.deepEqual(await health(w), [`${SERVICE} degraded`])
  })
})
