/**
 * What may be seen and asked of a distributed run, by whoever holds its run file: its log, its services (each by whoever owns its
 * unit now), its brokers. The supervisor looks through it, and so does every gateway.
 */
import type { BrokerPort } from '@jts/broker-kit'
import type { BusEventOf } from '@jts/contracts'
import { HostServiceService, type HostState, type Stop } from '@jts/contracts/host-api'
import { accountBroker, instrumentSymbol, type AccountId } from '@jts/model'
import { isOfAll } from '@jts/order-execution/open-orders'
import type { FillRow } from '@jts/order-execution/service'
import { Activity, MarketClock, systemClock, type Logger } from '@jts/runtime'
import { Archive } from '@jts/transport'
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
import { connectPostgres, pingOf } from '@jts/transport/store/postgres-connection'
import { HaltTable } from '@jts/transport/store/halt-table'
import { UnitTable, type Living, type Owned } from '@jts/transport/store/unit-table'
import { wordOf } from '../brokers/broker-word.ts'
import { CREON_LIGHT } from '../brokers/creon.ts'
import { candlesOf } from '../brokers/joined.ts'
import { latencyOf, type Mark } from '../latency.ts'
import { createBroker, createMarkets, untilAvailable, untilItStarts, type RunSettings } from '../services.ts'
import type { ServiceLight } from '../service-light.ts'
import { creonLightOf, type System } from '../system.ts'
import { brokerServicesOf } from './broker-whereabouts.ts'
import { readingAgain } from '../log-stops.ts'
import { cancelWithout } from './cancel-without.ts'
import { haltsKept } from './halts-kept.ts'
import { isHaltedInUnit, openInUnit } from './open-in-unit.ts'
import { DistributedRest } from './rest.ts'
import { routedCollections, routedOrders, routedPortfolio, routedStrategies } from './routed.ts'
import { SERVICE_NAMES, tlsOf, type RunFile, type ServiceName } from './run-file.ts'
import { ServerLight } from './server-light.ts'
import { shareThroughRedis } from './shared-through-redis.ts'
import { unitOfAccount, unitsOf } from './units.ts'
import type { Seen } from './lights.ts'

export type RunViewOptions = {
  readonly run: RunFile
  readonly settings: RunSettings
  readonly databaseUrl: string
  /** Of the events that have left Kafka. */
  readonly archive: Archive
  /** Who looks, as the servers list it. */
  readonly name: string
  readonly log: Logger
}

export type RunView = Omit<System, 'lights' | 'watchHealth' | 'metricsUrl'> & {
  readonly client: KafkaClient
  readonly units: UnitTable
  /** What was last seen of the processes and their units. */
  seen(): Seen
  /** Kafka, PostgreSQL and, outside of replays, Redis. */
  serverLights(): readonly ServiceLight[]
  creonLight(): ServiceLight
  /** What each service's process says of itself; those that do not answer are left out. */
  hosts(): Promise<readonly HostState[]>
  /** Resolves when every unit has an owner that answers. */
  everyUnitAnswers(): Promise<void>
}

const LIGHTS_MS = 1000
const STATE_DEADLINE_MS = 900
const UNIT_DEADLINE_MS = 10_000
/** What stands in the log is read in one go, or the answer comes later as an event. */
const READ_AGAIN_MS = 3000
const COMPARED_WITHIN_MS = 60_000

export function openRunView({ run, settings, databaseUrl, archive, name, log }: RunViewOptions): RunView {
  const client = new KafkaClient({
    brokers: run.kafkaBrokers,
    prefix: `${run.namespace}.`,
    clientId: name,
    keepsAll: run.replay,
    log,
  })
  const eventLog = new KafkaLog(client, name, archive)
  const sql = connectPostgres(databaseUrl, name)
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
  // It asks the broker services, and acts on an account only for a halt that its order execution does not answer.
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
  const accounts = new Map(settings.instances.map(({ instance, account }) => [instance as string, account as string]))
  const orders = routedOrders(executions, accounts)
  const kept = haltsKept(orders, {
    owners: executions,
    accounts,
    halts: new HaltTable(sql, run.namespace),
    cancelWithout: async (name, { account: of, strategy, state }) => {
      const account = name as AccountId
      const halt = { strategy, state: state === 'reducing' ? state : 'halted' } as const
      const adopts = isOfAll(halt) && settings.foreignOrders?.[account] === 'adopt'
      const openInRows = () => openInUnit(sql, run.namespace, account, halt)
      const parts = { wallClock: systemClock, log: log.child({ account }) }
      const found = await cancelWithout({ broker: brokers.get(account)!, halt, openInRows, adopts, ...parts })
      const isHalted = await isHaltedInUnit(sql, run.namespace, account, { account: of, strategy })
      return { ...found, state: isHalted ? 'halted' : state }
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

  const database = pingOf(databaseUrl)
  const servers = [
    new ServerLight('kafka', () => client.ping()),
    new ServerLight('postgresql', () => database.ask()),
    ...(run.replay ? [] : [new ServerLight('redis', () => shared.ping())]),
  ]
  let isStopped = false

  return {
    client,
    units: table,
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
      const options = { deadlineMs: COMPARED_WITHIN_MS }
      const { settled } = await link.call(HostServiceService.reconcile, { account }, true, options)
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
    seen: () => ({ living, owners, states }),
    serverLights: () => servers.map((server) => server.light()),
    creonLight: () =>
      creonLightOf(
        states.flatMap((state) => state.absent),
        wordOf(activity, 'creon'),
      ),
    hosts,
    everyUnitAnswers,
    async start() {
      const begin = (isApart: boolean, start: () => Promise<void>): Promise<void> | void =>
        isApart ? void untilItStarts(CREON_LIGHT, start, plumbing, () => isStopped) : untilAvailable(start, log)
      for (const [venue, market] of markets) await begin(venue === 'KRX', () => market.start())
      for (const [account, broker] of brokers) await begin(accountBroker(account) === 'creon', () => broker.start())
      watching = setInterval(watch, LIGHTS_MS)
      watch()
      for (const server of servers) void server.start()
    },
    async stop() {
      isStopped = true
      clearInterval(watching)
      for (const server of servers) server.stop()
      await database.stop()
      eventLog.stop()
      client.close()
      links.close()
      await sql.end({ timeout: 2 })
      // All at once: each may have to wait for a connection to a machine that is gone.
      await Promise.all([...brokers.values(), ...markets.values()].map((one) => one.stop()))
      await shared.close()
    },
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
