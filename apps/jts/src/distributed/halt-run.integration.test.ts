/** A halt of a run whose supervisor is gone: written where its next start reads it, in the unit of every account. */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { HALT_OF_ALL, strategyStates } from '@jts/order-execution/open-orders'
import { silentLogger, systemClock } from '@jts/runtime'
import { startPostgres } from '@jts/servers'
import { HaltTable } from '@jts/transport/store/halt-table'
import { connectPostgres } from '@jts/transport/store/postgres-connection'
import { PostgresStore } from '@jts/transport/store/postgres'
import { haltRun } from './halt-run.ts'
import { writeRunFile, type RunFile } from './run-file.ts'
import { unitOfAccount } from './units.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-halt-run-'))
// PostgreSQL may run as another user.
chmodSync(folder, 0o711)
after(() => rmSync(folder, { recursive: true, force: true }))

const NAMESPACE = 'sim-halt'
const UNITS = ['main', 'second'].map((name) => unitOfAccount('order-execution', `sim.binance.${name}`))

const run: Omit<RunFile, 'databaseUrl'> = {
  mode: 'sim',
  replay: false,
  namespace: NAMESPACE,
  brokerKey: { id: 'jts', secret: 's'.repeat(43) },
  kafkaBrokers: ['127.0.0.1:1'],
  endpoints: { rest: 'http://127.0.0.1:1', streams: 'ws://127.0.0.1:1', wsApi: 'ws://127.0.0.1:1/ws-api/v3' },
  accounts: ['main', 'second'].map((name) => ({
    name,
    broker: 'binance',
    play: { apiKey: 'key', apiSecret: 'secret' },
  })),
  instances: [
    {
      ...{ instance: 'ema', strategy: 'ema-cross', parameters: {}, timeframe: '1m' },
      ...{ account: 'sim.binance.main', instrument: 'BINANCE:BTCUSDT' },
    },
  ],
  instruments: [{ id: 'BINANCE:BTCUSDT' }],
  limits: {},
  runId: 'halt',
  sendWindowUs: 2_000_000,
  rpc: {},
  members: [],
}

test('every account has the halt on disk, also when the database has ended with the supervisor', async () => {
  const dir = join(folder, 'servers', 'postgres')
  const first = await startPostgres({ dir })
  writeRunFile(folder, { ...run, databaseUrl: first.url } as RunFile)
  // One unit is still owned by a process that nobody can ask: the halt does not wait for it.
  const left = await PostgresStore.open({
    url: first.url,
    namespace: NAMESPACE,
    unit: UNITS[1]!,
    owner: 'left behind',
    log: silentLogger,
    wallClock: systemClock,
    fatal: () => undefined,
    leaseMs: 600_000,
  })
  const taken = await PostgresStore.open({
    ...{ url: first.url, namespace: NAMESPACE, unit: UNITS[0]!, owner: 'ended', leaseMs: 600_000 },
    ...{ log: silentLogger, wallClock: systemClock, fatal: () => undefined },
  })
  taken.ensure([strategyStates] as never[])
  const account = 'sim.binance.main'
  const row = { account, strategy: 'ema', state: 'halted', version: 1, reason: 'a test', changed_by: 'nobody' }
  taken.transact((turn) => turn.put(strategyStates, row), 'durable')
  await taken.durable()
  await taken.close()
  await first.stop()
  await left.abandon()

  const { left: open } = await haltRun(folder, { ...HALT_OF_ALL, reason: 'a test', by: 'nobody' })
  assert.deepEqual(
    [...open].map(([one, { open: count }]) => [one, count]),
    [
      ['sim.binance.main', 0],
      ['sim.binance.second', 0],
    ],
  )

  const ema = { strategy: 'ema', state: 'reducing', reason: 'a test', by: 'nobody' } as const
  const reduced = await haltRun(folder, ema)
  assert.deepEqual([reduced.starts, ...reduced.left.keys()], ['halted', account], 'it has taken a halt')
  const whole = await haltRun(folder, { ...ema, strategy: '' })
  assert.equal(whole.starts, 'halted', 'a halt is written that nobody has taken')
  await assert.rejects(haltRun(folder, { ...ema, strategy: 'none' }), { message: /expected one of ema, found "none"/ })

  const second = await startPostgres({ dir })
  const sql = connectPostgres(second.url, 'test')
  const halts = new HaltTable(sql, NAMESPACE)
  for (const unit of UNITS) {
    const said = (await halts.of(unit)).map(({ number: _, ...rest }) => rest)
    assert.deepEqual(said.pop(), { account: '', ...ema, strategy: '' })
    if (unit === UNITS[0]) assert.deepEqual(said.pop(), { account, ...ema })
    assert.deepEqual(said, [{ account: '', reason: 'a test', by: 'nobody', ...HALT_OF_ALL }], unit)
  }
  // Taken by one, and lifted for the other before it has heard of it.
  const [main, lifted] = UNITS as [string, string]
  await halts.taken((await halts.of(main))[0]!.number)
  assert.deepEqual([(await halts.of(main)).length, (await halts.of(lifted)).length], [2, 2])
  await halts.lift(UNITS, { account: 'sim.binance.main', strategy: '' })
  assert.equal((await halts.of(main)).length, 2, 'a halt of a strategy is not lifted with its account')
  await halts.lift(UNITS, { account: 'sim.binance.main', strategy: 'ema' })
  assert.equal((await halts.of(main)).length, 1)
  await halts.lift(UNITS, { account: 'sim.binance.second', strategy: '' })
  assert.equal((await halts.of(lifted)).length, 2, 'a halt of everything is not lifted with one account')
  await halts.lift(UNITS, { account: '', strategy: '' })
  assert.deepEqual([...(await halts.of(main)), ...(await halts.of(lifted))], [])
  await sql.end()
  await second.stop()
})
