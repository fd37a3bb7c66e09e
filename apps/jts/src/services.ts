/**
 * How each service is made from the settings of a run and the plumbing of its process. One process makes them all on one
 * store; in the distributed mode each process makes one.
 */
import { createBinanceBroker, createBinanceMarketData, type BinanceEndpoints } from '@jts/binance-service'
import { BrokerError, type BrokerPort } from '@jts/broker-kit'
import { candlesTopic, tradesTopic, type RiskManagementApi, type Topic } from '@jts/contracts'
import {
  createCollections,
  createMarketDataCollector,
  type Collections,
  type MarketDataCollector,
  type ScheduledCollection,
} from '@jts/market-data-collector'
import {
  accountBroker,
  instrumentVenue,
  krxSessionsOf,
  type AccountId,
  type Instrument,
  type InstrumentId,
  type KrxHours,
  type Mode,
  type RiskLimits,
} from '@jts/model'
import { createNotificationService, type WebhookOptions } from '@jts/notification-service'
import { COMPARISON_TIMES, createOrderExecution, type OrderExecution } from '@jts/order-execution'
import { createPortfolioTracker, type PortfolioTracker } from '@jts/portfolio-tracker'
import { createRiskManagement, type RiskManagement } from '@jts/risk-management'
import {
  HEARTBEAT,
  noMetrics,
  stateSamples,
  type Activity,
  type Logger,
  type MarketClock,
  type Metrics,
  type WallClock,
} from '@jts/runtime'
import { createStrategyEngine, type BarHistory, type StrategyEngine, type StrategyInstance } from '@jts/strategy-engine'
import type { Bus, OrderPath, Store } from '@jts/transport'
import type { SharedBudget } from '@jts/transport/cache/port'
import { guardOf } from './broker-guards.ts'
import { CREON_LIGHT, createCreonBroker, createCreonMarketData, type CreonAddress } from './brokers/creon.ts'
import { createApartBroker, createApartMarketData, type BrokerServices } from './brokers/broker-services.ts'
import type { BrokerAccount, ManagedBroker } from './brokers/managed-broker.ts'
import { joinCollectors, type MarketData, type Markets } from './brokers/joined.ts'
import { venueAt } from './config.ts'
import type { ForeignOrdersBy } from './config.ts'
import type { Probe } from './latency.ts'
import { showRateBudgets, showStream } from './observe.ts'

export type RunSettings = {
  readonly mode: Mode
  readonly endpoints: BinanceEndpoints
  /** Where Creon's broker service is, if one of the accounts is there. */
  readonly creon?: CreonAddress | undefined
  readonly accounts: readonly BrokerAccount[]
  /** What is done about orders that JTS has not made, where the account says so. */
  readonly foreignOrders?: ForeignOrdersBy | undefined
  readonly instances: readonly StrategyInstance[]
  readonly instruments: readonly Instrument[]
  readonly limits: RiskLimits
  /** What the configuration says of the hours of the KRX beside the shipped tables. */
  readonly krx?: KrxHours | undefined
  /** Names this run in every computed id. */
  readonly runId: string
  /** A replay lets market time stand; everything else never falls behind the wall clock. */
  readonly replay: boolean
  readonly sendWindowUs: number
  /** How many times as fast as real time the local venue's made-up market runs. */
  readonly speed?: number | undefined
  readonly webhook?: WebhookOptions | undefined
  /** What the calendar collects every day, by venue. */
  readonly collection?: Readonly<Record<string, ScheduledCollection>> | undefined
  /** Of a process that has a part of one venue: the instruments whose streams it writes. */
  readonly collects?: { readonly venue: string; readonly owns: (instrument: InstrumentId) => boolean }
  /** Candles and trades go to the archive when their class deletes them from the log. */
  readonly archiveMarketData?: boolean | undefined
}

