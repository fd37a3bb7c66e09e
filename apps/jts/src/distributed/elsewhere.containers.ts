/** Services that somebody else starts, in any order and before there is a run, with a venue that has keys given to it. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { freePort, provideKafka, providePostgres, type ProvidedKafka, type ProvidedPostgres } from '@jts/servers'
import { runJts, startJts, writeSyntheticBars, type JtsProcess } from '@jts/testkit'
import { RUN_FILE, SERVICE_NAMES } from './run-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-elsewhere-'))
const started: JtsProcess[] = []
let kafka: ProvidedKafka
let postgres: ProvidedPostgres

before(async () => {
  ;[kafka, postgres] = await Promise.all([provideKafka(), providePostgres()])
})
after(async () => {
  for (const one of started) one.child.kill('SIGTERM')
  await Promise.all(started.map((one) => one.ended))
  await Promise.all([kafka.stop(), postgres.stop()])
  rmSync(folder, { recursive: true, force: true })
})

function start(args: readonly string[], env: Readonly<Record<string, string>>): JtsProcess {
  const one = startJts(args, env)
  started.push(one)
  return one
}

test('a replay whose services wait for it gives the same result as one process, and ends without them', async () => {
  const data = writeSyntheticBars(join(folder, 'BTCUSDT-1m-7.csv'), { bars: 200, seed: 7, priceStart: 40_000 })
  const args = ['up', '--replay', data, '--strategy', 'ema-cross', '--until-end', '--json']
  const keys = { JTS_BINANCE_API_KEY: 'k'.repeat(64), JTS_BINANCE_API_SECRET: 's'.repeat(64) }
  const servers = { KAFKA_BROKERS: kafka.brokers.join(','), DATABASE_URL: postgres.url }
  const dir = join(folder, 'run')

  const services = SERVICE_NAMES.map((name) => ({
    name,
    process: start(['serve', name, '--run', join(dir, RUN_FILE), '--wait', '--json'], servers),
  }))
  const port = await freePort()
  const venue = start(
    ['venue', 'binance', '--port', String(port), '--replay', data, '--keys-from-environment', '--json'],
    keys,
  )
  const said = JSON.parse(await venue.firstLine) as { apiKey: string; apiSecret: string }
  assert.deepEqual([said.apiKey, said.apiSecret], [keys.JTS_BINANCE_API_KEY, keys.JTS_BINANCE_API_SECRET])
  assert.ok(!existsSync(join(dir, RUN_FILE)))

  const venueUrl = `binance=http://127.0.0.1:${port}`
  const [apart, together] = await Promise.all([
    runJts([...args, '--distributed', '--elsewhere', '--data-dir', dir, '--venue', venueUrl], { ...servers, ...keys }),
    runJts(args),
  ])
  assert.equal(apart.code, 0, apart.stderr)
  assert.equal(together.code, 0, together.stderr)
  const result = (stdout: string): Record<string, unknown> => {
    const { durationMs: _, latency: __, ...rest } = JSON.parse(stdout) as Record<string, unknown>
    return rest
  }
  assert.deepEqual(result(apart.stdout), result(together.stdout))
  assert.ok(Number(result(together.stdout)['fills']) > 3)

  for (const { name, process } of services) {
    const ready = JSON.parse(await process.firstLine) as { service: string }
    assert.equal(ready.service, name)
    assert.equal(process.child.exitCode, null, `${name} goes on`)
  }
})

test('a service ends when the run of its file has become another one, to be started again with that', async () => {
  const file = join(folder, 'run', RUN_FILE)
  const before = started.filter((one) => one.child.spawnargs.includes('serve'))
  assert.equal(before.length, SERVICE_NAMES.length)
  const run = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  writeFileSync(file, JSON.stringify({ ...run, runId: 'another' }))
  for (const one of before) {
    const { code, stderr } = await one.ended
    assert.equal(code, 0, stderr)
    assert.match(stderr, /the run is another one now/)
  }
})

test('without --distributed it is refused', async () => {
  const { code, stderr } = await runJts(['up', '--elsewhere'])
  assert.equal(code, 2)
  assert.match(stderr, /--elsewhere: expected --distributed beside it/)
})
