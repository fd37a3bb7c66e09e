/**
 * Two processes of each service, with mutual TLS between them, in the middle of live trading: one stopped between an intent and
 * its write, some killed, some standing still, one more joining by hand, Redis gone for a while. Nothing is done twice, nothing
 * is left out, and the ledger is the venue's.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { createBinanceBroker } from '@jts/binance-service'
import { HostServiceService, type HostState } from '@jts/contracts/host-api'
import { Activity, silentLogger, systemClock } from '@jts/runtime'
import {
  provideKafka,
  providePostgres,
  startRedis,
  type ProvidedKafka,
  type ProvidedPostgres,
  type RedisServer,
} from '@jts/servers'
import { isStopped, runJts, sleep, startJts, STOP_AT_WRITE, type JtsProcess } from '@jts/testkit'
import { orderExecutionClient, portfolioClient, RpcConnection } from '@jts/transport/rpc/grpc-client'
import { Certificates } from '@jts/transport/rpc/certificates'
import { OwnerLinks } from '@jts/transport/rpc/owner-links'
import type { TlsFiles } from '@jts/transport/rpc/tls'
import { connectPostgres } from '@jts/transport/store/postgres-connection'
import { UnitTable, type Owned } from '@jts/transport/store/unit-table'
import { openLog } from '../open-log.ts'
import type { RunSettings } from '../services.ts'
import { routedOrders, routedPortfolio } from './routed.ts'
import { readRunFile, RUN_FILE, SERVICE_NAMES, settingsOf, type RunFile, type ServiceName } from './run-file.ts'
import { PROCESSES_FILE } from './supervisor.ts'
import { unitOfAccount, unitsOf } from './units.ts'

const ZOMBIES = process.env['JTS_TEST_FULL'] === '1' ? 5 : 1
/** Longer than a lease, and than the time in which a request may be sent. */
const STOPPED_MS = 5000
/** A comparison asks the venue six times, a slow machine takes its time, and a limit that is used up is back after a minute. */
const RECONCILED_WITHIN_MS = 120_000
const SHARED: readonly ServiceName[] = [
  'strategy-engine',
  'order-execution',
  'binance-service',
  'portfolio-tracker',
  'market-data-collector',
]

const dir = mkdtempSync(join(tmpdir(), 'jts-replicas-'))
const certificates = new Certificates(dir)
const armed = join(dir, 'stop-at-write')
let kafka: ProvidedKafka | undefined
let postgres: ProvidedPostgres | undefined
let redis: RedisServer | undefined
let env: Record<string, string>
let up: JtsProcess | undefined
let run: RunFile
let settings: RunSettings
let sql: ReturnType<typeof connectPostgres> | undefined
let table: UnitTable
const joined: JtsProcess[] = []

before(async () => {
  redis = await startRedis()
  postgres = await providePostgres()
  kafka = await provideKafka()
  env = { KAFKA_BROKERS: kafka.brokers.join(','), DATABASE_URL: postgres.url, REDIS_URL: redis.url }
  // Averages this short cross every few seconds, so that what is done to a process meets orders on their way.
  const strategies = ['main', 'second'].flatMap((account) =>
    ['BTCUSDT', 'ETHUSDT'].map(
      (symbol) =>
        `  - { instance: ${account}-${symbol}, strategy: ema-cross, account: ${account}, instrument: "BINANCE:${symbol}", timeframe: 1s, parameters: { fast: 1, slow: 2 } }`,
    ),
  )
  const config = join(dir, 'jts.yaml')
  certificates.authority('ca')
  certificates.authority('other-ca')
  certificates.certificate('jts', 'ca')
  certificates.certificate('stranger', 'other-ca')
  const { ca, cert, key } = certificates.files('jts')
  const accounts = 'accounts: [{ name: main }, { name: second }]'
  const distributed = `distributed: { replicas: 2, tls: { ca: ${ca}, cert: ${cert}, key: ${key} } }`
  writeFileSync(config, [accounts, distributed, 'strategies:', ...strategies, ''].join('\n'))
  const options = ['--config', config, '--no-dashboard', '--json', '--data-dir', dir]
  const preload = { NODE_OPTIONS: `--import ${STOP_AT_WRITE}`, JTS_STOP_AT_WRITE: armed }
  up = startJts(['up', '--distributed', ...options], { ...env, ...preload })
  await up.firstLine
  run = readRunFile(join(dir, RUN_FILE))
  settings = await settingsOf(run)
  sql = connectPostgres(postgres.url, 'test')
  table = new UnitTable(sql, run.namespace)
})
after(async () => {
  for (const { child } of joined) child.kill('SIGKILL')
  if (existsSync(join(dir, PROCESSES_FILE))) {
    for (const { pid } of Object.values(processes())) signal(pid, 'SIGCONT')
  }
  up?.child.kill('SIGINT')
  await up?.ended
  await sql?.end()
  await Promise.all([kafka?.stop(), postgres?.stop(), redis?.stop()])
  rmSync(dir, { recursive: true, force: true })
})