export type Plumbing = {
  readonly store: Store
  readonly bus: Bus
  readonly activity: Activity
  readonly marketClock: MarketClock
  readonly wallClock: WallClock
  readonly log: Logger
  readonly probe?: Probe | undefined
  /** Where somebody looks: the figures, and the way of an order. */
  readonly metrics?: Metrics
  readonly path?: OrderPath | undefined
  /** Which unit of the service this is, where there may be several. */
  readonly unit?: string
  /** The venue's limits, as all accounts and processes count them together; a replay counts by its venue alone. */
  readonly sharedBudget?: SharedBudget | undefined
  /** Between processes: where Binance's broker service is; without it its adapter is called in this process. */
  readonly brokerServices?: BrokerServices | undefined
  /** Tells a broker service an earlier owner of an account from a later one; see `BrokerApiClient`. */
  readonly leaseEpoch?: (() => number) | undefined
}

// These three allow for the delays of this machine: in a market that runs faster they are as much longer.
/** Market time from an approval to the last moment at which its intent may be written. */
const APPROVAL_VALID_US = 10_000_000
/** Market time without a word about an open order after which the venue is asked. */
const QUIET_MARKET_ORDER_US = 2_000_000
const QUIET_ORDER_US = 30_000_000
/** A strategy's handler takes microseconds; one that takes this long does not come back, and a halt may be waiting. */
const HANDLER_LIMIT_MS = 500
const START_AGAIN_MS = 500

/** Its name among what a process waits for; of the KRX it is the light of Creon that waits. */
const COLLECTOR = 'market-data-collector'

/** A market stream that is silent is asked after half of this; risk waits another five seconds for its heartbeat. */
export const MARKET_SILENCE_MS = 4000

/** The market data of every venue on which something is traded, or could be. */
export function createMarkets(settings: RunSettings, plumbing: Omit<Plumbing, 'store' | 'bus'>): Markets {
  return new Map(venuesOf(settings).map((venue) => [venue, createMarketData(venue, settings, plumbing)]))
}

export function venuesOf({ collects, instances, accounts, replay }: RunSettings): readonly string[] {
  if (collects !== undefined) return [collects.venue]
  const traded = instances.map(({ instrument }) => instrumentVenue(instrument.id))
  // Nothing is collected in a replay.
  const others = replay ? [] : accounts.map(({ account }) => venueAt(accountBroker(account)))
  return [...new Set([...traded, ...others])]
}

/** Past candles of the same venues, through the same services. */
export function createCandleCollections(
  settings: RunSettings,
  { store, wallClock, activity, log }: Plumbing,
  markets: Markets,
): Collections {
  const { collects, collection = {}, replay } = settings
  return createCollections({
    ...{ store, wallClock, activity, log: log.child({ service: 'market-data-collector' }) },
    alwaysOpen: settings.mode === 'sim',
    sessions: krxSessionsOf(settings.krx),
    venues: [...(replay ? [] : markets)].map(([venue, source]) => {
      const own = settings.instances.filter((one) => instrumentVenue(one.instrument.id) === venue)
      return {
        ...{ venue, source, schedule: collection[venue] },
        traded: [...new Set(own.map(({ instrument }) => instrument.id))],
        live: own.map(({ instrument, timeframe }) => ({ instrument: instrument.id, timeframe })),
        ...(collects === undefined ? {} : { owns: collects.owns }),
      }
    }),
  })
}

function createMarketData(venue: string, settings: RunSettings, plumbing: Omit<Plumbing, 'store' | 'bus'>): MarketData {
  const { endpoints, replay, creon, accounts } = settings
  if (venue === 'KRX') {
    const key = accounts.find(({ account }) => accountBroker(account) === 'creon')
    if (creon === undefined || key === undefined) throw new Error('expected an account at Creon for KRX, found none')
    return createCreonMarketData(creon, key, plumbing)
  }
  const { wallClock, activity, sharedBudget: shared, brokerServices: services } = plumbing
  if (services !== undefined) {
    return createApartMarketData('binance', { ...plumbing, services, isGuarded: !replay })
  }
  const log = plumbing.log.child({ service: 'binance-service' })
  const streamTimings = replay ? {} : { silenceMs: MARKET_SILENCE_MS }
  const source = createBinanceMarketData({ endpoints, wallClock, activity, log, shared, streamTimings })
  // A replay waits for its venue by the conductor; a breaker would only make two runs differ.
  return replay ? source : { ...source, ...guardOf('binance', plumbing).guardMarket(source) }
}

