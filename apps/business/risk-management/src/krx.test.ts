/** Risk before orders for what the KRX lists: its hours in market time, and what the broker says that it is and how it stands. */
import assert from 'node:assert/strict'
import { afterEach, it } from 'node:test'
import { listingOf, type NewEvent } from '@jts/contracts'
import { RiskCheckRequest, type RiskCheckResponse } from '@jts/contracts/risk-api'
import {
  instrumentId,
  krxInstrument,
  krxSessionsOf,
  kstDateOf,
  kstInstantUs,
  ONE,
  secondsOfTime,
  unlistedKrxInstrument,
  type KrxHours,
  type KrxListingOfDay,
  type RiskLimits,
} from '@jts/model'
import { Harness, START_US } from '@jts/testkit/harness'
import { candle, openingBalance, topicOf } from '@jts/testkit/order-events'
import { createRiskManagement, type RiskManagement } from './index.ts'

const ACCOUNT = 'sim.creon.krx'
const KODEX = instrumentId('KRX:069500')
/** A Monday on which the KRX was open. */
const DATE = '2026-01-05'
const etf: KrxListingOfDay = {
  ...{ code: '069500', market: 'KOSPI', kind: 'etf', date: DATE },
  priceLimits: { priceMin: 25_550n * ONE, priceMax: 47_450n * ONE },
}
const open: Harness[] = []

class World {
  harness = Harness.open()
  risk!: RiskManagement
  #questions = 0
  readonly #options: { limits?: RiskLimits; hours?: KrxHours }

  constructor(options: { limits?: RiskLimits; hours?: KrxHours }) {
    this.#options = options
  }

