/** A request that acts goes out once, whatever the service, the network or a restart does; and its outcome is told honestly. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { problem, type ProblemCode } from '@jts/contracts/broker-api'
import type { Capabilities, MarketDataPort, PlaceOrderIntent, PlaceOutcome } from '@jts/broker-kit'
import {
  parseKeys,
  startBrokerServer,
  type AccountKeeping,
  type AccountRow,
  type BrokerServer,
} from '@jts/broker-kit/server'
import { accountId, parseUnits, type ClientOrderId, type InstrumentId } from '@jts/model'
import { silentLogger, systemClock } from '@jts/runtime'
import { FakeBroker } from '@jts/testkit/fake-broker'
import { freePort } from '@jts/testkit/ports'
import { BrokerApiClient, type BrokerApiClientOptions } from './broker-api-client.ts'

const folder = mkdtempSync(join(tmpdir(), 'broker-api-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const account = accountId('sim.binance.main')
const instrument = 'BINANCE:BTCUSDT' as InstrumentId
const key = { id: 'test', secret: 'a-secret-of-the-tests-0123456789abcdef' }
const common = { wallClock: systemClock, log: silentLogger }

function order(id: string, change: Partial<PlaceOrderIntent> = {}): PlaceOrderIntent {
  const nowUs = systemClock.nowUs()
  const window = { intentTimeUs: nowUs, sendBeforeUs: nowUs + 30_000_000 }
  const base = { clientOrderId: id as ClientOrderId, instrument, side: 'buy', type: 'market' } as const
  return { ...base, quantity: parseUnits('1'), ...window, ...change }
}

/** Generous: a machine under load is no failure, and one who waits in vain says for what. */
async function until(look: () => boolean): Promise<void> {
  for (const end = performance.now() + 30_000; !look(); await setTimeout(5)) {
    assert.ok(performance.now() < end, `waited in vain: ${look.toString()}`)
  }
}

type Serving = { readonly broker: FakeBroker; readonly server: BrokerServer }

async function serve(
  file: string | undefined,
  capabilities: Partial<Capabilities> = {},
  port = 0,
  keeping?: AccountKeeping,
): Promise<Serving> {
  const broker = new FakeBroker(systemClock, capabilities)
  const market = {
    capabilities: broker.capabilities,
    instruments: (wanted: readonly InstrumentId[]) => Promise.resolve(wanted.map((id) => ({ id }))),
  } as unknown as MarketDataPort
  const server = await startBrokerServer({
    ...{ service: 'test-service', version: '0', market, port, ...common },
    accounts: [{ account, broker, instruments: [instrument], ...(keeping === undefined ? {} : { keeping }) }],
    keys: parseKeys({ keys: [{ ...key, right: 'trade' }] }),
    journalFile: file === undefined ? undefined : join(folder, file),
    streamLimits: { heartbeatMs: 200 },
  })
  return { broker, server }
}

async function connect(t: TestContext, baseUrl: string, options: Partial<BrokerApiClientOptions> = {}) {
  const streamTimings = { backoffMinMs: 20, backoffMaxMs: 100 }
  const client = new BrokerApiClient({ baseUrl, key, account, streamTimings, ...common, ...options })
  await client.start()
  t.after(() => client.stop())
  return client
}

test('a request that was under way when the service died is unknown afterwards, and never sent again', async (t) => {
  const first = await serve('killed.sqlite')
  const client = await connect(t, first.server.url, { actTimeoutMs: 3000 })
  const taken = Promise.withResolvers<PlaceOrderIntent>()
  const answer = Promise.withResolvers<PlaceOutcome>()
  t.after(() => {
    answer.resolve({ kind: 'unknown', message: 'the end of the test' })
    return first.server.stop()
  })
  first.broker.onPlace = (found) => {
    taken.resolve(found)
    return answer.promise
  }
  const intent = order('killed-1')
  const lost = client.placeOrder(intent)
  await taken.promise
  // Not stopped: its journal is taken over as it is, as after kill -9.
  const second = await serve('killed.sqlite')
  t.after(() => second.server.stop())
  const again = await connect(t, second.server.url)
  const outcome = await again.placeOrder(intent)
  assert.equal(outcome.kind, 'unknown')
  assert.equal(second.broker.placed.length, 0)
  second.broker.take(intent)
  assert.equal((await again.queryOrder(intent)).kind, 'found')
  const settled = await again.placeOrder(intent)
  assert.equal(settled.kind === 'accepted' && settled.report.clientOrderId, 'killed-1')
  assert.equal(second.broker.placed.length, 0)
  assert.equal((await lost).kind, 'unknown')
})

