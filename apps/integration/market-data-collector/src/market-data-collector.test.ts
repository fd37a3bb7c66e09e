/** Bars and trades on the bus: in order, each once, and what was missed before anything newer. */
import assert from 'node:assert/strict'
import { afterEach, it } from 'node:test'
import type { CandleQuery, MarketDataPort, MarketListener, TradeQuery } from '@jts/broker-kit'
import { instrumentId, type Bar, type Trade } from '@jts/model'
import { FAKE_CAPABILITIES } from '@jts/testkit/fake-broker'
import { Harness, START_US } from '@jts/testkit/harness'
import { bar } from '@jts/testkit/order-events'
import { placeOf } from '@jts/transport'
import { createMarketDataCollector, type MarketDataCollector } from './index.ts'

const BTC = instrumentId('BINANCE:BTCUSDT')
const open: Harness[] = []

class World {
  harness = Harness.open()
  capabilities = FAKE_CAPABILITIES
  collector!: MarketDataCollector
  listener!: MarketListener
  /** Minutes whose bars the source can be asked for. */
  known = new Set<number>()
  /** Ids of the trades that it can be asked for. */
  knownTrades = new Set<number>()
  asked: (CandleQuery | TradeQuery)[] = []
  onAsked: () => void | Promise<void> = () => undefined

  async start(): Promise<this> {
    open.push(this.harness)
    const { store, marketClock, wallClock, activity, log } = this.harness
    const source: MarketDataPort = {
      capabilities: this.capabilities,
      instruments: () => Promise.resolve([]),
      candles: async (query) => {
        this.asked.push(query)
        const found = [...this.known].sort((a, b) => a - b).map(minute)
        await this.onAsked()
        if (query.fromUs === undefined) return found.slice(-query.limit!)
        return found.filter((one) => one.openTimeUs >= query.fromUs!)
      },
      trades: async (query) => {
        this.asked.push(query)
        const found = [...this.knownTrades].sort((a, b) => a - b)
        await this.onAsked()
        if (query.afterTradeId === undefined) return found.slice(-query.limit!).map(trade)
        const later = found.filter((id) => id > Number(query.afterTradeId))
        return later.slice(0, query.limit).map(trade)
      },
      subscribe: (_series, listener) => {
        this.listener = listener
        return { stop: () => Promise.resolve() }
      },
    }
    const series = [{ instrument: BTC, timeframe: '1m' }, { instrument: BTC }]
    this.collector = createMarketDataCollector({
      store,
      marketClock,
      wallClock,
      activity,
      log,
      source,
      series,
      heartbeats: { everyMs: 1000, silenceMaxMs: 5000 },
    })
    await this.harness.bus.start()
    await this.collector.start()
    this.listener.onMarketStream('up', '')
    await this.harness.run()
    return this
  }

  async bars(...minutes: number[]): Promise<void> {
    for (const n of minutes) {
      this.listener.onBar(minute(n))
      await this.harness.run()
    }
  }

  async trades(...ids: number[]): Promise<void> {
    for (const id of ids) {
      this.listener.onTrade(trade(id))
      await this.harness.run()
    }
  }

  async heartbeats(): Promise<number> {
    const said = await this.harness.events('system.health', 'Heartbeat')
    for (const { payload } of said) assert.deepEqual(payload.places, [placeOf(BTC)])
    return said.length
  }

  async publishedTrades(): Promise<number[]> {
    const events = await this.harness.events('market-data.binance.trades', 'PublicTrade')
    return events.map(({ payload }) => Number(payload.tradeId))
  }

  async published(): Promise<number[]> {
    const events = await this.harness.events('market-data.binance.candles', 'Candle')
    return events.map(({ payload }) => payload.close)
  }
}

/** The n-th minute's bar, which closes at n. */
function minute(n: number): Bar {
  return bar(BTC, START_US + n * 60_000_000 - 1000, n) as Bar
}

function trade(id: number): Trade {
  return {
    instrument: BTC,
    tradeId: String(id),
    timeUs: START_US + id * 1000,
    price: 100 + id,
    quantity: 1,
    aggressor: 'buy',
  }
}

const world = () => new World().start()

afterEach(async () => {
  for (const harness of open.splice(0)) await harness.remove()
})

it('publishes bars in order, each once, and moves market time', async () => {
  const w = await world()
  await w.bars(1, 2, 2, 1, 3)
  assert.deepEqual(await w.published(), [1, 2, 3])
  assert.equal(w.harness.marketClock.nowUs(), minute(3).closeTimeUs)
  assert.equal(w.collector.barCount(), 3)
})