export function createBroker(
  settings: RunSettings,
  plumbing: Omit<Plumbing, 'store' | 'bus'>,
  key: BrokerAccount,
): ManagedBroker {
  const { account, apiKey, apiSecret } = key
  if (accountBroker(account) === 'creon') {
    if (settings.creon === undefined)
      throw new Error(`expected the address of Creon's service for ${account}, found none`)
    return createCreonBroker(settings.creon, key, plumbing)
  }
  const {
    wallClock,
    activity,
    marketClock,
    metrics = noMetrics,
    sharedBudget: shared,
    brokerServices: services,
  } = plumbing
  if (services !== undefined) {
    return createApartBroker('binance', account, { ...plumbing, services, isGuarded: !settings.replay })
  }
  const log = plumbing.log.child({ service: 'binance-service', account })
  const broker = createBinanceBroker({
    account,
    endpoints: settings.endpoints,
    credentials: { apiKey, apiSecret },
    wallClock,
    ...(settings.replay || settings.speed !== undefined ? { marketClock } : {}),
    activity,
    log,
    shared,
  })
  showRateBudgets(metrics, account, () => broker.state?.().limits ?? [])
  return settings.replay ? broker : { ...broker, ...guardOf('binance', plumbing).guardBroker(broker) }
}

export function createRisk(
  settings: RunSettings,
  { store, bus, marketClock, wallClock, log, metrics = noMetrics, path }: Plumbing,
): RiskManagement {
  const { limits, instruments } = settings
  const marketTopics = marketTopicsOf(settings)
  const risk = createRiskManagement({
    store,
    bus,
    marketClock,
    log: log.child({ service: 'risk-management' }),
    limits,
    instruments,
    sessions: krxSessionsOf(settings.krx),
    marketTopics,
    approvalValidUs: APPROVAL_VALID_US * (settings.speed ?? 1),
    ...(settings.replay ? {} : { heartbeats: { times: HEARTBEAT, wallClock, accounts: accountInstruments(settings) } }),
    ...(path === undefined ? {} : { onCheck: (request) => path.checking(request) }),
  })
  metrics.onScrape('jts_risk_limit_headroom_ratio', () =>
    [...risk.headroom()].map(({ account, limit, ratio }) => ({ labels: { account, limit }, value: ratio })),
  )
  return risk
}

export function createPortfolio(
  settings: RunSettings,
  { store, bus, marketClock, log, metrics = noMetrics }: Plumbing,
): PortfolioTracker {
  const { instruments, instances } = settings
  const portfolio = createPortfolioTracker({
    store,
    bus,
    marketClock,
    calendar: krxSessionsOf(settings.krx).calendar,
    log: log.child({ service: 'portfolio-tracker' }),
    instruments,
    marketTopics: marketTopicsOf(settings),
    // What the account's instruments are quoted in; all of them at one broker.
    equityCurrencyOf: (account) =>
      (instances.find((one) => one.account === account)?.instrument ?? instruments[0])?.quoteCurrency ?? 'USDT',
  })
  metrics.onScrape('jts_reconciliation_differences', () =>
    settings.accounts.map(({ account }) => ({ labels: { account }, value: portfolio.differences(account).length })),
  )
  return portfolio
}

export function createStrategies(
  settings: RunSettings,
  { probe, path, sharedBudget: _budget, ...plumbing }: Plumbing,
  risk: Pick<RiskManagementApi, 'checkTradingRisk'>,
  { riskIsApart = false, history }: { readonly riskIsApart?: boolean; readonly history: BarHistory },
): StrategyEngine {
  return createStrategyEngine({
    ...plumbing,
    log: plumbing.log.child({ service: 'strategy-engine' }),
    risk: path === undefined ? risk : askedBy(path, risk),
    riskIsApart,
    runId: settings.runId,
    instances: settings.instances,
    marketTopics: marketTopicsOf(settings),
    sessions: krxSessionsOf(settings.krx),
    // Before a recording nothing lies: its first bars warm up, as in a backtest.
    ...(settings.replay ? {} : { handlerLimitMs: HANDLER_LIMIT_MS, history }),
    keepsMarket: settings.replay || settings.archiveMarketData === true,
    onSignal(signal) {
      probe?.signal(signal.correlationId)
      path?.signal(signal)
    },
  })
}