type Entry = { pid: number; starts: number; state: string; service: string }

function processes(): Record<string, Entry> {
  return JSON.parse(readFileSync(join(dir, PROCESSES_FILE), 'utf8')) as Record<string, Entry>
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended.
  }
}

/** Every owner that goes asks its successor's questions of the venue, whose limit may be used up for the rest of a minute. */
async function until(what: string, isTrue: () => boolean | Promise<boolean>, seconds = 150): Promise<void> {
  for (const end = performance.now() + seconds * 1000; !(await isTrue()); await sleep(50)) {
    if (performance.now() > end)
      assert.fail(`expected within ${seconds} s: ${what}; ${JSON.stringify(await table.owned())}`)
  }
}

const ownersOf = async (service: ServiceName): Promise<Owned[]> => {
  const names = unitsOf(service, settings).map((unit) => unit.name)
  return (await table.owned()).filter(({ unit }) => names.includes(unit))
}

/** Each unit has an owner, and the two processes of a service have as many each as can be. */
async function isShared(service: ServiceName): Promise<boolean> {
  const units = unitsOf(service, settings)
  const owned = await ownersOf(service)
  const [one = 0, two = 0] = [service, `${service}-2`].map((name) => owned.filter(({ owner }) => owner === name).length)
  return one + two === units.length && Math.abs(one - two) <= 1
}

async function untilShared(): Promise<void> {
  for (const service of SERVICE_NAMES) await until(`${service} is shared evenly`, () => isShared(service))
}

async function fillCount(): Promise<number> {
  let count = 0
  const { log, close } = await openLog(dir)
  for await (const event of log.read('orders.events')) if (event.type === 'OrderFilled') count++
  await close()
  return count
}

/** Everything that it owned is owned by another. */
async function untilTakenOver(name: string, units: readonly string[]): Promise<void> {
  await until(`${units.join(', ')} taken over from ${name}`, async () => {
    const owned = await table.owned()
    return units.every((unit) => owned.some((one) => one.unit === unit && one.owner !== name))
  })
}

/** Why a request whose intent was on disk was not written. */
const NOT_WRITTEN = new Set(['RATE_BUDGET', 'TRADING_HALTED', 'STALE_TRADING_STATE', 'STALE_LEASE'])

test('two accounts, four strategies and two instruments are shared evenly by two processes', async () => {
  await untilShared()
  for (const service of SHARED) {
    assert.ok(new Set((await ownersOf(service)).map(({ owner }) => owner)).size === 2, service)
  }
})

/** The process of a service that stands still in the moment in which it would write an order there. */
async function stoppedAtWrite(service: ServiceName, path: string) {
  writeFileSync(armed, path)
  const all = (): [string, Entry][] => Object.entries(processes()).filter(([, one]) => one.service === service)
  await until(`${service} is about to write an order`, () => all().some(([, { pid }]) => isStopped(pid)))
  const [name, { pid, starts }] = all().find(([, one]) => isStopped(one.pid))!
  const units = (await ownersOf(service)).filter(({ owner }) => owner === name).map(({ unit }) => unit)
  assert.ok(units.length > 0)
  return { name, pid, starts, units }
}

