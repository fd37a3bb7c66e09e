/**
 * Two processes of each service, with mutual TLS between them, in the middle of live trading: one stopped between an intent and
 * its write, some killed, some standing still, one more joining by hand, Redis gone for a while. Nothing is done twice, nothing
 * is left out, and the ledger is the venue's.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { HostServiceService, type HostState } from '@jts/contracts/host-api'
import { runJts, sleep, startJts } from '@jts/testkit'
import { orderExecutionClient, portfolioClient, RpcConnection } from '@jts/transport/rpc/grpc-client'
import { OwnerLinks } from '@jts/transport/rpc/owner-links'
import type { TlsFiles } from '@jts/transport/rpc/tls'
import type { Owned } from '@jts/transport/store/unit-table'
import { routedOrders, routedPortfolio } from './routed.ts'
import { RUN_FILE, SERVICE_NAMES, type ServiceName } from './run-file.ts'
import { assertDoneOnce, ordersAtVenue } from './testing/done-once.ts'
import { ReplicatedRun, signal } from './testing/replicated-run.ts'
import { unitOfAccount } from './units.ts'

const ZOMBIES = process.env['JTS_TEST_FULL'] === '1' ? 5 : 1
/** Longer than a lease, and than the time in which a request may be sent. */
const STOPPED_MS = 5000
/** A comparison asks the venue six times, a slow machine takes its time, and a limit that is used up is back after a minute. */
const RECONCILED_WITHIN_MS = 120_000
/** A call that is refused ends at once; one that a slow machine answers late is answered all the same. */
const ANSWER_MS = 60_000
const SHARED: readonly ServiceName[] = [
  'strategy-engine',
  'order-execution',
  'binance-service',
  'portfolio-tracker',
  'market-data-collector',
]

const rig = new ReplicatedRun()
const {
  dir,
  certificates,
  joined,
  fillCount,
  ownersOf,
  processes,
  stoppedAtWrite,
  until,
  untilShared,
  untilTakenOver,
} = rig
let { env, redis, settings, table, up } = rig
before(async () => {
  ;({ env, redis, settings, table, up } = await rig.start())
})
after(() => rig.stop())

test('two accounts, four strategies and two instruments are shared evenly by two processes', async () => {
  await untilShared()
  for (const service of SHARED) {
    await until(`${service} is two processes`, async () => {
      return new Set((await ownersOf(service)).map(({ owner }) => owner)).size === 2
    })
  }
})

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
  let address = ''
  await until('it is known where it answers', async () => {
    await table.refresh()
    address = table.addressOf('risk-management') ?? ''
    return address !== ''
  })
  const ask = async (tls?: TlsFiles, waitForReady = false): Promise<HostState> => {
    const connection = new RpcConnection({ address, tls })
    try {
      return await connection.call(HostServiceService.getState, {}, true, { deadlineMs: ANSWER_MS, waitForReady })
    } finally {
      connection.close()
    }
  }
  assert.equal((await ask(certificates.files('jts'), true)).service, 'risk-management')
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
  const killed = new Map<string, number>()
  for (const service of SERVICE_NAMES) {
    const [{ owner }] = (await ownersOf(service)) as [Owned]
    const { pid, starts } = processes()[owner]!
    signal(pid, 'SIGKILL')
    killed.set(owner, starts)
    await sleep(200)
  }
  // The supervisor may not have seen yet that one is gone.
  await until('all are up again', () =>
    Object.entries(processes()).every(
      ([name, { starts, state }]) => state === 'up' && starts > (killed.get(name) ?? 0),
    ),
  )
  await untilShared()
})

