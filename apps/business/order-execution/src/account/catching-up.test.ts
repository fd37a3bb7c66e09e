/** An account after a start, a kill or a break of the stream. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { instrumentId } from '@jts/model'
import { deferred } from '@jts/testkit/fake-broker'
import { ACCOUNT, BTC, UNKNOWN, notSent, world } from '../testing/world.ts'

const ETH = instrumentId('BINANCE:ETHUSDT')

describe('killed and started again', () => {
  it('approved and waiting: is sent then, in the order of approval', async () => {
    const w = await world({}, (broker) => (broker.upAtOnce = false))
    for (const signal of ['s1', 's2', 's3', 's4', 's5']) await w.approve(signal)
    await w.restart()
    const sent = await w.harness.events('orders.events', 'OrderSubmitting')
    assert.deepEqual(
      sent.map((one) => one.payload.terms!.ref!.signalId),
      ['s1', 's2', 's3', 's4', 's5'],
    )
  })

  it('submitting, and the venue has it: is found and not sent again', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      w.broker.take(intent)
      return new Promise(() => undefined)
    }
    await w.approve('s1')
    await w.restart()
    assert.equal(w.broker.placed.length, 0)
    assert.deepEqual(await w.status(), ['accepted 0'])
  })

  it('submitting, and the venue never had it: one new request after the proof, none before', async () => {
    const w = await world()
    w.broker.onPlace = () => new Promise(() => undefined)
    await w.approve('s1')
    const first = w.clientId
    await w.restart()
    await w.run(1500)
    assert.equal(w.broker.placed.length, 0)
    await w.run(10_000)
    assert.equal(w.broker.placed.length, 1)
    assert.notEqual(w.clientId, first)
  })

  it('unknown: is settled', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      w.broker.take(intent)
      w.broker.away = true
      return UNKNOWN
    }
    await w.approve('s1')
    assert.deepEqual(await w.status(), ['unknown 0'])
    await w.restart()
    assert.deepEqual(await w.status(), ['accepted 0'])
    assert.equal(w.broker.placed.length, 0)
  })

  it('not sent: is sent under its next id', async () => {
    const w = await world()
    w.broker.onPlace = () => {
      w.broker.down()
      return notSent('BROKER_UNAVAILABLE')
    }
    await w.approve('s1')
    const first = w.clientId
    await w.restart()
    assert.equal(w.broker.placed.length, 1)
    assert.notEqual(w.clientId, first)
  })

  it('accepted: what was filled meanwhile is booked, once', async () => {
    const w = await world()
    await w.approve('s1', { quantity: '2' })
    const id = w.clientId
    const first = w.broker.execute(id, '1')
    w.broker.notice(first.report, first.fill)
    await w.run()
    const second = w.broker.execute(id, '1')
    await w.restart()
    assert.deepEqual(await w.bookedTrades(), [first.fill.tradeId, second.fill.tradeId])
    assert.deepEqual(await w.status(), ['filled 2'])
    assert.equal((await w.harness.events('orders.events', 'OrderFilled')).length, 2)
  })

  it('partially filled: stays open, and a repeated notice is not booked again', async () => {
    const w = await world()
    await w.approve('s1', { quantity: '2' })
    const { report, fill } = w.broker.execute(w.clientId, '1')
    w.broker.notice(report, fill)
    await w.restart()
    w.broker.notice(report, fill)
    await w.run()
    assert.deepEqual(await w.status(), ['partially_filled 1'])
    assert.equal((await w.bookedTrades()).length, 1)
  })

  it('pending cancel, and the venue never heard of it: is cancelled under a new cancel id', async () => {
    const w = await world()
    await w.approve('s1')
    w.broker.onCancel = () => new Promise(() => undefined)
    await w.cancel('s1')
    const before = w.broker.cancels[0]!.cancelId
    await w.restart()
    assert.deepEqual(await w.status(), ['cancelled 0'])
    assert.equal(w.broker.cancels.length, 1)
    assert.notEqual(w.broker.cancels[0]!.cancelId, before)
  })

  it('asked to cancel before the order was known: is cancelled once it is', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      w.broker.take(intent)
      return new Promise(() => undefined)
    }
    await w.approve('s1')
    await w.cancel('s1')
    await w.restart()
    assert.deepEqual(await w.status(), ['cancelled 0'])
  })
})

describe('the account', () => {
  it('books its opening balance once, however often the stream comes up and the process starts', async () => {
    const reading = deferred<undefined>()
    const w = await world({}, (broker) => {
      broker.onRead = (what) => (what === 'balances' ? reading.promise : undefined)
    })
    w.broker.down()
    w.broker.up()
    await w.run()
    reading.resolve(undefined)
    await w.run(1000)
    await w.restart()
    const opened = await w.harness.events('orders.events', 'OpeningBalance')
    assert.equal(opened.length, 1)
    assert.deepEqual(opened[0]!.payload.balances, [{ currency: 'USDT', amount: '10000' }])
  })

  it('leaves trades from before the first contact to the opening balance', async () => {
    const w = await world({}, (broker) => void broker.executeForeign(BTC, '1'))
    await w.service.reconcile(ACCOUNT)
    assert.deepEqual(await w.said(), [])
  })

  it('asks for no trades of an instrument that it is not configured for, although one was told of', async () => {
    const w = await world({}, (broker) => void broker.executeForeign(ETH, '1'))
    const { report, fill } = w.broker.executeForeign(ETH, '2')
    w.broker.notice(report, fill)
    await w.restart()
    await w.service.reconcile(ACCOUNT)
    assert.deepEqual(await w.bookedTrades(), [fill.tradeId])
  })

  it('leaves trades of an instrument that is configured later to the opening balance', async () => {
    const w = await world({}, (broker) => void broker.executeForeign(ETH, '1'))
    w.instruments = [BTC, ETH]
    await w.restart()
    const { fill } = w.broker.executeForeign(ETH, '2')
    await w.service.reconcile(ACCOUNT)
    assert.deepEqual(await w.bookedTrades(), [fill.tradeId])
  })

  it('does not take a trade for foreign that happened while the opening balance was read', async () => {
    const w = await world({}, (broker) => {
      broker.onRead = (what) => {
        if (what !== 'balances') return
        broker.onRead = () => undefined
        const { report, fill } = broker.executeForeign(BTC, '1')
        broker.notice(report, fill)
      }
    })
    await w.run(2000)
    assert.deepEqual(await w.harness.types('orders.events'), ['OpeningBalance'])
  })

  it('reports balances at the fill count that was the same before and after they were read', async () => {
    const w = await world()
    await w.approve('s1', { quantity: '2' })
    let moved = 0
    w.broker.onRead = (what) => {
      if (what !== 'balances' || ++moved > 2) return
      const { report, fill } = w.broker.execute(w.clientId, '0.5')
      w.broker.notice(report, fill)
    }
    assert.equal(await w.service.reconcile(ACCOUNT), true)
    const [reported] = await w.harness.events('orders.events', 'BalancesReported')
    assert.equal(reported!.payload.fillCount, 2)
    assert.equal(moved, 3)
  })

  it('reports no balances when it would not hold still, or has not been opened', async () => {
    const w = await world()
    await w.approve('s1', { quantity: '9' })
    w.broker.onRead = (what) => {
      if (what === 'balances') w.broker.execute(w.clientId, '0.5')
    }
    assert.equal(await w.service.reconcile(ACCOUNT), false)
    const closed = await world({}, (broker) => {
      broker.upAtOnce = false
      broker.executeForeign(BTC, '1')
    })
    assert.equal(await closed.service.reconcile(ACCOUNT), false)
    assert.deepEqual(await closed.said(), [])
  })

  it('leaves a trade that may belong to an unknown order until that is settled', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      w.broker.take(intent)
      w.broker.execute(intent.clientOrderId, '1')
      w.broker.trades.push({ ...w.broker.trades.pop()!, clientOrderId: undefined as never })
      w.broker.onQuery = () => ({ kind: 'failed', message: 'slow' })
      return UNKNOWN
    }
    await w.approve('s1')
    assert.equal(await w.service.reconcile(ACCOUNT), false, 'the balances already hold what is not booked')
    assert.deepEqual(await w.bookedTrades(), [])
    w.broker.onQuery = (id) => w.broker.known(id)
    await w.run(1000)
    assert.deepEqual(await w.status(), ['filled 1'])
    assert.deepEqual(
      (await w.service.fills()).map((fill) => fill.strategy),
      ['one'],
    )
  })

  it('stops without an error while orders are still being asked for', async () => {
    const w = await world()
    w.broker.onPlace = () => UNKNOWN
    const query = deferred<{ kind: 'not_found' }>()
    w.broker.onQuery = () => query.promise
    await w.approve('s1')
    await w.service.stop()
    await w.harness.store.durable()
    query.resolve({ kind: 'not_found' })
    await w.run(5000)
    assert.deepEqual(await w.status(), ['unknown 0'])
  })
})