test('an account whose owner stands still between intent and write is taken over; woken up, it places nothing', async () => {
  for (let round = 0; round < ZOMBIES; round++) {
    await untilShared()
    // The other account's orders go on, and one of them meets the broker service while the first one still stands.
    const zombies = [
      await stoppedAtWrite('order-execution', '/api/v1/orders'),
      await stoppedAtWrite('binance-service', '/api/v3/order'),
    ]
    const stoppedMs = performance.now()
    for (const { name, units } of zombies) await untilTakenOver(name, units)
    await sleep(Math.max(0, STOPPED_MS - (performance.now() - stoppedMs)))
    for (const { pid } of zombies) signal(pid, 'SIGCONT')
    // Each finds that it was taken over, says so and ends; started again, it is given a share.
    for (const { name, starts } of zombies) await until(`${name} ends`, () => processes()[name]!.starts > starts)
  }
  await untilShared()
})

test('who shows no certificate of the authority is answered nothing', async () => {
  await table.refresh()
  const address = table.addressOf('risk-management')!
  const ask = async (tls?: TlsFiles): Promise<HostState> => {
    const connection = new RpcConnection({ address, tls })
    try {
      return await connection.call(HostServiceService.getState, {}, true, { deadlineMs: 3000, waitForReady: false })
    } finally {
      connection.close()
    }
  }
  assert.equal((await ask(certificates.files('jts'))).service, 'risk-management')
  await assert.rejects(ask(), { name: 'RpcError', code: 'UNAVAILABLE' })
  await assert.rejects(ask(certificates.files('stranger', 'ca')), { name: 'RpcError', code: 'UNAVAILABLE' })
})

test('without Redis the trading goes on, and an account is taken over', async () => {
  const before = await fillCount()
  await redis!.kill9()
  await until('more fills', async () => (await fillCount()) > before + 3)
  const [{ owner, unit }] = (await ownersOf('order-execution')) as [Owned]
  const { pid, starts } = processes()[owner]!
  signal(pid, 'SIGSTOP')
  await untilTakenOver(owner, [unit])
  signal(pid, 'SIGCONT')
  await until('the one that stood still ends', () => processes()[owner]!.starts > starts)
  await redis!.restart()
  await untilShared()
})

test('one process of each service is killed: it comes back, and everything is shared again', async () => {
  for (const service of SERVICE_NAMES) {
    const [{ owner }] = (await ownersOf(service)) as [Owned]
    signal(processes()[owner]!.pid, 'SIGKILL')
    await sleep(200)
  }
  await until('all are up', () => Object.values(processes()).every(({ state }) => state === 'up'))
  await untilShared()
})

test('processes that stand still lose their units to the others', async () => {
  const stopped: [name: string, pid: number, starts: number][] = []
  for (const service of SHARED) {
    const name = `${service}-2`
    const units = (await ownersOf(service)).filter(({ owner }) => owner === name).map(({ unit }) => unit)
    assert.ok(units.length > 0, name)
    const { pid, starts } = processes()[name]!
    signal(pid, 'SIGSTOP')
    stopped.push([name, pid, starts])
  }
  for (const service of SHARED) {
    await until(`${service} is owned by the other`, async () => {
      const owned = await ownersOf(service)
      return owned.length === unitsOf(service, settings).length && owned.every(({ owner }) => owner === service)
    })
  }
  for (const [, pid] of stopped) signal(pid, 'SIGCONT')
  for (const [name, , starts] of stopped) await until(`${name} ends`, () => processes()[name]!.starts > starts)
  await untilShared()
})

