/** The ledger as people and reconciliation see it. */
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import type { NewEvent } from '@jts/contracts'
import type { PositionUpdate } from '@jts/contracts/portfolio-api'
import { shippedInstrument } from '@jts/model'
import { Harness, START_US } from '@jts/testkit/harness'
import {
  balanceAdjusted,
  balancesReported,
  candle,
  foreignFill,
  openingBalance,
  orderFilled,
  publicTrade,
  topicOf,
} from '@jts/testkit/order-events'
import { createPortfolioTracker, type PortfolioTracker } from './index.ts'

const ACCOUNT = 'sim.binance.main'
const BTC = 'BINANCE:BTCUSDT'
const said = { account: ACCOUNT, instrument: BTC }
const open: Harness[] = []

class World {
  harness = Harness.open()
  tracker!: PortfolioTracker

  async start(): Promise<this> {
    open.push(this.harness)
    const { store, bus, marketClock, log } = this.harness
    this.tracker = createPortfolioTracker({
      store,
      bus,
      marketClock,
      log,
      instruments: [shippedInstrument(BTC)],
      marketTopics: ['market-data.binance.candles', 'market-data.binance.trades'],
      equityCurrencyOf: () => 'USDT',
    })
    await this.tracker.start()
    await bus.start()
    await this.harness.run()
    return this
  }

  async restart(): Promise<void> {
    await this.harness.run()
    this.harness = this.harness.killed()
    await this.start()
  }

  async hear(...events: NewEvent[]): Promise<void> {
    for (const event of events) {
      this.harness.store.transact((turn) => turn.publish(topicOf(event), event))
    }
    await this.harness.run()
  }

  async account() {
    const { accounts } = await this.tracker.api.getCurrentPortfolio({ account: ACCOUNT })
    return accounts[0]!
  }
}

async function world(): Promise<World> {
  const made = await new World().start()
  await made.hear(openingBalance(ACCOUNT, { USDT: '1000' }))
  return made
}

afterEach(async () => {
  for (const harness of open.splice(0)) {
    assert.deepEqual(harness.poison, [])
    await harness.remove()
  }
})

const buy = () => orderFilled({ ...said, quantity: '2', price: '100', fee: '0.2' })
const sell = () => orderFilled({ ...said, side: 'sell', quantity: '2', price: '110', fee: '0.22' })

it('opens, buys, marks, sells: cash, equity and PnL at each step, and the same after a restart', async () => {
  const w = await world()
  assert.equal((await w.account()).equity, '1000')
  await w.hear(buy())
  assert.deepEqual((await w.account()).cash, [{ currency: 'USDT', amount: '799.8' }])
  assert.equal((await w.account()).equity, '999.8')
  await w.hear(publicTrade(BTC, 1, 110, START_US - 1))
  assert.equal((await w.account()).equity, '1019.8')
  await w.hear(candle(BTC, START_US, 120))
  const marked = await w.account()
  assert.equal(marked.equity, '1039.8')
  assert.equal(marked.unrealisedPnl, '40')
  assert.equal(marked.positions[0]!.markPrice, '120')
  // A candle that is collected afterwards is history.
  await w.hear(candle(BTC, START_US - 86_400_000_000, 60))
  assert.deepEqual(await w.account(), marked)
  await w.restart()
  await w.hear(candle(BTC, START_US - 86_400_000_000, 60))
  assert.deepEqual(await w.account(), marked)
  await w.hear(sell())
  const closed = await w.account()
  assert.equal(closed.equity, '1019.58')
  assert.equal(closed.realisedPnl, '19.58')
  assert.equal(closed.unrealisedPnl, '0')
  assert.equal(closed.fillCount, 2)
  const changes = await w.harness.events('portfolio.positions', 'PositionChanged')
  assert.deepEqual(
    changes.map(({ payload }) => payload.quantity),
    ['2', '0'],
  )
})

it('books what a person trades by hand in an instrument that is not configured, and knows it after a restart', async () => {
  const w = await world()
  await w.hear(openingBalance(ACCOUNT, { USDT: '1000' }), foreignFill(ACCOUNT, 'BINANCE:SOLUSDT', '2', '100'))
  await w.restart()
  await w.hear(balancesReported(ACCOUNT, { SOL: '2', USDT: '800' }, 1))
  assert.equal((await w.account()).reconciled, 'equal')
})

it('refuses to tell of an account without a ledger', async () => {
  const w = await world()
  await assert.rejects(w.tracker.api.getCurrentPortfolio({ account: 'sim.binance.other' }), { code: 'NOT_FOUND' })
})

