/** Money that moves without a trade: as the broker tells of it, once. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseUnits } from '@jts/model'
import { ACCOUNT, BTC, world, type World } from '../testing/world.ts'

const booked = async (w: World): Promise<string[]> =>
  (await w.harness.events('orders.events', 'BalanceAdjusted')).map(
    ({ payload: { amount, currency, reason, source } }) => `${source}: ${reason} ${amount} ${currency}`,
  )

describe('a notice of money that moved without a trade', () => {
  it('is booked at its own time, once, however often it is told and over a restart', async () => {
    const w = await world()
    await w.run(1000)
    const deposit = w.broker.move('USDT', '250.5')
    w.broker.tellAdjustment(deposit)
    w.broker.tellAdjustment(deposit)
    const withdrawal = w.broker.move('USDT', '-0.5')
    w.broker.tellAdjustment(withdrawal)
    await w.restart()
    w.broker.tellAdjustment(deposit)
    w.broker.tellAdjustment(withdrawal)
    await w.run()
    assert.deepEqual(await booked(w), ['broker: deposit 250.5 USDT', 'broker: withdrawal -0.5 USDT'])
    const [event] = await w.harness.events('orders.events', 'BalanceAdjusted')
    assert.equal(event!.timeEventUs, deposit.timeUs)
    assert.equal(event!.payload.adjustmentId, `${ACCOUNT}/${deposit.noticeId}`)
  })

  it('is in the opening balance already where it came before that was read', async () => {
    const before: { deposit?: ReturnType<World['broker']['move']> } = {}
    const w = await world({}, (broker) => {
      before.deposit = { ...broker.move('USDT', '5'), timeUs: 1_000_000 }
    })
    w.broker.tellAdjustment(before.deposit!)
    await w.run()
    assert.deepEqual(await booked(w), [])
    const [opening] = await w.harness.events('orders.events', 'OpeningBalance')
    assert.deepEqual(opening!.payload.balances, [{ currency: 'USDT', amount: '10005' }])
  })

  it('that comes while the opening balance is read has it read anew', async () => {
    let times = 0
    const w = await world({}, (broker) => {
      broker.onRead = (what) => {
        if (what === 'balances' && ++times === 1) broker.tellAdjustment(broker.move('USDT', '5'))
      }
    })
    await w.run(1000)
    const [opening, ...more] = await w.harness.events('orders.events', 'OpeningBalance')
    assert.deepEqual([opening!.payload.balances, more], [[{ currency: 'USDT', amount: '10005' }], []])
    assert.deepEqual(await booked(w), [])
  })

  it('that comes while the balances are read has them read anew, and stands before them on the stream', async () => {
    const w = await world()
    await w.run(1000)
    let times = 0
    w.broker.onRead = (what) => {
      if (what === 'balances' && ++times === 1) w.broker.tellAdjustment(w.broker.move('USDT', '5'))
    }
    assert.equal(await w.service.reconcile(ACCOUNT), true)
    assert.equal(times, 2)
    await w.run()
    const said = await w.harness.events('orders.events', 'BalanceAdjusted', 'BalancesReported')
    assert.deepEqual(
      said.map(({ type }) => type),
      ['BalanceAdjusted', 'BalancesReported'],
    )
  })

  it('is no fill: the count of fills stays, and an order goes on', async () => {
    const w = await world()
    await w.approve('s1', { quantity: '2' })
    w.broker.tellAdjustment({ ...w.broker.move('BTC', '1'), currency: 'BTC', amount: parseUnits('1') })
    const { report, fill } = w.broker.execute(w.clientId, '2')
    w.broker.notice(report, fill)
    await w.service.reconcile(ACCOUNT)
    await w.run()
    const [reported] = await w.harness.events('orders.events', 'BalancesReported')
    assert.equal(reported!.payload.fillCount, 1)
    assert.deepEqual(await w.status(), ['filled 2'])
    assert.equal(fill.instrument, BTC)
  })
})

describe('a difference that a person explains', () => {
  /** What the ledger says at the start, and what is there since. */
  const said = {
    ...{ account: ACCOUNT, currency: 'USDT', amount: '250.5', reason: 'deposit', words: 'from the bank', by: 'test' },
    ...{ ledger: '10000', fillCount: 0, adjusted: '0', seen: '250.5' },
  }
  const outcomes = async (w: World, ...requests: (typeof said)[]): Promise<string[]> => {
    const found: string[] = []
    for (const request of requests) found.push((await w.service.api.adjustBalance(request)).outcome)
    return found
  }

  it('is not booked by a ledger that has not heard of a notice, or of a fill, yet', async () => {
    const w = await world()
    await w.approve('s1', { quantity: '2' })
    w.broker.tellAdjustment(w.broker.move('USDT', '250.5'))
    assert.deepEqual(await outcomes(w, said), ['moved'])
    const { report, fill } = w.broker.execute(w.clientId, '2')
    w.broker.notice(report, fill)
    w.broker.move('USDT', '1')
    const heard = { ...said, amount: '1', ledger: '10250.5', adjusted: '250.5', seen: '1' }
    assert.deepEqual(await outcomes(w, heard), ['moved'])
    assert.deepEqual(await booked(w), ['broker: deposit 250.5 USDT'])
    assert.deepEqual(await outcomes(w, { ...heard, fillCount: 1 }), ['booked'])
  })

  it('is not booked by a request that is said again as it was', async () => {
    const w = await world()
    w.broker.move('USDT', '250.5')
    assert.deepEqual(await outcomes(w, said, said), ['booked', 'moved'])
    assert.deepEqual(await booked(w), ['person: deposit 250.5 USDT'])
  })

  it('is read anew when something is booked while the balances are read', async () => {
    const w = await world()
    const deposit = w.broker.move('USDT', '250.5')
    let times = 0
    w.broker.onRead = (what) => {
      if (what !== 'balances' || ++times > 1) return
      w.broker.tellAdjustment(deposit)
      w.broker.tellAdjustment(w.broker.move('USDT', '-250.5'))
    }
    assert.deepEqual(await outcomes(w, said), ['differs'])
    assert.equal(times, 2)
    assert.deepEqual(await booked(w), ['broker: deposit 250.5 USDT', 'broker: withdrawal -250.5 USDT'])
  })
})