test('two gateways show the same, and a halt through one is seen through the other', async () => {
  const file = join(dir, RUN_FILE)
  const started = [1, 2].map(() => startJts(['serve', 'api-gateway', '--run', file, '--port', '0', '--json'], env))
  joined.push(...started)
  const urls = await Promise.all(
    started.map(async ({ firstLine }) => (JSON.parse(await firstLine) as { dashboard: string }).dashboard),
  )
  const get = async <T>(url: string, path: string): Promise<T> => {
    const answer = (await (await fetch(new URL(`/api/v1/${path}`, url))).json()) as { data: T }
    return answer.data
  }
  type Status = { tradingState: string; services: { name: string; state: string }[] }
  const stateAt = async (url: string): Promise<string> => (await get<Status>(url, 'status')).tradingState
  const [first, second] = urls as [string, string]
  let seen: readonly (Status | undefined)[] = []
  const isUp = ({ state }: { readonly state: string }): boolean => state === 'up'
  await until('both see every service up', async () => {
    // Who was stopped a moment ago may not answer yet, and then the gateway says so instead.
    seen = await Promise.all(urls.map((url) => get<Status | undefined>(url, 'status')))
    return seen.every((one) => one !== undefined && one.services.length > 10 && one.services.every(isUp))
  }).catch((error: unknown) => assert.fail(`${(error as Error).message}: ${JSON.stringify(seen)}`))
  const command = (url: string, path: string): Promise<Response> =>
    fetch(new URL(`/api/v1/${path}`, url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: new URL(url).origin },
      body: '{}',
    })
  assert.equal((await command(first, 'halt')).status, 200)
  await until('the other sees the halt', async () => (await stateAt(second)) === 'halted')
  await until('both show the same orders', async () => {
    const [one, two] = await Promise.all(urls.map((url) => get<unknown>(url, 'orders?limit=20')))
    return isDeepStrictEqual(one, two)
  })
  assert.equal((await command(second, 'resume')).status, 200)
  await until('the first sees it lifted', async () => (await stateAt(first)) === 'active')
  for (const { child } of started) child.kill('SIGTERM')
  for (const { ended } of started) await ended
})

test('one more joins by hand and is given a share, which the others take when it is killed', async () => {
  const third = startJts(['serve', 'strategy-engine', '--run', join(dir, RUN_FILE), '--json'], env)
  joined.push(third)
  const { name } = JSON.parse(await third.firstLine) as { name: string }
  await until('it owns a strategy', async () => (await ownersOf('strategy-engine')).some(({ owner }) => owner === name))
  third.child.kill('SIGKILL')
  await untilShared()
})