test('a halted gate and a lease survive a restart of the service', async (t) => {
  const first = await serve('gate.sqlite')
  const before = await connect(t, first.server.url)
  await before.announceLease(7)
  before.setGate('halted')
  await until(() => first.server.health().accounts[0]!.gate === 'halted')
  await first.server.stop()
  const second = await serve('gate.sqlite')
  t.after(() => second.server.stop())
  const client = await connect(t, second.server.url, { leaseEpoch: () => 7 })
  const outcome = await client.placeOrder(order('gate-1'))
  assert.equal(outcome.kind === 'not_sent' && outcome.code, 'GATE_HALTED')
  await assert.rejects(client.announceLease(6), { code: 'STALE_LEASE' })
  assert.equal(second.broker.placed.length, 0)
})

test('an owner that was taken over sends nothing any more', async (t) => {
  const { broker, server } = await serve(undefined)
  t.after(() => server.stop())
  const old = await connect(t, server.url, { leaseEpoch: () => 1 })
  const next = await connect(t, server.url, { leaseEpoch: () => 2 })
  const outcome = await old.placeOrder(order('zombie-1'))
  assert.equal(outcome.kind === 'not_sent' && outcome.code, 'STALE_LEASE')
  assert.equal(broker.placed.length, 0)
  assert.equal((await next.placeOrder(order('next-1'))).kind, 'accepted')
})

test('an intent of an older trading state is not sent; a new owner counts from its own versions', async (t) => {
  const { broker, server } = await serve(undefined)
  t.after(() => server.stop())
  const client = await connect(t, server.url, { leaseEpoch: () => 3 })
  assert.equal((await client.placeOrder(order('state-1', { tradingStateVersion: 5 }))).kind, 'accepted')
  const behind = order('state-2', { tradingStateVersion: 4 })
  assert.equal(told(await client.placeOrder(behind)), 'not_sent STALE_TRADING_STATE')
  const old = await connect(t, server.url)
  const next = await connect(t, server.url, { leaseEpoch: () => 4 })
  assert.equal((await next.placeOrder(order('state-3', { tradingStateVersion: 1 }))).kind, 'accepted')
  const late = order('state-4', { tradingStateVersion: 9 })
  assert.equal(told(await client.placeOrder(late)), 'not_sent STALE_LEASE')
  const { leaseEpoch, tradingStateVersion } = server.health().accounts[0]!
  assert.deepEqual({ leaseEpoch, tradingStateVersion }, { leaseEpoch: 4, tradingStateVersion: 1 })
  assert.equal((await old.placeOrder(order('state-5'))).kind, 'accepted')
  assert.deepEqual(
    broker.placed.map(({ clientOrderId }) => clientOrderId),
    ['state-1', 'state-3', 'state-5'],
  )
})

test('a word of one strategy reaches the service at once: what waits there and was decided before it is not sent', async (t) => {
  const { broker, server } = await serve(undefined)
  t.after(() => server.stop())
  const client = await connect(t, server.url, { leaseEpoch: () => 3 })
  client.setGate('open', 5)
  let write: () => void = () => undefined
  broker.untilWritten = () => new Promise((resolve) => (write = resolve))
  const waiting = client.placeOrder(order('waiting-1', { tradingStateVersion: 5 }))
  await until(() => broker.placed.length > 0)
  client.setGate('open', 6)
  await until(() => server.health().accounts[0]!.tradingStateVersion === 6)
  broker.untilWritten = undefined
  write()
  assert.equal(told(await waiting), 'not_sent STALE_TRADING_STATE')
  assert.equal(broker.orders.size, 0)
  assert.equal((await client.placeOrder(order('waiting-2', { tradingStateVersion: 6 }))).kind, 'accepted')
  assert.equal(server.health().accounts[0]!.gate, 'open')
})

