/** Units as their processes open them, on Kafka and PostgreSQL: what a person has said and what a unit cannot take are not lost. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { BrokerError } from '@jts/broker-kit'
import { RpcError, TOPIC_NAMES, type NewEvent, type OrderExecutionApi } from '@jts/contracts'
import type { HostState } from '@jts/contracts/host-api'
import { accountId } from '@jts/model'
import { HALT_OF_ALL } from '@jts/order-execution/open-orders'
import { NOT_OBSERVED, silentLogger, systemClock } from '@jts/runtime'
import { provideKafka, providePostgres } from '@jts/servers'
import { sleep } from '@jts/testkit'
import { KafkaBus } from '@jts/transport/bus/kafka/bus'
import { KafkaClient } from '@jts/transport/bus/kafka/client'
import { HaltTable } from '@jts/transport/store/halt-table'
import { connectPostgres, migrate } from '@jts/transport/store/postgres-connection'
import { PostgresStore } from '@jts/transport/store/postgres'
import { haltsKept } from './halts-kept.ts'
import { lightOf } from './lights.ts'
import { openInUnit } from './open-in-unit.ts'
import { openUnit, type OpenUnit } from './open-unit.ts'
import { routedOrders } from './routed.ts'
import { settingsOf, type RunFile } from './run-file.ts'
import { WaitingRequest } from './testing/waiting-request.ts'
import { unitsOf } from './units.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-open-unit-'))
const [kafka, postgres] = await Promise.all([provideKafka(), providePostgres()])
const namespace = `sim-${randomBytes(4).toString('hex')}`
const sql = connectPostgres(postgres.url, 'test')
await prepare(namespace)
after(async () => {
  await sql.end({ timeout: 2 })
  await Promise.all([kafka.stop(), postgres.stop()])
  rmSync(folder, { recursive: true, force: true })
})

async function prepare(name: string): Promise<void> {
  await migrate(sql, name)
  const client = new KafkaClient({ brokers: kafka.brokers, prefix: `${name}.`, clientId: 'test', log: silentLogger })
  await client.ensureTopics(TOPIC_NAMES)
  client.close()
}

const key = { id: 'test', secret: 'a-secret-of-the-tests-0123456789abcdef' }
const ACCOUNT = accountId('sim.binance.main')
const run: RunFile = {
  mode: 'sim',
  replay: false,
  namespace,
  databaseUrl: postgres.url,
  kafkaBrokers: [...kafka.brokers],
  endpoints: { rest: 'http://127.0.0.1:1', streams: 'ws://127.0.0.1:1', wsApi: 'ws://127.0.0.1:1/ws-api/v3' },
  accounts: [{ name: 'main', broker: 'binance', play: { apiKey: 'key', apiSecret: 'secret' } }],
  instances: [],
  instruments: [],
  limits: {},
  runId: 'open-unit',
  brokerKey: key,
  sendWindowUs: 2_000_000,
  rpc: {},
  members: [],
}

type Opened = OpenUnit & {
  readonly control: { getState(): Promise<HostState>; readAgain(): Promise<{ stops: unknown[] }> }
}

async function open(service: 'order-execution' | 'portfolio-tracker'): Promise<Opened> {
  const unit = unitsOf(service, await settingsOf(run))[0]!
  return (await openUnit({
    url: postgres.url,
    owner: service,
    run,
    service,
    unit,
    risk: { checkTradingRisk: () => Promise.reject(new Error('not asked here')) },
    history: { latestCandles: () => Promise.reject(new Error('not asked here')) },
    observability: NOT_OBSERVED,
    sharedBudget: undefined,
    brokerServices: { key, locate: () => Promise.reject(new BrokerError('BROKER_UNAVAILABLE', 'it is away')) },
    brokerHost: { listen: '127.0.0.1', reached: '127.0.0.1', folder, key },
    topicsMade: Promise.resolve(),
    log: silentLogger,
    fatal: (reason, cause) => {
      throw new Error(reason, { cause })
    },
  })) as Opened
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await sleep(50)
}

test('a halt while order execution is dead holds when it is back, and one that nobody can tell it is found', async () => {
  const gone = { halt: () => Promise.reject(new RpcError('UNAVAILABLE', 'gone')) }
  const owners = new Map([[ACCOUNT as string, gone]])
  const kept = haltsKept(routedOrders(owners as never), {
    owners,
    accounts: new Map(),
    halts: new HaltTable(sql, namespace),
    writtenWithinMs: 60_000,
    cancelWithout: async (account, { state: asked }) => {
      const { open: count, unknown } = await openInUnit(sql, namespace, account as typeof ACCOUNT, HALT_OF_ALL)
      return { cancelled: 0, open: count, unknown, state: asked }
    },
  })
  const { state, message } = await kept.halt({ account: '', reason: 'enough', by: 'a person', strategy: '', state: '' })
  assert.equal(state, 'halted')
  assert.match(message, /has not confirmed it/)

  // Its broker is away, too.
  const unit = await open('order-execution')
  const orders = unit.api as OrderExecutionApi
  assert.deepEqual(await tradingState(orders), ['halted', 'enough'])
  await kept.halt({ account: '', reason: 'told by nobody', by: 'a person', strategy: '', state: '' })
  await until(async () => (await tradingState(orders))[1] === 'told by nobody')
  assert.equal((await orders.resume({ account: '', by: 'a person' })).state, 'active')
  await unit.stop()

  // A start later, what a person has said last still stands.
  const next = await open('order-execution')
  assert.deepEqual(await tradingState(next.api as OrderExecutionApi), ['active', ''])
  await next.stop()
})

async function tradingState(orders: OrderExecutionApi): Promise<string[]> {
  const { state, reason } = await orders.getTradingState({})
  return [state, reason]
}

test('a unit that cannot take an event of an order says so, to order execution and on its light', async () => {
  const store = await PostgresStore.open({
    url: postgres.url,
    namespace,
    unit: 'test',
    owner: 'test',
    log: silentLogger,
    wallClock: systemClock,
    fatal: () => undefined,
  })
  const options = { brokers: kafka.brokers, prefix: `${namespace}.`, clientId: 'test' }
  const bus = new KafkaBus({ store, kafka: options, log: silentLogger })
  const told: unknown[] = []
  bus.subscribe({
    group: 'ear',
    topics: ['system.health'],
    handle: ({ type, payload }) =>
      type.startsWith('Log') && told.push({ type, reader: (payload as { reader: string }).reader }),
  })
  await bus.start()
  const portfolio = await open('portfolio-tracker')
  const balances = [{ currency: 'USDT', amount: 'not a number' }]
  const about = { stream: ACCOUNT, account: ACCOUNT, correlationId: 'c', causationId: '', timeEventUs: 1 }
  const poison: NewEvent = { ...about, type: 'OpeningBalance', payload: { balances } }
  store.transact((turn) => turn.publish('orders.events', poison))

  const reader = `portfolio-tracker.${ACCOUNT}`
  await until(() => told.length > 0)
  assert.deepEqual(told, [{ type: 'LogStopped', reader }])
  const state = await portfolio.control.getState()
  const process = {
    name: 'p',
    service: 'portfolio-tracker',
    pid: state.pid,
    starts: 1,
    state: 'up',
    sinceMs: 0,
  } as const
  const light = lightOf(process, { living: [], owners: [], states: [state] })
  assert.equal(light.state, 'down')
  assert.match(light.reason!, /^it stands still in orders.events at orders.events\/sim.binance.main\//)
  assert.equal((await portfolio.control.readAgain()).stops.length, 1)
  await portfolio.stop()
  await bus.stop()
  await store.close()
})

test('what waits in binance-service when order execution is killed does not go out after a halt', async (t) => {
  const name = `sim-${randomBytes(4).toString('hex')}`
  await prepare(name)
  const rig = await WaitingRequest.start({ ...run, namespace: name }, postgres.url, join(folder, 'waiting'))
  t.after(() => rig.stop())
  const { orders } = rig.view
  await rig.waits('s-1')
  await rig.killExecution()
  const asked = { account: '', reason: 'enough', by: 'a person', strategy: '' }
  const halted = orders.halt({ ...asked, state: 'halted' })
  await rig.untilRefused(halted)
  await rig.goesOn()
  const { state, cancelled, message } = await halted
  assert.deepEqual([state, cancelled], ['halted', 0])
  assert.match(message, /^the order execution of sim.binance.main has not confirmed it \(/)
  assert.deepEqual(await rig.ordersAtVenue(), [])

  const reduced = await orders.halt({ ...asked, state: 'reducing' })
  assert.equal(reduced.state, 'halted', 'a halt that only reduces opens nothing that is halted')
})