test('nothing was done twice, nothing left out, and the ledger is the venue’s', async () => {
  const links = new OwnerLinks({ directory: table, tls: certificates.files('jts') })
  const accounts = settings.accounts.map(({ account }) => account)
  const linkTo = (service: 'order-execution' | 'portfolio-tracker', account: string) =>
    links.linkTo(unitOfAccount(service, account))
  const orders = routedOrders(
    new Map(accounts.map((account) => [account, orderExecutionClient(linkTo('order-execution', account))])),
  )
  const portfolio = routedPortfolio(
    new Map(accounts.map((account) => [account, portfolioClient(linkTo('portfolio-tracker', account))])),
  )
  await until('there are enough trades to judge by', async () => (await fillCount()) > 20)
  await orders.halt({ account: '', reason: 'the end of the test', by: 'test', strategy: '', state: '' })
  await until('nothing is open', async () => {
    const open = await orders.listOrders({ account: '', openOnly: true, limit: 0, orderId: '' })
    return open.orders.length === 0
  })
  for (const account of accounts) {
    for (let settled = 0; settled < 2;) {
      const link = linkTo('order-execution', account)
      const options = { deadlineMs: RECONCILED_WITHIN_MS }
      if ((await link.call(HostServiceService.reconcile, { account }, true, options)).settled) settled++
    }
    await until(`${account} is compared`, async () => {
      const [found] = (await portfolio.getCurrentPortfolio({ account })).accounts
      assert.deepEqual(found!.differences, [])
      return found!.reconciled === 'equal'
    })
  }
  links.close()

  const atVenue = new Set<string>()
  for (const account of settings.accounts) {
    const { wallClock, log } = { wallClock: systemClock, log: silentLogger }
    const { endpoints } = settings
    const activity = new Activity()
    const broker = createBinanceBroker({
      account: account.account,
      credentials: account,
      endpoints,
      wallClock,
      activity,
      log,
    })
    await broker.start()
    for (const { id } of settings.instruments) {
      for (const fill of await broker.fills({ instrument: id })) atVenue.add(`${account.account} ${fill.venueOrderId}`)
    }
    await broker.stop()
  }
  const venueOrders = new Map<string, string>()
  const fills: string[] = []
  const endings = new Map<string, Set<string>>()
  const end = (signalId: string, how: string): void => {
    endings.set(signalId, (endings.get(signalId) ?? new Set()).add(how))
  }
  const { log, close } = await openLog(dir)
  for await (const event of log.read('orders.events')) {
    assert.notEqual(event.type, 'ForeignFill', 'a fill of an order that nobody here has made')
    if (event.type === 'OrderSubmitting' || event.type === 'OrderDenied' || event.type === 'SignalExpired') {
      const signalId = event.payload.terms!.ref!.signalId
      // A request that was meant and never written (the budget was used up, the gate closed) is denied after all: one end.
      if (event.type === 'OrderDenied' && NOT_WRITTEN.has(event.payload.reasonCode)) endings.delete(signalId)
      end(signalId, event.type)
    }
    if (event.type !== 'OrderFilled') continue
    const { ref, venueOrderId, fillId } = event.payload
    const place = `${event.stream} ${venueOrderId}`
    // An order of ours that was placed twice would have two orders at the venue, or leave one there that nobody knows.
    assert.equal(venueOrders.get(ref!.orderId) ?? place, place, 'one order at the venue for each of ours')
    venueOrders.set(ref!.orderId, place)
    fills.push(fillId)
  }
  assert.ok(fills.length > 20, `expected trades, found ${fills.length} fills`)
  assert.equal(new Set(fills).size, fills.length, 'a fill was booked twice')
  assert.deepEqual([...atVenue].sort(), [...new Set(venueOrders.values())].sort())

  const decided: string[] = []
  for await (const event of log.read('strategy.signals')) {
    if (event.type === 'StrategySignal') decided.push(event.payload.signalId)
  }
  assert.equal(new Set(decided).size, decided.length, 'a signal was decided twice')
  for await (const event of log.read('orders.signals')) {
    if (event.type !== 'ApprovedSignal') continue
    const { signalId } = event.payload
    assert.equal(
      endings.get(signalId)?.size,
      1,
      `expected one end of ${signalId}, found ${[...(endings.get(signalId) ?? [])]}`,
    )
  }
  const last = new Map<string, number>()
  for await (const event of log.read('market-data.binance.candles')) {
    if (event.type !== 'Candle') continue
    const { instrument, openTimeUs } = event.payload
    assert.equal(openTimeUs - (last.get(instrument) ?? openTimeUs - 1_000_000), 1_000_000, `the bars of ${instrument}`)
    last.set(instrument, openTimeUs)
  }
  assert.equal(last.size, 2)
  await close()

  const command = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await runJts([...args, '--data-dir', dir, '--json'], env)
    assert.equal(code, 0, `${args.join(' ')}: ${stdout}${stderr}`)
    return JSON.parse(stdout) as Record<string, unknown>
  }
  const { equal, fills: folded } = await command('rebuild')
  assert.deepEqual([equal, folded], [true, fills.length])
  // The run archives by itself; without it a person does.
  up!.child.kill('SIGINT')
  await up!.ended
  assert.deepEqual(await command('archive'), { archived: 0, deleted: 0 })
  assert.deepEqual(await command('archive', '--verify'), { files: 0, events: 0 })
})