test('what waits at the service and was decided before a halt that its owner cannot say is not sent; the next owner sends', async (t) => {
  const { broker, server } = await serve(undefined)
  t.after(() => server.stop())
  const owner = await connect(t, server.url, { leaseEpoch: () => 3 })
  const other = await connect(t, server.url)
  let write: () => void = () => undefined
  broker.untilWritten = () => new Promise((resolve) => (write = resolve))
  const waiting = owner.placeOrder(order('waiting-1', { tradingStateVersion: 5 }))
  await until(() => broker.placed.length > 0)
  await other.refuseOlder(6)
  await other.refuseOlder(6)
  broker.untilWritten = undefined
  write()
  assert.equal(told(await waiting), 'not_sent STALE_TRADING_STATE')
  assert.equal(broker.orders.size, 0)
  const { gate, leaseEpoch, tradingStateVersion } = server.health().accounts[0]!
  assert.deepEqual({ gate, leaseEpoch, tradingStateVersion }, { gate: 'open', leaseEpoch: 3, tradingStateVersion: 6 })
  assert.equal((await owner.placeOrder(order('waiting-2', { tradingStateVersion: 6 }))).kind, 'accepted')
  const next = await connect(t, server.url, { leaseEpoch: () => 4 })
  assert.equal((await next.placeOrder(order('waiting-3', { tradingStateVersion: 5 }))).kind, 'accepted')
})

test('a gate whose opening was never heard is opened by who comes back under a later state, and no other', async (t) => {
  const { server } = await serve(undefined)
  t.after(() => server.stop())
  const gate = () => server.health().accounts[0]!.gate
  const halted = await connect(t, server.url, { leaseEpoch: () => 1 })
  halted.setGate('halted', 4)
  await until(() => gate() === 'halted')
  const comeBack = async (tradingStateVersion: number): Promise<void> => {
    const client = new BrokerApiClient({ baseUrl: server.url, key, account, ...common, leaseEpoch: () => 1 })
    client.setGate('open', tradingStateVersion)
    await client.start()
    await client.stop()
  }
  await comeBack(4)
  assert.equal(gate(), 'halted')
  await comeBack(5)
  assert.equal(gate(), 'open')
})

/** What several processes of a broker service keep together, as their database would. */
function keepingOf(shared: { row?: AccountRow; isServed: boolean }): AccountKeeping {
  return {
    saved: shared.row,
    save: (row) => {
      shared.row = row
      return Promise.resolve()
    },
    confirm: () => Promise.resolve(shared.isServed),
    isServed: () => shared.isServed,
  }
}

test('a service that another process goes on with is followed there, and what follows the account is there already', async (t) => {
  const shared: { row?: AccountRow; isServed: boolean } = { isServed: true }
  const first = await serve(undefined, {}, 0, keepingOf(shared))
  let place = first.server.url
  const client = await connect(t, 'http://127.0.0.1:9', { locate: () => Promise.resolve(place), leaseEpoch: () => 7 })
  const states: string[] = []
  client.subscribeOrders({
    onOrder: () => undefined,
    onBalances: () => undefined,
    onAdjustment: () => undefined,
    onOrderStream: (state) => states.push(state),
  })
  await until(() => states.at(-1) === 'up')
  assert.equal((await client.placeOrder(order('moved-1', { tradingStateVersion: 2 }))).kind, 'accepted')
  await first.server.stop()
  // Before anybody has spoken to it: an owner that was taken over is known to be one.
  const second = await serve(undefined, {}, 0, keepingOf(shared))
  t.after(() => second.server.stop())
  const zombie = await connect(t, second.server.url)
  await assert.rejects(zombie.announceLease(6), { code: 'STALE_LEASE' })
  const behind = order('moved-2', { tradingStateVersion: 1 })
  assert.equal(told(await zombie.placeOrder(behind)), 'not_sent STALE_TRADING_STATE')
  place = second.server.url
  await until(() => states.at(-1) === 'up' && states.length >= 3)
  assert.equal((await client.placeOrder(order('moved-3', { tradingStateVersion: 2 }))).kind, 'accepted')
  await client.balances()
  assert.deepEqual(
    [first, second].map(({ broker }) => broker.placed.map(({ clientOrderId }) => clientOrderId)),
    [['moved-1'], ['moved-3']],
  )
})

