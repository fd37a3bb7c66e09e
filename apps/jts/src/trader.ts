/**
 * All services in one process: the one place that chooses which adapter stands behind each port (here: the embedded log and
 * store, direct calls, the broker's adapter in process).
 */
import { join } from 'node:path'
import { createBinanceBroker, createBinanceMarketData, type BinanceEndpoints } from '@jts/binance-service'
import { BrokerError, type BrokerPort } from '@jts/broker-kit'
import { candlesTopic } from '@jts/contracts'
import type { AccountId, Instrument, Mode, RiskLimits } from '@jts/model'
import { createMarketDataCollector, type MarketDataCollector } from '@jts/market-data-collector'
import { createNotificationService } from '@jts/notification-service'
import { createOrderExecution, type OrderExecution } from '@jts/order-execution'
import { createPortfolioTracker, type PortfolioTracker } from '@jts/portfolio-tracker'
import { createRiskManagement, type RiskManagement } from '@jts/risk-management'
import { createStrategyEngine, type StrategyEngine, type StrategyInstance } from '@jts/strategy-engine'
import { Activity, MarketClock, systemClock, type Logger } from '@jts/runtime'
import { EmbeddedBus, SqliteStore } from '@jts/transport'
import type { LatencyProbe } from './latency.ts'

export type TraderOptions = {
  readonly mode: Mode
  readonly dataDir: string
  readonly log: Logger
  readonly endpoints: BinanceEndpoints
  readonly accounts: readonly { readonly account: AccountId; readonly apiKey: string; readonly apiSecret: string }[]
  readonly instances: readonly StrategyInstance[]
  readonly instruments: readonly Instrument[]
  readonly limits: RiskLimits
  readonly runId: string
  /** A replay lets market time stand; everything else never falls behind the wall clock. */
  readonly replay: boolean
  readonly sendWindowUs: number
  readonly webhookUrl?: string
  readonly probe?: LatencyProbe
  /** A commit that failed, or an owner that was taken over: the process says why and ends. */
  readonly fatal: (reason: string, cause: unknown) => void
}

export type Trader = {
  readonly store: SqliteStore
  readonly bus: EmbeddedBus
  readonly activity: Activity
  readonly marketClock: MarketClock
  readonly collector: MarketDataCollector
  readonly strategies: StrategyEngine
  readonly risk: RiskManagement
  readonly portfolio: PortfolioTracker
  readonly execution: OrderExecution
  readonly brokers: ReadonlyMap<AccountId, BrokerPort>
  readonly marketData: ReturnType<typeof createBinanceMarketData>
  start(): Promise<void>
  stop(): Promise<void>
}

/** Market time from an approval to the last moment at which its intent may be written. */
const APPROVAL_VALID_US = 10_000_000
/** Market time without a word about an open order after which the venue is asked. */
const QUIET_MARKET_ORDER_US = 2_000_000
const QUIET_ORDER_US = 30_000_000
const START_AGAIN_MS = 500

