import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { TOPICS, type BusEvent, type NewEvent, type Topic } from '@jts/contracts'
import { Activity, silentLogger } from '@jts/runtime'
import { accepted } from '../contract/transport-contract.ts'
import { Archive, ARCHIVE_FOLDER, EmbeddedBus, openForReading, Retention, SqliteLog, SqliteStore } from '../index.ts'

const root = mkdtempSync(join(tmpdir(), 'jts-retention-'))
after(() => rmSync(root, { recursive: true, force: true }))
const folder = (): string => mkdtempSync(join(root, 'data-'))

const MINUTE_US = 60_000_000
const DAY_US = 86_400_000_000
const START_US = 1_704_067_200_000_000
const MAIN = 'sim.binance.main'
const OTHER = 'sim.binance.other'
const BTC = 'BINANCE:BTCUSDT'

/** A process on a folder: a group that handles `orders.events` and market data. */
async function open(
  path: string,
  options: { readonly groups?: readonly string[]; archiveToo?: readonly Topic[] } = {},
) {
  const activity = new Activity()
  const failures: unknown[] = []
  const said: string[] = []
  const log = Object.assign(Object.create(silentLogger) as typeof silentLogger, {
    warn: (_: unknown, text: string) => void said.push(text),
  })
  const fatal = (reason: string, cause: unknown) => failures.push({ reason, cause })
  const store = new SqliteStore({ file: join(path, 'jts.sqlite'), log, activity, fatal })
  const archive = new Archive(join(path, ARCHIVE_FOLDER))
  const bus = new EmbeddedBus({ store, log, activity, archive, fatal })
  const seen: Record<string, BusEvent[]> = {}
  for (const group of options.groups ?? ['a']) {
    const events: BusEvent[] = (seen[group] = [])
    bus.subscribe({
      group,
      topics: ['orders.events', 'market-data.binance.candles', 'portfolio.positions'],
      handle: (event) => void events.push(event),
    })
  }
  await bus.start()
  const retention = new Retention({ store, bus, archive, log, ...options })
  return {
    store,
    bus,
    archive,
    retention,
    seen,
    said,
    async publish(topic: Topic, ...events: NewEvent[]) {
      for (const event of events) store.transact((turn) => turn.publish(topic, event))
      await activity.whenIdle()
    },
    rows: (topic: Topic) =>
      Array.from({ length: TOPICS[topic].partitions }, (_, partition) => {
        const { start } = bus.partitions.extent(topic, partition)
        return bus.partitions.stored(topic, partition, start, 1e6).length
      }).reduce((sum, n) => sum + n, 0),
    async close() {
      assert.deepEqual(failures, [])
      await store.close()
    },
  }
}

const order = (stream: string, day: number): NewEvent => accepted(stream, START_US + day * DAY_US)

function candle(timeUs: number): NewEvent {
  const payload = {
    instrument: BTC,
    timeframe: '1m',
    openTimeUs: timeUs - MINUTE_US,
    closeTimeUs: timeUs,
    open: 1,
    high: 2,
    low: 1,
    close: 2,
    volume: 3,
    final: true,
    revision: 0,
    source: 'binance',
  }
  return { type: 'Candle', stream: BTC, correlationId: `c${timeUs}`, causationId: '', timeEventUs: timeUs, payload }
}

function position(instrument: string, quantity: string, day: number): NewEvent {
  const payload = { account: MAIN, instrument, strategy: 's', quantity, totalCost: '0', realisedPnl: '0' }
  return {
    type: 'PositionChanged',
    stream: `${MAIN}:${instrument}`,
    account: MAIN,
    correlationId: 'c',
    causationId: '',
    timeEventUs: START_US + day * DAY_US,
    payload,
  }
}

async function all(log: Pick<EmbeddedBus, 'read'>, topic: Topic, from = 0): Promise<BusEvent[]> {
  const events: BusEvent[] = []
  for await (const event of log.read(topic, { from })) events.push(event)
  return events
}

/** Every event of each stream, once, in order. */
function assertWhole(events: readonly BusEvent[], streams: Readonly<Record<string, number>>): void {
  for (const [stream, count] of Object.entries(streams)) {
    assert.deepEqual(
      events.filter((event) => event.stream === stream).map((event) => event.sequence),
      Array.from({ length: count }, (_, i) => i + 1),
      stream,
    )
  }
}