test('a question finds the service where it is now, without a stream to tell that it has moved', async (t) => {
  const first = await serve(undefined)
  let place = first.server.url
  const client = await connect(t, 'http://127.0.0.1:9', { locate: () => Promise.resolve(place) })
  await first.server.stop()
  const second = await serve(undefined)
  t.after(() => second.server.stop())
  place = second.server.url
  assert.equal((await client.balances())[0]!.currency, 'USDT')
})

test('a process that may have lost the account sends nothing for it', async (t) => {
  const shared = { isServed: false }
  const { broker, server } = await serve(undefined, {}, 0, keepingOf(shared))
  t.after(() => server.stop())
  const client = await connect(t, server.url)
  assert.equal(told(await client.placeOrder(order('lost-1'))), 'not_sent BROKER_UNAVAILABLE')
  shared.isServed = true
  assert.equal((await client.placeOrder(order('lost-2'))).kind, 'accepted')
  assert.deepEqual(
    broker.placed.map(({ clientOrderId }) => clientOrderId),
    ['lost-2'],
  )
})

test('where the broker takes no ids, a second order of a kind waits until the first is settled', async (t) => {
  const { broker, server } = await serve(undefined, { clientOrderIds: 'none', absenceProof: 'none' })
  t.after(() => server.stop())
  const client = await connect(t, server.url)
  broker.onPlace = () => ({ kind: 'unknown', message: 'no answer' })
  const first = order('twin-1')
  assert.equal((await client.placeOrder(first)).kind, 'unknown')
  broker.onPlace = (intent) => broker.take(intent)
  const second = await client.placeOrder(order('twin-2'))
  assert.equal(second.kind === 'not_sent' && second.code, 'ORDER_IN_FLIGHT')
  assert.equal((await client.placeOrder(order('twin-3', { side: 'sell' }))).kind, 'accepted')
  broker.take(first)
  assert.equal((await client.queryOrder(first)).kind, 'found')
  assert.equal((await client.placeOrder(order('twin-4'))).kind, 'accepted')
  assert.deepEqual(
    broker.placed.map(({ clientOrderId }) => clientOrderId),
    ['twin-1', 'twin-3', 'twin-4'],
  )
})

test('notices missed while the service was away are made up for: down, then up again', async (t) => {
  const port = await freePort()
  const first = await serve('stream.sqlite', {}, port)
  const client = await connect(t, first.server.url)
  const states: string[] = []
  const told: string[] = []
  client.subscribeOrders({
    onOrder: ({ clientOrderId }) => told.push(clientOrderId),
    onBalances: () => undefined,
    onAdjustment: () => undefined,
    onOrderStream: (state) => states.push(state),
  })
  await until(() => states.at(-1) === 'up')
  first.broker.take(order('before'))
  first.broker.notice(first.broker.orders.get('before')!)
  await until(() => told.length > 0)
  await first.server.stop()
  await until(() => states.at(-1) === 'down')
  const second = await serve('stream.sqlite', {}, port)
  t.after(() => second.server.stop())
  await until(() => states.at(-1) === 'up')
  second.broker.take(order('after'))
  second.broker.notice(second.broker.orders.get('after')!)
  await until(() => told.includes('after'))
  assert.deepEqual(told, ['before', 'after'])
})

/** A server that answers requests that act as a test says, and counts them; questions it answers as a service would. */
async function scripted(t: TestContext, answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const { server: real } = await serve(undefined)
  const counted = { acts: 0 }
  const server = createServer((request, response) => {
    request.resume()
    if (request.method === 'POST' || request.method === 'DELETE') {
      counted.acts++
      return answer(request, response)
    }
    void fetch(`${real.url}${request.url}`, { headers: request.headers as Record<string, string> }).then(
      async (from) => {
        response.writeHead(from.status, { 'content-type': from.headers.get('content-type') ?? '' })
        response.end(await from.text())
      },
    )
  })
  server.listen(await freePort(), '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    server.closeAllConnections()
    server.close()
    await real.stop()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, counted, server }
}

const said = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}
const refused =
  (code: ProblemCode) =>
  (_: unknown, response: ServerResponse): void => {
    const document = problem(code, 'as the test says')
    said(response, document.status, document)
  }
