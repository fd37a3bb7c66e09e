/** Orders in the account that JTS has not made: told of once, and handled as the account's configuration says. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ClientOrderId } from '@jts/model'
import { parseUnits } from '@jts/model'
import type { ForeignOrders } from '../domain/foreign-orders.ts'
import { ACCOUNT, BTC, world, type World } from '../testing/world.ts'

const FOREIGN = 'by-hand-1'
const HANDLINGS: readonly (ForeignOrders | undefined)[] = [undefined, 'ignore', 'adopt', 'block']

/** Somebody else places an order in the account. */
function placeForeign(w: World, clientOrderId = FOREIGN): void {
  w.broker.take({
    clientOrderId: clientOrderId as ClientOrderId,
    instrument: BTC,
    side: 'buy',
    type: 'limit',
    quantity: parseUnits('2'),
    limitPrice: parseUnits('90'),
    intentTimeUs: 0,
    sendBeforeUs: 0,
  })
}

const accountState = async (w: World): Promise<string> => {
  const { accounts } = await w.service.api.getTradingState({})
  const [own] = accounts.filter(({ instrument }) => instrument === '')
  return `${own!.state} ${own!.reasonCode}`.trim()
}

describe('an open order that JTS has not made', () => {
  for (const handling of HANDLINGS) {
    it(`is told of once, also after a restart (${handling ?? 'nothing configured'})`, async () => {
      const w = await world({}, () => undefined, undefined, handling)
      placeForeign(w)
      await w.service.reconcile(ACCOUNT)
      await w.service.reconcile(ACCOUNT)
      await w.restart()
      await w.service.reconcile(ACCOUNT)
      const told = (await w.events()).filter(({ type }) => type === 'ForeignOrderFound')
      assert.equal(told.length, 1)
      assert.deepEqual(told[0]!.payload, {
        instrument: BTC,
        side: 'buy',
        venueOrderId: w.broker.orders.get(FOREIGN)!.venueOrderId,
        clientOrderId: FOREIGN,
        quantity: '2',
        limitPrice: '90',
        handling: handling ?? 'alert',
      })
    })
  }

  it('that a notice tells of is told of at once', async () => {
    const w = await world()
    placeForeign(w)
    w.broker.notice(w.broker.orders.get(FOREIGN)!)
    await w.run()
    assert.deepEqual(await w.said(), ['ForeignOrderFound'])
  })

  it('is no business of a halt', async () => {
    const w = await world()
    placeForeign(w)
    assert.equal((await w.service.api.halt({ account: '', reason: '', by: '', strategy: '', state: '' })).cancelled, 0)
    assert.equal(w.broker.orders.get(FOREIGN)!.status, 'accepted')
  })

  it('is cancelled by a halt where it was adopted', async () => {
    const w = await world({}, () => undefined, undefined, 'adopt')
    placeForeign(w)
    await w.approve('s1')
    assert.equal((await w.service.api.halt({ account: '', reason: '', by: '', strategy: '', state: '' })).cancelled, 2)
    assert.equal(w.broker.orders.get(FOREIGN)!.status, 'cancelled')
  })

  it('does not end a halt when the broker cannot cancel it', async () => {
    const w = await world({}, () => undefined, undefined, 'adopt')
    placeForeign(w)
    w.broker.onCancel = () => Promise.reject(new Error('the socket dropped'))
    const answer = await w.service.api.halt({ account: '', reason: '', by: '', strategy: '', state: '' })
    assert.deepEqual([answer.state, answer.cancelled], ['halted', 0])
  })

  it('lets an account that it blocks only reduce, until a person resumes; the next one blocks again', async () => {
    const w = await world({}, () => undefined, undefined, 'block')
    assert.equal(await accountState(w), 'active')
    placeForeign(w)
    await w.service.reconcile(ACCOUNT)
    assert.equal(await accountState(w), 'reducing FOREIGN_ORDER')
    await w.approve('s1')
    assert.deepEqual((await w.said()).slice(-1), ['OrderDenied'])
    await w.service.api.resume({ account: '', by: 'person' })
    await w.service.reconcile(ACCOUNT)
    assert.equal(await accountState(w), 'active')
    placeForeign(w, 'by-hand-2')
    await w.service.reconcile(ACCOUNT)
    assert.equal(await accountState(w), 'reducing FOREIGN_ORDER')
  })
})

describe('a fill that JTS has not asked for', () => {
  for (const handling of HANDLINGS) {
    it(`is booked as external (${handling ?? 'nothing configured'})`, async () => {
      const w = await world({}, () => undefined, undefined, handling)
      const { report, fill } = w.broker.executeForeign(BTC, '0.5')
      w.broker.notice(report, fill)
      await w.run()
      const [told] = (await w.events()).filter(({ type }) => type === 'ForeignFill')
      assert.equal((told!.payload as { handling: string }).handling, handling ?? 'alert')
      assert.deepEqual(
        (await w.service.fills()).map(({ strategy }) => strategy),
        ['external'],
      )
      assert.equal(await accountState(w), handling === 'block' ? 'reducing FOREIGN_ORDER' : 'active')
    })
  }
})
