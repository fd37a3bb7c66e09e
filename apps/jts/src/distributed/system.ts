/** A JTS of several processes: its servers, its services under a supervisor or started elsewhere, and what one may ask of it. */
import { join, resolve } from 'node:path'
import type { BrokerPort } from '@jts/broker-kit'
import { TOPIC_NAMES, type BusEventOf } from '@jts/contracts'
import { HostServiceService, type HostState, type Stop } from '@jts/contracts/host-api'
import { accountBroker, instrumentSymbol, type AccountId } from '@jts/model'
import type { FillRow } from '@jts/order-execution/service'
import { Activity, computedId, MarketClock, systemClock, type Logger, type Observability } from '@jts/runtime'
import { freePort, provideKafka, providePostgres, provideRedis } from '@jts/servers'
import { Archive, ARCHIVE_FOLDER, FolderInUseError } from '@jts/transport'
import { KafkaClient } from '@jts/transport/bus/kafka/client'
import { KafkaLog } from '@jts/transport/bus/kafka/log'
import {
  collectionClient,
  orderExecutionClient,
  portfolioClient,
  strategyClient,
  type RpcLink,
} from '@jts/transport/rpc/grpc-client'
import { OwnerLinks } from '@jts/transport/rpc/owner-links'
import { checkTls, type TlsFiles } from '@jts/transport/rpc/tls'
import { connectPostgres, pingOf } from '@jts/transport/store/postgres-connection'
import { HaltTable } from '@jts/transport/store/halt-table'
import { UnitTable, type Living, type Owned } from '@jts/transport/store/unit-table'
import { UserError } from '../cli.ts'
import { CREON_LIGHT } from '../brokers/creon.ts'
import { candlesOf } from '../brokers/joined.ts'
import { HealthWatch, watchHealth } from '../health-watch.ts'
import { latencyOf, type Mark } from '../latency.ts'
import { createBroker, createMarkets, untilAvailable, untilItStarts, type RunSettings } from '../services.ts'
import { accountOf, type JtsConfig } from '../config.ts'
import type { LoadedStrategy } from '../strategies.ts'
import { observe, type ObserveSettings } from '../observe.ts'
import { creonLightOf, type ServiceLight, type System } from '../system.ts'
import { brokerServicesOf } from './broker-whereabouts.ts'
import { HealthLog } from './health-log.ts'
import { keepServer } from './keep-server.ts'
import { lightOf, lightsElsewhere } from './lights.ts'
import { readingAgain } from '../log-stops.ts'
import { keepHouse } from '../housekeeping.ts'
import { cancelOpen } from '../cancel-open.ts'
import { openArchiver } from './archiver.ts'
import { haltsKept } from './halts-kept.ts'
import { openInUnit } from './open-in-unit.ts'
import { DistributedRest } from './rest.ts'
import { routedCollections, routedOrders, routedPortfolio, routedStrategies } from './routed.ts'
import {
  brokerKeyOf,
  environmentFor,
  RUN_FILE,
  SERVICE_NAMES,
  tlsOf,
  writeRunFile,
  type Member,
  type RunFile,
  type ServiceName,
} from './run-file.ts'
import { ServerLight } from './server-light.ts'
import { shareThroughRedis } from './shared-through-redis.ts'
import { Supervisor, type SupervisedState } from './supervisor.ts'
import { unitOfAccount, unitsOf } from './units.ts'
import { untilItWorks } from './until-servers-answer.ts'

export type DistributedOptions = {
  readonly settings: RunSettings
  /** The instances' strategies, in their order. */
  readonly strategies: readonly Pick<LoadedStrategy, 'file' | 'given'>[]
  /** The accounts as the configuration names them, in the order of the settings. */
  readonly accounts: JtsConfig['accounts']
  readonly observe: ObserveSettings
  readonly dataDir: string
  /** The run leaves nothing behind: its servers keep their data in the system's temporary folder. */
  readonly temporary: boolean
  /** Processes of each service; one where nothing is said. */
  readonly replicas: Partial<Record<ServiceName, number>>
  readonly tls?: TlsFiles | undefined
  /** Others start the services, by the run file. */
  readonly elsewhere?: boolean
  /** Where other machines reach the processes started here; without it they are reached from this machine alone. */
  readonly host?: string | undefined
  /** What Creon's own process says, where it is ours and not up. */
  readonly creonLight?: (() => ServiceLight | undefined) | undefined
  readonly log: Logger
}

