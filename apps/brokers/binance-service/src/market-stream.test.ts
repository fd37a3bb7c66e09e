import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import type { MarketListener } from '@jts/broker-kit'
import { instrumentId, type Bar, type Trade } from '@jts/model'
import { Activity, silentLogger, systemClock, type WallClock } from '@jts/runtime'
import { createBinanceMarketData, type BinanceMarketData } from './market-data.ts'
import { BTCUSDT } from './testing/broker.ts'
import { fixture } from './testing/fixtures.ts'
import { ScriptedVenue } from './testing/scripted-venue.ts'
import { until } from './testing/until.ts'

type KlineEvent = { s: string; k: Record<string, unknown> }
const closed = fixture('kline-event-closed') as KlineEvent
const timings = { backoffMinMs: 10, backoffMaxMs: 40, setupMs: 30_000, sendGapMs: 30 }

let venue: ScriptedVenue
let pausesMs: number[] = []
/** Where a test lets the clock stand; its timers go on. */
let standsAtUs: number | undefined
let market: BinanceMarketData
let activity: Activity
let bars: Bar[]
let trades: Trade[]
let states: string[]
const listener: MarketListener = {
  onBar: (bar) => bars.push(bar),
  onTrade: (trade) => trades.push(trade),
  onMarketStream: (state) => states.push(state),
}
beforeEach(async () => {
  venue = await ScriptedVenue.start()
  activity = new Activity()
  const { endpoints } = venue
  const wallClock: WallClock = {
    nowUs: () => standsAtUs ?? systemClock.nowUs(),
    after: (delayMs, callback) => {
      pausesMs.push(delayMs)
      return systemClock.after(delayMs, callback)
    },
  }
  pausesMs = []
  standsAtUs = undefined
  const options = { endpoints, activity, wallClock, log: silentLogger, streamTimings: timings }
  market = createBinanceMarketData(options)
  bars = []
  trades = []
  states = []
  venue.onFrame = ({ id }, socket) => socket.send(JSON.stringify({ result: null, id }))
})
afterEach(async () => {
  await market.stop()
  await venue.stop()
})
const say = (event: object): void => venue.sockets.at(-1)!.send(JSON.stringify(event))
const isUp = (): Promise<void> => until(() => states.at(-1) === 'up')
const names = (frames: unknown[]): string[] => (frames as { params: string[] }[]).flatMap(({ params }) => params)

test('only a closed kline of what was subscribed becomes a bar', async () => {
  market.subscribe([{ instrument: BTCUSDT, timeframe: '1m' }], listener)
  await isUp()
  assert.deepEqual(names(venue.frames), ['btcusdt@kline_1m'])
  say({ ...closed, k: { ...closed.k, x: false } })
  say({ ...closed, s: 'ETHUSDT' })
  say({ ...closed, k: { ...closed.k, i: '5m' } })
  say(closed)
  await until(() => bars.length > 0)
  assert.equal(bars.length, 1)
  assert.partialDeepStrictEqual(bars[0], {
    instrument: BTCUSDT,
    timeframe: '1m',
    close: 90005,
    final: true,
    revision: 0,
  })
  const [count] = Object.values(activity.received())
  assert.equal(count, 5)
})

test('each trade of what was subscribed is told, beside the bars on one connection', async () => {
  market.subscribe([{ instrument: BTCUSDT }, { instrument: BTCUSDT, timeframe: '1m' }], listener)
  await isUp()
  assert.deepEqual(names(venue.frames), ['btcusdt@trade', 'btcusdt@kline_1m'])
  const frames = fixture('trade-events') as { t: number }[]
  say({ ...frames[0], s: 'ETHUSDT' })
  for (const frame of frames) say(frame)
  say(closed)
  await until(() => bars.length === 1)
  assert.deepEqual(
    trades.map(({ tradeId, instrument }) => [tradeId, instrument]),
    frames.map(({ t }) => [String(t), BTCUSDT]),
  )
  assert.equal(venue.sockets.length, 1)
})

