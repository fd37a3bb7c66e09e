/** Requests drawn from the contract's own document, to binance-service over HTTP: no 5xx, and every answer is of the contract. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { startBinanceService } from '@jts/binance-service'
import { VenueProcess } from '@jts/binance-service/testing/venue-process'
import { parseKeys } from '@jts/broker-kit/server'
import { accountId } from '@jts/model'
import { silentLogger, systemClock } from '@jts/runtime'
import { environmentOf } from '@jts/servers/python'

/** schemathesis lives where the other service of this contract is tested. */
const DRAWN = join(import.meta.dirname, '../../brokers/creon-service')

test('no request that is drawn from the contract breaks the service, and every answer is of the contract', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'jts-drawn-'))
  const venue = await VenueProcess.start('--port', '0', '--data-dir', join(folder, 'venue'), '--symbols', 'BTCUSDT')
  const { endpoints, credentials } = venue
  const key = { id: 'test', secret: 'a-secret-of-the-tests-0123456789abcdef' }
  const service = await startBinanceService({
    ...{ endpoints, wallClock: systemClock, log: silentLogger, port: 0, journalFile: join(folder, 'journal.sqlite') },
    accounts: [{ account: accountId('sim.binance.main'), credentials, instruments: ['BINANCE:BTCUSDT'] }],
    keys: parseKeys({ keys: [{ ...key, right: 'trade' }] }),
  })
  t.after(async () => {
    await service.stop()
    await venue.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  const { python } = environmentOf('apps/brokers/creon-service/requirements-dev.txt')
  const given = { url: service.url, key: key.id, secret: key.secret }
  const env = { ...process.env, JTS_BROKER_API: JSON.stringify(given), PYTHONDONTWRITEBYTECODE: '1' }
  const args = ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', 'tests/test_schemathesis.py']
  const { stdout } = await promisify(execFile)(python, args, { cwd: DRAWN, env, maxBuffer: 1e8 })
  assert.match(stdout, /^\.{15,} /)
  assert.equal((await fetch(`${service.url}/health`)).status, 200)
})
