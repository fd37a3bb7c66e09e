import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { runJts } from '@jts/testkit'
import { lockFolder } from '@jts/transport'
import { openFolder } from './kept.ts'
import { rebuild } from './rebuild.ts'

const root = mkdtempSync(join(tmpdir(), 'jts-rebuild-'))
after(() => rmSync(root, { recursive: true, force: true }))

/** A folder of a finished run, and something done to its file. */
function folderWith(...statements: readonly string[]): string {
  const folder = mkdtempSync(join(root, 'data-'))
  const recorded = readFileSync(join(import.meta.dirname, '../../fixtures/event-log-1/jts.sqlite.gz'))
  writeFileSync(join(folder, 'jts.sqlite'), gunzipSync(recorded))
  const database = new DatabaseSync(join(folder, 'jts.sqlite'))
  for (const statement of statements) database.exec(statement)
  database.close()
  return folder
}

async function differencesOf(folder: string): Promise<readonly string[]> {
  const opened = await openFolder(folder)
  try {
    const { differences } = await rebuild(opened)
    return differences.map(({ where, log, kept }) => `${where}: ${log} / ${kept}`)
  } finally {
    await opened.close()
  }
}

const MORE_CASH = `UPDATE portfolio_ledgers SET ledger = json_set(ledger, '$.cash.USDT', '1') WHERE account = 'sim.binance.second'`

test('each thing that a service keeps and the log does not say is told with both figures', async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [MORE_CASH, /^portfolio-tracker, sim.binance.second: cash USDT: \d+\.\d+ \/ 1$/],
    [
      `UPDATE risk_books SET ledger = json_remove(ledger, '$.cash.USDT') WHERE account = 'sim.binance.main'`,
      /^risk-management, sim.binance.main: cash USDT: \d+\.\d+ \/ nothing$/,
    ],
    [
      `UPDATE portfolio_ledgers SET fill_count = 99 WHERE account = 'sim.binance.main'`,
      /^portfolio-tracker, sim.binance.main: fills counted: \d+ \/ 99$/,
    ],
    [
      `DELETE FROM orders_fills WHERE (account, instrument, trade_id) = (SELECT account, instrument, trade_id FROM orders_fills LIMIT 1)`,
      /^order-execution, .* trade \d+: (buy|sell) .* \/ nothing$/,
    ],
    [
      `INSERT INTO orders_open VALUES ('o1', 'sim.binance.main', '{"life":{"status":"accepted","cumulativeQuantity":"0"}}')`,
      /^order-execution, sim.binance.main: order o1: nothing \/ accepted, filled 0$/,
    ],
  ]
  for (const [statement, expected] of cases) {
    const differences = await differencesOf(folderWith(statement))
    assert.equal(differences.length, 1, statement)
    assert.match(differences[0]!, expected)
  }
  assert.deepEqual(await differencesOf(folderWith()), [])
})

test('a ledger is held against the log up to where its service had read, and no further', async () => {
  const folder = folderWith(
    `UPDATE bus_offsets SET next = 1 WHERE consumer = 'portfolio-tracker' AND topic = 'orders.events' AND next > 1`,
  )
  const differences = await differencesOf(folder)
  assert.ok(differences.length > 2)
  for (const one of differences) assert.match(one, /^portfolio-tracker/)
})

test('an event that is missing in the log ends the fold', async () => {
  const folder = folderWith(
    `DELETE FROM bus_log WHERE id = (SELECT l.id FROM bus_log l JOIN bus_partitions p ON p.topic = 'orders.events' AND l.id / 1099511627776 = p.log ORDER BY l.id LIMIT 1 OFFSET 3)`,
  )
  await assert.rejects(differencesOf(folder), /expected orders.events.* sequence \d+, found \d+: an event is missing/)
})

test('rebuild --apply writes the ledgers anew, and only where nothing runs', async () => {
  const folder = folderWith(MORE_CASH)
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await runJts(['rebuild', '--data-dir', folder, '--json', ...args])
    return { code, stderr, result: stdout === '' ? undefined : (JSON.parse(stdout) as Record<string, unknown>) }
  }
  const lock = lockFolder(folder)
  const refused = await run('--apply')
  assert.equal(refused.code, 2)
  assert.match(refused.stderr, /another JTS process using it/)
  // Looking is free, also beside a process.
  const looked = await run()
  assert.equal(looked.code, 1)
  assert.equal(looked.result?.['equal'], false)
  lock.release()
  const applied = await run('--apply')
  assert.equal(applied.code, 0, applied.stderr)
  assert.equal(applied.result?.['applied'], 1)
  assert.equal((await run()).result?.['equal'], true)
})