describe('a comparison with the broker', () => {
  const equal = (count: number) => balancesReported(ACCOUNT, { USDT: '799.8', BTC: '2' }, count)
  const short = (count: number) => balancesReported(ACCOUNT, { USDT: '799.8', BTC: '1.99999999' }, count)

  it('of equal records says equal', async () => {
    const w = await world()
    assert.equal((await w.account()).reconciled, 'unchecked')
    await w.hear(buy(), equal(1))
    assert.equal((await w.account()).reconciled, 'equal')
  })

  it('does not count at another fill count', async () => {
    const w = await world()
    await w.hear(buy(), short(0), short(2))
    assert.equal((await w.account()).reconciled, 'unchecked')
    assert.deepEqual(w.tracker.differences(ACCOUNT), [])
  })

  it('must show the same difference twice before it is one, without any tolerance, also over a restart', async () => {
    const w = await world()
    await w.hear(buy(), equal(1), short(1))
    assert.equal((await w.account()).reconciled, 'equal')
    await w.restart()
    await w.hear(short(1))
    assert.equal((await w.account()).reconciled, 'different')
    assert.deepEqual(w.tracker.differences(ACCOUNT), [{ currency: 'BTC', ours: '2', venue: '1.99999999' }])
    const [health] = await w.harness.events('system.health', 'ServiceHealth')
    assert.match(health!.payload.reason, /BTC: ledger 2, broker 1.99999999/)
    await w.hear(equal(1))
    assert.equal((await w.account()).reconciled, 'equal')
  })

  it('is said once when it is confirmed, and once when the records agree again', async () => {
    const w = await world()
    await w.hear(buy(), equal(1), short(1), short(1), short(1), short(1), equal(1), equal(1))
    const said = await w.harness.events('portfolio.positions', 'ReconciliationReported')
    assert.deepEqual(
      said.map(({ payload }) => [payload.equal, payload.differences.map(({ currency }) => currency).join()]),
      [
        [true, ''],
        [false, 'BTC'],
        [true, ''],
      ],
    )
    const health = await w.harness.events('system.health', 'ServiceHealth')
    assert.deepEqual(
      health.map(({ payload }) => payload.state),
      ['degraded', 'up'],
    )
  })

  it('that differs otherwise the second time begins anew', async () => {
    const w = await world()
    await w.hear(buy(), short(1), balancesReported(ACCOUNT, { USDT: '799', BTC: '2' }, 1))
    assert.equal((await w.account()).reconciled, 'unchecked')
    assert.deepEqual(await w.harness.types('system.health'), [])
  })
})

describe('the stream of updates', () => {
  it('begins with what is held and goes on with every fill, until it is let go', async () => {
    const w = await world()
    await w.hear(buy())
    const stop = new AbortController()
    const seen: string[] = []
    const reading = (async () => {
      for await (const { position } of w.tracker.api.streamPositionUpdates({}, stop.signal))
        seen.push(position!.quantity)
    })()
    await w.harness.run()
    await w.hear(sell())
    await w.hear(buy())
    stop.abort()
    await reading
    assert.deepEqual(seen, ['2', '0', '2'])
  })

  it('lets a reader go that has stopped reading', async () => {
    const w = await world()
    await w.hear(buy())
    const stream = w.tracker.api.streamPositionUpdates({}, new AbortController().signal)[Symbol.asyncIterator]()
    await stream.next()
    for (let n = 0; n < 20; n++) await w.hear(...Array.from({ length: 501 }, buy))
    await assert.rejects(stream.next() as Promise<IteratorResult<PositionUpdate>>, { code: 'UNAVAILABLE' })
  })
})

it('books a fill in an instrument of which nothing is known, and goes on', async () => {
  const w = await world()
  await w.hear(foreignFill(ACCOUNT, 'BINANCE:FOOBARBAZ', '3', '7'), buy())
  await w.restart()
  const { cash, positions } = await w.account()
  assert.deepEqual(cash.find(({ currency }) => currency === 'USDT')?.amount, '799.8')
  assert.deepEqual(positions.map(({ instrument, quantity }) => `${instrument} ${quantity}`).sort(), [
    'BINANCE:BTCUSDT 2',
    'BINANCE:FOOBARBAZ 3',
  ])
})

it('money that moves without a trade is held and no profit, over a restart, and the records agree again', async () => {
  const w = await world()
  await w.hear(buy(), candle(BTC, START_US, 120), balanceAdjusted(ACCOUNT, 'USDT', '500'))
  await w.restart()
  await w.hear(balanceAdjusted(ACCOUNT, 'USDT', '-100.5'), balanceAdjusted(ACCOUNT, 'BNB', '3'))
  const account = await w.account()
  assert.equal(account.equity, '1439.3')
  assert.deepEqual([account.realisedPnl, account.unrealisedPnl, account.fillCount], ['-0.2', '40', 1])
  assert.deepEqual(account.adjusted, [
    { currency: 'USDT', amount: '399.5' },
    { currency: 'BNB', amount: '3' },
  ])
  assert.deepEqual(account.holdings, [
    { currency: 'USDT', amount: '1199.3' },
    { currency: 'BNB', amount: '3' },
    { currency: 'BTC', amount: '2' },
  ])
  await w.hear(balancesReported(ACCOUNT, { USDT: '1199.3', BNB: '3', BTC: '2' }, 1))
  assert.equal((await w.account()).reconciled, 'equal')
})

it('what a position holds and was taken out is in no equity any more', async () => {
  const w = await world()
  await w.hear(buy(), balanceAdjusted(ACCOUNT, 'BTC', '-0.5'))
  // Without a mark at its cost of 100 each.
  assert.equal((await w.account()).equity, '949.8')
  await w.hear(candle(BTC, START_US, 120))
  assert.equal((await w.account()).equity, '979.8')
  assert.equal((await w.account()).positions[0]!.quantity, '2')
})

it('a difference is told with what would book it', async () => {
  const w = await world()
  const told = balancesReported(ACCOUNT, { USDT: '750.5' }, 0)
  await w.hear(told, told)
  const [health] = await w.harness.events('system.health', 'ServiceHealth')
  assert.match(health!.payload.reason, /ledger 1000, broker 750.5; .*: .\/jts adjust sim.binance.main USDT -249.5$/)
})
