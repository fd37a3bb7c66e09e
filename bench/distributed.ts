/**
 * What it costs to run apart: events through our bus on Kafka beside the bare client, a tick's way to the order in one process
 * and in many, a risk check over gRPC, and how long each service is away after a kill.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeEvent, partitionOf, TOPICS, type NewEvent } from '@jts/contracts'
import { Activity, silentLogger, systemClock } from '@jts/runtime'
import { startKafka, startPostgres } from '@jts/servers'
import { runJts, sleep, startJts, writeSyntheticBars } from '@jts/testkit'
import { KafkaBus } from '@jts/transport/bus/kafka/bus'
import { KafkaClient } from '@jts/transport/bus/kafka/client'
import { KafkaReader } from '@jts/transport/bus/kafka/reader'
import { PostgresStore } from '@jts/transport/store/postgres'
import { readRunFile } from '../apps/jts/src/distributed/run-file.ts'
import { openRunLinks } from '../apps/jts/src/distributed/run-links.ts'
import { openRunLog } from '../apps/jts/src/distributed/run-log.ts'
import { benchRpc, type RpcBench } from './rpc.ts'

/** `backMs`: its units are served again; `tradingMs`: a new order has gone all the way, the wait for a signal included. */
type Comeback = Readonly<Record<string, { readonly backMs: number; readonly tradingMs: number }>>
type Latency = { readonly p50: number; readonly p99: number }

export type DistributedBench = {
  readonly bus: {
    readonly events: number
    readonly busPerSecond: number
    readonly bareClientPerSecond: number
    readonly ratioToBare: number
  }
  readonly tickToOrderUs: { readonly embedded: Latency; readonly distributed: Latency; readonly ratioP50: number }
  readonly replayBarsPerSecond: { readonly embedded: number; readonly distributed: number }
  readonly riskCheck: RpcBench
  /** From kill -9 of each process, ms. */
  readonly afterKill: Comeback
}

const TOPIC = 'market-data.binance.candles'
const EVENTS = 40_000
const PER_BATCH = 1000
const SETTLE_MS = 1500

export async function benchDistributed(): Promise<DistributedBench> {
  const folder = mkdtempSync(join(tmpdir(), 'jts-bench-'))
  const [kafka, postgres] = await Promise.all([startKafka(), startPostgres()])
  const env = { KAFKA_BROKERS: kafka.brokers.join(','), DATABASE_URL: postgres.url }
  try {
    const bus = await benchKafkaBus(kafka.brokers, postgres.url)
    const file = writeSyntheticBars(join(folder, 'BTCUSDT-1m-bench.csv'), { bars: 400, seed: 5 })
    const replay = ['up', '--replay', file, '--strategy', 'ema-cross', '--set', 'fast=2', '--set', 'slow=4']
    const embedded = await played([...replay, '--until-end', '--json'], {})
    const distributed = await played([...replay, '--distributed', '--until-end', '--json'], env)
    return {
      bus,
      tickToOrderUs: {
        embedded: embedded.latency.tickToWire,
        distributed: distributed.latency.tickToWire,
        ratioP50: distributed.latency.tickToWire.p50 / embedded.latency.tickToWire.p50,
      },
      replayBarsPerSecond: {
        embedded: (embedded.bars / embedded.durationMs) * 1000,
        distributed: (distributed.bars / distributed.durationMs) * 1000,
      },
      afterKill: await afterKills(join(folder, 'live'), env, postgres.url),
      riskCheck: await benchRpc(),
    }
  } finally {
    await Promise.all([kafka.stop(), postgres.stop()])
    rmSync(folder, { recursive: true, force: true })
  }
}

type Summary = { bars: number; durationMs: number; latency: { tickToWire: Latency } }

async function played(args: readonly string[], env: Record<string, string>): Promise<Summary> {
  const run = await runJts(args, env)
  if (run.code !== 0) throw new Error(`the replay failed: ${run.stderr}`)
  return JSON.parse(run.stdout) as Summary
}

function event(n: number): NewEvent {
  const instrument = `BINANCE:BENCH${n % 8}USDT`
  return {
    type: 'Candle',
    stream: instrument,
    correlationId: `candle/${instrument}/${n}`,
    causationId: '',
    timeEventUs: n,
    payload: {
      instrument,
      timeframe: '1m',
      openTimeUs: n,
      closeTimeUs: n + 1,
      open: 1,
      high: 2,
      low: 0.5,
      close: 1.5,
      volume: 3,
      final: true,
      revision: 0,
      source: 'bench',
    },
  }
}

