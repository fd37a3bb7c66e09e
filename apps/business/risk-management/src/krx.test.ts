/** Risk before orders for what the KRX lists: its hours in market time, and what the broker says that it is and how it stands. */
import assert from 'node:assert/strict'
import { afterEach, it } from 'node:test'
import { listingOf, type NewEvent } from '@jts/contracts'
import { RiskCheckRequest, type RiskCheckResponse } from '@jts/contracts/risk-api'
import {
  accountId,
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
import { HEARTBEAT } from '@jts/runtime'
import { Harness, START_US } from '@jts/testkit/harness'
import { candle, openingBalance, topicOf } from '@jts/testkit/order-events'
import { Heartbeats, placeOf } from '@jts/transport'
import { createRiskManagement, type RiskManagement } from './index.ts'

const ACCOUNT = accountId('sim.creon.krx')
const KODEX = instrumentId('KRX:069500')
/** A Monday on which the KRX was open. */
const DATE = '2026-01-05'
const etf: KrxListingOfDay = {
  ...{ code: '069500', market: 'KOSPI', kind: 'etf', date: DATE },
  priceLimits: { priceMin: 25_550n * ONE, priceMax: 47_450n * ONE },
}
const open: Harness[] = []

type Options = { readonly limits?: RiskLimits; readonly hours?: KrxHours; readonly listens?: boolean }

class World {
  harness = Harness.open()
  risk!: RiskManagement
  #questions = 0
  readonly #options: Options
  #voices: readonly Heartbeats[] = []

  constructor(options: Options) {
    this.#options = options
  }

  async start(): Promise<this> {
    open.push(this.harness)
    const { store, bus, marketClock, wallClock, log } = this.harness
    const accounts = [{ account: ACCOUNT, instruments: [KODEX] }]
    this.risk = createRiskManagement({
      ...{ store, bus, marketClock, log },
      limits: this.#options.limits ?? {},
      sessions: krxSessionsOf(this.#options.hours),
      instruments: [unlistedKrxInstrument(KODEX)],
      marketTopics: ['market-data.krx.candles'],
      approvalValidUs: 10_000_000,
      ...(this.#options.listens === true ? { heartbeats: { times: HEARTBEAT, wallClock, accounts } } : {}),
    })
    await this.risk.start()
    await bus.start()
    await this.harness.run()
    return this
  }

  /** Order execution and the collector are there, and their broker with them. */
  async speak(): Promise<void> {
    const { store, wallClock, log } = this.harness
    this.#voices = [
      { service: 'order-execution', said: { accounts: [ACCOUNT] } },
      { service: 'market-data-collector', said: { places: [placeOf(KODEX)] } },
    ].map(({ service, said }) => new Heartbeats({ service, store, wallClock, log, times: HEARTBEAT, says: () => said }))
    for (const voice of this.#voices) voice.start()
    await this.harness.run()
  }

  async fallSilent(): Promise<void> {
    for (const voice of this.#voices) voice.stop()
    await this.harness.run(6000)
  }

  async restart(): Promise<void> {
    await this.harness.run()
    this.risk.stop()
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

async function world(options: Options = {}): Promise<World> {
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

it('lets a purchase for an opening auction wait for a broker that is silent, as long as the auction takes it', async () => {
  const w = await world({ limits: { signalAgeMaxUs: 60_000_000 }, listens: true })
  await w.lists({ ...etf, date: '2026-01-06' })
  const day = (time: string): number => kstInstantUs('2026-01-06', secondsOfTime(time))
  const signal = { signalId: 'of the evening', signalTimeUs: day('08:30:05') }
  w.at('08:30:20', '2026-01-06')
  await w.fallSilent()
  const silent = { name: 'RpcError', code: 'UNAVAILABLE', message: /^expected a heartbeat of .* found none for/ }
  await assert.rejects(w.ask(signal), silent)
  // What is for now or never is denied at once.
  assert.equal(await w.code(), 'HEARTBEAT_MISSING')
  await w.restart()
  w.at('08:31', '2026-01-06')
  await w.fallSilent()
  await assert.rejects(w.ask(signal), silent)
  await w.speak()
  assert.equal((await w.ask(signal)).approved, true)
  // Nobody comes back in time.
  await w.fallSilent()
  const late = { signalId: 'of another', signalTimeUs: signal.signalTimeUs, quantityText: '2' }
  await assert.rejects(w.ask(late), silent)
  w.at('08:59:56', '2026-01-06')
  assert.equal((await w.ask(late)).denialCode, 'HEARTBEAT_MISSING')
  w.risk.stop()
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