it('asks for the bars behind a gap and publishes them before the newer one', async () => {
  const w = await world()
  await w.bars(1)
  w.known = new Set([1, 2, 3, 4])
  await w.bars(5)
  assert.deepEqual(await w.published(), [1, 2, 3, 4, 5])
  assert.equal(w.collector.gapCount(), 0)
})

it('counts a gap where the source has no bars, and goes on', async () => {
  const w = await world()
  await w.bars(1, 4)
  assert.deepEqual(await w.published(), [1, 4])
  assert.equal(w.collector.gapCount(), 1)
})

it('counts a gap inside of what the source answers', async () => {
  const w = await world()
  await w.bars(1)
  w.known = new Set([2, 4])
  await w.bars(5)
  assert.deepEqual(await w.published(), [1, 2, 4, 5])
  assert.equal(w.collector.gapCount(), 1)
})

it('fills back after the stream was down', async () => {
  const w = await world()
  await w.bars(1)
  w.listener.onMarketStream('down', 'dropped')
  assert.equal(w.harness.activity.isIdle(), false)
  w.known = new Set([1, 2, 3])
  w.listener.onMarketStream('up', '')
  await w.harness.run()
  assert.deepEqual(await w.published(), [1, 2, 3])
  assert.equal(w.harness.activity.isIdle(), true)
})

it('asks once more when the stream came up again while it was asking', async () => {
  const w = await world()
  await w.bars(1)
  w.onAsked = () => {
    w.onAsked = () => undefined
    w.known = new Set([2])
    w.listener.onMarketStream('down', '')
    w.listener.onMarketStream('up', '')
  }
  w.listener.onMarketStream('up', '')
  await w.harness.run()
  assert.deepEqual(await w.published(), [1, 2])
})

it('asks about a gap that showed itself while it was asking, before it counts one', async () => {
  const w = await world()
  await w.bars(1)
  w.onAsked = () => {
    w.onAsked = () => undefined
    w.known = new Set([2, 3])
    w.listener.onBar(minute(4))
  }
  w.listener.onMarketStream('up', '')
  await w.harness.run()
  assert.deepEqual(await w.published(), [1, 2, 3, 4])
  assert.equal(w.collector.gapCount(), 0)
})

it('tries again when the source does not answer, and publishes nothing newer before', async () => {
  const w = await world()
  await w.bars(1)
  w.onAsked = () => Promise.reject(new Error('away'))
  await w.bars(3, 4)
  assert.deepEqual(await w.published(), [1])
  w.onAsked = () => undefined
  w.known = new Set([2])
  await w.harness.run(2000)
  assert.deepEqual(await w.published(), [1, 2, 3, 4])
})

it('goes on after a restart where it had stopped', async () => {
  const w = await world()
  await w.bars(1, 2)
  w.harness = w.harness.killed()
  w.known = new Set([1, 2, 3])
  await w.start()
  await w.bars(2, 3, 4)
  assert.deepEqual(await w.published(), [1, 2, 3, 4])
})

it('goes on after a restart before its first bar with the bars that were missed', async () => {
  const w = await world()
  w.harness = w.harness.killed()
  w.known = new Set([1, 2])
  await w.start()
  await w.bars(3)
  assert.deepEqual(await w.published(), [1, 2, 3])
})

it('begins after the bars that the source has when it is first heard', async () => {
  const w = new World()
  w.known = new Set([1, 2])
  await w.start()
  await w.bars(2, 3)
  assert.deepEqual(await w.published(), [3])
  assert.equal(w.collector.gapCount(), 0)
})

it('publishes trades in order, each once and whole, and moves market time', async () => {
  const w = await world()
  await w.trades(7, 8, 8, 7, 9)
  assert.deepEqual(await w.publishedTrades(), [7, 8, 9])
  assert.equal(w.harness.marketClock.nowUs(), trade(9).timeUs)
  assert.deepEqual([w.collector.tradeCount(), w.collector.barCount()], [3, 0])
  const [event] = await w.harness.events('market-data.binance.trades', 'PublicTrade')
  assert.deepEqual(event!.payload, trade(7))
  assert.deepEqual([event!.stream, event!.correlationId], [BTC, `trade/${BTC}/7`])
})

