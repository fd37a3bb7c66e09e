/** The adapter against the local venue, a separate implementation of the same protocol. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { BrokerListener, FillReport, OrderReport, PlaceOrderIntent } from '@jts/broker-kit'
import { parseUnits, unitsFromFloat, unitsToFloat, type Bar, type ClientOrderId, type Trade } from '@jts/model'
import { Activity, silentLogger, systemClock } from '@jts/runtime'
import { freePort } from '@jts/testkit/ports'
import { createBinanceMarketData } from './market-data.ts'
import { BTCUSDT, testBroker } from './testing/broker.ts'
import { until } from './testing/until.ts'
import { VenueProcess } from './testing/venue-process.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'binance-service-'))
const settings = ['--data-dir', dataDir, '--symbols', 'BTCUSDT', '--fault', 'timeout-after-accept=3']
let venue = await VenueProcess.start('--port', String(await freePort()), ...settings)
const { endpoints, credentials } = venue

const activity = new Activity()
const streamTimings = { backoffMinMs: 20, backoffMaxMs: 100 }
const broker = testBroker(endpoints, { credentials, activity, streamTimings })
const market = createBinanceMarketData({ endpoints, wallClock: systemClock, log: silentLogger, streamTimings })
after(async () => {
  await Promise.all([broker.stop(), market.stop()])
  await venue.kill()
  rmSync(dataDir, { recursive: true, force: true })
})

const reports: OrderReport[] = []
const fills: FillReport[] = []
const states: string[] = []
let balanceNotices = 0
const listener: BrokerListener = {
  onOrder(report, fill) {
    reports.push(report)
    if (fill) fills.push(fill)
  },
  onBalances: () => balanceNotices++,
  onAdjustment: () => undefined,
  onOrderStream: (state) => states.push(state),
}
await Promise.all([broker.start(), market.start()])
broker.subscribeOrders(listener)
await until(() => states.at(-1) === 'up')

function intent(id: string, change: Partial<PlaceOrderIntent>): PlaceOrderIntent {
  const nowUs = systemClock.nowUs() + broker.clockOffsetUs()
  const order = { clientOrderId: id as ClientOrderId, instrument: BTCUSDT, side: 'buy', type: 'market' } as const
  return { ...order, quantity: parseUnits('0.01'), intentTimeUs: nowUs, sendBeforeUs: nowUs + 30_000_000, ...change }
}
const name = (id: string) => ({ instrument: BTCUSDT, clientOrderId: id as ClientOrderId })
async function farBelow(): Promise<bigint> {
  const [bar] = await market.candles({ instrument: BTCUSDT, timeframe: '1m', limit: 1 })
  return unitsFromFloat(Math.floor(bar!.close * 0.8))
}

test('clocks of one machine agree', () => {
  assert.ok(Math.abs(broker.clockOffsetUs()) < 1_000_000)
})

test('the instrument is known with its steps', async () => {
  const [instrument] = await market.instruments([BTCUSDT])
  assert.equal(instrument?.id, BTCUSDT)
  assert.equal(instrument?.tradable, true)
  assert.ok(instrument!.lotSize > 0n && instrument!.tickSize > 0n)
})

test('a market order is filled, and answer, stream and account trades tell the same fills', async () => {
  const outcome = await broker.placeOrder(intent('it-market', {}))
  assert.equal(
    outcome.kind,
    'accepted',
    JSON.stringify(outcome, (_, value) => String(value)),
  )
  if (outcome.kind !== 'accepted') return
  assert.equal(outcome.report.status, 'filled')
  await until(() => fills.length >= outcome.fills.length && balanceNotices > 0)
  assert.deepEqual(fills, outcome.fills)
  const asked = await broker.fills({ instrument: BTCUSDT })
  assert.deepEqual(
    asked.map(({ tradeId, quantity, price, fee }) => ({ tradeId, quantity, price, fee })),
    fills.map(({ tradeId, quantity, price, fee }) => ({ tradeId, quantity, price, fee })),
  )
  const last = asked.at(-1)!
  assert.deepEqual(await broker.fills({ instrument: BTCUSDT, afterTradeId: last.tradeId }), [])
  const balances = await broker.balances()
  assert.ok(unitsToFloat(balances.find(({ currency }) => currency === 'BTC')!.free) > 0)
})

test('a limit order rests, is found, is cancelled once, and its notices keep its id', async () => {
  const resting = { type: 'limit', timeInForce: 'gtc', limitPrice: await farBelow() } as const
  const placed = await broker.placeOrder(intent('it-limit', resting))
  assert.equal(placed.kind === 'accepted' && placed.report.status, 'accepted')
  assert.deepEqual(
    (await broker.openOrders(BTCUSDT)).map(({ clientOrderId }) => clientOrderId),
    ['it-limit'],
  )
  const { intentTimeUs, sendBeforeUs } = intent('it-cancel', {})
  const cancel = { ...name('it-limit'), cancelId: 'it-cancel' as ClientOrderId, intentTimeUs, sendBeforeUs }
  const cancelled = await broker.cancelOrder(cancel)
  assert.equal(cancelled.kind === 'cancelled' && cancelled.report.clientOrderId, 'it-limit')
  assert.equal((await broker.cancelOrder(cancel)).kind, 'not_open')
  await until(() => reports.at(-1)?.status === 'cancelled')
  assert.equal(reports.at(-1)?.clientOrderId, 'it-limit')
  const found = await broker.queryOrder(name('it-limit'))
  assert.equal(found.kind === 'found' && found.report.status, 'cancelled')
  assert.deepEqual(await broker.openOrders(), [])
})

test('an order accepted behind a time-out is unknown, and its query finds it', async () => {
  assert.equal((await broker.placeOrder(intent('it-lost', {}))).kind, 'unknown')
  const found = await broker.queryOrder(name('it-lost'))
  assert.equal(found.kind === 'found' && found.report.status, 'filled')
  assert.deepEqual(await broker.queryOrder(name('it-never')), { kind: 'not_found' })
})

test('the venue itself refuses what a filter forbids, and an id that is still open leaves the order unknown', async () => {
  const tiny = await broker.placeOrder(intent('it-tiny', { quantity: parseUnits('0.00001') }))
  assert.equal(tiny.kind === 'rejected' && tiny.code, 'FILTER_FAILURE')
  const resting = { type: 'limit', timeInForce: 'gtc', limitPrice: await farBelow() } as const
  assert.equal((await broker.placeOrder(intent('it-open', resting))).kind, 'accepted')
  assert.equal((await broker.placeOrder(intent('it-open', resting))).kind, 'unknown')
})

test('closed bars stream and follow on the candles asked for', async () => {
  const bars: Bar[] = []
  const stream = market.subscribe([{ instrument: BTCUSDT, timeframe: '1s' }], {
    onBar: (bar) => bars.push(bar),
    onTrade: () => undefined,
    onMarketStream: () => undefined,
  })
  await until(() => bars.length > 0)
  assert.equal(bars[0]!.closeTimeUs - bars[0]!.openTimeUs, 999_000)
  // The made-up market closes a bar with its last trade, a little before its time is over; our clock may be a little ahead.
  await until(() => systemClock.nowUs() > bars[0]!.closeTimeUs + 1_000_000)
  const asked = await market.candles({ instrument: BTCUSDT, timeframe: '1s', fromUs: bars[0]!.openTimeUs, limit: 1 })
  assert.deepEqual(asked[0], bars[0])
  await stream.stop()
})

test('trades stream, and go on where the ones asked for end', async () => {
  const trades: Trade[] = []
  const stream = market.subscribe([{ instrument: BTCUSDT }], {
    onBar: () => undefined,
    onTrade: (trade) => trades.push(trade),
    onMarketStream: () => undefined,
  })
  await until(() => trades.length >= 3)
  await stream.stop()
  const before = String(BigInt(trades[0]!.tradeId) - 1n)
  assert.deepEqual(await market.trades({ instrument: BTCUSDT, afterTradeId: before, limit: 3 }), trades.slice(0, 3))
  const [latest] = await market.trades({ instrument: BTCUSDT, limit: 1 })
  assert.ok(BigInt(latest!.tradeId) >= BigInt(trades.at(-1)!.tradeId))
})

test('a killed venue comes back: the stream is up again and the open order is still there', async () => {
  await activity.whenIdle()
  await venue.kill()
  await until(() => states.at(-1) === 'down')
  assert.equal(activity.isIdle(), false)
  assert.equal((await broker.placeOrder(intent('it-away', {}))).kind, 'not_sent')
  venue = await VenueProcess.start('--port', new URL(endpoints.rest).port, ...settings)
  await until(() => states.at(-1) === 'up')
  const found = await broker.queryOrder(name('it-open'))
  assert.equal(found.kind === 'found' && found.report.status, 'accepted')
})