const days = (n: number): number[] => Array.from({ length: n }, (_, day) => day)

test('events older than their class leave the log for the archive, and are read as before', async () => {
  const path = folder()
  const jts = await open(path)
  for (const day of days(20)) await jts.publish('orders.events', order(MAIN, day), order(OTHER, day))
  const before = await all(jts.bus, 'orders.events')
  assert.deepEqual(await jts.retention.pass(START_US + 20 * DAY_US), { archived: 26, deleted: 26 })
  assert.equal(jts.rows('orders.events'), 14)
  assert.deepEqual(await all(jts.bus, 'orders.events'), before)
  const [segment] = jts.archive.all()
  assert.deepEqual(
    jts.archive
      .all()
      .flatMap(({ streams }) => Object.entries(streams))
      .sort(),
    [
      [MAIN, [1, 13]],
      [OTHER, [1, 13]],
    ],
  )
  assert.equal(segment!.firstTimeUs, START_US)
  jts.archive.verify()
  // What one day more makes due waits until a file is worth it.
  assert.deepEqual(await jts.retention.pass(START_US + 20.5 * DAY_US), { archived: 0, deleted: 0 })
  await jts.close()

  const again = await open(path, { groups: ['a', 'new'] })
  assert.equal(again.seen['a']!.length, 0)
  assertWhole(again.seen['new']!, { [MAIN]: 20, [OTHER]: 20 })
  await again.publish('orders.events', order(MAIN, 21))
  assert.deepEqual(
    again.seen['a']!.map(({ sequence }) => sequence),
    [21],
  )
  await again.close()
})

test('a log that was archived to its end goes on at the next offset and the next sequence', async () => {
  const path = folder()
  const jts = await open(path)
  await jts.publish('orders.events', order(MAIN, 0), order(MAIN, 1))
  await jts.retention.pass(START_US + 100 * DAY_US)
  assert.equal(jts.rows('orders.events'), 0)
  await jts.close()
  const again = await open(path)
  await again.publish('orders.events', order(MAIN, 100))
  const events = await all(again.bus, 'orders.events')
  assert.deepEqual(
    events.map(({ offset, sequence }) => [offset, sequence]),
    [
      [0, 1],
      [1, 2],
      [2, 3],
    ],
  )
  await again.close()
})

test('nothing leaves the log before every group has handled it', async () => {
  const path = folder()
  const jts = await open(path)
  await jts.publish('orders.events', ...days(6).map((day) => order(MAIN, day)))
  await jts.close()
  const behind = openForReadingAndWriting(path)
  behind.prepare("UPDATE bus_offsets SET next = 2 WHERE topic = 'orders.events' AND next > 2").run()
  behind.close()
  const again = await open(path, { groups: ['b'] })
  assert.deepEqual(await again.retention.pass(START_US + 100 * DAY_US), { archived: 2, deleted: 2 })
  await again.close()
})

test('market data is deleted by its class, archived only when that is asked for, and a group that was away says so', async () => {
  const minutes = Array.from({ length: 50 }, (_, i) => candle(START_US + i * 0.5 * DAY_US))
  for (const archiveToo of [[], ['market-data.binance.candles']] as const) {
    const path = folder()
    const jts = await open(path, { archiveToo })
    await jts.publish('market-data.binance.candles', ...minutes)
    const moved = await jts.retention.pass(START_US + 25 * DAY_US)
    assert.deepEqual(moved, { archived: archiveToo.length === 0 ? 0 : 36, deleted: 36 })
    const left = archiveToo.length === 0 ? 14 : 50
    assert.equal((await all(jts.bus, 'market-data.binance.candles')).length, left)
    await jts.close()
    const again = await open(path, { groups: ['late'] })
    assert.equal(again.seen['late']!.length, left)
    assert.equal(again.said.length, archiveToo.length === 0 ? 1 : 0)
    await again.close()
  }
})