it('asks for the trades behind a gap, and drops the ones that come late', async () => {
  const w = await world()
  await w.trades(1)
  w.knownTrades = new Set([1, 2, 3])
  await w.trades(3, 2, 4)
  assert.deepEqual(await w.publishedTrades(), [1, 2, 3, 4])
  assert.equal(w.collector.gapCount(), 0)
})

it('counts a gap in the trades of the source itself, and goes on', async () => {
  const w = await world()
  await w.trades(1)
  w.knownTrades = new Set([3, 4])
  await w.trades(6)
  assert.deepEqual(await w.publishedTrades(), [1, 3, 4, 6])
  assert.equal(w.collector.gapCount(), 2)
})

it('holds trades back while it asks, and publishes nothing newer before', async () => {
  const w = await world()
  await w.trades(1)
  w.onAsked = () => Promise.reject(new Error('away'))
  await w.trades(4, 5)
  assert.deepEqual(await w.publishedTrades(), [1])
  assert.equal(w.harness.activity.isIdle(), false)
  w.onAsked = () => undefined
  w.knownTrades = new Set([2, 3, 4])
  await w.harness.run(2000)
  assert.deepEqual(await w.publishedTrades(), [1, 2, 3, 4, 5])
})

it('asks for missed trades in pages until none are left', async () => {
  const w = await world()
  await w.trades(1)
  w.listener.onMarketStream('down', 'dropped')
  w.knownTrades = new Set(Array.from({ length: 2500 }, (_, index) => index + 1))
  w.asked = []
  w.listener.onMarketStream('up', '')
  await w.harness.run()
  assert.equal((await w.publishedTrades()).length, 2500)
  assert.deepEqual(
    w.asked.flatMap((query) => ('timeframe' in query ? [] : [query.afterTradeId])),
    ['1', '1001', '2001'],
  )
})

it('goes on after a restart with the trades that were missed, also before the first', async () => {
  const w = await world()
  w.harness = w.harness.killed()
  w.knownTrades = new Set([1, 2])
  await w.start()
  await w.trades(2, 3)
  w.harness = w.harness.killed()
  w.knownTrades = new Set([1, 2, 3, 4, 5])
  await w.start()
  await w.trades(5, 6)
  assert.deepEqual(await w.publishedTrades(), [1, 2, 3, 4, 5, 6])
  assert.equal(w.collector.tradeCount(), 6)
})

it('begins after the trades that the source has when it is first heard', async () => {
  const w = new World()
  w.knownTrades = new Set([1, 2])
  await w.start()
  await w.trades(2, 3)
  assert.deepEqual(await w.publishedTrades(), [3])
  assert.equal(w.collector.gapCount(), 0)
})

it('gives a sign of life each second while its stream stands and nothing missed is outstanding', async () => {
  const world = await new World().start()
  await world.harness.run(10_000)
  const standing = await world.heartbeats()
  assert.ok(standing >= 10, `${standing} in ten seconds`)
  world.listener.onMarketStream('down', 'dropped')
  await world.harness.run(10_000)
  assert.equal(await world.heartbeats(), standing)
  world.onAsked = () => new Promise(() => undefined)
  world.listener.onMarketStream('up', '')
  await world.harness.run(10_000)
  assert.equal(await world.heartbeats(), standing, 'what was missed has not come yet')
})

it('trades of a source that only streams them are told as they come, each once, and nobody is asked for others', async () => {
  const world = new World()
  world.capabilities = { ...FAKE_CAPABILITIES, trades: false }
  await world.start()
  const asked = world.asked.length
  const streamed = (tradeId: string, second: number): Trade => ({
    ...trade(1),
    tradeId,
    timeUs: START_US + second * 1e6,
  })
  for (const one of [
    streamed('20260105-100', 1),
    streamed('20260105-160', 1),
    streamed('20260105-160', 1),
    streamed('20260105-100', 0),
    streamed('20260105-900', 7),
  ]) {
    world.listener.onTrade(one)
    await world.harness.run()
  }
  world.listener.onMarketStream('up', 'again')
  await world.harness.run()
  const events = await world.harness.events('market-data.binance.trades', 'PublicTrade')
  assert.deepEqual(
    events.map(({ payload }) => payload.tradeId),
    ['20260105-100', '20260105-160', '20260105-900'],
  )
  assert.ok(world.asked.slice(asked).every((query) => 'timeframe' in query))
  assert.equal(world.collector.gapCount(), 0)
})
