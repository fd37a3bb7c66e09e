/** Order execution stopped where it stands while another takes over, and then woken up: no order is placed twice. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createBinanceBroker } from '@jts/binance-service'
import { Activity, silentLogger, systemClock } from '@jts/runtime'
import { freePort, provideKafka, providePostgres, type ProvidedKafka, type ProvidedPostgres } from '@jts/servers'
import { sleep, startJts, type JtsProcess } from '@jts/testkit'
import { openLog } from '../open-log.ts'
import { RUN_FILE, readRunFile, settingsOf } from './run-file.ts'
import { PROCESSES_FILE } from './supervisor.ts'

const ROUNDS = process.env['JTS_TEST_FULL'] === '1' ? 6 : 2
/** Longer than a lease, and than the time in which a request may be sent. */
const STOPPED_MS = 5000

const dir = mkdtempSync(join(tmpdir(), 'jts-zombie-'))
let kafka: ProvidedKafka
let postgres: ProvidedPostgres

before(async () => {
  ;[kafka, postgres] = await Promise.all([provideKafka(), providePostgres()])
})
after(async () => {
  await Promise.all([kafka.stop(), postgres.stop()])
  rmSync(dir, { recursive: true, force: true })
})

type Entry = { pid: number; starts: number; state: string }

function supervised(): Entry {
  const processes = JSON.parse(readFileSync(join(dir, PROCESSES_FILE), 'utf8')) as Record<string, Entry>
  return processes['order-execution']!
}

async function until(what: string, isTrue: () => boolean, seconds = 60): Promise<void> {
  for (const end = performance.now() + seconds * 1000; !isTrue(); await sleep(50)) {
    if (performance.now() > end) assert.fail(`expected within ${seconds} s: ${what}`)
  }
}

test('a zombie that wakes up after a take-over places nothing', async () => {
  const env = { KAFKA_BROKERS: kafka.brokers.join(','), DATABASE_URL: postgres.url }
  // Averages this short cross every few seconds, so that a stop meets orders on their way.
  const strategy = (symbol: string): string =>
    `  - { instance: ${symbol}, strategy: ema-cross, instrument: "BINANCE:${symbol}", timeframe: 1s, parameters: { fast: 1, slow: 2 } }\n`
  const config = join(dir, 'jts.yaml')
  writeFileSync(config, `strategies:\n${strategy('BTCUSDT')}${strategy('ETHUSDT')}`)
  const options = ['--config', config, '--no-dashboard', '--json', '--data-dir', dir]
  const up = startJts(['up', '--distributed', ...options], env)
  await up.firstLine
  const runFile = join(dir, RUN_FILE)
  const standbys: JtsProcess[] = []
  const standBy = async (): Promise<JtsProcess> => {
    const port = String(await freePort())
    const standby = startJts(['serve', 'order-execution', '--run', runFile, '--grpc-port', port, '--json'], env)
    standbys.push(standby)
    return standby
  }
  for (let round = 0; round < ROUNDS; round++) {
    const standby = await standBy()
    await sleep(4000 + Math.random() * 1000)
    const { pid, starts } = supervised()
    process.kill(pid, 'SIGSTOP')
    const stoppedMs = performance.now()
    await standby.firstLine
    assert.ok(performance.now() - stoppedMs < 30_000, 'the standby took over')
    await sleep(Math.max(0, STOPPED_MS - (performance.now() - stoppedMs)))
    process.kill(pid, 'SIGCONT')
    // It finds that it was taken over, says so and ends; started again, it stands by.
    await until('the zombie ends', () => supervised().starts > starts)
    await sleep(3000)
    standby.child.kill('SIGKILL')
    await until('the supervised one is back', () => supervised().state === 'up')
  }
  await sleep(4000)

  const run = readRunFile(runFile)
  const settings = await settingsOf(run)
  const [account] = settings.accounts
  const broker = createBinanceBroker({
    account: account!.account,
    endpoints: settings.endpoints,
    credentials: account!,
    wallClock: systemClock,
    activity: new Activity(),
    log: silentLogger,
  })
  await broker.start()
  const atVenue = new Set<string>()
  for (const { id } of settings.instruments) {
    for (const fill of await broker.fills({ instrument: id })) atVenue.add(fill.venueOrderId)
  }
  // An order of ours that was placed twice would have two orders at the venue, or leave one there that nobody knows.
  const venueOrders = new Map<string, string>()
  const fills: string[] = []
  const { log, close } = await openLog(dir)
  for await (const event of log.read('orders.events')) {
    assert.notEqual(event.type, 'ForeignFill', 'a fill of an order that nobody here has made')
    if (event.type !== 'OrderFilled') continue
    const { ref, venueOrderId, fillId } = event.payload
    assert.equal(venueOrders.get(ref!.orderId) ?? venueOrderId, venueOrderId, 'one order at the venue for each of ours')
    venueOrders.set(ref!.orderId, venueOrderId)
    fills.push(fillId)
  }
  await close()
  assert.ok(fills.length > 4, `expected trades, found ${fills.length} fills`)
  assert.equal(new Set(fills).size, fills.length, 'a fill was booked twice')
  const ours = new Set(venueOrders.values())
  assert.deepEqual(
    [...atVenue].filter((id) => !ours.has(id)),
    [],
  )
  await broker.stop()
  for (const { child } of standbys) child.kill('SIGKILL')
  up.child.kill('SIGINT')
  await up.ended
})
