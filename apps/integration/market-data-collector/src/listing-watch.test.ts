/** What is told of listings: before the first prices, on every change, and not the same twice. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, it } from 'node:test'
import { BrokerError, type MarketDataPort } from '@jts/broker-kit'
import { instrumentOfListing } from '@jts/contracts'
import {
  instrumentId,
  krxInstrument,
  ONE,
  unlistedKrxInstrument,
  type Instrument,
  type InstrumentId,
  type KrxListingOfDay,
} from '@jts/model'
import { Harness } from '@jts/testkit/harness'
import { LISTINGS_EVERY_MS, ListingWatch } from './listing-watch.ts'

const ETF = instrumentId('KRX:069500')
const OTHER = instrumentId('KRX:580001')
const etf: KrxListingOfDay = {
  ...{ code: '069500', market: 'KOSPI', kind: 'etf', date: '2026-01-05', restrictions: ['warning'] },
  priceLimits: { priceMin: 25_550n * ONE, priceMax: 47_450n * ONE },
}

let harness: Harness
let watch: ListingWatch
let listed: (wanted: readonly InstrumentId[]) => readonly Instrument[]

function start(mayBeAlwaysOpen = true): Promise<void> {
  const instruments = (wanted: readonly InstrumentId[]) => Promise.resolve().then(() => listed(wanted))
  const source = { instruments } as unknown as MarketDataPort
  watch = new ListingWatch({ ...harness, source, instruments: [ETF, OTHER], mayBeAlwaysOpen })
  return watch.start()
}

const told = () => harness.events('market-data.krx.candles', 'InstrumentListed')

beforeEach(() => {
  harness = Harness.open()
  listed = () => [krxInstrument(etf), unlistedKrxInstrument(OTHER)]
})
afterEach(async () => {
  watch.stop()
  await harness.remove()
})

it('tells what the source says, and who hears it has the same instrument', async () => {
  await start()
  await harness.run()
  assert.deepEqual(
    (await told()).map(({ payload }) => instrumentOfListing(payload)),
    [...listed([ETF, OTHER])],
  )
})

it('tells a change alone, and goes on while the source cannot be asked', async () => {
  await start()
  await harness.run(3 * LISTINGS_EVERY_MS)
  assert.equal((await told()).length, 2)
  const before = listed
  listed = () => {
    throw new Error('down')
  }
  await harness.run(2 * LISTINGS_EVERY_MS)
  listed = () => [krxInstrument({ ...etf, restrictions: ['halted'] }), before([ETF, OTHER])[1]!]
  await harness.run(2 * LISTINGS_EVERY_MS)
  const said = (await told()).map(({ payload }) => `${payload.instrument} ${payload.restrictions.join()}`)
  assert.deepEqual(said.sort(), ['KRX:069500 halted', 'KRX:069500 warning', 'KRX:580001 '])
})

it('tells of the others when the source does not know one', async () => {
  listed = (wanted) => {
    if (wanted.includes(OTHER)) throw new BrokerError('INSTRUMENT_NOT_FOUND', `found ${OTHER}`)
    return [krxInstrument(etf)]
  }
  await start()
  await harness.run(LISTINGS_EVERY_MS)
  assert.deepEqual(
    (await told()).map(({ stream }) => stream),
    [ETF],
  )
})

it('believes only a simulated market that it never closes', async () => {
  listed = () => [krxInstrument({ ...etf, alwaysOpen: true })]
  await start()
  await harness.run()
  const [open] = await told()
  assert.equal(instrumentOfListing(open!.payload).sessions, undefined)
  watch.stop()
  await start(false)
  await harness.run()
  const [, real] = await told()
  assert.equal(instrumentOfListing(real!.payload).sessions, 'KRX')
})
