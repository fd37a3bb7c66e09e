import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { instrumentId, type InstrumentId } from '@jts/model'
import { silentLogger } from '@jts/runtime'
import { createBinanceMarketData } from './market-data.ts'
import { ManualClock } from './testing/manual-clock.ts'
import { BTCUSDT } from './testing/broker.ts'
import { fixture } from './testing/fixtures.ts'
import { ScriptedVenue } from './testing/scripted-venue.ts'

const MINUTE_MS = 60_000
const venue = await ScriptedVenue.start()
/** 40 s into a minute. */
const NOW_US = 1_767_600_040_000_000
const wallClock = new ManualClock(NOW_US)
const market = createBinanceMarketData({ endpoints: venue.endpoints, wallClock, log: silentLogger })
after(async () => {
  await market.stop()
  await venue.stop()
})
beforeEach(() => {
  venue.asked.length = 0
})

/** Answers like the venue: rows from `firstMs` on, the newest one still open. */
function serveKlines(firstMs: number, count: number): void {
  const template = (fixture('klines') as unknown[][])[0]!
  const rows = Array.from({ length: count }, (_, index) => {
    const openMs = firstMs + index * MINUTE_MS
    return [openMs, ...template.slice(1, 6), openMs + MINUTE_MS - 1, ...template.slice(7)] as [number, ...unknown[]]
  })
  venue.script = ({ path, params }) => {
    if (path !== '/api/v3/klines') return undefined
    const from = params.get('startTime')
    const until = Number(params.get('endTime') ?? Infinity)
    const fitting = rows.filter(([openMs]) => openMs >= Number(from ?? 0) && openMs <= until)
    const limit = Number(params.get('limit'))
    return { body: from === null ? fitting.slice(-limit) : fitting.slice(0, limit) }
  }
}
const THIS_MINUTE_MS = NOW_US / 1000 - 40_000

test('history is read page by page and ends before the open bar', async () => {
  const firstMs = THIS_MINUTE_MS - 2100 * MINUTE_MS
  serveKlines(firstMs, 2101)
  const bars = await market.candles({ instrument: BTCUSDT, timeframe: '1m', fromUs: firstMs * 1000 })
  assert.equal(bars.length, 2100)
  assert.equal(venue.asked.length, 3)
  assert.equal(bars[0]?.openTimeUs, firstMs * 1000)
  bars.forEach((bar, index) => assert.equal(bar.openTimeUs, (firstMs + index * MINUTE_MS) * 1000))
})

test('history stops at the last open time wanted and at the limit', async () => {
  const firstMs = 1_700_000_040_000
  serveKlines(firstMs, 50)
  const query = { instrument: BTCUSDT, timeframe: '1m', fromUs: firstMs * 1000 }
  assert.equal((await market.candles({ ...query, toUs: (firstMs + 9 * MINUTE_MS) * 1000 })).length, 10)
  assert.equal((await market.candles({ ...query, limit: 3 })).length, 3)
})

test('the latest bars are closed ones, read backwards when one page does not hold them', async () => {
  const firstMs = THIS_MINUTE_MS - 1499 * MINUTE_MS
  serveKlines(firstMs, 1500)
  const bars = await market.candles({ instrument: BTCUSDT, timeframe: '1m', limit: 1200 })
  assert.equal(bars.length, 1200)
  assert.equal(bars.at(-1)?.openTimeUs, (THIS_MINUTE_MS - MINUTE_MS) * 1000)
  bars.slice(1).forEach((bar, index) => assert.equal(bar.openTimeUs - bars[index]!.openTimeUs, MINUTE_MS * 1000))
})

test('a market that ended long ago gives its last bars, all of them closed', async () => {
  serveKlines(1_700_000_040_000, 5)
  assert.equal((await market.candles({ instrument: BTCUSDT, timeframe: '1m', limit: 3 })).length, 3)
  assert.equal((await market.candles({ instrument: BTCUSDT, timeframe: '1m' })).length, 5)
})

test('a market that runs ahead of the wall clock gives all bars but the one that has no successor', async () => {
  serveKlines(THIS_MINUTE_MS + 600 * MINUTE_MS, 5)
  const bars = await market.candles({ instrument: BTCUSDT, timeframe: '1m', limit: 3 })
  assert.deepEqual(
    bars.map(({ openTimeUs }) => openTimeUs / 60_000_000 - THIS_MINUTE_MS / MINUTE_MS),
    [601, 602, 603],
  )
})

