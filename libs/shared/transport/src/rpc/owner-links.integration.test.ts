/** Calls that follow a unit from one owner to the next, over real gRPC. */
import assert from 'node:assert/strict'
import { afterEach, it } from 'node:test'
import { RpcError } from '@jts/contracts'
import { silentLogger } from '@jts/runtime'
import { orderExecutionClient, streamedRiskManagementClient } from './grpc-client.ts'
import { startRpcServer } from './grpc-server.ts'
import { OwnerLinks, type OwnerDirectory } from './owner-links.ts'
import { said, ScriptedApis } from './scripted-apis.ts'

const UNIT = 'order-execution.sim.binance.main'
const ACTIVE = { state: 'active', version: 1, reason: '', accounts: [], strategies: [] }
const open: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const notHere = (): Promise<never> => Promise.reject(new RpcError('ABORTED', `${UNIT} is not owned here`))

async function replica(change: (scripted: ScriptedApis) => void = () => undefined) {
  const scripted = new ScriptedApis()
  scripted.answer = notHere
  change(scripted)
  const server = await startRpcServer({ host: '127.0.0.1', port: 0, services: scripted.services, log: silentLogger })
  open.push(() => server.stop())
  return { scripted, server, address: `127.0.0.1:${server.port}` }
}

/** What is known changes only by a look, as it does with rows that others write. */
class Rows implements OwnerDirectory {
  truth: string | undefined
  looks = 0
  #known: string | undefined

  constructor(owner: string | undefined) {
    this.truth = this.#known = owner
  }

  addressOf(unit: string): string | undefined {
    assert.equal(unit, UNIT)
    return this.#known
  }

  refresh(): Promise<void> {
    this.looks++
    this.#known = this.truth
    return Promise.resolve()
  }
}

function linked(directory: OwnerDirectory, deadlineMs = 10_000) {
  const links = new OwnerLinks({ directory, deadlineMs })
  open.push(() => links.close())
  const link = links.linkTo(UNIT)
  return { links, orders: orderExecutionClient(link), risk: streamedRiskManagementClient(link) }
}

const HALT = { account: '', reason: 'test', by: 'test', strategy: '', state: '' }

it('a call that must not be repeated is refused by who does not own the unit, and made once at the owner', async () => {
  const [before, now] = [await replica(), await replica()]
  now.scripted.answer = () => Promise.resolve({ state: 'halted', cancelled: 1, unknown: 0, open: 0, message: '' })
  const rows = new Rows(before.address)
  rows.truth = now.address
  const { orders } = linked(rows)
  assert.equal((await orders.halt(HALT)).cancelled, 1)
  assert.deepEqual([before.scripted.count('orders.halt'), now.scripted.count('orders.halt')], [1, 1])
})

it('a unit that nobody owns is waited for', async () => {
  const owner = await replica()
  owner.scripted.answer = () => Promise.resolve(ACTIVE)
  const rows = new Rows(undefined)
  const { orders } = linked(rows)
  const asked = orders.getTradingState({})
  setTimeout(() => (rows.truth = owner.address), 300)
  assert.equal((await asked).state, 'active')
})

it('a unit that stays without an owner ends the wait, with the reason', async () => {
  const { orders } = linked(new Rows(undefined), 300)
  await assert.rejects(orders.getTradingState({}), { code: 'DEADLINE_EXCEEDED', message: /nobody is known to own/ })
  await assert.rejects(orders.halt(HALT), { code: 'DEADLINE_EXCEEDED' })
  await assert.rejects(orders.getTradingState({}, { waitForReady: false }), { code: 'UNAVAILABLE' })
})

it('a question is taken away from an owner that says nothing, once another owns the unit', async () => {
  const [silent, next] = [await replica(), await replica()]
  silent.scripted.answer = () => new Promise(() => undefined)
  next.scripted.answer = () => Promise.resolve(ACTIVE)
  const rows = new Rows(silent.address)
  const { orders } = linked(rows, 20_000)
  const asked = orders.getTradingState({})
  rows.truth = next.address
  assert.equal((await asked).state, 'active')
})

it('a command whose owner ends in the middle of it is not made again: its outcome is unknown', async () => {
  const [ending, next] = [await replica(), await replica()]
  ending.scripted.answer = () => {
    rows.truth = next.address
    void ending.server.stop()
    return new Promise(() => undefined)
  }
  next.scripted.answer = () => Promise.resolve(ACTIVE)
  const rows = new Rows(ending.address)
  const { orders } = linked(rows)
  await assert.rejects(orders.halt(HALT), { code: 'UNAVAILABLE' })
  assert.equal(next.scripted.count('orders.halt'), 0)
})

it('risk checks follow the owner of risk, each answered once', async () => {
  const [{ request, answer }] = said
  const before = await replica(({ risk: handlers }) => {
    handlers.streamTradingRiskChecks = async function* () {
      yield* []
      await notHere()
    }
  })
  const now = await replica()
  now.scripted.answer = (_method, one) =>
    Promise.resolve({ ...answer, signalId: (one as { signalId: string }).signalId })
  const rows = new Rows(undefined)
  const { risk } = linked(rows, 20_000)
  const all = Array.from({ length: 50 }, (_, n) => `signal-${n}`)
  const answers = Promise.all(all.map((signalId) => risk.checkTradingRisk({ ...request, signalId })))
  rows.truth = before.address
  setTimeout(() => (rows.truth = now.address), 200)
  const look = setInterval(() => void rows.refresh(), 50)
  open.push(() => clearInterval(look))
  assert.deepEqual(
    (await answers).map((one) => one.signalId),
    all,
  )
  assert.equal(now.scripted.count('risk.checkTradingRisk'), all.length)
})