function askedBy(
  path: OrderPath,
  risk: Pick<RiskManagementApi, 'checkTradingRisk'>,
): Pick<RiskManagementApi, 'checkTradingRisk'> {
  return {
    async checkTradingRisk(question) {
      const { request, answered } = path.asking(question)
      try {
        const answer = await risk.checkTradingRisk(request)
        answered()
        return answer
      } catch (error) {
        answered((error as Error).message)
        throw error
      }
    },
  }
}

const TRADING_STATES = ['active', 'reducing', 'halted'] as const

export function createExecution(
  settings: RunSettings,
  { probe, path, metrics = noMetrics, sharedBudget: _budget, ...plumbing }: Plumbing,
  brokers: ReadonlyMap<AccountId, BrokerPort>,
): OrderExecution {
  const execution = createOrderExecution({
    ...plumbing,
    log: plumbing.log.child({ service: 'order-execution' }),
    accounts: [...brokers].map(([account, broker]) => ({
      account,
      broker,
      foreignOrders: settings.foreignOrders?.[account],
      instruments: [
        ...new Set(settings.instances.filter((one) => one.account === account).map((one) => one.instrument.id)),
      ],
      strategies: settings.instances.filter((one) => one.account === account).map((one) => one.instance),
    })),
    sendWindowUs: settings.sendWindowUs,
    quietMarketOrderUs: settings.replay ? 0 : QUIET_MARKET_ORDER_US * (settings.speed ?? 1),
    quietOrderUs: QUIET_ORDER_US * (settings.speed ?? 1),
    ...(settings.replay ? {} : { heartbeats: HEARTBEAT, comparisons: COMPARISON_TIMES }),
    onSent(order) {
      probe?.sent(order.correlationId)
      return path?.sent(order)
    },
    onAnswered(order, outcome) {
      probe?.answered(order.correlationId)
      path?.answered(order, outcome)
    },
  })
  for (const account of brokers.keys()) {
    showStream(metrics, `orders ${account}`, plumbing.activity, `order-execution ${account}`)
    metrics.onScrape('jts_trading_state', () =>
      [...stateSamples(TRADING_STATES, execution.tradingState(account))].map(({ state, value }) => ({
        labels: { account, state },
        value,
      })),
    )
  }
  return execution
}

export function createNotifications(
  { webhook }: RunSettings,
  { store, bus, wallClock, log, path }: Plumbing,
): ReturnType<typeof createNotificationService> {
  return createNotificationService({
    store,
    bus,
    wallClock,
    log: log.child({ service: 'notification-service' }),
    ...(webhook === undefined ? {} : { webhook }),
    ...(path === undefined ? {} : { onNotify: (event) => path.notifying(event) }),
  })
}

/** A collector for each venue: one that waits for its broker keeps none of the others waiting. */
export function createCollector(settings: RunSettings, plumbing: Plumbing, markets: Markets): MarketDataCollector {
  return joinCollectors([...markets].map(([venue, market]) => collectorOf(venue, market, settings, plumbing)))
}

