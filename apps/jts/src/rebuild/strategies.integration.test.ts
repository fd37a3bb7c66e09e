/** `rebuild --strategies` on a folder: whose file has changed or is gone, what is no longer kept, what is told and with which code. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { accountId, shippedInstrument, strategyInstanceId } from '@jts/model'
import { createStrategyEngine } from '@jts/strategy-engine'
import { runJts } from '@jts/testkit'
import { Harness, START_US } from '@jts/testkit/harness'
import { candle, topicOf } from '@jts/testkit/order-events'
import { Archive, ARCHIVE_FOLDER, Retention } from '@jts/transport'
import { rebuildCommand } from '../commands/rebuild.ts'
import { findStrategy, sourceOf } from '../strategies.ts'
import { replayStrategies, type ReplayedInstance } from './strategies.ts'

const BTC = 'BINANCE:BTCUSDT'
const root = mkdtempSync(join(tmpdir(), 'jts-replay-'))
const harness = Harness.open()
const folder = dirname(harness.file)
after(async () => {
  await harness.remove()
  rmSync(root, { recursive: true, force: true })
})

const file = join(root, 'above.ts')
const levelFile = join(root, 'level.ts')
const writeLevel = (level: number): void => writeFileSync(levelFile, `export const LEVEL = ${level}\n`)
const STRATEGY = `
import { defineStrategy, quantity } from '@jts/strategy-kit'
import { LEVEL } from './level.ts'
export default defineStrategy({
  name: 'above',
  parameters: { quantity: quantity({ default: '1' }) },
  state: () => ({ closes: 0 }),
  onBar(bar, { state, parameters, position, buy }) {
    state.closes += bar.close
    if (bar.close > LEVEL && position.isFlat) buy(parameters.quantity)
  },
})
`

/** An instance on ninety bars, the last of which lie beside its state. */
async function run(harness: Harness): Promise<void> {
  writeFileSync(file, STRATEGY)
  writeLevel(130)
  const strategy = await findStrategy(file, { quantity: '0.5' })
  const { store, bus, marketClock, wallClock, activity, log } = harness
  const engine = createStrategyEngine({
    ...{ store, bus, marketClock, wallClock, activity, log },
    risk: { checkTradingRisk: () => new Promise(() => undefined) },
    runId: 'run',
    marketTopics: ['market-data.binance.candles'],
    instances: [
      {
        instance: strategyInstanceId('one'),
        definition: strategy.definition,
        parameters: strategy.parameters,
        account: accountId('sim.binance.main'),
        instrument: shippedInstrument(BTC),
        timeframe: '1m',
        source: sourceOf(strategy),
      },
    ],
  })
  await engine.start()
  await bus.start()
  for (let n = 1; n <= 90; n++) {
    const event = candle(BTC, START_US + n * 60_000_000, 60 + n)
    store.transact((turn) => turn.publish(topicOf(event), event))
  }
  await harness.run()
  await store.durable()
  engine.stop()
}

type Said = { equal: boolean; instances: ReplayedInstance[] }
async function rebuildStrategies(): Promise<{ code: number | null; said: Said['instances'][number] }> {
  const { code, stdout, stderr } = await runJts(['rebuild', '--strategies', '--data-dir', folder, '--json'])
  assert.notEqual(stdout, '', stderr)
  const { equal, instances } = JSON.parse(stdout) as Said
  assert.equal(equal, code === 0)
  return { code, said: instances[0]! }
}

test('a folder is replayed as it was recorded; a changed file, a file that is gone and an event that is missing are told', async () => {
  await run(harness)
  const [asRecorded] = await replayStrategies(folder)
  const { inputs, signals, segments, differences, problems, notes } = asRecorded!
  assert.deepEqual([inputs, signals, segments, differences, problems, notes], [90, 1, 1, [], [], []])

  // Not the strategy's own file: what it imports.
  writeLevel(120)
  const changed = await rebuildStrategies()
  assert.equal(changed.code, 1)
  const [difference] = changed.said.differences
  assert.equal(difference!.at, `market-data.binance.candles/${BTC}/61`)
  assert.equal(difference!.recorded, 'nothing')
  assert.match(difference!.replayed, /^buy 0\.5 market gtc, price 121 \(signal /)
  assert.match(
    changed.said.notes.join(),
    /above\.ts, or what it imports, has changed since: then its SHA-256 was [0-9a-f]{64}, now it is /,
  )

  rmSync(file)
  const [gone] = await replayStrategies(folder)
  assert.match(
    gone!.problems.join(),
    /not replayed: expected the strategy's file .*above\.ts \(SHA-256 .*\), found none/,
  )

  writeFileSync(file, STRATEGY)
  writeLevel(130)
  const ofCandles = `FROM bus_log l JOIN bus_partitions p ON p.topic = 'market-data.binance.candles' AND l.id / 1099511627776 = p.log ORDER BY l.id LIMIT 1`
  harness.store.database.exec(`DELETE FROM bus_log WHERE id = (SELECT l.id ${ofCandles} OFFSET 30)`)
  harness.store.flush()
  const [missing] = await replayStrategies(folder)
  assert.match(
    missing!.problems.join(),
    /not replayed: expected an event at market-data\.binance\.candles\[\d+\]@30 .*found none there/,
  )
  harness.store.database.exec(`DELETE FROM bus_log WHERE id = (SELECT l.id ${ofCandles})`)
  harness.store.flush()
  const [passed] = await replayStrategies(folder)
  assert.deepEqual(passed!.problems, [])
  assert.match(passed!.notes.join(), /not replayed, because its market is no longer kept: .*found that it begins at 1$/)
})

test('events are found in the archive when they have left the log', async () => {
  const archived = Harness.open()
  await run(archived)
  const { store, bus, log } = archived
  const archive = new Archive(join(dirname(archived.file), ARCHIVE_FOLDER))
  const retention = new Retention({ store, bus, archive, log, archiveToo: ['market-data.binance.candles'] })
  assert.equal((await retention.pass(START_US + 20 * 86_400_000_000)).deleted, 90)
  const [{ inputs, signals, differences, problems, notes }] = (await replayStrategies(dirname(archived.file))) as [
    ReplayedInstance,
  ]
  assert.deepEqual([inputs, signals, differences, problems, notes], [90, 1, [], [], []])
  await archived.remove()
})

test('a folder of an older version has no record yet, and that is no difference', async () => {
  const old = mkdtempSync(join(root, 'old-'))
  const recorded = readFileSync(join(import.meta.dirname, '../../fixtures/event-log-1/jts.sqlite.gz'))
  writeFileSync(join(old, 'jts.sqlite'), gunzipSync(recorded))
  const database = new DatabaseSync(join(old, 'jts.sqlite'))
  const { n } = database.prepare('SELECT count(*) AS n FROM strategy_instances').get() as { n: number }
  database.close()
  const found = await replayStrategies(old)
  assert.equal(found.length, n)
  for (const { problems, differences, notes } of found) {
    assert.deepEqual([problems, differences], [[], []])
    assert.deepEqual(notes, ['nothing is recorded yet from which a replay could begin'])
  }
})

test('a replay writes nothing, so it applies nothing', async () => {
  const both = rebuildCommand(['--strategies', '--apply', '--data-dir', folder])
  await assert.rejects(both, /expected --apply or --strategies, found both/)
})
