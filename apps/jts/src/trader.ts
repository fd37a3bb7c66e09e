/**
 * All services in one process: the one place that puts the embedded log and store, direct calls and the broker's adapter
 * behind every port.
 */
import { join } from 'node:path'
import type { BrokerPort } from '@jts/broker-kit'
import type { Collections, MarketDataCollector } from '@jts/market-data-collector'
import { accountBroker, type AccountId } from '@jts/model'
import type { OrderExecution } from '@jts/order-execution'
import type { PortfolioTracker } from '@jts/portfolio-tracker'
import type { RiskManagement } from '@jts/risk-management'
import { Activity, MarketClock, NOT_OBSERVED, systemClock, type Logger, type Observability } from '@jts/runtime'
import type { StrategyEngine } from '@jts/strategy-engine'
import { Archive, ARCHIVE_FOLDER, EmbeddedBus, Retention, SqliteStore } from '@jts/transport'
import { MemorySharedBudget } from '@jts/transport/cache/memory'
import { healthEvent } from './health-watch.ts'
import { archivedToo, keepHouse } from './housekeeping.ts'
import type { LatencyProbe } from './latency.ts'
import { CREON_LIGHT } from './brokers/creon.ts'
import { candlesOf, type MarketData } from './brokers/joined.ts'
import { lookOf } from './observe.ts'
import {
  createBroker,
  createCandleCollections,
  createCollector,
  createExecution,
  createMarkets,
  createNotifications,
  createPortfolio,
  createRisk,
  createStrategies,
  untilAvailable,
  untilItStarts,
  type Plumbing,
  type RunSettings,
} from './services.ts'

export type TraderOptions = RunSettings & {
  readonly dataDir: string
  readonly log: Logger
  readonly probe?: LatencyProbe
  /** A test's own; the machine's, when not given. */
  readonly marketClock?: MarketClock
  /** Metrics and traces; nothing when not given. */
  readonly observability?: Observability
  /** A commit that failed, or an owner that was taken over: the process says why and ends. */
  readonly fatal: (reason: string, cause: unknown) => void
}

export type Trader = {
  readonly store: SqliteStore
  readonly bus: EmbeddedBus
  readonly activity: Activity
  readonly marketClock: MarketClock
  readonly collector: MarketDataCollector
  readonly collections: Collections
  readonly strategies: StrategyEngine
  readonly risk: RiskManagement
  readonly portfolio: PortfolioTracker
  readonly execution: OrderExecution
  readonly brokers: ReadonlyMap<AccountId, BrokerPort>
  readonly marketData: Pick<MarketData, 'candles'>
  start(): Promise<void>
  stop(): Promise<void>
}

export function createTrader(options: TraderOptions): Trader {
  const { log, fatal, probe, observability = NOT_OBSERVED } = options
  const activity = new Activity()
  const look = lookOf(observability, 'jts', log)
  const store = new SqliteStore({
    file: join(options.dataDir, 'jts.sqlite'),
    log,
    activity,
    fatal,
    ...look.hooks,
  })
  const archive = new Archive(join(options.dataDir, ARCHIVE_FOLDER))
  const bus = new EmbeddedBus({ store, log, activity, archive, fatal })
  const marketClock = options.marketClock ?? new MarketClock(options.replay ? undefined : systemClock)
  // One process at a time has the folder: its start tells a broker service this owner of the accounts from the last one.
  const startedAtUs = systemClock.nowUs()
  const { metrics, path } = look
  // A market that runs at a speed of its own is counted by its own time.
  const isShared = !options.replay && options.speed === undefined
  const plumbing: Plumbing = {
    store,
    bus: look.bus(bus),
    activity,
    marketClock,
    wallClock: systemClock,
    log,
    probe,
    metrics,
    path,
    leaseEpoch: () => startedAtUs,
    ...(isShared ? { sharedBudget: new MemorySharedBudget() } : {}),
  }
  const markets = createMarkets(options, plumbing)
  const brokers = new Map(options.accounts.map((one) => [one.account, createBroker(options, plumbing, one)]))
  // Who subscribes first hears first: risk has booked a fill before a strategy asks about the next signal.
  const risk = createRisk(options, plumbing)
  const portfolio = createPortfolio(options, plumbing)
  const collections = createCandleCollections(options, plumbing, markets)
  const strategies = createStrategies(options, plumbing, risk.api, { history: collections.api })
  const execution = createExecution(options, plumbing, brokers)
  const notifications = createNotifications(options, plumbing)
  const collector = createCollector(options, plumbing, markets)
  const retention = new Retention({ store, bus, archive, log, archiveToo: archivedToo(options.archiveMarketData) })
  let house: { stop(): Promise<void> } | undefined
  let isStopped = false
  return {
    store,
    bus,
    activity,
    marketClock,
    collector,
    collections,
    strategies,
    risk,
    portfolio,
    execution,
    brokers,
    marketData: candlesOf(markets),
    async start() {
      // The time first; state, then what the log holds beyond it, then the outside world: orders before prices.
      await collector.restore()
      await risk.start()
      await portfolio.start()
      await strategies.start()
      await execution.restore()
      await notifications.start()
      await bus.start()
      const isApart = (account: AccountId): boolean => accountBroker(account) === 'creon'
      for (const [account, broker] of brokers) {
        if (!isApart(account)) await untilAvailable(() => broker.start(), log)
      }
      await execution.start({ except: isApart })
      for (const [account, broker] of brokers) {
        if (!isApart(account)) continue
        void untilItStarts(
          `${CREON_LIGHT} ${account}`,
          () => broker.start(),
          plumbing,
          () => isStopped,
        ).then(() => {
          if (!isStopped) execution.startAccount(account)
        })
      }
      await collector.start()
      strategies.warmUp()
      // A replay's log is a record to compare: nothing leaves it.
      if (options.replay) return
      await collections.start()
      house = keepHouse({
        wallClock: systemClock,
        log,
        pass: () => retention.pass(marketClock.nowUs()),
        onState: (state, reason) =>
          store.transact((turn) =>
            turn.publish('system.health', healthEvent({ service: 'event-log', state, reason }, marketClock.nowUs())),
          ),
      })
    },
    async stop() {
      isStopped = true
      await house?.stop()
      await collections.stop()
      await collector.stop()
      strategies.stop()
      await execution.stop()
      risk.stop()
      notifications.stop()
      for (const broker of brokers.values()) await broker.stop()
      await store.durable()
      await bus.stop()
      await store.close()
    },
  }
}
