/**
 * What being looked at costs: the same bus and the same replay with everything off, with metrics, and with metrics and a trace
 * of every order, in turns in one run; the medians of the rounds. And what a call costs where nobody looks.
 */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Activity, NOT_OBSERVED, openObservability, silentLogger, type Observability } from '@jts/runtime'
import { runJts, writeSyntheticBars } from '@jts/testkit'
import { EmbeddedBus, OrderPath, publishHook, SqliteStore, watchedBus } from '@jts/transport'
import { benchCandle } from './bus.ts'

const WAYS = ['off', 'metrics', 'metricsAndTraces'] as const
type Way = (typeof WAYS)[number]
type Figures = Readonly<Record<Way, number>>

export type ObserveBench = {
  readonly rounds: number
  readonly busPerSecond: Figures & { readonly ratioMetrics: number; readonly ratioMetricsAndTraces: number }
  /** p50 of a tick's way to the wire, µs. */
  readonly tickToOrderUs: Figures & { readonly ratioMetrics: number; readonly ratioMetricsAndTraces: number }
  /** One count, ns: where nobody looks, and where somebody does. */
  readonly countNs: { readonly off: number; readonly on: number }
}

const ROUNDS = 5
const EVENTS = 40_000
const PER_TURN = 100
const BARS = 400

export async function benchObserve(): Promise<ObserveBench> {
  const folder = mkdtempSync(join(tmpdir(), 'jts-bench-'))
  // Takes every trace and keeps none.
  const collector = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'))
  })
  collector.listen(0, '127.0.0.1')
  await once(collector, 'listening')
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`
  try {
    const bus = rounds()
    const replays = rounds()
    const file = writeSyntheticBars(join(folder, 'BTCUSDT-1m-bench.csv'), { bars: BARS, seed: 5 })
    for (let round = 0; round < ROUNDS; round++) {
      for (const way of WAYS) {
        bus[way].push(await busPerSecond(join(folder, `${way}-${round}.sqlite`), await open(way, endpoint)))
        replays[way].push(await tickToOrderUs(file, way, endpoint))
      }
    }
    return {
      rounds: ROUNDS,
      busPerSecond: compared(bus),
      tickToOrderUs: compared(replays),
      countNs: { off: await countNs(NOT_OBSERVED), on: await countNs(await open('metrics', endpoint)) },
    }
  } finally {
    collector.closeAllConnections()
    collector.close()
    rmSync(folder, { recursive: true })
  }
}

function open(way: Way, endpoint: string): Promise<Observability> {
  return openObservability({
    service: 'bench',
    mode: 'sim',
    version: '0',
    runId: 'bench',
    metricsPort: way === 'off' ? undefined : 0,
    tracing: way === 'metricsAndTraces' ? { endpoint, sampleRatio: 1 } : undefined,
    log: silentLogger,
  })
}

async function busPerSecond(file: string, observability: Observability): Promise<number> {
  const { metrics, tracing, isOff } = observability
  const activity = new Activity()
  const fatal = (reason: string, cause: unknown): never => {
    throw new Error(reason, { cause })
  }
  const eyes = isOff ? undefined : { metrics, path: new OrderPath({ metrics, tracing }) }
  const onPublish = publishHook(eyes, undefined)
  const store = new SqliteStore({ file, log: silentLogger, activity, fatal, onPublish })
  const embedded = new EmbeddedBus({ store, log: silentLogger, activity, fatal })
  const bus = eyes === undefined ? embedded : watchedBus(embedded, eyes)
  let handled = 0
  bus.subscribe({ group: 'bench', topics: ['market-data.binance.candles'], handle: () => void handled++ })
  await bus.start()
  const begun = performance.now()
  for (let n = 0; n < EVENTS;) {
    for (let i = 0; i < PER_TURN; i++) {
      const one = benchCandle(n++)
      store.transact((turn) => turn.publish('market-data.binance.candles', one))
    }
    await activity.whenIdle()
  }
  const perSecond = EVENTS / ((performance.now() - begun) / 1000)
  if (handled !== EVENTS) throw new Error(`expected ${EVENTS} events handled, found ${handled}`)
  await store.close()
  await observability.stop()
  return perSecond
}

async function tickToOrderUs(file: string, way: Way, endpoint: string): Promise<number> {
  const replay = ['up', '--replay', file, '--strategy', 'ema-cross', '--set', 'fast=2', '--set', 'slow=4']
  const metrics = way === 'off' ? [] : ['--metrics-port', '0']
  const env: Record<string, string> = way === 'metricsAndTraces' ? { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } : {}
  const run = await runJts([...replay, '--until-end', '--json', ...metrics], env)
  if (run.code !== 0) throw new Error(`the replay failed: ${run.stderr}`)
  return (JSON.parse(run.stdout) as { latency: { tickToWire: { p50: number } } }).latency.tickToWire.p50
}

async function countNs(observability: Observability): Promise<number> {
  const counts = 10_000_000
  const { metrics } = observability
  const counter = metrics.counter('jts_bus_events_published_total', { topic: 'orders.events' })
  const begun = performance.now()
  for (let i = 0; i < counts; i++) counter.inc()
  const ns = ((performance.now() - begun) * 1e6) / counts
  await observability.stop()
  return ns
}

function rounds(): Record<Way, number[]> {
  return { off: [], metrics: [], metricsAndTraces: [] }
}

function compared(found: Readonly<Record<Way, readonly number[]>>) {
  const median = (values: readonly number[]): number =>
    [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
  const [off, metrics, metricsAndTraces] = WAYS.map((way) => median(found[way])) as [number, number, number]
  return { off, metrics, metricsAndTraces, ratioMetrics: metrics / off, ratioMetricsAndTraces: metricsAndTraces / off }
}
