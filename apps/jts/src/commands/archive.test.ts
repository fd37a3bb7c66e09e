/** What `./jts archive --verify` vouches for, of the folder of a finished run. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { archiveCommand } from './archive.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-archive-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const recorded = readFileSync(join(import.meta.dirname, '../../fixtures/event-log-1/jts.sqlite.gz'))
writeFileSync(join(folder, 'jts.sqlite'), gunzipSync(recorded))
const verify = (): Promise<number> => archiveCommand(['--verify', '--data-dir', folder])

test('a log that still has all needs no archive', async () => {
  assert.equal(await verify(), 0)
})

test('an archive that was not put back beside a log that begins after it is missing', async () => {
  const database = new DatabaseSync(join(folder, 'jts.sqlite'))
  database.exec('CREATE TABLE IF NOT EXISTS bus_starts (log INTEGER PRIMARY KEY, start INTEGER, hash TEXT)')
  database.exec("INSERT INTO bus_starts SELECT log, 3, '' FROM bus_partitions WHERE topic = 'orders.events'")
  database.close()
  await assert.rejects(verify, { name: 'BusError', message: /orders\.events.*Put the archive folder back beside/ })
})
