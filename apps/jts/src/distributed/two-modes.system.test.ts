/** One process on SQLite, or many on Kafka and PostgreSQL, one or two of each: the same result, and the same event log. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { TOPIC_NAMES } from '@jts/contracts'
import { provideKafka, providePostgres, type ProvidedKafka, type ProvidedPostgres } from '@jts/servers'
import { runJts, writeSyntheticBars } from '@jts/testkit'
import { connectPostgres } from '@jts/transport/store/postgres-connection'
import { unitSchemaName } from '@jts/transport/store/postgres-schema'
import { openLog } from '../open-log.ts'
import { readRunFile, RUN_FILE } from './run-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-two-modes-'))
let kafka: ProvidedKafka
let postgres: ProvidedPostgres

before(async () => {
  ;[kafka, postgres] = await Promise.all([provideKafka(), providePostgres()])
})
after(async () => {
  await Promise.all([kafka.stop(), postgres.stop()])
  rmSync(folder, { recursive: true, force: true })
})

type Run = { readonly dir: string; readonly summary: Record<string, unknown>; readonly streams: Map<string, string[]> }

async function run(name: string, args: readonly string[], env: Record<string, string>): Promise<Run> {
  const dir = join(folder, name)
  const result = await runJts(['up', ...args, '--until-end', '--json', '--data-dir', dir], env)
  assert.equal(result.code, 0, result.stderr)
  // How long it took may differ, and nothing else.
  const { durationMs: _, latency: __, ...summary } = JSON.parse(result.stdout) as Record<string, unknown>
  const streams = new Map<string, string[]>()
  const { log, close } = await openLog(dir)
  for (const topic of TOPIC_NAMES) {
    for await (const event of log.read(topic)) {
      // Every event with all that is on the wire; where in its partition it lies depends on the other streams there.
      const { offset: _, ...rest } = event
      const key = `${topic}/${event.stream}`
      streams.set(key, [...(streams.get(key) ?? []), JSON.stringify(rest)])
    }
  }
  await close()
  return { dir, summary, streams }
}

const servers = (): Record<string, string> => ({
  KAFKA_BROKERS: kafka.brokers.join(','),
  DATABASE_URL: postgres.url,
})

/** @returns the distributed run */
async function compare(name: string, args: readonly string[], replicas: number): Promise<Run> {
  const embedded = await run(`${name}-embedded`, args, {})
  const distributed = await run(
    `${name}-distributed`,
    [...args, '--distributed', '--replicas', String(replicas)],
    servers(),
  )
  assert.deepEqual(distributed.summary, embedded.summary)
  assert.deepEqual([...distributed.streams.keys()].sort(), [...embedded.streams.keys()].sort())
  for (const [stream, events] of embedded.streams) assert.deepEqual(distributed.streams.get(stream), events, stream)
  return distributed
}

test('one strategy on one instrument', async () => {
  const data = writeSyntheticBars(join(folder, 'BTCUSDT-1m-3.csv'), { bars: 250, seed: 3, priceStart: 40_000 })
  const { summary } = await compare('one', ['--replay', data, '--strategy', 'ema-cross'], 1)
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
    writeSyntheticBars(join(folder, `${symbol}-1m-${i}.csv`), { bars: 80, seed: 11 + i, priceStart }),
  )
  const config = join(folder, 'jts.yaml')
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
  const { dir, summary } = await compare(
    'several',
    ['--config', config, ...files.flatMap((one) => ['--replay', one])],
    2,
  )
  assert.ok(Number(summary['fills']) > 5)
  assert.ok(Number(summary['denied']) > 0, 'expected a signal that cash does not allow')
  await rebuildsWhatItKeeps(dir)
})

/** The log alone gives the ledgers that the services keep, and mends one that was changed behind their back. */
async function rebuildsWhatItKeeps(dir: string): Promise<void> {
  type Said = { equal: boolean; accounts: number; differences: { where: string }[]; applied: number }
  const rebuild = async (...options: string[]): Promise<{ code: number | null; said: Said }> => {
    const { code, stdout } = await runJts(['rebuild', '--data-dir', dir, '--json', ...options], servers())
    return { code, said: JSON.parse(stdout) as Said }
  }
  const whole = await rebuild()
  assert.deepEqual([whole.code, whole.said.equal, whole.said.accounts], [0, true, 2])

  const { namespace } = readRunFile(join(dir, RUN_FILE))
  const unit = 'portfolio-tracker.sim.binance.second'
  const sql = connectPostgres(postgres.url, 'test')
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