  async start(): Promise<this> {
    open.push(this.harness)
    const { store, bus, marketClock, log } = this.harness
    this.risk = createRiskManagement({
      ...{ store, bus, marketClock, log },
      limits: this.#options.limits ?? {},
      sessions: krxSessionsOf(this.#options.hours),
      instruments: [unlistedKrxInstrument(KODEX)],
      marketTopics: ['market-data.krx.candles'],
      approvalValidUs: 10_000_000,
    })
    await this.risk.start()
    await bus.start()
    await this.harness.run()
    return this
  }

  async restart(): Promise<void> {
    await this.harness.run()
    this.harness = this.harness.killed()
    await this.start()
  }

  async hear(event: NewEvent): Promise<void> {
    this.harness.store.transact((turn) => turn.publish(topicOf(event), event))
    await this.harness.run()
  }

  async lists(listing: KrxListingOfDay): Promise<void> {
    const payload = listingOf(krxInstrument(listing), this.harness.marketClock.nowUs())
    const about = { stream: KODEX, correlationId: 'c', causationId: '', timeEventUs: START_US }
    this.harness.store.transact((turn) =>
      turn.publish('market-data.krx.candles', { ...about, type: 'InstrumentListed', payload }),
    )
    await this.harness.run()
  }

  /** Market time goes on alone; it never goes back. */
  at(time: string, date = DATE): void {
    this.harness.marketClock.advanceTo(kstInstantUs(date, secondsOfTime(time)))
  }

  async code(changes: Partial<RiskCheckRequest> = {}): Promise<string> {
    const { denialCode } = await this.ask(changes)
    return denialCode === '' ? 'approved' : denialCode
  }

  ask(changes: Partial<RiskCheckRequest>): Promise<RiskCheckResponse> {
    const id = `s-${++this.#questions}`
    return this.risk.api.checkTradingRisk(
      RiskCheckRequest.create({
        ...{ correlationId: id, signalId: id, symbol: KODEX, side: 'buy', account: ACCOUNT, strategy: 'one' },
        ...{ quantityText: '1', priceText: '36505', orderType: 'limit', limitPrice: '36505' },
        signalTimeUs: this.harness.marketClock.nowUs(),
        ...changes,
      }),
    )
  }
}

async function world(options: { limits?: RiskLimits; hours?: KrxHours } = {}): Promise<World> {
  const made = await new World(options).start()
  assert.ok(kstDateOf(START_US) < DATE, 'the world begins before the day that is traded')
  await made.hear(openingBalance(ACCOUNT, { KRW: '1000000' }))
  await made.hear(candle(KODEX, START_US, 36_505))
  made.at('10:00')
  return made
}

afterEach(async () => {
  for (const harness of open.splice(0)) {
    assert.deepEqual(harness.poison, [])
    await harness.remove()
  }
})

it('buys nothing of which its broker has not said what it is, and then by the rules of that, also after a restart', async () => {
  const w = await world()
  assert.equal(await w.code(), 'LISTING_UNKNOWN')
  await w.lists(etf)
  // An ETF goes in steps of 5 won where a share goes in 50.
  assert.equal(await w.code(), 'approved')
  assert.equal(await w.code({ limitPrice: '36502' }), 'TICK_SIZE')
  assert.equal(await w.code({ limitPrice: '47455' }), 'PRICE_LIMIT')
  await w.restart()
  w.at('10:01')
  assert.deepEqual([await w.code(), await w.code({ limitPrice: '47455' })], ['approved', 'PRICE_LIMIT'])
})

it('denies outside the sessions, by phase and on holidays, in market time', async () => {
  const w = await world({
    hours: { holidays: ['2026-01-07'], shiftedDays: [{ date: '2026-01-08', minutes: 60, what: 'day' }] },
  })
  await w.lists(etf)
  const ioc = { timeInForce: 'ioc' }
  const found: string[] = []
  for (const [date, time, changes] of [
    [DATE, '15:19', ioc],
    [DATE, '15:25', {}],
    [DATE, '15:25', ioc],
    [DATE, '15:30', {}],
    ['2026-01-06', '08:29', {}],
    ['2026-01-06', '08:31', {}],
    // A holiday that the configuration has added, and a day that it has moved.
    ['2026-01-07', '10:00', {}],
    ['2026-01-08', '08:45', {}],
    ['2026-01-08', '16:10', {}],
    // A Saturday.
    ['2026-01-10', '10:00', {}],
    ['2027-01-04', '10:00', {}],
  ] as const) {
    w.at(time, date)
    found.push(await w.code(changes))
  }
  assert.deepEqual(found, [
    ...['approved', 'approved', 'SESSION_PHASE', 'SESSION_CLOSED'],
    ...[
      'SESSION_CLOSED',
      'approved',
      'SESSION_CLOSED',
      'SESSION_CLOSED',
      'approved',
      'SESSION_CLOSED',
      'SESSION_UNKNOWN',
    ],
  ])
})

it('approves what its opening auction still takes until that ends, and the same again after a restart; ten seconds are for the rest', async () => {
  const w = await world({ limits: { signalAgeMaxUs: 60_000_000 } })
  await w.lists({ ...etf, date: '2026-01-06' })
  const day = (time: string): number => kstInstantUs('2026-01-06', secondsOfTime(time))
  const signal = { signalId: 'of the evening', signalTimeUs: day('08:30:05') }
  w.at('08:45', '2026-01-06')
  const approved = await w.ask(signal)
  assert.deepEqual([approved.denialCode, approved.validUntilUs], ['', day('08:59:55')])
  await w.restart()
  w.at('09:05', '2026-01-06')
  const again = await w.ask({ ...signal, correlationId: approved.correlationId })
  assert.deepEqual(again, approved)
  assert.equal(await w.code({ signalTimeUs: signal.signalTimeUs }), 'STALE_SIGNAL')
  const now = await w.ask({})
  assert.deepEqual([now.denialCode, now.validUntilUs], ['', day('09:05:10')])
})

it('trades at any hour where the simulated venue says that it never closes', async () => {
  const w = await world()
  await w.lists({ ...etf, alwaysOpen: true })
  w.at('03:00', '2026-01-11')
  assert.equal(await w.code(), 'approved')
})

it('follows halts and restrictions as the broker tells them; the trader may accept some, and may sell', async () => {
  const w = await world({ limits: { restrictionsAllowed: ['caution'] } })
  for (const [restrictions, expected] of [
    [['managed'], 'INSTRUMENT_MANAGED'],
    [['caution'], 'approved'],
    [['caution', 'halted'], 'INSTRUMENT_HALTED'],
    [['warning'], 'INSTRUMENT_WARNING'],
    [[], 'approved'],
  ] as const) {
    await w.lists({ ...etf, restrictions })
    assert.equal(await w.code(), expected)
  }
  await w.lists({ ...etf, restrictions: ['managed'] })
  assert.equal(await w.code({ side: 'sell' }), 'INSUFFICIENT_POSITION')
})