/** Answers like the venue: trades 1 to `count`, from an id on or the newest. */
function serveTrades(count: number): void {
  const [template] = fixture('historical-trades') as object[]
  const rows = Array.from({ length: count }, (_, index) => ({ ...template, id: index + 1 }))
  venue.script = ({ path, params }) => {
    const limit = Number(params.get('limit'))
    if (path === '/api/v3/trades') return { body: rows.slice(-limit) }
    if (path !== '/api/v3/historicalTrades') return undefined
    const first = Number(params.get('fromId')) - 1
    return { body: rows.slice(first, first + limit) }
  }
}

test('missed trades are read page by page, up to the newest or to the limit, and without a key', async () => {
  serveTrades(2300)
  const missed = await market.trades({ instrument: BTCUSDT, afterTradeId: '150', limit: 5000 })
  assert.deepEqual([missed.length, missed[0]?.tradeId, missed.at(-1)?.tradeId], [2150, '151', '2300'])
  assert.equal(venue.asked.length, 3)
  assert.equal(venue.asked[0]?.headers['x-mbx-apikey'], undefined)
  const some = await market.trades({ instrument: BTCUSDT, afterTradeId: '2290', limit: 3 })
  assert.deepEqual(
    some.map(({ tradeId }) => tradeId),
    ['2291', '2292', '2293'],
  )
  assert.deepEqual(await market.trades({ instrument: BTCUSDT, afterTradeId: '2300', limit: 1000 }), [])
})

for (const afterTradeId of ['\u0094ö', '-5', '0x10', '1.5', ' ', '9'.repeat(19)]) {
  test(`trades after ${JSON.stringify(afterTradeId)}, which is no id of a trade, are refused before anything is asked`, async () => {
    await assert.rejects(market.trades({ instrument: BTCUSDT, afterTradeId }), {
      code: 'INVALID',
      message: `expected the id of a trade, a whole number, found ${JSON.stringify(afterTradeId)}`,
    })
    assert.equal(venue.asked.length, 0)
  })
}

test('without an id the latest trades are asked for, oldest first', async () => {
  serveTrades(20)
  const latest = await market.trades({ instrument: BTCUSDT, limit: 2 })
  assert.deepEqual(
    latest.map(({ tradeId }) => tradeId),
    ['19', '20'],
  )
})

test('an unknown timeframe is refused before anything is asked', async () => {
  await assert.rejects(market.candles({ instrument: BTCUSDT, timeframe: '7m' }), { code: 'INVALID' })
  assert.equal(venue.asked.length, 0)
})

test('instruments asked for by name are asked of the venue by symbol', async () => {
  const info = fixture('exchange-info') as { symbols: unknown[] }
  venue.script = () => ({ body: { ...info, symbols: info.symbols.slice(0, 1) } })
  const [btc] = await market.instruments([BTCUSDT])
  assert.equal(btc?.id, BTCUSDT)
  assert.equal(venue.asked[0]?.params.get('symbols'), '["BTCUSDT"]')
})

test('a listing that cannot be named is left out of the whole list', async () => {
  venue.script = () => ({ body: fixture('exchange-info') })
  const all = await market.instruments()
  assert.deepEqual(
    all.map(({ id }) => id),
    ['BINANCE:BTCUSDT', 'BINANCE:OLDBTC'] as InstrumentId[],
  )
})

test('an instrument of another venue is refused', async () => {
  await assert.rejects(market.instruments([instrumentId('KRX:005930')]), { name: 'BrokerError', code: 'INVALID' })
})

test('prices are refused at once where the past may still wait for room, all its pages together', async () => {
  const clock = new ManualClock(NOW_US)
  const waits = { questionWaitMs: { short: 4000, long: 30_000 } }
  const bounded = createBinanceMarketData({ endpoints: venue.endpoints, wallClock: clock, log: silentLogger, ...waits })
  const full = { 'x-mbx-used-weight-1m': '6000' }
  const row = (fixture('klines') as unknown[][])[0]!
  const page = Array.from({ length: 1000 }, (_, n) => [n * MINUTE_MS, ...row.slice(1, 6), 0, ...row.slice(7)])
  venue.script = ({ path }) => ({ headers: full, body: path === '/api/v3/klines' ? page : [] })
  const noRoom = (seconds: number) => ({ code: 'RATE_BUDGET', retryAfterMs: seconds * 1000 })
  await bounded.quotes!([BTCUSDT])
  await assert.rejects(bounded.quotes!([BTCUSDT]), noRoom(20))
  const history = bounded.candles({ instrument: BTCUSDT, timeframe: '1m', fromUs: 0, limit: 2000 })
  clock.advance(20_000_000)
  // The first page comes with the new minute, and uses it up; 10 s are left for the second.
  await assert.rejects(history, noRoom(60))
  assert.deepEqual(
    venue.asked.map(({ path }) => path),
    ['/api/v3/ticker/bookTicker', '/api/v3/klines'],
  )
  await bounded.stop()
})