export function createTrader(options: TraderOptions): Trader {
  const { log, fatal, probe } = options
  const activity = new Activity()
  const store = new SqliteStore({ file: join(options.dataDir, 'jts.sqlite'), log, activity, fatal })
  const execution: { current: OrderExecution | undefined } = { current: undefined }
  const bus = new EmbeddedBus({
    store,
    log,
    activity,
    fatal,
    onPoison: (event, group) => {
      if (event.account === undefined || !event.topic.startsWith('orders.')) return
      const reason = `${group} could not take ${event.eventId}`
      setImmediate(() => execution.current?.setReducing(event.account as AccountId, reason))
    },
  })
  const marketClock = new MarketClock(options.replay ? undefined : systemClock)
  const wallClock = systemClock
  const { endpoints } = options
  const marketData = createBinanceMarketData({ endpoints, wallClock, activity, log })
  const brokers = new Map(
    options.accounts.map(({ account, apiKey, apiSecret }) => [
      account,
      createBinanceBroker({
        account,
        endpoints,
        credentials: { apiKey, apiSecret },
        wallClock,
        ...(options.replay ? { marketClock } : {}),
        activity,
        log,
      }),
    ]),
  )
  const marketTopics = [...new Set(options.instruments.map(({ id }) => candlesTopic(id.slice(0, id.indexOf(':')))))]
  const risk = createRiskManagement({
    store,
    bus,
    marketClock,
    log,
    limits: options.limits,
    instruments: options.instruments,
    marketTopics,
    approvalValidUs: APPROVAL_VALID_US,
  })
  const portfolio = createPortfolioTracker({
    store,
    bus,
    log,
    instruments: options.instruments,
    marketTopics,
    equityCurrency: options.instruments[0]?.quoteCurrency ?? 'USDT',
  })
  const strategies = createStrategyEngine({
    store,
    bus,
    risk: risk.api,
    marketClock,
    wallClock,
    activity,
    log,
    runId: options.runId,
    instances: options.instances,
    marketTopics,
    ...(probe === undefined ? {} : { onSignal: (id: string) => probe.signal(id) }),
  })
  execution.current = createOrderExecution({
    store,
    bus,
    marketClock,
    wallClock,
    activity,
    log,
    accounts: options.accounts.map(({ account }) => ({
      account,
      broker: brokers.get(account)!,
      instruments: [
        ...new Set(options.instances.filter((one) => one.account === account).map((one) => one.instrument.id)),
      ],
    })),
    sendWindowUs: options.sendWindowUs,
    quietMarketOrderUs: options.replay ? 0 : QUIET_MARKET_ORDER_US,
    quietOrderUs: QUIET_ORDER_US,
    ...(probe === undefined
      ? {}
      : { onSent: (id: string) => probe.sent(id), onAnswered: (id: string) => probe.answered(id) }),
  })
  const notifications = createNotificationService({
    store,
    bus,
    wallClock,
    log,
    ...(options.webhookUrl === undefined ? {} : { webhookUrl: options.webhookUrl }),
  })
  const series = new Map(
    options.instances.map((one) => [
      `${one.instrument.id}/${one.timeframe}`,
      { instrument: one.instrument.id, timeframe: one.timeframe },
    ]),
  )
  const collector = createMarketDataCollector({
    store,
    marketClock,
    wallClock,
    activity,
    log,
    source: marketData,
    series: [...series.values()],
    ...(probe === undefined ? {} : { onBar: (id: string) => probe.tick(id) }),
  })
  const started = execution.current
  return {
    store,
    bus,
    activity,
    marketClock,
    collector,
    strategies,
    risk,
    portfolio,
    execution: started,
    brokers,
    marketData,
    async start() {
      // The time first; state, then what the log holds beyond it, then the outside world: orders before prices.
      await collector.restore()
      await risk.start()
      await portfolio.start()
      await strategies.start()
      await notifications.start()
      await bus.start()
      await untilAvailable(() => marketData.start(), log)
      for (const broker of brokers.values()) await untilAvailable(() => broker.start(), log)
      await started.start()
      await collector.start()
    },
    async stop() {
      await collector.stop()
      strategies.stop()
      await started.stop()
      notifications.stop()
      await marketData.stop()
      for (const broker of brokers.values()) await broker.stop()
      await store.durable()
      await bus.stop()
      await store.close()
    },
  }
}

/** A broker that is away is waited for, and said so; anything else that keeps it from starting ends the start. */
async function untilAvailable(start: () => Promise<void>, log: Logger): Promise<void> {
  for (;;) {
    try {
      return await start()
    } catch (error) {
      if (!(error instanceof BrokerError) || !error.retryable) throw error
      log.warn({ reason: error.message }, 'the broker does not answer; trying again')
      await new Promise((resolve) => setTimeout(resolve, START_AGAIN_MS))
    }
  }
}
