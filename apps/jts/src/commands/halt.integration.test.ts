/** `./jts halt` with no process to carry it out: whom it ends, what it cancels at a real venue, and what it says of the rest. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request as ask, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createBinanceBroker, endpointsOfVenue } from '@jts/binance-service'
import { accountId, instrumentId, parseUnits, type ClientOrderId, type OrderId } from '@jts/model'
import { ordersOpen } from '@jts/order-execution/open-orders'
import { clientOrderIdOf, OrderRecord, type OrderTermsRecord } from '@jts/order-execution/domain/order-record'
import { silentLogger, systemClock } from '@jts/runtime'
import { EmbeddedBus, SqliteStore } from '@jts/transport'
import { runJts } from '@jts/testkit'
import { EXIT } from '../cli.ts'
import { leaveProcessFile, type ProcessFile } from '../running.ts'
import { startVenueProcess, type VenueProcess } from '../venue-process.ts'

const root = mkdtempSync(join(tmpdir(), 'jts-halt-without-'))
const children: ChildProcess[] = []
const venues: VenueProcess[] = []
const servers: Server[] = []
after(async () => {
  for (const venue of venues) await venue.stop()
  for (const child of children) child.kill('SIGKILL')
  for (const server of servers) server.close()
  rmSync(root, { recursive: true, force: true })
})

const ACCOUNT = accountId('sim.binance.main')
const NOBODY: ProcessFile = { pid: null, url: null, mode: 'sim', config: null, isDistributed: false }

/** Somebody else's process. */
function stranger(): ChildProcess & { readonly pid: number } {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], { stdio: 'ignore' })
  children.push(child)
  return child as ChildProcess & { readonly pid: number }
}

/** The folder of a JTS that has ended. */
function folder(name: string, file: ProcessFile): string {
  const dir = join(root, name)
  mkdirSync(dir)
  leaveProcessFile(dir, file)
  return dir
}

function open(dir: string): SqliteStore {
  const fatal = (reason: string, cause: unknown): never => {
    throw new Error(reason, { cause })
  }
  const store = new SqliteStore({ file: join(dir, 'jts.sqlite'), log: silentLogger, fatal })
  void new EmbeddedBus({ store, log: silentLogger, fatal })
  store.ensure([ordersOpen] as never[])
  return store
}

type Left = { readonly strategy?: string; readonly status?: 'submitting' | 'accepted'; readonly sendBeforeUs?: number }

/** An order that was sent once and, unless its request may still be on its way, accepted: as order execution keeps it. */
async function leaveOrder(dir: string, orderId: OrderId, left: Left = {}): Promise<void> {
  const { strategy = 'one', status: last = 'accepted', sendBeforeUs = 0 } = left
  const store = open(dir)
  const order = new OrderRecord({
    ...{ orderId, signalId: 's', correlationId: 'c', approvedBy: 'orders.signals/x/1', strategy },
    ...{ instrument: 'BINANCE:BTCUSDT', side: 'buy', type: 'limit', timeInForce: 'gtc', quantity: '0.01' },
    ...{ quoteQuantity: '', limitPrice: '100', price: '100', validUntilUs: 0, timeUs: 0 },
  } as unknown as OrderTermsRecord)
  order.life.move('submitting')
  if (last === 'accepted') order.life.move(last)
  order.request = { number: 1, clientOrderId: clientOrderIdOf(orderId, 1), intentTimeUs: 0, sendBeforeUs }
  const record = order.toText()
  store.transact((turn) => turn.put(ordersOpen, { order_id: orderId, account: ACCOUNT, record }), 'durable')
  await store.durable()
  await store.close()
}

/** Stands before the venue's REST address, and tells when a question was first asked there. */
async function passing(
  rest: string,
  path: string,
): Promise<{ readonly url: string; readonly firstUs: Promise<number> }> {
  const first = Promise.withResolvers<number>()
  const server = createServer((request, response) => {
    if (request.url!.startsWith(path)) first.resolve(systemClock.nowUs())
    const passed = new URL(request.url!, rest)
    request.pipe(
      ask(passed, { method: request.method, headers: request.headers }, (answer) => {
        response.writeHead(answer.statusCode!, answer.headers)
        answer.pipe(response)
      }),
    )
  })
  servers.push(server.listen(0, '127.0.0.1'))
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, firstUs: first.promise }
}

async function halt(dir: string, env: Record<string, string> = {}, ...more: string[]) {
  const { code, stdout, stderr } = await runJts(['halt', '--data-dir', dir, '--json', ...more], env)
  return { code, stderr, answer: code === 0 ? (JSON.parse(stdout) as Record<string, unknown>) : undefined }
}

test('the process that has the former id of an ended JTS is left alone', async () => {
  const other = stranger()
  const dir = folder('ended', { ...NOBODY, pid: other.pid, url: 'http://127.0.0.1:1' })
  const { answer, stderr } = await halt(dir)
  assert.equal(answer?.['tradingState'], 'halted', stderr)
  assert.match(String(answer['message']), /no process is running/)
  assert.equal(other.exitCode ?? other.signalCode, null)
})

