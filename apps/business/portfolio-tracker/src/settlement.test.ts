/** Won by the day it changes hands: after purchases and sales, over holidays and restarts, and by the broker's own words. */
import assert from 'node:assert/strict'
import { afterEach, it } from 'node:test'
import type { NewEvent } from '@jts/contracts'
import { KrxCalendar, kstInstantUs, secondsOfTime, unlistedKrxInstrument, instrumentId } from '@jts/model'
import { Harness } from '@jts/testkit/harness'
import { balanceAdjusted, balancesReported, openingBalance, orderFilled, topicOf } from '@jts/testkit/order-events'
import { createPortfolioTracker, type PortfolioTracker } from './index.ts'

const ACCOUNT = 'sim.creon.krx'
const SAMSUNG = 'KRX:005930'
const at = (date: string, time = '10:00'): number => kstInstantUs(date, secondsOfTime(time))
const open: Harness[] = []

class World {
  harness = Harness.open()
  tracker!: PortfolioTracker
  readonly #calendar: KrxCalendar | undefined

  constructor(calendar?: KrxCalendar) {
    this.#calendar = calendar
  }

  async start(): Promise<this> {
    open.push(this.harness)
    const { store, bus, marketClock, log } = this.harness
    this.tracker = createPortfolioTracker({
      ...{ store, bus, marketClock, log },
      ...(this.#calendar === undefined ? {} : { calendar: this.#calendar }),
      instruments: [unlistedKrxInstrument(instrumentId(SAMSUNG))],
      marketTopics: ['market-data.krx.candles'],
      equityCurrencyOf: () => 'KRW',
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
    for (const event of events) this.harness.store.transact((turn) => turn.publish(topicOf(event), event))
    await this.harness.run()
  }

  trade(side: 'buy' | 'sell', quantity: string, price: string, fee: string, date: string): Promise<void> {
    const said = { account: ACCOUNT, instrument: SAMSUNG, side, quantity, price, fee, feeCurrency: 'KRW' }
    return this.hear(orderFilled(said, at(date)))
  }

  /** On this day: what is there, what comes and goes by day, of what nobody has said the day, what an order may use. */
  async on(date: string): Promise<[settled: string, days: string[], undated: string, orderable: string]> {
    this.harness.marketClock.advanceTo(at(date))
    const { accounts } = await this.tracker.api.getCurrentPortfolio({ account: ACCOUNT })
    const [view] = accounts[0]!.settlements
    assert.equal(view!.date, date)
    const days = view!.days.map((day) => `${day.date} +${day.receivable} -${day.payable}`)
    const total = view!.days.reduce(
      (sum, day) => sum + Number(day.receivable) - Number(day.payable),
      Number(view!.settled) + Number(view!.undated),
    )
    assert.equal(total, Number(accounts[0]!.cash.find(({ currency }) => currency === 'KRW')!.amount), 'nothing is lost')
    return [view!.settled, days, view!.undated, view!.orderable]
  }
}

async function world(calendar?: KrxCalendar): Promise<World> {
  const made = await new World(calendar).start()
  await made.hear(openingBalance(ACCOUNT, { KRW: '1000000' }))
  return made
}

afterEach(async () => {
  for (const harness of open.splice(0)) {
    assert.deepEqual(harness.poison, [])
    await harness.remove()
  }
})

it('pays and is paid on the second trading day, fees and taxes included, holidays passed over', async () => {
  const w = await world()
  // 설날 is on the 16th to the 18th.
  await w.trade('buy', '4', '70000', '42', '2026-02-12')
  await w.trade('sell', '1', '72000', '154', '2026-02-13')
  await w.trade('buy', '1', '71000', '10', '2026-02-13')
  assert.deepEqual(await w.on('2026-02-13'), [
    '1000000',
    ['2026-02-19 +0 -280042', '2026-02-20 +71846 -71010'],
    ...['0', ''],
  ])
  await w.restart()
  assert.deepEqual((await w.on('2026-02-18'))[0], '1000000')
  assert.deepEqual(await w.on('2026-02-19'), ['719958', ['2026-02-20 +71846 -71010'], '0', ''])
  assert.deepEqual(await w.on('2026-02-20'), ['720794', [], '0', ''])
  await w.trade('sell', '4', '73000', '627', '2026-02-20')
  assert.deepEqual(await w.on('2026-02-20'), ['720794', ['2026-02-24 +291373 -0'], '0', ''])
})

it('shows what the broker lets an order use, and takes its word for what is there', async () => {
  const w = await world()
  const said = (settled: string, orderable: string, count: number, date: string) =>
    balancesReported(ACCOUNT, { KRW: '1000000' }, count, {
      cash: [{ currency: 'KRW', settled, orderable }],
      timeUs: at(date),
    })
  // Sold for 300,000 before JTS came: the money is on its way, and nobody has said when it comes.
  await w.hear(said('700000', '995000', 0, '2026-02-12'))
  assert.deepEqual(await w.on('2026-02-12'), ['700000', [], '300000', '995000'])
  await w.trade('buy', '1', '70000', '10', '2026-02-12')
  // A report of another number of fills says nothing of what is there.
  await w.hear(said('1', '925000', 0, '2026-02-12'))
  assert.deepEqual(await w.on('2026-02-12'), ['700000', ['2026-02-19 +0 -70010'], '300000', '925000'])
  await w.restart()
  await w.hear(said('1000000', '929990', 1, '2026-02-13'))
  assert.deepEqual(await w.on('2026-02-13'), ['1000000', ['2026-02-19 +0 -70010'], '0', '929990'])
})

it('goes by the holidays of the configuration, and beyond the calendar says no day', async () => {
  const w = await world(new KrxCalendar({ holidays: ['2026-02-19'] }))
  await w.trade('buy', '1', '70000', '10', '2026-02-12')
  assert.deepEqual((await w.on('2026-02-13'))[1], ['2026-02-20 +0 -70010'])
  await w.trade('sell', '1', '70000', '150', '2026-12-30')
  assert.deepEqual(await w.on('2026-12-30'), ['929990', [], '69850', ''])
})

it('says nothing of the kind where trades settle at once', async () => {
  const w = await new World().start()
  await w.hear(
    openingBalance('sim.binance.main', { USDT: '1000' }),
    orderFilled({ account: 'sim.binance.main', instrument: 'BINANCE:BTCUSDT', quantity: '1', price: '100' }),
  )
  const { accounts } = await w.tracker.api.getCurrentPortfolio({ account: 'sim.binance.main' })
  assert.deepEqual(accounts[0]!.settlements, [])
})

it('what comes or goes without a trade is settled at once', async () => {
  const w = await new World().start()
  await w.hear(openingBalance(ACCOUNT, { KRW: '1000000' }))
  await w.trade('buy', '1', '70000', '10', '2024-01-02')
  await w.hear(balanceAdjusted(ACCOUNT, 'KRW', '500000'))
  const [settled, days] = await w.on('2024-01-02')
  assert.deepEqual([settled, days], ['1500000', ['2024-01-04 +0 -70010']])
})

it('a fill that could not be taken is booked once when it is given again, and whatever came before it stays', async () => {
  class BrokenOnce extends KrxCalendar {
    calls = 0
    override tradingDayAfter(...args: Parameters<KrxCalendar['tradingDayAfter']>): string {
      if (++this.calls === 2) throw new Error('broken')
      return super.tradingDayAfter(...args)
    }
  }
  const w = await world(new BrokenOnce())
  await w.trade('buy', '1', '70000', '10', '2026-02-12')
  const before = await w.on('2026-02-12')
  await w.trade('buy', '2', '70000', '20', '2026-02-12')
  assert.match(w.harness.poison.splice(0).join(), /broken/)
  assert.deepEqual(await w.on('2026-02-12'), before)
  assert.deepEqual(await w.harness.bus.readAgain(), [])
  const after = ['1000000', ['2026-02-19 +0 -210030'], '0', '']
  assert.deepEqual(await w.on('2026-02-12'), after)
  await w.restart()
  assert.deepEqual(await w.on('2026-02-12'), after)
})
