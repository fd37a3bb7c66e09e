/** The rules of the KRX are the same code in a backtest and in the live risk service: the same order, the same answer. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runBacktest } from '@jts/backtest'
import { listingOf } from '@jts/contracts'
import { RiskCheckRequest } from '@jts/contracts/risk-api'
import {
  formatUnits,
  instrumentId,
  krxInstrument,
  kstInstantUs,
  ONE,
  parseUnits,
  secondsOfTime,
  unlistedKrxInstrument,
  type KrxListingOfDay,
  type RecordedBars,
} from '@jts/model'
import { createRiskManagement } from '@jts/risk-management'
import { defineStrategy } from '@jts/strategy-kit'
import { Harness } from '@jts/testkit/harness'
import { openingBalance } from '@jts/testkit/order-events'

const SAMSUNG = instrumentId('KRX:005930')
const ACCOUNT = 'sim.creon.krx'
const CLOSE = 71_900

type Case = { time: string; date?: string; listing?: Partial<KrxListingOfDay>; limit?: string; expected: string }
/** 2026-01-02 opened an hour late, as the first day of its year; 2025-11-13 was the day of 수능; 2025-10-06 was 추석. */
const cases: readonly [name: string, one: Case][] = [
  ['in continuous trading', { time: '10:00', expected: '' }],
  ['in the closing auction', { time: '15:25', expected: '' }],
  ['after the close', { time: '15:31', expected: 'SESSION_CLOSED' }],
  ['in off-hours trading', { time: '16:01', expected: 'SESSION_CLOSED' }],
  ['on a holiday', { time: '10:00', date: '2025-10-06', expected: 'SESSION_CLOSED' }],
  ['on the first day of the year, before it opens', { time: '09:15', date: '2026-01-02', expected: 'SESSION_CLOSED' }],
  ['on the day of 수능, before it opens', { time: '09:15', date: '2025-11-13', expected: 'SESSION_CLOSED' }],
  ['on the day of 수능, in its last hour', { time: '16:10', date: '2025-11-13', expected: '' }],
  ['a halted issue', { time: '10:00', listing: { restrictions: ['halted'] }, expected: 'INSTRUMENT_HALTED' }],
  ['a managed issue', { time: '10:00', listing: { restrictions: ['managed'] }, expected: 'INSTRUMENT_MANAGED' }],
  ['off the tick of a share', { time: '10:00', limit: '71950', expected: 'TICK_SIZE' }],
  ['on the tick of an ETF', { time: '10:00', limit: '71905', listing: { kind: 'etf' }, expected: '' }],
  ['above the limit of the day', { time: '10:00', limit: '93300', expected: 'PRICE_LIMIT' }],
]

function listingOn(date: string, listing: Partial<KrxListingOfDay> = {}): KrxListingOfDay {
  return { code: '005930', market: 'KOSPI', kind: 'stock', date, basePrice: 71_700n * ONE, ...listing }
}

/** One minute's bar that ends there, and a strategy that buys on it. */
function inBacktest(atUs: number, listing: KrxListingOfDay, limit: string | undefined): string {
  const bar = Float64Array.of(CLOSE)
  const market: RecordedBars = {
    ...{ kind: 'bars', file: 'made.csv', sha256: '', instrument: SAMSUNG, timeframe: '1m', length: 1, gaps: 0 },
    ...{ missingBars: 0, open: bar, high: bar, low: bar, close: bar, volume: Float64Array.of(1) },
    ...{ openTimeUs: Float64Array.of(atUs - 60_000_000), closeTimeUs: Float64Array.of(atUs) },
  }
  const strategy = defineStrategy({
    name: 'buys',
    parameters: {},
    state: () => ({}),
    onBar(_bar, { buy }) {
      buy('1', limit === undefined ? {} : { limit })
    },
  })
  const { counts, denials } = runBacktest({
    ...{ strategy, markets: [market], nowMs: () => 0, cash: '10000000' },
    instruments: [krxInstrument(listing)],
  })
  assert.equal(counts.signals, 1)
  return [...denials.keys()].join()
}

async function live(atUs: number, listing: KrxListingOfDay, limit: string | undefined): Promise<string> {
  const harness = Harness.open(atUs - 1_000_000)
  const { store, bus, marketClock, log } = harness
  const risk = createRiskManagement({
    ...{ store, bus, marketClock, log, limits: {}, approvalValidUs: 10_000_000 },
    instruments: [unlistedKrxInstrument(SAMSUNG)],
    marketTopics: ['market-data.krx.candles'],
  })
  await risk.start()
  await bus.start()
  const about = { stream: SAMSUNG, correlationId: 'c', causationId: '', timeEventUs: atUs - 1_000_000 }
  store.transact((turn) => {
    turn.publish('orders.events', openingBalance(ACCOUNT, { KRW: '10000000' }))
    const payload = listingOf(krxInstrument(listing), atUs)
    turn.publish('market-data.krx.candles', { ...about, type: 'InstrumentListed', payload })
  })
  await harness.run()
  marketClock.advanceTo(atUs)
  const price = formatUnits(parseUnits(String(CLOSE)))
  const { denialCode } = await risk.api.checkTradingRisk(
    RiskCheckRequest.create({
      ...{ correlationId: 'c', signalId: 's', symbol: SAMSUNG, side: 'buy', account: ACCOUNT, strategy: 'one' },
      ...{ quantityText: '1', priceText: price, orderType: 'limit', limitPrice: limit ?? price, signalTimeUs: atUs },
    }),
  )
  assert.deepEqual(harness.poison, [])
  await harness.remove()
  return denialCode
}

describe('the same order for a Korean share is answered the same in a backtest and live', () => {
  for (const [name, { time, date = '2026-01-05', listing, limit, expected }] of cases) {
    it(`${name}: ${expected === '' ? 'approved' : expected}`, async () => {
      const atUs = kstInstantUs(date, secondsOfTime(time))
      const listed = listingOn(date, listing)
      assert.deepEqual([inBacktest(atUs, listed, limit), await live(atUs, listed, limit)], [expected, expected])
    })
  }
})