test('processes that stand still lose their units to the others', async () => {
  const stopped: [name: string, pid: number, starts: number][] = []
  for (const service of SHARED) {
    const name = `${service}-2`
    await until(`${name} owns something`, async () => (await ownersOf(service)).some(({ owner }) => owner === name))
    const { pid, starts } = processes()[name]!
    signal(pid, 'SIGSTOP')
    stopped.push([name, pid, starts])
  }
  for (const service of SHARED) {
    await until(`${service} is owned by the other`, async () => {
      return (await ownersOf(service)).every(({ owner }) => owner === service)
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
  /** Nothing, where the gateway says that somebody does not answer it yet. */
  const get = async <T>(url: string, path: string): Promise<T | undefined> => {
    const answer = (await (await fetch(new URL(`/api/v1/${path}`, url))).json()) as { data?: T }
    return answer.data
  }
  type Status = {
    tradingState: string
    services: { name: string; state: string }[]
    strategies: { instance: string; tradingState?: string }[]
  }
  const stateAt = async (url: string): Promise<string | undefined> => (await get<Status>(url, 'status'))?.tradingState
  const [first, second] = urls as [string, string]
  let seen: readonly (Status | undefined)[] = []
  const isUp = ({ state }: { readonly state: string }): boolean => state === 'up'
  await until('both see every service up', async () => {
    seen = await Promise.all(urls.map((url) => get<Status>(url, 'status')))
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
    return one !== undefined && isDeepStrictEqual(one, two)
  })
  assert.equal((await command(second, 'resume')).status, 200)
  await until('the first sees it lifted', async () => (await stateAt(first)) === 'active')

  // One strategy alone: its neighbour on the same account goes on, and whoever has the account next keeps to it.
  const path = 'strategies/main-BTCUSDT'
  const stoppedAt = async (url: string): Promise<string | undefined> => {
    const status = await get<Status>(url, 'status')
    return status?.strategies.flatMap((one) => (one.tradingState ? `${one.instance} ${one.tradingState}` : [])).join()
  }
  type Decision = { strategy: string; approved: boolean; reasonCode?: string; timeUs: number }
  const decisionsAt = (url: string) => get<Decision[]>(url, 'risk-decisions?limit=500')
  let before: Decision[] | undefined
  await until('the first tells of decisions', async () => (before = await decisionsAt(first)) !== undefined)
  const sinceUs = Math.max(0, ...before!.map(({ timeUs }) => timeUs))
  assert.equal((await command(first, `${path}/halt`)).status, 200)
  const owned = await ownersOf('order-execution')
  const { owner } = owned.find(({ unit }) => unit === unitOfAccount('order-execution', 'sim.binance.main'))!
  signal(processes()[owner]!.pid, 'SIGKILL')
  await until('it is denied by name while its neighbour goes on', async () => {
    const later = ((await decisionsAt(first)) ?? []).filter(({ timeUs }) => timeUs > sinceUs)
    const isDenied = later.some((one) => one.strategy === 'main-BTCUSDT' && one.reasonCode === 'STRATEGY_HALTED')
    return isDenied && later.some(({ strategy, approved }) => strategy === 'main-ETHUSDT' && approved)
  })
  await untilShared()
  await until('the other sees it halted', async () => (await stoppedAt(second)) === 'main-BTCUSDT halted')
  assert.equal((await command(second, `${path}/resume`)).status, 200)
  await until('the first sees that lifted, too', async () => (await stoppedAt(first)) === '')
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

  const fills = await assertDoneOnce(dir, await ordersAtVenue(settings))

  const command = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await runJts([...args, '--data-dir', dir, '--json'], env)
    assert.equal(code, 0, `${args.join(' ')}: ${stdout}${stderr}`)
    return JSON.parse(stdout) as Record<string, unknown>
  }
  const { equal, fills: folded } = await command('rebuild')
  assert.deepEqual([equal, folded], [true, fills])
  // Whoever has had it, and wherever that one was killed: one record.
  const { instances } = (await command('rebuild', '--strategies')) as {
    instances: { signals: number; notes: string[] }[]
  }
  for (const { signals, notes } of instances) assert.ok(signals > 0 && notes.length === 0, JSON.stringify(instances))
  // The run archives by itself; without it a person does.
  up!.child.kill('SIGINT')
  await up!.ended
  assert.deepEqual(await command('archive'), { archived: 0, deleted: 0 })
  assert.deepEqual(await command('archive', '--verify'), { files: 0, events: 0 })
})
