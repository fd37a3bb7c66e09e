/** A data folder that an earlier version has written: today's services read its log, and keep the same ledgers and fills. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { TOPIC_NAMES, type BusEvent } from '@jts/contracts'
import { fillsDigest, sortedFills, shippedInstrument } from '@jts/model'
import { createPortfolioTracker } from '@jts/portfolio-tracker'
import { createRiskManagement } from '@jts/risk-management'
import { Activity, MarketClock, silentLogger } from '@jts/runtime'
import { EmbeddedBus, SqliteStore } from '@jts/transport'
import { Books } from './rebuild/books.ts'
import { openFolder } from './rebuild/kept.ts'
import { rebuild } from './rebuild/rebuild.ts'

const fixture = join(import.meta.dirname, '../fixtures/event-log-1')
const summary = JSON.parse(readFileSync(join(fixture, 'summary.json'), 'utf8')) as Record<string, unknown>
const root = mkdtempSync(join(tmpdir(), 'jts-recorded-'))
after(() => rmSync(root, { recursive: true, force: true }))

function unpacked(): { readonly folder: string; readonly file: string } {
  const folder = mkdtempSync(join(root, 'data-'))
  const file = join(folder, 'jts.sqlite')
  writeFileSync(file, gunzipSync(readFileSync(join(fixture, 'jts.sqlite.gz'))))
  return { folder, file }
}

const LEDGERS = 'SELECT account, ledger FROM portfolio_ledgers ORDER BY account'
const BOOKS = 'SELECT account, ledger FROM risk_books ORDER BY account'

/** Accounts with their ledgers, however the lists in them are ordered. */
function ledgersIn(database: DatabaseSync, sql: string): unknown {
  return database
    .prepare(sql)
    .all()
    .map((row) => {
      const ledger = JSON.parse(row['ledger'] as string) as { positions: { strategy: string; quantity: string }[] }
      const positions = ledger.positions
        .filter((one) => Object.values(one).some((value) => /^-?\d/.test(value) && value !== '0'))
        .sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)))
      return { account: row['account'], ledger: { ...ledger, positions } }
    })
}

test('every event of an earlier version is read, and its fills are the same', async () => {
  const { folder } = unpacked()
  const opened = await openFolder(folder)
  const books = new Books()
  for await (const event of opened.events()) books.apply(event)
  const fills = [...books.accounts.values()].flatMap((account) => account.fills)
  assert.equal(fills.length, summary['fills'])
  assert.equal(fillsDigest(sortedFills(fills)), summary['fillsSha256'])
  const { differences, openOrders } = await rebuild(opened)
  assert.deepEqual(differences, [])
  assert.equal(openOrders, 0)
  await opened.close()
})

test('replayed through the services of today, the ledgers are those of then', async () => {
  const { file } = unpacked()
  const before = new DatabaseSync(file)
  const [ledgers, books] = [ledgersIn(before, LEDGERS), ledgersIn(before, BOOKS)]
  // Nothing is left but the log: the services begin with its first event.
  before.exec('DELETE FROM portfolio_ledgers; DELETE FROM risk_books; DELETE FROM risk_reservations')
  before.exec('DELETE FROM bus_offsets')
  before.close()

  const activity = new Activity()
  const fatal = (reason: string, cause: unknown): never => {
    throw new Error(reason, { cause })
  }
  const store = new SqliteStore({ file, log: silentLogger, activity, fatal })
  const poison: string[] = []
  const bus = new EmbeddedBus({
    store,
    log: silentLogger,
    activity,
    fatal,
    onPoison: (event, group, error) => poison.push(`${group} ${event.eventId}: ${(error as Error).message}`),
  })
  const instruments = ['BINANCE:BTCUSDT', 'BINANCE:ETHUSDT'].map((id) => shippedInstrument(id))
  const marketClock = new MarketClock(undefined)
  const marketTopics = ['market-data.binance.candles'] as const
  const common = { store, bus, marketClock, log: silentLogger, instruments, marketTopics }
  const portfolio = createPortfolioTracker({ ...common, equityCurrencyOf: () => 'USDT' })
  const risk = createRiskManagement({
    ...common,
    limits: {},
    approvalValidUs: 1,
  })
  const seen = new Map<string, number>()
  bus.subscribe({
    group: 'everything',
    topics: TOPIC_NAMES,
    handle: (event: BusEvent) => void seen.set(event.topic, (seen.get(event.topic) ?? 0) + 1),
  })
  await portfolio.start()
  await risk.start()
  await bus.start()
  await activity.whenIdle()
  await store.durable()

  assert.deepEqual(poison, [])
  assert.equal(seen.get('strategy.signals'), summary['signals'])
  assert.equal(seen.get('market-data.binance.candles'), summary['bars'])
  assert.deepEqual(ledgersIn(store.database, LEDGERS), ledgers)
  assert.deepEqual(ledgersIn(store.database, BOOKS), books)
  const { accounts } = await portfolio.api.getCurrentPortfolio({ account: '' })
  assert.equal(accounts.length, 2)
  await store.close()
})
