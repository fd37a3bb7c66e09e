/** A unit that this process owns: its store in PostgreSQL, its place in Kafka, and the service's object between them. */
import { RpcError } from '@jts/contracts'
import {
  type GetMarksRequest,
  type HostState,
  type IdleReport,
  type Marks,
  type ReadAgainResponse,
  type ReconcileRequest,
  type ReconcileResponse,
  type WhenIdleRequest,
} from '@jts/contracts/host-api'
import type { RiskManagementApi } from '@jts/contracts'
import { Activity, MarketClock, scopedMetrics, systemClock, type Logger, type Observability } from '@jts/runtime'
import type { BarHistory } from '@jts/strategy-engine'
import { Archive, type Bus } from '@jts/transport'
import type { SharedBudget } from '@jts/transport/cache/port'
import { KafkaBus } from '@jts/transport/bus/kafka/bus'
import { HaltTable } from '@jts/transport/store/halt-table'
import { PostgresStore, type PostgresStoreOptions } from '@jts/transport/store/postgres'
import { LatencyMarks } from '../latency.ts'
import { lookOf, showBreaker } from '../observe.ts'
import type { BrokerServices } from '../brokers/broker-services.ts'
import type { Plumbing } from '../services.ts'
import { compared } from './compared.ts'
import { HOSTED, type Hosted } from './hosted.ts'
import type { BrokerHost } from './hosted-binance.ts'
import type { RunFile, ServiceName } from './run-file.ts'
import type { Unit } from './units.ts'

export type OpenUnitOptions = Pick<PostgresStoreOptions, 'url' | 'sql' | 'owner' | 'address' | 'fatal'> & {
  readonly run: RunFile
  readonly service: ServiceName
  readonly unit: Unit
  readonly risk: Pick<RiskManagementApi, 'checkTradingRisk'>
  readonly history: BarHistory
  readonly observability: Observability
  readonly sharedBudget: SharedBudget | undefined
  readonly topicsMade: Promise<unknown>
  readonly brokerServices: BrokerServices
  readonly brokerHost: BrokerHost
  readonly log: Logger
}

export type OpenUnit = {
  readonly name: string
  /** The service's own calls, and those of the host. */
  readonly api: object
  readonly control: object
  /** Aborted when the unit is about to be given up: long streams end. */
  readonly leaving: AbortSignal
  /** Counts a call that the unit is answering: it is not given up before. */
  during<T>(call: () => Promise<T>): Promise<T>
  durable(): Promise<void>
  stop(): Promise<void>
}

/** Longest wait for calls that are being answered when a unit is given up. */
const CALLS_END_MS = 2000