test('a compacted topic keeps the newest event of each key, and its readers take the holes', async () => {
  const path = folder()
  const jts = await open(path)
  for (const day of days(10)) {
    await jts.publish('portfolio.positions', position(BTC, String(day), day))
    if (day < 5) await jts.publish('portfolio.positions', position('BINANCE:ETHUSDT', String(day), day))
  }
  assert.equal((await jts.retention.pass(START_US + 9.5 * DAY_US)).deleted, 13)
  await jts.close()
  const again = await open(path, { groups: ['new'] })
  assert.deepEqual(again.seen['new']!.map(({ payload }) => (payload as { quantity: string }).quantity).sort(), [
    '4',
    '9',
  ])
  await again.publish('portfolio.positions', position(BTC, '10', 10))
  assert.equal(again.seen['new']!.at(-1)!.sequence, 11)
  await again.close()
})

test('who looks from another process reads the same while events leave the log', async () => {
  const path = folder()
  const jts = await open(path)
  for (const day of days(12)) await jts.publish('orders.events', order(MAIN, day))
  const looking = openForReading(join(path, 'jts.sqlite'))
  const log = new SqliteLog(looking, new Archive(join(path, ARCHIVE_FOLDER)), { isShared: true })
  const before = await all(log, 'orders.events')
  const reading = log.read('orders.events')[Symbol.asyncIterator]()
  await reading.next()
  await jts.retention.pass(START_US + 18 * DAY_US)
  assertWhole(await all(log, 'orders.events'), { [MAIN]: 12 })
  assert.deepEqual(await all(log, 'orders.events'), before)
  const newest: number[] = []
  for await (const { sequence } of log.read('orders.events', { last: 2 })) newest.push(sequence)
  assert.deepEqual(newest, [11, 12])
  looking.close()
  await jts.close()
})

test('a lost, damaged or older archive is never a silent gap', async () => {
  const path = folder()
  const jts = await open(path)
  await jts.publish('orders.events', ...days(5).map((day) => order(MAIN, day)))
  await jts.retention.pass(START_US + 100 * DAY_US)
  const [segment] = jts.archive.all()
  await jts.close()
  const file = join(path, ARCHIVE_FOLDER, segment!.file)
  const copy = (): string => {
    const fresh = folder()
    cpSync(path, fresh, { recursive: true })
    return fresh
  }

  const lost = copy()
  rmSync(join(lost, ARCHIVE_FOLDER), { recursive: true })
  await assert.rejects(
    open(lost, { groups: ['new'] }),
    /orders.events.* from offset 0 on: the log begins at 5, found no archive/,
  )
  await (await open(lost)).close()

  const damaged = copy()
  writeFileSync(join(damaged, ARCHIVE_FOLDER, segment!.file), 'other')
  await assert.rejects(open(damaged, { groups: ['new'] }), /expected the archive file .* put it back from a backup/)

  const cut = copy()
  truncateSync(join(cut, ARCHIVE_FOLDER, 'index.jsonl'), statSync(join(cut, ARCHIVE_FOLDER, 'index.jsonl')).size - 5)
  await assert.rejects(open(cut, { groups: ['new'] }), /found no archive/)

  const old = copy()
  for (const name of readdirSync(old).filter((one) => one.startsWith('jts.sqlite'))) rmSync(join(old, name))
  await assert.rejects(open(old), /jts.sqlite is of an earlier time than the archive/)
  assert.ok(statSync(file).size > 0)
})

test('an archive of another history stops retention before anything is deleted', async () => {
  const path = folder()
  const jts = await open(path)
  await jts.publish('orders.events', ...days(5).map((day) => order(MAIN, day)))
  const { partition } = (await all(jts.bus, 'orders.events'))[0]!
  const [first] = jts.bus.partitions.stored('orders.events', partition, 0, 1)
  jts.archive.append('orders.events', partition, [{ offset: 0, event: Uint8Array.of(...first!.event, 0) }])
  await assert.rejects(jts.retention.pass(START_US + 100 * DAY_US), /two histories. Nothing was deleted/)
  assert.equal(jts.rows('orders.events'), 5)
  await jts.close()
})

