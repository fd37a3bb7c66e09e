/** What a strategy warms up with: collected candles and the source's own, put together. */
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { BrokerError, type CandleQuery } from '@jts/broker-kit'
import type { LatestCandlesRequest, LatestCandlesResponse } from '@jts/contracts/collection-api'
import { instrumentId, type Bar } from '@jts/model'
import { Harness, START_US } from '@jts/testkit/harness'
import { progress } from './adapters/tables.ts'
import { createCollections, type Collections, type CollectionVenue } from './index.ts'

const BTC = instrumentId('BINANCE:BTCUSDT')
const HOUR = 3_600_000_000
const ASKED: LatestCandlesRequest = { instrument: BTC, timeframe: '1h', count: 3 }

const open: Harness[] = []
afterEach(async () => {
  for (const harness of open.splice(0)) await harness.remove()
})

/** The source has the hours from `first` on, but those of `holes`; hour 0 is the one that has just settled. */
class World {
  readonly harness = Harness.open(START_US)
  readonly asked: CandleQuery[] = []
  first = -2000
  holes: readonly number[] = []
  close = (hour: number): number => 10_000 + hour
  isAway = false
  readonly collections: Collections

  constructor(changes: Partial<CollectionVenue> = {}) {
    open.push(this.harness)
    const { store, wallClock, activity, log } = this.harness
    const venue: CollectionVenue = { venue: 'BINANCE', source: this, traded: [BTC], live: [], ...changes }
    this.collections = createCollections({ store, wallClock, activity, log, venues: [venue] })
  }

  candles = async ({ fromUs, toUs = Infinity, limit = 500 }: CandleQuery): Promise<readonly Bar[]> => {
    this.asked.push({ instrument: BTC, timeframe: '1h', toUs, limit, ...(fromUs === undefined ? {} : { fromUs }) })
    await Promise.resolve()
    if (this.isAway) throw new BrokerError('BROKER_UNAVAILABLE', 'no connection', { retryable: true })
    const hours = Array.from({ length: 1 - this.first }, (_, i) => this.first + i)
    const bars = hours.filter((hour) => !this.holes.includes(hour)).map((hour) => this.bar(hour))
    const within = bars.filter(({ openTimeUs }) => openTimeUs >= (fromUs ?? 0) && openTimeUs <= toUs)
    return fromUs === undefined ? within.slice(-limit) : within.slice(0, limit)
  }

  instruments = () => Promise.resolve([])

  bar(hour: number): Bar {
    const openTimeUs = START_US + (hour - 1) * HOUR
    const close = this.close(hour)
    return {
      ...{ instrument: BTC, timeframe: '1h', openTimeUs, closeTimeUs: openTimeUs + HOUR - 1000 },
      ...{ open: close, high: close, low: close, close, volume: 1, final: true, revision: 0, source: 'binance' },
    }
  }

  latest(changes: Partial<LatestCandlesRequest> = {}): Promise<LatestCandlesResponse> {
    return this.collections.api.latestCandles({ ...ASKED, ...changes })
  }
}

const hoursOf = ({ candles }: LatestCandlesResponse): number[] => candles.map(({ close }) => close - 10_000)