function collectorOf(
  venue: string,
  source: MarketData,
  settings: RunSettings,
  { probe, bus: _, metrics = noMetrics, unit, sharedBudget: _budget, brokerServices, ...plumbing }: Plumbing,
): MarketDataCollector {
  const isApart = venue === 'KRX' || brokerServices !== undefined
  const own = settings.instances.filter((one) => instrumentVenue(one.instrument.id) === venue)
  const series = new Map(
    own.map((one) => [
      `${one.instrument.id}/${one.timeframe}`,
      { instrument: one.instrument.id, timeframe: one.timeframe },
    ]),
  )
  // Of what is only collected nothing is streamed.
  if (series.size === 0) return unstreamed(venue, source, plumbing)
  const { activity } = plumbing
  const participant = venue === 'KRX' ? `${CREON_LIGHT} market data` : COLLECTOR
  showStream(metrics, unit === undefined ? `market ${venue}` : `market ${venue} ${unit}`, activity, participant)
  const collector = createMarketDataCollector({
    ...plumbing,
    log: plumbing.log.child({ service: 'market-data-collector', venue }),
    source,
    participant,
    series: [...series.values()],
    // The simulated venue of sim is open day and night.
    alwaysOpen: settings.mode === 'sim',
    sessions: krxSessionsOf(settings.krx),
    watchListings: venue === 'KRX' && !settings.replay,
    ...(settings.replay ? {} : { heartbeats: HEARTBEAT }),
    ...(probe === undefined ? {} : { onItem: (id: string) => probe.tick(id) }),
  })
  let isStopped = false
  return {
    async start() {
      // Also while its broker is waited for.
      activity.absent(participant)
      if (!isApart) {
        await untilAvailable(() => source.start(), plumbing.log)
        return collector.start()
      }
      void untilItStarts(
        venue === 'KRX' ? CREON_LIGHT : 'binance-service',
        () => source.start(),
        plumbing,
        () => isStopped,
      ).then(() => (isStopped ? undefined : collector.start()))
    },
    stop: async () => {
      isStopped = true
      await collector.stop()
      await source.stop()
    },
    restore: () => collector.restore(),
    barCount: () => collector.barCount(),
    tradeCount: () => collector.tradeCount(),
    gapCount: () => collector.gapCount(),
  }
}

function unstreamed(
  venue: string,
  source: MarketData,
  plumbing: Pick<Plumbing, 'activity' | 'wallClock' | 'log'>,
): MarketDataCollector {
  let isStopped = false
  const none = (): number => 0
  return {
    restore: () => Promise.resolve(),
    start() {
      const light = venue === 'KRX' ? CREON_LIGHT : `${venue.toLowerCase()} market data`
      void untilItStarts(
        light,
        () => source.start(),
        plumbing,
        () => isStopped,
      )
      return Promise.resolve()
    },
    async stop() {
      isStopped = true
      await source.stop()
    },
    ...{ barCount: none, tradeCount: none, gapCount: none },
  }
}

/** A broker that is away is waited for, and said so; anything else that keeps it from starting ends the start. */
export async function untilAvailable(start: () => Promise<void>, log: Logger): Promise<void> {
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

/**
 * For a broker whose fall is nobody else's: whatever keeps it from starting, it is tried again, and its light says so. Its reason is
 * logged when it changes.
 */
export async function untilItStarts(
  participant: string,
  start: () => Promise<void>,
  { activity, wallClock, log }: Pick<Plumbing, 'activity' | 'wallClock' | 'log'>,
  isStopped: () => boolean,
): Promise<void> {
  let said = ''
  activity.absent(participant)
  while (!isStopped()) {
    try {
      await start()
      return activity.present(participant)
    } catch (error) {
      const { message } = error as Error
      if (message !== said) log.warn({ participant, reason: message }, 'it does not start; trying again')
      said = message
      await new Promise<void>((resolve) => wallClock.after(START_AGAIN_MS, resolve))
    }
  }
}

/** What each account trades, whose prices its orders are judged by. */
function accountInstruments({
  accounts,
  instances,
}: RunSettings): { account: AccountId; instruments: InstrumentId[] }[] {
  return accounts.map(({ account }) => {
    const own = instances.filter((one) => one.account === account)
    return { account, instruments: own.map(({ instrument }) => instrument.id) }
  })
}

function marketTopicsOf({ instruments }: RunSettings): readonly Topic[] {
  const venues = [...new Set(instruments.map(({ id }) => instrumentVenue(id)))]
  return venues.flatMap((venue) => [candlesTopic(venue), tradesTopic(venue)])
}