/** Takes the unit and brings it to where its last owner's commits end. @throws UnitTakenError when another holds it. */
export async function openUnit(options: OpenUnitOptions): Promise<OpenUnit> {
  const { run, service, unit, risk, history, log } = options
  // What a unit shows goes when it goes to another process.
  const metrics = scopedMetrics(options.observability.metrics)
  const look = lookOf({ ...options.observability, metrics }, unit.name, log)
  const activity = new Activity()
  activity.absent(unit.name)
  // What a kill costs is made of these.
  const tookMs: Record<string, number> = {}
  const timed = async <T>(step: string, work: Promise<T>): Promise<T> => {
    const begunMs = performance.now()
    const result = await work
    tookMs[step] = Math.round(performance.now() - begunMs)
    return result
  }
  const marketClock = new MarketClock(run.replay ? undefined : systemClock)
  const store = await timed(
    'store',
    PostgresStore.open({
      ...options,
      namespace: run.namespace,
      unit: unit.name,
      activity,
      wallClock: systemClock,
      ...look.hooks,
    }),
  )
  const bus = new KafkaBus({
    store,
    kafka: {
      brokers: run.kafkaBrokers,
      prefix: `${run.namespace}.`,
      clientId: unit.name,
      keepsAll: run.replay,
    },
    topicsMade: options.topicsMade,
    ...(run.archive === undefined ? {} : { archive: new Archive(run.archive) }),
    log,
    activity,
    readHeaders: !options.observability.isOff,
    beforeHandle: (event) => marketClock.advanceTo(event.timeEventUs),
  })
  // Only a replay ends with a summary that tells how fast it was.
  const marks = run.replay ? new LatencyMarks() : undefined
  const plumbing: Plumbing = {
    store,
    bus: look.bus(scoped(bus, service, unit)),
    activity,
    marketClock,
    wallClock: systemClock,
    log,
    probe: marks,
    metrics,
    path: look.path,
    unit: unit.name,
    sharedBudget: options.sharedBudget,
    brokerServices: options.brokerServices,
    leaseEpoch: () => store.takenUs,
  }
  showBreaker(metrics, `kafka ${unit.name}`, () => bus.breakerState)
  metrics.onScrape('jts_outbox_depth_events', () => [{ labels: { unit: unit.name }, value: bus.outboxDepth }])
  const hosted = HOSTED[service]({
    settings: unit.settings,
    bus,
    plumbing,
    halts: new HaltTable(store.sql, run.namespace),
    risk,
    history,
    owned: store,
    brokerHost: options.brokerHost,
  })
  const leaving = new AbortController()
  let calls = 0
  const control = new UnitControl({ service, unit, store, bus, activity, marketClock, marks, hosted })
  await timed('state', hosted.restore())
  await timed('bus', bus.start())
  await timed('outside', hosted.start())
  activity.present(unit.name)
  log.info({ tookMs }, 'this process owns the unit now')
  return {
    name: unit.name,
    api: hosted.api,
    control,
    leaving: leaving.signal,
    durable: () => (store.isClosed ? Promise.resolve() : store.durable()),
    async during(call) {
      calls++
      try {
        return await call()
      } finally {
        calls--
      }
    },
    async stop() {
      leaving.abort()
      for (const end = performance.now() + CALLS_END_MS; calls > 0 && performance.now() < end;) {
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      await hosted.stop()
      await bus.stop()
      await store.release()
      metrics.close()
    },
  }
}

/**
 * The bus as the unit sees it. A strategy that has never run begins with what comes now: yesterday's prices are no reason to
 * trade. A replay begins with the first.
 */
function scoped(bus: KafkaBus, service: ServiceName, { settings, streams }: Unit): Bus {
  const isFromNow = service === 'strategy-engine' && !settings.replay
  return {
    subscribe: (subscription) =>
      bus.subscribe({ ...subscription, streams, ...(isFromNow ? { start: 'latest' as const } : {}) }),
    tap: bus.tap.bind(bus),
    start: bus.start.bind(bus),
    stop: bus.stop.bind(bus),
    read: bus.read.bind(bus),
    lag: bus.lag.bind(bus),
  }
}

type ControlOptions = {
  readonly service: ServiceName
  readonly unit: Unit
  readonly store: PostgresStore
  readonly bus: KafkaBus
  readonly activity: Activity
  readonly marketClock: MarketClock
  readonly marks: LatencyMarks | undefined
  readonly hosted: Hosted
}

/** What the supervisor asks: how far this unit is, and in a replay when it has come to rest. */
class UnitControl {
  readonly #options: ControlOptions
  readonly #startedAtUs = systemClock.nowUs()

  constructor(options: ControlOptions) {
    this.#options = options
  }

  async whenIdle(request: WhenIdleRequest, signal: AbortSignal): Promise<IdleReport> {
    const { activity, bus, hosted, marketClock } = this.#options
    if (request.advanceToUs > 0) marketClock.advanceTo(request.advanceToUs)
    for (;;) {
      await bus.whenCaughtUp(request.produced)
      await activity.whenIdle(request.sent)
      // Handling the last event may have begun new work, and ending that work may have brought new events.
      if (bus.isCaughtUp(request.produced) && activity.isIdle()) break
      if (signal.aborted) throw new RpcError('CANCELLED', 'nobody waits any more')
    }
    return {
      produced: bus.produced(),
      received: activity.received(),
      sent: { ...hosted.sent?.() },
      begun: activity.begun,
      startedAtUs: this.#startedAtUs,
    }
  }

  getState(): Promise<HostState> {
    const { service, unit, store, bus, activity, hosted, marketClock } = this.#options
    return Promise.resolve({
      service,
      unit: unit.name,
      epoch: store.epoch,
      pid: process.pid,
      startedAtUs: this.#startedAtUs,
      marketTimeUs: marketClock.nowUs(),
      absent: [...activity.absentees()],
      busy: activity.describe(),
      lags: bus.lag().map(({ lag, ...rest }) => ({ ...rest, events: lag })),
      kafkaBreaker: bus.breakerState,
      memoryBytes: process.memoryUsage.rss(),
      commitWaitsMs: Math.round(store.commitWaitsMs),
      stops: [...bus.stops()],
      httpUrl: hosted.httpUrl?.() ?? '',
    })
  }

  async readAgain(): Promise<ReadAgainResponse> {
    return { stops: [...(await this.#options.bus.readAgain())] }
  }

  getMarks({ correlationIds }: GetMarksRequest): Promise<Marks> {
    return Promise.resolve({ marks: [...(this.#options.marks?.list(correlationIds) ?? [])] })
  }

  reconcile(request: ReconcileRequest): Promise<ReconcileResponse> {
    return compared(this.#options.hosted, this.#options.service, request)
  }
}
