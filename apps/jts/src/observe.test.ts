/** What a person is shown of streams and breakers is how they are. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MarketListener } from '@jts/broker-kit'
import { accountId, shippedInstrument } from '@jts/model'
import { silentLogger } from '@jts/runtime'
import { createPrometheusMetrics } from '@jts/runtime/metrics/prometheus'
import type { StrategyInstance } from '@jts/strategy-engine'
import { FAKE_CAPABILITIES } from '@jts/testkit/fake-broker'
import { Harness } from '@jts/testkit/harness'
import type { MarketData } from './brokers/joined.ts'
import type { RunFile } from './distributed/run-file.ts'
import { shareThroughRedis } from './distributed/shared-through-redis.ts'
import { showBreaker } from './observe.ts'
import { createCollector, type RunSettings } from './services.ts'

/** The values of a metric by one of its labels. */
async function shown(
  metrics: ReturnType<typeof createPrometheusMetrics>,
  name: string,
  label: string,
): Promise<Record<string, number>> {
  const line = new RegExp(`^${name}\\{[^}]*\\b${label}="([^"]*)"[^}]*\\} (\\S+)$`, 'gm')
  return Object.fromEntries([...(await metrics.text()).matchAll(line)].map(([, of, value]) => [of, Number(value)]))
}

class Market {
  listener: MarketListener | undefined
  /** When it can be started. */
  readonly ready = Promise.withResolvers<undefined>()
  readonly source: MarketData

  constructor() {
    this.source = {
      capabilities: FAKE_CAPABILITIES,
      instruments: () => Promise.resolve([]),
      candles: () => Promise.resolve([]),
      trades: () => Promise.resolve([]),
      subscribe: (_series, listener) => {
        this.listener = listener
        return { stop: () => Promise.resolve() }
      },
      start: () => this.ready.promise,
      stop: () => Promise.resolve(),
    }
  }
}

test('the market stream of each venue is its own, and down while its broker is waited for or its stream is', async (t) => {
  const harness = Harness.open()
  t.after(() => harness.remove())
  const metrics = createPrometheusMetrics({ service: 'jts', mode: 'sim' })
  const [krx, binance] = [new Market(), new Market()]
  const instances = [
    ['KRX:005930', 'sim.creon.krx'],
    ['BINANCE:BTCUSDT', 'sim.binance.main'],
  ].map(([id, account]) => ({ instrument: shippedInstrument(id!), account: accountId(account!), timeframe: '1m' }))
  const settings = { mode: 'sim', replay: false, instances: instances as Partial<StrategyInstance>[] }
  const { store, bus, activity, marketClock, wallClock, log } = harness
  const collector = createCollector(
    settings as unknown as RunSettings,
    { store, bus, activity, marketClock, wallClock, log, metrics },
    new Map([
      ['KRX', krx.source],
      ['BINANCE', binance.source],
    ]),
  )
  await bus.start()
  binance.ready.resolve(undefined)
  await collector.start()
  const streams = async (): Promise<Record<string, number>> => {
    await harness.run()
    return shown(metrics, 'jts_stream_up', 'stream')
  }
  binance.listener!.onMarketStream('up', '')
  assert.deepEqual(await streams(), { 'market KRX': 0, 'market BINANCE': 1 })
  krx.ready.resolve(undefined)
  await harness.run()
  assert.deepEqual(await streams(), { 'market KRX': 0, 'market BINANCE': 1 })
  krx.listener!.onMarketStream('up', '')
  assert.deepEqual(await streams(), { 'market KRX': 1, 'market BINANCE': 1 })
  krx.listener!.onMarketStream('down', 'the HTS is logged out')
  assert.deepEqual(await streams(), { 'market KRX': 0, 'market BINANCE': 1 })
  await collector.stop()
})

test('the breaker before a Redis that does not answer is open, and there is none where nothing is shared', async (t) => {
  const run = { mode: 'sim', namespace: 'sim-test', members: [] as RunFile['members'] } as RunFile
  const shared = shareThroughRedis({ ...run, redisUrl: 'redis://127.0.0.1:1' }, silentLogger)
  t.after(() => shared.close())
  assert.equal(shared.breakerState(), 'closed')
  for (let n = 0; n < 3; n++) await assert.rejects(shared.ping())
  assert.equal(shared.breakerState(), 'open')
  assert.equal(shareThroughRedis({ ...run, speed: 50 }, silentLogger).breakerState(), undefined)
})

for (const [found, expected] of [
  ['closed', { closed: 1, 'half-open': 0, open: 0 }],
  ['half_open', { closed: 0, 'half-open': 1, open: 0 }],
  ['isolated', { closed: 0, 'half-open': 0, open: 1 }],
  [undefined, {}],
] as const) {
  test(`a breaker that is ${found ?? 'not there'} is shown so`, async () => {
    const metrics = createPrometheusMetrics({ service: 'jts', mode: 'sim' })
    showBreaker(metrics, 'creon', () => found)
    assert.deepEqual(await shown(metrics, 'jts_breaker_state', 'state'), expected)
  })
}