export type DistributedSystem = System & {
  processes(): readonly SupervisedState[]
  /** What each service's process says of itself; those that do not answer are left out. */
  hosts(): Promise<readonly HostState[]>
}

const LIGHTS_MS = 1000
const STATE_DEADLINE_MS = 900
const UNIT_DEADLINE_MS = 10_000
/** What stands in the log is read in one go, or the answer comes later as an event. */
const READ_AGAIN_MS = 3000

export async function openDistributed(options: DistributedOptions): Promise<DistributedSystem> {
  const { settings, dataDir, log, temporary, replicas, elsewhere = false, host = '127.0.0.1' } = options
  const tls = options.tls === undefined ? undefined : absolute(options.tls)
  if (tls !== undefined) requireTls(tls)
  const dir = (name: string): { dir?: string } => (temporary ? {} : { dir: join(dataDir, 'servers', name) })
  // What is started elsewhere may be slower to start than this process.
  const patiently = <T>(what: () => Promise<T>): Promise<T> => (elsewhere ? untilItWorks(what, log) : what())
  const [kafka, postgres, redis] = await Promise.all([
    patiently(() => provideKafka(dir('kafka'))),
    patiently(() => providePostgres(dir('postgres'))),
    settings.replay ? undefined : patiently(() => provideRedis(dir('redis'))),
  ])
  const members: Member[] = []
  const { metricsPort, tracing } = options.observe
  for (const service of elsewhere ? [] : SERVICE_NAMES) {
    if (unitsOf(service, settings).length === 0) continue
    for (let n = 1; n <= (replicas[service] ?? 1); n++) {
      const metrics = metricsPort === undefined ? {} : { metricsPort: await freePort() }
      members.push({
        service,
        name: n === 1 ? service : `${service}-${n}`,
        host,
        port: await freePort(),
        ...metrics,
      })
    }
  }
  const run: RunFile = {
    mode: settings.mode,
    replay: settings.replay,
    // Given servers are shared: a run meets no other run's topics or tables.
    namespace: `${settings.mode}-${computedId('namespace', dataDir).slice(0, 10)}`,
    ...(postgres.server === undefined ? {} : { databaseUrl: postgres.url }),
    kafkaBrokers: [...kafka.brokers],
    ...(redis?.server === undefined ? {} : { redisUrl: redis.url }),
    endpoints: { ...settings.endpoints },
    ...(settings.creon === undefined ? {} : { creon: { ...settings.creon } }),
    brokerKey: brokerKeyOf(dataDir),
    accounts: options.accounts.map((one) => {
      const { name, broker, apiKeyEnv, apiSecretEnv, foreignOrders } = one
      const { apiKey, apiSecret } = settings.accounts.find(({ account }) => account === accountOf(settings.mode, one))!
      const named = { name, broker, ...(foreignOrders === undefined ? {} : { foreignOrders }) }
      return settings.mode === 'sim' ? { ...named, play: { apiKey, apiSecret } } : { ...named, apiKeyEnv, apiSecretEnv }
    }),
    instances: settings.instances.map((one, i) => ({
      instance: one.instance,
      strategy: options.strategies[i]!.file,
      parameters: { ...options.strategies[i]!.given },
      account: one.account,
      instrument: one.instrument.id,
      ...(one.timeframe === undefined ? {} : { timeframe: one.timeframe }),
    })),
    instruments: settings.instruments.map((instrument) => ({ ...instrument })),
    limits: { ...settings.limits },
    ...(settings.krx === undefined ? {} : { krx: { ...settings.krx } }),
    runId: settings.runId,
    sendWindowUs: settings.sendWindowUs,
    ...(settings.speed === undefined ? {} : { speed: settings.speed }),
    ...(settings.webhookUrl === undefined ? {} : { webhookUrl: settings.webhookUrl }),
    ...(settings.collection === undefined
      ? {}
      : { collection: structuredClone(settings.collection) as RunFile['collection'] }),
    archive: join(dataDir, ARCHIVE_FOLDER),
    rpc: tls === undefined ? {} : { tls },
    logLevel: log.level,
    ...(tracing === undefined ? {} : { tracing }),
    members,
  }
  const client = new KafkaClient({
    brokers: run.kafkaBrokers,
    prefix: `${run.namespace}.`,
    clientId: 'supervisor',
    keepsAll: run.replay,
    log,
  })
  const eventLog = new KafkaLog(client, 'supervisor', new Archive(join(dataDir, ARCHIVE_FOLDER)))
  const supervisor = new Supervisor(join(dataDir, RUN_FILE), log, (service) => environmentFor(service, run.accounts))
  const observability: Observability = await observe(
    { metricsPort },
    {
      service: 'supervisor',
      mode: run.mode,
      runId: run.namespace,
      log,
      pages: { '/targets': (): string => targetsOf(observability.metricsUrl, run) },
    },
  )
  observability.metrics.onScrape('jts_service_up', () =>
    supervisor.states().map(({ name, state }) => ({ labels: { process: name }, value: state === 'up' ? 1 : 0 })),
  )
  observability.metrics.onScrape('jts_service_starts', () =>
    supervisor.states().map(({ name, starts }) => ({ labels: { process: name }, value: starts })),
  )
  const sql = connectPostgres(postgres.url, 'supervisor')
  const table = new UnitTable(sql, run.namespace)
  const links = new OwnerLinks({ directory: table, ...tlsOf(run) })
  const unitsBy = new Map(SERVICE_NAMES.map((service) => [service, unitsOf(service, settings)]))
  const units = [...unitsBy.values()].flat().map((unit) => unit.name)
  const linksTo = (service: ServiceName): RpcLink[] => unitsBy.get(service)!.map((unit) => links.linkTo(unit.name))
  const byAccount = <Api>(service: 'order-execution' | 'portfolio-tracker', client: (link: RpcLink) => Api) =>
    new Map(
      settings.accounts.map(({ account }) => [
        account as string,
        client(links.linkTo(unitOfAccount(service, account))),
      ]),
    )
  // The supervisor asks the broker services, and acts on an account only for a halt that its order execution does not answer.
  const activity = new Activity()
  const shared = shareThroughRedis(run, log)
  const plumbing = {
    activity,
    marketClock: new MarketClock(systemClock),
    wallClock: systemClock,
    log,
    brokerServices: brokerServicesOf(run, links),
  }
  const brokers = new Map(settings.accounts.map((one) => [one.account, createBroker(settings, plumbing, one)] as const))
  const markets = createMarkets(settings, plumbing)
  const executions = byAccount('order-execution', orderExecutionClient)
  const orders = routedOrders(executions)
  const kept = haltsKept(orders, {
    owners: executions,
    halts: new HaltTable(sql, run.namespace),
    cancelWithout: async (name) => {
      const account = name as AccountId
      const { clientOrderIds: ours } = await openInUnit(sql, run.namespace, account)
      const adopts = settings.foreignOrders?.[account] === 'adopt'
      return await cancelOpen({ broker: brokers.get(account)!, ours, adopts })
    },
  })
  const portfolio = routedPortfolio(byAccount('portfolio-tracker', portfolioClient))

  const hosts = async (): Promise<HostState[]> => {
    const asked = units.map((unit) =>
      links
        .linkTo(unit)
        .call(HostServiceService.getState, {}, true, { deadlineMs: STATE_DEADLINE_MS, waitForReady: false }),
    )
    return (await Promise.allSettled(asked)).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  }
  /** Who does not answer reads again by itself, when it is back. */
  const readAgain = async (): Promise<Stop[]> => {
    const asked = units.map((unit) =>
      links
        .linkTo(unit)
        .call(HostServiceService.readAgain, {}, true, { deadlineMs: READ_AGAIN_MS, waitForReady: false }),
    )
    return (await Promise.allSettled(asked)).flatMap((one) => (one.status === 'fulfilled' ? one.value.stops : []))
  }
  /** The processes have taken their shares; what one of them was to have may still be on its way to another. */
  const everyUnitAnswers = async (): Promise<void> => {
    for (const unit of units) {
      for (;;) {
        try {
          await links.linkTo(unit).call(HostServiceService.getState, {}, true, { deadlineMs: UNIT_DEADLINE_MS })
          break
        } catch (error) {
          log.warn({ unit, err: error }, 'nobody answers for a unit yet; asking again')
        }
      }
    }
  }
  let states: readonly HostState[] = []
  let living: readonly Living[] = []
  let owners: readonly Owned[] = []
  let watching: NodeJS.Timeout | undefined
  const watch = (): void => {
    void hosts().then((found) => (states = found))
    // While the database is away, what it said last stands: its own light tells.
    void table.living().then(
      (found) => (living = found),
      () => undefined,
    )
    void table.owned().then(
      (found) => (owners = found),
      () => undefined,
    )
  }

  const health = new HealthLog({
    databaseUrl: postgres.url,
    namespace: run.namespace,
    kafkaBrokers: kafka.brokers,
    keepsAll: run.replay,
    log,
  })
  const database = pingOf(postgres.url)
  const servers = [
    new ServerLight('kafka', () => client.ping()),
    new ServerLight('postgresql', () => database.ask()),
    ...(redis === undefined ? [] : [new ServerLight('redis', () => shared.ping())]),
  ]
  let keepers: (() => void)[] = []
  let isStopped = false
  const lights = (): ServiceLight[] => [
    ...(elsewhere
      ? lightsElsewhere({ living, owners, states })
      : supervisor.states().map((process) => lightOf(process, { living, owners, states }))),
    ...servers.map((server) => server.light()),
    ...(settings.creon === undefined
      ? []
      : [options.creonLight?.() ?? creonLightOf(states.flatMap((state) => state.absent))]),
  ]

  let house: { stop(): Promise<void> } | undefined
  const keepArchive = (): { stop(): Promise<void> } => {
    const { archiveMarketData } = settings
    const archiver = openArchiver({ runFile: join(dataDir, RUN_FILE), client, units: table, archiveMarketData, log })
    const keeping = keepHouse({
      wallClock: systemClock,
      log,
      pass: () =>
        archiver.pass().catch((error: unknown) => {
          // Somebody has started `./jts archive --forever` beside this.
          if (!(error instanceof FolderInUseError)) throw error
        }),
      onState: (state, reason) => health.tell({ service: 'event-log', state, reason }),
    })
    return {
      async stop() {
        await keeping.stop()
        archiver.stop()
      },
    }
  }

  return {
    log: eventLog,
    orders: readingAgain({ ...orders, ...kept }, readAgain),
    portfolio,
    strategies: routedStrategies(
      unitsBy.get('strategy-engine')!.map((unit) => ({
        instances: unit.settings.instances.map((one) => one.instance),
        api: strategyClient(links.linkTo(unit.name)),
      })),
    ),
    collections: routedCollections(
      unitsBy
        .get('market-data-collector')!
        .flatMap(({ name, settings: { collects } }) =>
          collects === undefined ? [] : [{ venue: collects.venue, api: collectionClient(links.linkTo(name)) }],
        ),
    ),
    brokers: brokers as ReadonlyMap<AccountId, BrokerPort>,
    marketData: candlesOf(markets),
    rest: new DistributedRest(
      units.map((unit) => ({ name: unit, link: links.linkTo(unit) })),
      log,
    ),
    marketTimeUs: () => Math.max(0, ...states.map((state) => state.marketTimeUs)),
    lights,
    watchHealth() {
      const watch = new HealthWatch()
      supervisor.onEnded = (unit, how) => health.tell(watch.ended(unit, how))
      return watchHealth(watch, lights, (change) => health.tell(change))
    },
    processes: () => supervisor.states(),
    metricsUrl: observability.metricsUrl?.replace(/metrics$/, 'targets'),
    hosts,
    async counts() {
      let bars = 0
      let trades = 0
      for await (const _ of eventLog.read('market-data.binance.candles')) bars++
      for await (const _ of eventLog.read('market-data.binance.trades')) trades++
      return { bars, trades }
    },
    async fills() {
      const rows: FillRow[] = []
      for await (const event of eventLog.read('orders.events')) {
        if (event.type === 'OrderFilled') rows.push(fillRow(event))
      }
      return rows
    },
    async reconcile(account) {
      const link = links.linkTo(unitOfAccount('order-execution', account))
      const { settled } = await link.call(HostServiceService.reconcile, { account }, true)
      return settled
    },
    async differences(account) {
      const { accounts } = await portfolio.getCurrentPortfolio({ account })
      return accounts.filter((one) => one.account === account).flatMap((one) => one.differences)
    },
    async latency() {
      const marksOf = async (service: ServiceName, correlationIds: string[]): Promise<Mark[]> => {
        const asked = linksTo(service).map((link) => link.call(HostServiceService.getMarks, { correlationIds }, true))
        return (await Promise.all(asked)).flatMap(({ marks }) => marks as Mark[])
      }
      const signals = await marksOf('strategy-engine', [])
      const ids = [...new Set(signals.map(({ correlationId }) => correlationId))]
      if (ids.length === 0) return latencyOf([]).view()
      const others = await Promise.all([marksOf('market-data-collector', ids), marksOf('order-execution', ids)])
      return latencyOf([...signals, ...others.flat()]).view()
    },
    durable: () => Promise.resolve(),
    async start() {
      await patiently(() => table.prepare())
      await patiently(() => client.ensureTopics(TOPIC_NAMES))
      // From now on others may join.
      writeRunFile(dataDir, run)
      await supervisor.start(members, { hasSpare: !settings.replay })
      await everyUnitAnswers()
      const begin = (isApart: boolean, start: () => Promise<void>): Promise<void> | void =>
        isApart ? void untilItStarts(CREON_LIGHT, start, plumbing, () => isStopped) : untilAvailable(start, log)
      for (const [venue, market] of markets) await begin(venue === 'KRX', () => market.start())
      for (const [account, broker] of brokers) await begin(accountBroker(account) === 'creon', () => broker.start())
      watching = setInterval(watch, LIGHTS_MS)
      watch()
      for (const server of servers) void server.start()
      const ours = { kafka: kafka.server, postgresql: postgres.server }
      keepers = Object.entries(ours).flatMap(([name, server]) =>
        server === undefined ? [] : [keepServer(server, log, (how) => supervisor.onEnded(name, how))],
      )
      if (!settings.replay) house = keepArchive()
    },
    async stop() {
      isStopped = true
      await house?.stop()
      clearInterval(watching)
      for (const server of servers) server.stop()
      for (const endKeeping of keepers) endKeeping()
      await database.stop()
      await health.stop()
      eventLog.stop()
      client.close()
      await supervisor.stop()
      links.close()
      await sql.end({ timeout: 2 })
      await observability.stop()
      for (const broker of brokers.values()) await broker.stop()
      for (const market of markets.values()) await market.stop()
      await shared.close()
      await Promise.all([kafka.stop(), postgres.stop(), redis?.stop()])
    },
  }
}