describe('the newest candles of a series', () => {
  it('are those that its source has, oldest first', async () => {
    const w = new World()
    const answer = await w.latest()
    assert.deepEqual([hoursOf(answer), answer.missing], [[-2, -1, 0], 0])
    assert.deepEqual(answer.candles.at(-1), w.bar(0))
  })

  it('are asked for in pages when there are many, none twice and none left out', async () => {
    const w = new World()
    const hours = hoursOf(await w.latest({ count: 1203 }))
    assert.deepEqual([hours.length, hours[0], hours.at(-1)], [1203, -1202, 0])
    assert.ok(hours.every((hour, i) => i === 0 || hour === hours[i - 1]! + 1))
    assert.deepEqual(
      w.asked.map(({ limit }) => limit),
      [500, 500, 203],
    )
  })

  it('are as many as there are, where the source has no more', async () => {
    const w = new World()
    w.first = -1
    assert.deepEqual(hoursOf(await w.latest({ count: 100 })), [-1, 0])
  })

  it('tell how many lack between them', async () => {
    const w = new World()
    w.holes = [-1, -2, -4]
    const answer = await w.latest()
    assert.deepEqual([hoursOf(answer), answer.missing], [[-5, -3, 0], 3])
  })

  it('come from the store as far as it has collected them, also what the source has forgotten since', async () => {
    const w = new World()
    await w.collections.api.collect({
      ...{
        venue: 'BINANCE',
        instruments: [],
        markets: [],
        timeframe: '1h',
        fromDay: '2023-12-01',
        toDay: '2023-12-30',
      },
    })
    await w.harness.run(60_000)
    w.first = -40
    w.asked.length = 0
    const answer = await w.latest({ count: 600 })
    const hours = hoursOf(answer)
    assert.deepEqual([hours.length, hours.at(-1), answer.missing], [600, 0, 0])
    assert.ok(hours.every((hour, i) => i === 0 || hour === hours[i - 1]! + 1))
    assert.equal(w.asked.length, 1)
  })

  it('are not those behind a time that nobody has', async () => {
    const w = new World()
    await w.collections.api.collect({
      ...{
        venue: 'BINANCE',
        instruments: [],
        markets: [],
        timeframe: '1h',
        fromDay: '2023-12-01',
        toDay: '2023-12-10',
      },
    })
    await w.harness.run(60_000)
    w.first = -5
    assert.deepEqual(hoursOf(await w.latest({ count: 100 })), [-5, -4, -3, -2, -1, 0])
  })

  it('of a series that is told live are answered once it is told', async () => {
    const w = new World({ live: [{ instrument: BTC, timeframe: '1h' }] })
    await assert.rejects(w.latest(), {
      ...{ name: 'RpcError', code: 'UNAVAILABLE' },
      message: 'BINANCE:BTCUSDT 1h is not told yet: its source has not answered',
    })
    assert.equal(hoursOf(await w.latest({ timeframe: '1d', count: 1 })).length, 1, 'another series is none of that')
    w.harness.store.transact((turn) =>
      turn.put(progress, { instrument: BTC, timeframe: '1h', close_time_us: START_US, bars: 0, gaps: 0 }),
    )
    assert.deepEqual(hoursOf(await w.latest()), [-2, -1, 0])
  })

  it('are waited for while the source is away', async () => {
    const w = new World()
    w.isAway = true
    await assert.rejects(w.latest(), { name: 'RpcError', code: 'UNAVAILABLE', message: /no connection/ })
  })

  it('are refused when one of them cannot be true', async () => {
    const w = new World()
    w.close = (hour) => (hour === -1 ? 0 : 10_000)
    await assert.rejects(w.latest(), /expected low ≤ open, close ≤ high above 0/)
  })

  const refusals: [string, Partial<LatestCandlesRequest>, string, RegExp][] = [
    ['no instrument', { instrument: 'BTCUSDT' }, 'INVALID_ARGUMENT', /instrument: expected one such as KRX:005930/],
    ['a venue of another run', { instrument: 'UPBIT:KRW-BTC' }, 'INVALID_ARGUMENT', /venue: expected one of BINANCE/],
    ['no timeframe', { timeframe: 'soon' }, 'INVALID_ARGUMENT', /timeframe: /],
    ['none', { count: 0 }, 'INVALID_ARGUMENT', /count: expected a whole number from 1 to 10000, found 0/],
    ['too many', { count: 10_001 }, 'INVALID_ARGUMENT', /count: expected a whole number from 1 to 10000, found 10001/],
    ['what another process tells', { instrument: 'BINANCE:ETHUSDT' }, 'NOT_FOUND', /is of another part of BINANCE/],
  ]
  for (const [name, changes, code, message] of refusals) {
    it(`are refused for ${name}`, async () => {
      const w = new World({ owns: (instrument) => instrument === BTC })
      await assert.rejects(w.latest(changes), { name: 'RpcError', code, message })
    })
  }
})