test('an archive that cannot be written, as on a full disk, leaves the log whole, and is tried again', async () => {
  const path = folder()
  const jts = await open(path)
  await jts.publish('orders.events', ...days(5).map((day) => order(MAIN, day)))
  writeFileSync(join(path, ARCHIVE_FOLDER), 'in the way')
  await assert.rejects(jts.retention.pass(START_US + 100 * DAY_US))
  assert.equal(jts.rows('orders.events'), 5)
  rmSync(join(path, ARCHIVE_FOLDER))
  assert.deepEqual(await jts.retention.pass(START_US + 100 * DAY_US), { archived: 5, deleted: 5 })
  assertWhole(await all(jts.bus, 'orders.events'), { [MAIN]: 5 })
  await jts.close()
})

test('killed at each step on disk, or in the middle of a write, nothing is missing and nothing doubled', async () => {
  const template = folder()
  const jts = await open(template)
  for (const day of days(12)) await jts.publish('orders.events', order(MAIN, day))
  const before = await all(jts.bus, 'orders.events')
  await jts.close()
  const nowUs = START_US + 17 * DAY_US
  const through = await passKilled(template, nowUs)
  assert.equal(through.code, 0, through.stderr)
  const { steps, ...moved } = JSON.parse(through.stdout) as { steps: string[]; archived: number; deleted: number }
  assert.deepEqual(moved, { archived: 10, deleted: 10 })
  for (const step of ['writeSync', 'fsyncSync', 'renameSync', 'fdatasyncSync']) assert.ok(steps.includes(step), step)
  const queue = steps.flatMap((step, i) => {
    const before = ['before', i + 1] as const
    return step === 'writeSync' ? [before, ['half', i + 1] as const] : [before]
  })
  await Promise.all(
    [1, 2].map(async () => {
      for (let kill = queue.shift(); kill !== undefined; kill = queue.shift()) {
        const [when, n] = kill
        const { path, signal } = await passKilled(template, nowUs, when, n)
        assert.equal(signal, 'SIGKILL')
        const after = await open(path)
        assert.deepEqual(await all(after.bus, 'orders.events'), before, `${when} ${n}`)
        await after.retention.pass(nowUs)
        assert.deepEqual(await all(after.bus, 'orders.events'), before, `${when} ${n}, and on`)
        assert.equal(after.rows('orders.events'), 2)
        assert.equal(
          after.archive.all().reduce((sum, { events }) => sum + events, 0),
          10,
        )
        after.archive.verify()
        await after.close()
        rmSync(path, { recursive: true, force: true })
      }
    }),
  )
})

test('months of market time leave the file at the size of its first weeks', async () => {
  const path = folder()
  const jts = await open(path)
  const sizes: number[] = []
  const file = (): number => statSync(join(path, 'jts.sqlite')).size + statSync(join(path, 'jts.sqlite-wal')).size
  for (let day = 0; day < 180; day++) {
    const events = Array.from({ length: 96 }, (_, i) => candle(START_US + day * DAY_US + i * 15 * MINUTE_US))
    await jts.publish('market-data.binance.candles', ...events)
    const orders = Array.from({ length: 50 }, (_, i) => order(MAIN, day + i / 50))
    await jts.publish('orders.events', ...orders)
    await jts.publish('portfolio.positions', ...Array.from({ length: 20 }, () => position(BTC, String(day), day)))
    await jts.retention.pass(START_US + (day + 1) * DAY_US)
    sizes.push(file())
  }
  const [early, late] = [Math.max(...sizes.slice(20, 40)), Math.max(...sizes.slice(140))]
  assert.ok(late <= early * 1.05, `expected the file to stay at ${early} bytes, found ${late}`)
  assertWhole(await all(jts.bus, 'orders.events'), { [MAIN]: 180 * 50 })
  await jts.close()
})

function openForReadingAndWriting(path: string) {
  return new SqliteStore({ file: join(path, 'jts.sqlite'), log: silentLogger, fatal: assert.fail }).database
}

/** One pass in a process of its own, on a copy of the folder. */
async function passKilled(template: string, nowUs: number, when?: 'before' | 'half', n?: number) {
  const path = folder()
  cpSync(template, path, { recursive: true })
  const script = join(import.meta.dirname, 'retention-under-kill.ts')
  const kill = when === undefined ? [] : [when, String(n)]
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, path, String(nowUs), ...kill])
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.on('close', (...ended) => resolve(ended)),
  )
  return { path, code, signal, stdout, stderr }
}