/**
 * Every process of the run, the supervisor's own first, as Prometheus's own discovery over HTTP reads it (`http_sd_configs`).
 * Which service it is, its metrics say themselves.
 */
function targetsOf(own: string | undefined, { members }: RunFile): string {
  const others = members.flatMap(({ metricsPort }) => (metricsPort === undefined ? [] : [`127.0.0.1:${metricsPort}`]))
  return JSON.stringify([{ targets: [...(own === undefined ? [] : [new URL(own).host]), ...others] }])
}

/** The processes start in folders of their own. */
function absolute({ ca, cert, key }: TlsFiles): TlsFiles {
  return { ca: resolve(ca), cert: resolve(cert), key: resolve(key) }
}

/** Said by the supervisor at once, and not by each of its processes again and again. */
function requireTls(files: TlsFiles): void {
  try {
    checkTls(files)
  } catch (cause) {
    throw new UserError(`distributed.tls: ${(cause as Error).message}`, { cause })
  }
}

/** A fill as order execution keeps it, from its event. */
function fillRow(event: BusEventOf<'OrderFilled'>): FillRow {
  const { ref, fillId, lastQuantity, lastPrice, fee, feeCurrency, liquidity } = event.payload
  const instrument = ref!.instrument
  // A fill's id is venue:account:symbol:trade.
  const tradeId = fillId.slice(fillId.lastIndexOf(':') + 1)
  if (!fillId.endsWith(`:${instrumentSymbol(instrument as never)}:${tradeId}`)) {
    throw new Error(`expected a fill id that ends with the symbol and the trade, found ${fillId}`)
  }
  return {
    account: event.stream,
    instrument,
    trade_id: tradeId,
    strategy: ref!.strategy,
    side: ref!.side,
    quantity: lastQuantity,
    price: lastPrice,
    fee,
    fee_currency: feeCurrency,
    time_us: event.timeEventUs,
    order_id: ref!.orderId,
    liquidity,
  }
}
