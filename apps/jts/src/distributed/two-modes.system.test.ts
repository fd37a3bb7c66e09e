/** One process on SQLite, or many on Kafka and PostgreSQL, one or two of each: the same result, and the same event log. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { runJts, writeSyntheticBars } from '@jts/testkit'
import { connectPostgres } from '@jts/transport/store/postgres-connection'
import { unitSchemaName } from '@jts/transport/store/postgres-schema'
import { readRunFile, RUN_FILE } from './run-file.ts'
import type { ReplayedInstance } from '../rebuild/strategies.ts'
import { TwoModes } from './testing/two-modes.ts'

const modes = new TwoModes()
before(() => modes.start())
after(() => modes.stop())

test('one strategy on one instrument', async () => {
  const data = writeSyntheticBars(join(modes.folder, 'BTCUSDT-1m-3.csv'), { bars: 250, seed: 3, priceStart: 40_000 })
  const { summary } = await modes.compare('one', ['--replay', data, '--strategy', 'ema-cross'], 1)
  assert.ok(Number(summary['fills']) > 5)
  assert.equal(summary['reconciled'], true)
})

test('three strategies on five instruments and two accounts that compete for cash, by two processes of each service', async () => {
  const markets = [
    ['BTCUSDT', 40_000],
    ['ETHUSDT', 2000],
    ['SOLUSDT', 100],
    ['XRPUSDT', 20],
    ['ADAUSDT', 10],
  ] as const
  const files = markets.map(([symbol, priceStart], i) =>
    writeSyntheticBars(join(modes.folder, `${symbol}-1m-${i}.csv`), { bars: 80, seed: 11 + i, priceStart }),
  )
  const config = join(modes.folder, 'jts.yaml')
  const strategies = [
    ['fast', 'main', 'BTCUSDT', '2', 3, 7],
    ['slow', 'main', 'ETHUSDT', '30', 5, 12],
    ['other', 'second', 'SOLUSDT', '600', 4, 9],
  ]
  writeFileSync(
    config,
    [
      'accounts:',
      '  - name: main',
      '  - name: second',
      'strategies:',
      ...strategies.flatMap(([instance, account, symbol, quantity, fast, slow]) => [
        `  - { instance: ${instance}, strategy: ema-cross, account: ${account}, instrument: "BINANCE:${symbol}",`,
        `      parameters: { quantity: "${quantity}", fast: ${fast}, slow: ${slow} } }`,
      ]),
      '',
    ].join('\n'),
  )
  const { dir, summary } = await modes.compare(
    'several',
    ['--config', config, ...files.flatMap((one) => ['--replay', one])],
    2,
  )
  assert.ok(Number(summary['fills']) > 5)
  assert.ok(Number(summary['denied']) > 0, 'expected a signal that cash does not allow')
  await replaysItsStrategies(dir, summary)
  await rebuildsWhatItKeeps(dir)
})

/** Each instance has a unit and tables of its own; their records and the log on Kafka lead to the same signals and states again. */
async function replaysItsStrategies(dir: string, summary: Record<string, unknown>): Promise<void> {
  const { code, stdout } = await runJts(['rebuild', '--strategies', '--data-dir', dir, '--json'], modes.servers())
  const { equal, instances } = JSON.parse(stdout) as { equal: boolean; instances: ReplayedInstance[] }
  assert.deepEqual(
    [code, equal, instances.map(({ instance }) => instance)],
    [0, true, ['fast', 'other', 'slow']],
    stdout,
  )
  assert.equal(
    instances.reduce((sum, { signals }) => sum + signals, 0),
    summary['signals'],
  )
  for (const { inputs } of instances) assert.ok(inputs >= 80, stdout)
}

/** The log alone gives the ledgers that the services keep, and mends one that was changed behind their back. */
async function rebuildsWhatItKeeps(dir: string): Promise<void> {
  type Said = { equal: boolean; accounts: number; differences: { where: string }[]; applied: number }
  const rebuild = async (...options: string[]): Promise<{ code: number | null; said: Said }> => {
    const { code, stdout } = await runJts(['rebuild', '--data-dir', dir, '--json', ...options], modes.servers())
    return { code, said: JSON.parse(stdout) as Said }
  }
  const whole = await rebuild()
  assert.deepEqual([whole.code, whole.said.equal, whole.said.accounts], [0, true, 2])

  const { namespace } = readRunFile(join(dir, RUN_FILE))
  const unit = 'portfolio-tracker.sim.binance.second'
  const sql = connectPostgres(modes.databaseUrl, 'test')
  await sql.unsafe(
    `UPDATE ${unitSchemaName(namespace, unit)}.portfolio_ledgers SET ledger = jsonb_set(ledger::jsonb, '{cash,USDT}', '"1"')::text`,
  )
  await sql.end()
  const changed = await rebuild()
  assert.deepEqual([changed.code, changed.said.equal], [1, false])
  assert.deepEqual(
    changed.said.differences.map(({ where }) => where),
    ['portfolio-tracker, sim.binance.second: cash USDT'],
  )
  const mended = await rebuild('--apply')
  assert.deepEqual([mended.code, mended.said.applied], [0, 1])
  assert.equal((await rebuild()).said.equal, true)
}