async function benchKafkaBus(brokers: readonly string[], url: string): Promise<DistributedBench['bus']> {
  const bareClientPerSecond = await bareClient(brokers)
  const activity = new Activity()
  const store = await PostgresStore.open({
    url,
    namespace: 'bench',
    unit: 'bench',
    owner: 'bench',
    log: silentLogger,
    activity,
    wallClock: systemClock,
    fatal: (reason, cause) => {
      throw new Error(reason, { cause })
    },
  })
  const bus = new KafkaBus({
    store,
    kafka: { brokers, prefix: 'bench.', clientId: 'bench' },
    log: silentLogger,
    activity,
  })
  let handled = 0
  let done: () => void = () => undefined
  const all = new Promise<void>((resolve) => (done = resolve))
  bus.subscribe({
    group: 'bench',
    topics: [TOPIC],
    handle: () => {
      if (++handled === EVENTS) done()
    },
  })
  await bus.start()
  const begun = performance.now()
  for (let n = 0; n < EVENTS;) {
    for (let i = 0; i < PER_BATCH; i++) {
      const one = event(n++)
      store.transact((turn) => turn.publish(TOPIC, one))
    }
    await store.durable()
  }
  await all
  const busPerSecond = EVENTS / ((performance.now() - begun) / 1000)
  await bus.stop()
  await store.close()
  return { events: EVENTS, busPerSecond, bareClientPerSecond, ratioToBare: busPerSecond / bareClientPerSecond }
}

/** The same bytes, produced in batches and fetched again, with nothing kept. */
async function bareClient(brokers: readonly string[]): Promise<number> {
  const client = new KafkaClient({ brokers, prefix: 'bare.', clientId: 'bare', log: silentLogger })
  await client.ensureTopics([TOPIC])
  await client.offsets([TOPIC], 'end')
  const producer = client.producer()
  let read = 0
  let done: () => void = () => undefined
  const all = new Promise<void>((resolve) => (done = resolve))
  const reader = new KafkaReader(client, 'bare', {
    onRecords: (_topic, _partition, records) => {
      read += records.length
      if (read >= EVENTS) done()
    },
    onLost: () => true,
  })
  for (let partition = 0; partition < TOPICS[TOPIC].partitions; partition++) reader.add(TOPIC, partition, 0)
  reader.start()
  const begun = performance.now()
  for (let n = 0; n < EVENTS;) {
    const messages = Array.from({ length: PER_BATCH }, () => {
      const one = event(n++)
      return {
        topic: client.nameOf(TOPIC),
        partition: partitionOf(one.stream, TOPICS[TOPIC].partitions),
        key: Buffer.from(one.stream),
        value: Buffer.from(encodeEvent(one, one.correlationId, n)),
      }
    })
    await producer.send({ messages })
  }
  await all
  const perSecond = EVENTS / ((performance.now() - begun) / 1000)
  await reader.stop()
  await producer.close(true)
  return perSecond
}

/**
 * Each process of a running system killed once. Back: another process owns its units and waits for nothing. Trading: the first
 * order that was written for the wire after that has its fill booked.
 */
async function afterKills(dir: string, env: Record<string, string>, databaseUrl: string): Promise<Comeback> {
  const config = join(dir, '..', 'jts.yaml')
  // In a market ten times as fast, averages this short cross several times a second: waiting for a signal is little of it.
  const strategies = ['BTCUSDT', 'ETHUSDT'].map(
    (symbol) =>
      `  - { instance: ${symbol}, strategy: ema-cross, instrument: "BINANCE:${symbol}", timeframe: 1s, parameters: { fast: 1, slow: 2 } }\n`,
  )
  writeFileSync(config, `strategies:\n${strategies.join('')}`)
  const options = ['--config', config, '--speed', '10', '--data-dir', dir, '--no-dashboard', '--json']
  const up = startJts(['up', '--distributed', ...options], env)
  await up.firstLine
  const file = join(dir, 'run-distributed.json')
  const owners = await openRunLinks(readRunFile(file), databaseUrl)
  const { log, close } = await openRunLog(file)
  let submitted = new Set<string>()
  let filled: () => void = () => undefined
  log.tap(['orders.events'], (event) => {
    if (event.type === 'OrderSubmitting') submitted.add(event.payload.clientOrderId)
    if (event.type === 'OrderFilled' && submitted.has(event.payload.clientOrderId)) filled()
  })
  const processes = (): Record<string, { pid: number }> =>
    JSON.parse(readFileSync(join(dir, 'processes.json'), 'utf8')) as Record<string, { pid: number }>
  const found: Record<string, { backMs: number; tradingMs: number }> = {}
  for (const name of Object.keys(processes())) {
    await sleep(SETTLE_MS)
    const { pid } = processes()[name]!
    let owned: string[] = []
    for (; owned.length === 0; await sleep(10)) {
      owned = (await owners.states()).filter((state) => state.pid === pid).map((state) => state.unit)
    }
    const begun = performance.now()
    process.kill(pid, 'SIGKILL')
    for (;;) {
      const states = (await owners.states()).filter((state) => owned.includes(state.unit))
      if (states.length === owned.length && states.every((one) => one.pid !== pid && one.absent.length === 0)) break
      await sleep(10)
    }
    const backMs = Math.round(performance.now() - begun)
    submitted = new Set()
    await new Promise<void>((resolve) => (filled = resolve))
    found[name] = { backMs, tradingMs: Math.round(performance.now() - begun) }
  }
  await close()
  await owners.close()
  up.child.kill('SIGINT')
  await up.ended
  return found
}