test('a trade that cannot be read makes the stream start anew, so that its gap gets filled', async () => {
  market.subscribe([{ instrument: BTCUSDT }], listener)
  await isUp()
  say({ ...(fixture('trade-events') as object[])[0], q: null })
  await until(() => states.join() === 'up,down,up')
  assert.equal(trades.length, 0)
})

test('the same subscription twice is one stream', async () => {
  const one = { instrument: BTCUSDT, timeframe: '1m' }
  market.subscribe([one, one], listener)
  await isUp()
  assert.deepEqual(names(venue.frames), ['btcusdt@kline_1m'])
})

test('many subscriptions go in few frames, apart in time, and the stream is up after the last answer', async () => {
  const many = Array.from({ length: 300 }, (_, n) => ({
    instrument: instrumentId(`BINANCE:A${n}USDT`),
    timeframe: '1m',
  }))
  venue.onFrame = ({ id }, socket) => {
    assert.deepEqual(states, [])
    socket.send(JSON.stringify({ result: null, id }))
  }
  standsAtUs = systemClock.nowUs()
  market.subscribe(many, listener)
  await isUp()
  assert.equal(venue.frames.length, 3)
  assert.equal(new Set(names(venue.frames)).size, 300)
  // The second frame waits for one gap, the third for two.
  for (const gaps of [1, 2]) {
    assert.ok(pausesMs.includes(gaps * timings.sendGapMs), `waited ${pausesMs.join(', ')} ms`)
  }
})

test('more streams than one connection carries are spread over several, up and down together', async () => {
  const many = Array.from({ length: 1100 }, (_, n) => ({
    instrument: instrumentId(`BINANCE:A${n}USDT`),
    timeframe: '1m',
  }))
  market.subscribe(many, listener)
  await isUp()
  assert.equal(venue.sockets.length, 2)
  assert.deepEqual(states, ['up'])
  venue.sockets[0]!.terminate()
  await until(() => states.join() === 'up,down,up')
  assert.equal(new Set(names(venue.frames)).size, 1100)
})

test('a lost connection is subscribed anew, and what follows is heard', async () => {
  market.subscribe([{ instrument: BTCUSDT, timeframe: '1m' }], listener)
  await isUp()
  venue.sockets[0]!.close(1001, 'going away')
  await until(() => states.join() === 'up,down,up')
  assert.deepEqual(names(venue.frames), ['btcusdt@kline_1m', 'btcusdt@kline_1m'])
  say(closed)
  await until(() => bars.length === 1)
})

test('a kline that cannot be read makes the stream start anew, so that its gap gets filled', async () => {
  market.subscribe([{ instrument: BTCUSDT, timeframe: '1m' }], listener)
  await isUp()
  say({ ...closed, k: { ...closed.k, c: 'NaN' } })
  await until(() => states.join() === 'up,down,up')
  assert.equal(bars.length, 0)
})

for (const [name, answer] of [
  ['bare', { code: 2, msg: 'Invalid request' }],
  ['under error', { error: { code: 2, msg: 'Invalid request' } }],
] as const) {
  test(`a refused subscription (${name}) is tried again`, async () => {
    let refused = 0
    venue.onFrame = ({ id }, socket) => {
      socket.send(JSON.stringify(refused++ === 0 ? { ...answer, id } : { result: null, id }))
    }
    market.subscribe([{ instrument: BTCUSDT, timeframe: '1m' }], listener)
    await isUp()
    assert.deepEqual(states, ['up'])
    assert.equal(venue.sockets.length, 2)
  })
}

test('two subscriptions are two participants, both awaited before the process is idle', async () => {
  venue.onFrame = () => undefined
  market.subscribe([{ instrument: BTCUSDT, timeframe: '1m' }], listener)
  market.subscribe([{ instrument: BTCUSDT, timeframe: '5m' }], listener)
  assert.match(activity.describe(), /binance market stream \(not ready\), binance market stream 2 \(not ready\)/)
})
