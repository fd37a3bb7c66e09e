/** A broker that gives fills no ids, knows no `gtc`, and calls shares positions: Creon, KIS. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Capabilities, PlaceOutcome } from '@jts/broker-kit'
import { parseUnits } from '@jts/model'
import { ListedFillCursor } from '../domain/fill-cursor.ts'
import { ACCOUNT, BTC, world } from '../testing/world.ts'

const KRX: Partial<Capabilities> = {
  timeInForce: ['day', 'ioc', 'fok'],
  clientOrderIds: 'none',
  absenceProof: 'none',
  positions: true,
  fills: { idSource: 'cumulative', feeSource: 'estimated' },
}

describe('fills without ids', () => {
  it('are booked when they are settled, however often they were told before', async () => {
    const w = await world(KRX)
    await w.approve('s1', { quantity: '2' })
    const { report, fill } = w.broker.execute(w.clientId, '2')
    const provisional = { ...fill, provisional: true }
    w.broker.notice(report, provisional)
    w.broker.notice(report, provisional)
    await w.run()
    assert.deepEqual(await w.status(), ['accepted 0'])
    w.broker.notice(report, fill)
    w.broker.notice(report, fill)
    await w.run()
    assert.deepEqual(await w.said(), ['OrderSubmitting', 'OrderAccepted', 'OrderFilled'])
    assert.deepEqual(await w.bookedTrades(), [fill.tradeId])
    const [event] = await w.harness.events('orders.events', 'OrderFilled')
    assert.equal(event!.payload.idSource, 'cumulative')
  })

  it('are not asked for because of a provisional notice: what settles it is on its way', async () => {
    const w = await world(KRX)
    await w.approve('s1', { quantity: '2' })
    const asked = w.broker.queries.length
    const { report, fill } = w.broker.execute(w.clientId, '1')
    w.broker.notice(report, { ...fill, provisional: true })
    await w.run()
    assert.equal(w.broker.queries.length, asked)
  })

  it('that were told in the answer to the request wait for their settlement as well', async () => {
    const w = await world(KRX)
    w.broker.onPlace = (intent): PlaceOutcome => {
      const taken = w.broker.take(intent) as PlaceOutcome & { kind: 'accepted' }
      const { fill } = w.broker.execute(intent.clientOrderId, '1')
      return { ...taken, fills: [{ ...fill, provisional: true }] }
    }
    await w.approve('s1', { quantity: '2' })
    assert.deepEqual(await w.bookedTrades(), [])
  })

  it('are found by the record of the broker service, in its order and each once, whatever their ids say', async () => {
    const w = await world(KRX)
    await w.approve('s1', { quantity: '3' })
    const first = w.clientId
    await w.approve('s2', { quantity: '3' })
    const second = w.clientId
    // The later order trades before the earlier one: its ids do not rise.
    const ids = [second, first, second, first].map((id) => w.broker.execute(id, '1').fill.tradeId)
    await w.service.reconcile(ACCOUNT)
    assert.deepEqual((await w.bookedTrades()).sort(), [...ids].sort())
    assert.deepEqual(await w.status(), ['partially_filled 2', 'partially_filled 2'])
    const { fill, report } = w.broker.execute(first, '1')
    w.broker.notice(report, fill)
    await w.run()
    assert.equal((await w.bookedTrades()).length, 5)
  })

  it('are known after a kill, those from before the first contact too', async () => {
    const w = await world(KRX, (broker) => broker.executeForeign(BTC, '5'))
    await w.approve('s1', { quantity: '2' })
    const { report, fill } = w.broker.execute(w.clientId, '1')
    w.broker.notice(report, fill)
    await w.run()
    await w.restart()
    w.broker.notice(report, fill)
    await w.service.reconcile(ACCOUNT)
    await w.run()
    assert.deepEqual(await w.bookedTrades(), [fill.tradeId])
  })

  it('of which one was missed while the process was down are found at the next start', async () => {
    const w = await world(KRX)
    await w.approve('s1', { quantity: '2' })
    const { fill } = w.broker.execute(w.clientId, '2')
    await w.restart()
    assert.deepEqual(await w.bookedTrades(), [fill.tradeId])
    assert.deepEqual(await w.status(), ['filled 2'])
  })
})

it('an order that is good till cancelled stands for the day where the venue knows no better', async () => {
  const w = await world(KRX)
  await w.approve('s1')
  assert.equal(w.broker.placed[0]!.timeInForce, 'day')
  const other = await world()
  await other.approve('s1')
  assert.equal(other.broker.placed[0]!.timeInForce, 'gtc')
})

it('shares belong to the opening balance and to every comparison', async () => {
  const held = (quantity: string) => [{ instrument: BTC, quantity: parseUnits(quantity), timeUs: 0 }]
  const w = await world(KRX, (broker) => (broker.positionList = held('7')))
  const [opening] = await w.harness.events('orders.events', 'OpeningBalance')
  assert.deepEqual(opening!.payload.balances, [
    { currency: 'BTCUSDT', amount: '7' },
    { currency: 'USDT', amount: '10000' },
  ])
  w.broker.positionList = held('6')
  await w.service.reconcile(ACCOUNT)
  const [reported] = await w.harness.events('orders.events', 'BalancesReported')
  assert.deepEqual(reported!.payload.balances[0], { currency: 'BTCUSDT', amount: '6' })
})

it('a cursor over a list survives its own text', () => {
  const cursor = new ListedFillCursor()
  cursor.open(BTC, [{ tradeId: '9:1' }, { tradeId: '8:4' }])
  cursor.advance(BTC, '7:2')
  const again = new ListedFillCursor()
  again.restore(cursor.toText())
  assert.deepEqual(again.query(BTC), { afterTradeId: '7:2' })
  assert.deepEqual([again.has(BTC, '9:1'), again.has(BTC, '7:2'), again.has(BTC, '1:1')], [true, false, false])
})