const told = (outcome: PlaceOutcome): string => ('code' in outcome ? `${outcome.kind} ${outcome.code}` : outcome.kind)

const NO_ANSWER = 'nothing at all'
const ANSWERS: readonly (readonly [string, (request: IncomingMessage, response: ServerResponse) => void, string])[] = [
  [NO_ANSWER, () => undefined, 'unknown'],
  ['a broken connection', (request) => request.socket.destroy(), 'unknown'],
  [
    'half an answer',
    (_, response) => (
      response.writeHead(200, { 'content-length': '100' }),
      response.write('{"suc'),
      response.socket?.destroy()
    ),
    'unknown',
  ],
  ['words of a proxy', (_, response) => said(response, 502, '<html>Bad Gateway</html>'), 'unknown'],
  ['a refusal of a proxy', (_, response) => said(response, 403, '<html>Forbidden</html>'), 'unknown'],
  ['500', refused('INTERNAL'), 'unknown'],
  ['503', refused('BROKER_UNAVAILABLE'), 'unknown'],
  ['200 with garbage', (_, response) => said(response, 200, '{"success":true}'), 'unknown'],
  [
    '200 with another kind',
    (_, response) => said(response, 200, { success: true, data: { kind: 'perhaps' } }),
    'unknown',
  ],
  [
    'a code and a status that do not fit',
    (_, response) => said(response, 404, { ...problem('INVALID_REQUEST', '') }),
    'unknown',
  ],
  ['a nonce that was used: something repeated the request', refused('NONCE_REUSED'), 'unknown'],
  ['a conflict', refused('ORDER_CONFLICT'), 'unknown'],
  ['a bad request', refused('INVALID_REQUEST'), 'not_sent INVALID'],
  ['an unknown key', refused('AUTHENTICATION_FAILED'), 'not_sent BROKER_UNAVAILABLE'],
  ['a clock that is off', refused('CLOCK_SKEW'), 'not_sent BROKER_UNAVAILABLE'],
  ['too many requests', refused('RATE_LIMITED'), 'not_sent RATE_BUDGET'],
  ['a service of other accounts', refused('ACCOUNT_NOT_FOUND'), 'not_sent BROKER_UNAVAILABLE'],
]
for (const [name, answer, expected] of ANSWERS) {
  test(`an order answered by ${name} is ${expected}, and was asked once`, async (t) => {
    const { url, counted } = await scripted(t, answer)
    const client = await connect(t, url, name === NO_ANSWER ? { actTimeoutMs: 2000 } : {})
    assert.equal(told(await client.placeOrder(order('scripted-1'))), expected)
    await until(() => counted.acts > 0)
    assert.equal(counted.acts, 1)
  })
}

test('a service that is not there is «not sent», and a question about it fails so that asking later may help', async (t) => {
  const { url, server } = await scripted(t, () => undefined)
  const client = await connect(t, url)
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  assert.equal(told(await client.placeOrder(order('away-1'))), 'not_sent BROKER_UNAVAILABLE')
  await assert.rejects(client.balances(), { name: 'BrokerError', code: 'BROKER_UNAVAILABLE', retryable: true })
  assert.equal((await client.queryOrder(order('away-1'))).kind, 'failed')
})

test('no secret is in an error', async (t) => {
  const { server } = await serve(undefined)
  t.after(() => server.stop())
  const secret = 'a-wrong-secret-of-enough-bytes-0123456'
  const client = new BrokerApiClient({ baseUrl: server.url, key: { id: 'test', secret }, account, ...common })
  t.after(() => client.stop())
  const error = await client.start().then(
    () => undefined,
    (caught: Error) => caught,
  )
  assert.match(error!.message, /key is not known here, or the signature does not fit/)
  assert.ok(!error!.message.includes(secret))
})

test('a question that a hung service lets run out is not asked again at once', async (t) => {
  const { broker, server } = await serve(undefined)
  t.after(() => server.stop())
  const client = await connect(t, server.url, { askTimeoutMs: 2000 })
  let asked = 0
  broker.balances = () => {
    asked++
    return new Promise(() => undefined)
  }
  await assert.rejects(client.balances(), { code: 'BROKER_UNAVAILABLE', message: /no answer within 2000 ms/ })
  await setTimeout(800)
  assert.equal(asked, 1)
})
