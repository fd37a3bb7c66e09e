/**
 * One service as a process of its own: its unit's store in PostgreSQL, the bus on Kafka, its conversations over gRPC. The
 * service itself is the very same object that runs in the one process of the embedded mode.
 */
import type { BrokerPort } from '@jts/broker-kit'
import {
  HostServiceService,
  type GetMarksRequest,
  type HostState,
  type IdleReport,
  type Marks,
  type ReconcileRequest,
  type ReconcileResponse,
  type WhenIdleRequest,
} from '@jts/contracts/host-api'
import { OrderExecutionServiceService } from '@jts/contracts/orders-api'
import { PortfolioServiceService } from '@jts/contracts/portfolio-api'
import { RiskManagementServiceService, type RiskCheckRequest } from '@jts/contracts/risk-api'
import { StrategyServiceService } from '@jts/contracts/strategy-api'
import { RpcError } from '@jts/contracts'
import type { AccountId } from '@jts/model'
import { Activity, MarketClock, systemClock, type Logger } from '@jts/runtime'
import { startRpcServer, type RpcService } from '@jts/transport'
import { KafkaBus } from '@jts/transport/bus/kafka/bus'
import { RpcConnection, streamedRiskManagementClient } from '@jts/transport/rpc/grpc-client'
import { PostgresStore, UnitTakenError } from '@jts/transport/store/postgres'
import { LatencyMarks } from '../latency.ts'
import {
  createBroker,
  createCollector,
  createExecution,
  createMarketData,
  createNotifications,
  createPortfolio,
  createRisk,
  createStrategies,
  untilAvailable,
  type Plumbing,
  type RunSettings,
} from '../services.ts'
import { addressOf, databaseUrlOf, settingsOf, type Member, type RunFile, type ServiceName } from './run-file.ts'

export type HostOptions = {
  readonly run: RunFile
  readonly member: Member
  /** Who owns the unit; the same name after a restart. */
  readonly owner: string
  readonly log: Logger
  readonly fatal: (reason: string, cause: unknown) => void
}

export type Host = { readonly port: number; stop(): Promise<void> }

type Hosted = {
  /** What it answers. */
  readonly rpc: readonly RpcService[]
  reconcile?(account: AccountId): Promise<boolean>
  /** State, before the log is read. */
  restore(): Promise<void>
  /** The outside world, after it. */
  start(): Promise<void>
  stop(): Promise<void>
}

type Context = {
  readonly run: RunFile
  readonly settings: RunSettings
  readonly bus: KafkaBus
  readonly plumbing: Plumbing
}

const STANDBY_MS = 200
const RECONCILE_FIRST_MS = 3000
const RECONCILE_EVERY_MS = 60_000
/** Longest wait for an event that a question refers to. */
const CAUSE_MS = 2000

export async function startHost({ run, member, owner, log, fatal }: HostOptions): Promise<Host> {
  const settings = await settingsOf(run)
  const activity = new Activity()
  const marketClock = new MarketClock(run.replay ? undefined : systemClock)
  const store = await openStore({ run, member, owner, log, fatal, activity })
  const bus = new KafkaBus({
    store,
    kafka: { brokers: run.kafkaBrokers, prefix: `${run.namespace}.`, clientId: member.unit },
    log,
    activity,
    beforeHandle: (event) => marketClock.advanceTo(event.timeEventUs),
  })
  // Only a replay ends with a summary that tells how fast it was.
  const marks = run.replay ? new LatencyMarks() : undefined
  const plumbing: Plumbing = { store, bus, activity, marketClock, wallClock: systemClock, log, probe: marks }
  const hosted = HOSTED[member.service]({ run, settings, bus, plumbing })
  activity.absent(member.unit)
  const control = new HostControl({ member, store, bus, activity, marketClock, marks, reconcile: hosted.reconcile })
  await hosted.restore()
  const server = await startRpcServer({
    host: '127.0.0.1',
    port: member.port,
    services: [...hosted.rpc, { definition: HostServiceService, handlers: control, answersAtOnce: true }],
    log,
    beforeAnswer: () => store.durable(),
  })
  server.setServing(false)
  await bus.start()
  await hosted.start()
  activity.present(member.unit)
  server.setServing(true)
  return {
    port: server.port,
    async stop() {
      await server.stop()
      await hosted.stop()
      await bus.stop()
      await store.release()
    },
  }
}

/** Waits as a standby while another process owns the unit. */
async function openStore(options: HostOptions & { readonly activity: Activity }): Promise<PostgresStore> {
  const { run, member, owner, log, fatal, activity } = options
  for (let isSaid = false; ; isSaid = true) {
    try {
      return await PostgresStore.open({
        url: databaseUrlOf(run),
        namespace: run.namespace,
        unit: member.unit,
        owner,
        log,
        activity,
        wallClock: systemClock,
        fatal,
      })
    } catch (error) {
      if (!(error instanceof UnitTakenError)) throw error
      if (!isSaid) log.info({ unit: member.unit }, 'another process owns this unit: standing by')
      await new Promise((resolve) => setTimeout(resolve, STANDBY_MS))
    }
  }
}