test('orders of ours are cancelled at the venue; those of others only where the account adopts them', async () => {
  const args = ['--port', '0', '--data-dir', join(root, 'venue'), '--symbols', 'BTCUSDT']
  const venue = await startVenueProcess([...args, '--accounts', '1', '--account-names', 'main'], silentLogger)
  venues.push(venue)
  const { apiKey, apiSecret } = venue.ready.accounts[0]!
  const endpoints = endpointsOfVenue(venue.ready.restUrl)
  const credentials = { apiKey, apiSecret }
  const broker = createBinanceBroker({
    account: ACCOUNT,
    endpoints,
    credentials,
    wallClock: systemClock,
    log: silentLogger,
  })
  await broker.start()
  const ticker = await fetch(new URL('/api/v3/ticker/price?symbol=BTCUSDT', endpoints.rest))
  const { price } = (await ticker.json()) as { price: string }
  // Far from the market: it stays open.
  const limitPrice = parseUnits(String(Math.floor(Number(price) * 0.6)))
  const place = async (clientOrderId: ClientOrderId): Promise<void> => {
    const intentTimeUs = systemClock.nowUs() + broker.clockOffsetUs()
    const outcome = await broker.placeOrder({
      ...{ clientOrderId, intentTimeUs, sendBeforeUs: intentTimeUs + 60_000_000 },
      ...{ instrument: instrumentId('BINANCE:BTCUSDT'), side: 'buy', type: 'limit', timeInForce: 'gtc' },
      ...{ quantity: parseUnits('0.01'), limitPrice },
    })
    assert.equal(
      outcome.kind,
      'accepted',
      JSON.stringify(outcome, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
    )
  }
  const openAt = async (): Promise<string[]> => (await broker.openOrders()).map((one) => one.clientOrderId)
  const mine = 'ours' as OrderId
  await place(clientOrderIdOf(mine, 1))
  await place('a-persons-own' as ClientOrderId)
  const strategies = ['one', 'two'].map((instance) => ({ instance, account: ACCOUNT }))
  const file = { ...NOBODY, endpoints, strategies }
  const keys = { JTS_BINANCE_API_KEY: apiKey, JTS_BINANCE_API_SECRET: apiSecret }

  // Nobody can ask without the keys: what is on disk counts as open, and the halt is there all the same.
  const dir = folder('trading', file)
  await leaveOrder(dir, mine)
  const blind = await halt(dir, { JTS_BINANCE_API_KEY: '', JTS_BINANCE_API_SECRET: '' })
  assert.deepEqual([blind.answer?.['cancelled'], blind.answer?.['open']], [0, 1], blind.stderr)
  assert.match(String(blind.answer?.['message']), /Binance could not be asked: expected the keys/)

  // Of one strategy: its own order alone.
  const others = 'others' as OrderId
  await place(clientOrderIdOf(others, 1))
  await leaveOrder(dir, others, { strategy: 'two' })
  const unknown = await halt(dir, keys, '--strategy', 'three')
  assert.equal(unknown.code, EXIT.usage)
  assert.match(unknown.stderr, /--strategy: expected one of one, two, found "three"/)
  const two = await halt(dir, keys, '--strategy', 'two')
  assert.deepEqual([two.answer?.['cancelled'], two.answer?.['open']], [1, 0], two.stderr)
  assert.match(String(two.answer?.['message']), /no process is running; two starts halted/)
  assert.deepEqual((await openAt()).sort(), ['a-persons-own', clientOrderIdOf(mine, 1)].sort())

  const { answer, stderr } = await halt(dir, keys)
  assert.deepEqual([answer?.['cancelled'], answer?.['open']], [1, 0], stderr)
  assert.deepEqual(await openAt(), ['a-persons-own'])

  // What was on its way when the process died may still be taken by the venue: nobody looks for what is open before that is over.
  const asked = await passing(endpoints.rest, '/api/v3/openOrders')
  const onItsWay = folder('on-its-way', { ...file, endpoints: { ...endpoints, rest: asked.url } })
  const sendBeforeUs = systemClock.nowUs() + 2_000_000
  await leaveOrder(onItsWay, 'on-its-way' as OrderId, { status: 'submitting', sendBeforeUs })
  const waited = await halt(onItsWay, keys)
  assert.deepEqual([waited.answer?.['open'], waited.answer?.['unknown']], [0, 1], waited.stderr)
  // It reckons in the venue's time as it has measured it, and a timer may be a moment early.
  const earliestUs = sendBeforeUs - 100_000
  assert.ok((await asked.firstUs) >= earliestUs, 'it was looked for what is open while a request could still be sent')

  const config = join(root, 'adopts.yaml')
  writeFileSync(config, 'mode: sim\naccounts:\n  - { name: main, broker: binance, foreignOrders: adopt }\n')
  const adopting = await halt(folder('adopting', { ...file, config }), keys)
  assert.deepEqual([adopting.answer?.['cancelled'], adopting.answer?.['open']], [1, 0], adopting.stderr)
  assert.deepEqual(await openAt(), [])
  await broker.stop()

  // The venue is away: said, and counted as the folder has it.
  await venue.stop()
  const away = await halt(dir, keys)
  assert.deepEqual([away.answer?.['cancelled'], away.answer?.['open']], [0, 2], away.stderr)
  assert.match(String(away.answer?.['message']), /sim.binance.main could not be asked/)
})

test('what is open at a local venue of its own counts as open: the venue has ended with it', async () => {
  const dir = folder('own-venue', NOBODY)
  await leaveOrder(dir, 'ours' as OrderId)
  const { answer, stderr } = await halt(dir)
  assert.deepEqual([answer?.['cancelled'], answer?.['open']], [0, 1], stderr)
  assert.match(String(answer?.['message']), /cancelled at the start/)
  const reduced = await halt(dir, {}, '--reduce')
  assert.equal(reduced.answer?.['tradingState'], 'halted', reduced.stderr)
  assert.match(String(reduced.answer?.['message']), /it starts halted/)
})