const HOSTED: Readonly<Record<ServiceName, (context: Context) => Hosted>> = {
  'risk-management': ({ settings, bus, plumbing }) => {
    const risk = createRisk(settings, plumbing)
    return {
      // What a question was caused by is handled here first: an answer from an older state would be another answer.
      rpc: [
        {
          definition: RiskManagementServiceService,
          handlers: {
            checkTradingRisk: async (request: RiskCheckRequest) => {
              await bus.whenHandled(request.causationId, CAUSE_MS)
              return risk.api.checkTradingRisk(request)
            },
            streamTradingRiskChecks: (requests: AsyncIterable<RiskCheckRequest>) =>
              risk.api.streamTradingRiskChecks(caused(requests, bus)),
            calculatePositionSize: risk.api.calculatePositionSize.bind(risk.api),
          },
        },
      ],
      restore: () => risk.start(),
      start: () => Promise.resolve(),
      stop: () => Promise.resolve(),
    }
  },

  'portfolio-tracker': ({ settings, plumbing }) => {
    const portfolio = createPortfolio(settings, plumbing)
    return {
      rpc: [{ definition: PortfolioServiceService, handlers: portfolio.api }],
      restore: () => portfolio.start(),
      start: () => Promise.resolve(),
      stop: () => Promise.resolve(),
    }
  },

  'strategy-engine': ({ run, settings, plumbing }) => {
    const connection = new RpcConnection({ address: addressOf(run, 'risk-management') })
    const strategies = createStrategies(settings, plumbing, streamedRiskManagementClient(connection))
    return {
      rpc: [{ definition: StrategyServiceService, handlers: strategies.api }],
      restore: () => strategies.start(),
      start: () => Promise.resolve(),
      stop: () => {
        strategies.stop()
        connection.close()
        return Promise.resolve()
      },
    }
  },

  'order-execution': ({ settings, plumbing }) => {
    const brokers = new Map(
      settings.accounts.map((one) => [one.account, createBroker(settings, plumbing, one)] as const),
    )
    const execution = createExecution(settings, plumbing, brokers as ReadonlyMap<AccountId, BrokerPort>)
    const timers: NodeJS.Timeout[] = []
    const reconcile = (): void => {
      for (const account of brokers.keys()) {
        execution
          .reconcile(account)
          .catch((error: unknown) =>
            plumbing.log.warn({ account, err: error }, 'the account could not be compared with the broker'),
          )
      }
    }
    return {
      rpc: [{ definition: OrderExecutionServiceService, handlers: execution.api }],
      reconcile: (account) => execution.reconcile(account),
      restore: () => execution.restore(),
      start: async () => {
        for (const broker of brokers.values()) await untilAvailable(() => broker.start(), plumbing.log)
        await execution.start()
        if (settings.replay) return
        timers.push(setTimeout(reconcile, RECONCILE_FIRST_MS), setInterval(reconcile, RECONCILE_EVERY_MS))
      },
      stop: async () => {
        for (const timer of timers) clearTimeout(timer)
        await execution.stop()
        for (const broker of brokers.values()) await broker.stop()
      },
    }
  },

  'market-data-collector': ({ settings, plumbing }) => {
    const marketData = createMarketData(settings, plumbing)
    const collector = createCollector(settings, plumbing, marketData)
    return {
      rpc: [],
      restore: () => collector.restore(),
      start: async () => {
        await untilAvailable(() => marketData.start(), plumbing.log)
        await collector.start()
      },
      stop: async () => {
        await collector.stop()
        await marketData.stop()
      },
    }
  },

  'notification-service': ({ settings, plumbing }) => {
    const notifications = createNotifications(settings, plumbing)
    return {
      rpc: [],
      restore: () => notifications.start(),
      start: () => Promise.resolve(),
      stop: () => {
        notifications.stop()
        return Promise.resolve()
      },
    }
  },
}

/** Each question once its cause has been handled here. One that waits too long ends the stream, and is asked again. */
async function* caused(requests: AsyncIterable<RiskCheckRequest>, bus: KafkaBus): AsyncIterable<RiskCheckRequest> {
  for await (const request of requests) {
    await bus.whenHandled(request.causationId, CAUSE_MS)
    yield request
  }
}

type ControlOptions = {
  readonly member: Member
  readonly store: PostgresStore
  readonly bus: KafkaBus
  readonly activity: Activity
  readonly marketClock: MarketClock
  readonly marks: LatencyMarks | undefined
  readonly reconcile: ((account: AccountId) => Promise<boolean>) | undefined
}

/** What the supervisor asks: how far this process is, and in a replay when it has come to rest. */
class HostControl {
  readonly #options: ControlOptions
  readonly #startedAtUs = systemClock.nowUs()

  constructor(options: ControlOptions) {
    this.#options = options
  }

  async whenIdle(request: WhenIdleRequest, signal: AbortSignal): Promise<IdleReport> {
    const { activity, bus, marketClock } = this.#options
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
      begun: activity.begun,
      startedAtUs: this.#startedAtUs,
    }
  }

  getState(): Promise<HostState> {
    const { member, store, bus, activity, marketClock } = this.#options
    return Promise.resolve({
      service: member.service,
      unit: member.unit,
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
    })
  }

  getMarks({ correlationIds }: GetMarksRequest): Promise<Marks> {
    return Promise.resolve({ marks: [...(this.#options.marks?.list(correlationIds) ?? [])] })
  }

  async reconcile({ account }: ReconcileRequest): Promise<ReconcileResponse> {
    const { reconcile, member } = this.#options
    if (reconcile === undefined) throw new RpcError('UNIMPLEMENTED', `${member.service} compares nothing with a broker`)
    return { settled: await reconcile(account as AccountId) }
  }
}
