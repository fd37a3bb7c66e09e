import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import type { BusEvent, BusEventOf, Topic } from '@jts/contracts'
import { silentLogger } from '@jts/runtime'
import { Archive, ARCHIVE_FOLDER, EmbeddedBus, Retention, SqliteStore } from '@jts/transport'
import { openLog } from '../open-log.ts'
import { openFolder } from '../rebuild/kept.ts'
import { rebuild } from '../rebuild/rebuild.ts'
import { findStory, type Log } from './find.ts'
import { tellStory, type Step } from './story.ts'

const root = mkdtempSync(join(tmpdir(), 'jts-why-'))
after(() => rmSync(root, { recursive: true, force: true }))

function recorded(): string {
  const folder = mkdtempSync(join(root, 'data-'))
  const packed = readFileSync(join(import.meta.dirname, '../../fixtures/event-log-1/jts.sqlite.gz'))
  writeFileSync(join(folder, 'jts.sqlite'), gunzipSync(packed))
  return folder
}

async function all(log: Log, topic: Topic): Promise<BusEvent[]> {
  const events: BusEvent[] = []
  for await (const event of log.read(topic)) events.push(event)
  return events
}

async function storyOf(folder: string, id: string): Promise<readonly Step[] | undefined> {
  const opened = await openLog(folder)
  try {
    const found = await findStory(opened.log, id)
    return found === undefined ? undefined : tellStory(found)
  } finally {
    await opened.close()
  }
}

/** A fill of the folder's first account, and what it ought to have done. */
async function fillIn(folder: string): Promise<BusEventOf<'OrderFilled'>> {
  const opened = await openLog(folder)
  const events = await all(opened.log, 'orders.events')
  await opened.close()
  return events.find((event): event is BusEventOf<'OrderFilled'> & BusEvent => event.type === 'OrderFilled')!
}

test('the story of an order goes from the tick to what a person was told, by whichever id it is asked for', async () => {
  const folder = recorded()
  const fill = await fillIn(folder)
  const { ref, clientOrderId, venueOrderId, fillId, lastQuantity, lastPrice } = fill.payload
  const story = await storyOf(folder, ref!.orderId)
  assert.deepEqual(
    story!.map(({ kind }) => kind),
    ['tick', 'signal', 'risk', 'approval', 'intent', 'answer', 'fill', 'ledger', 'told'],
  )
  const said = (kind: string): string => story!.find((step) => step.kind === kind)!.text
  assert.match(said('tick'), new RegExp(`^${ref!.instrument} 1m bar of binance closed at `))
  assert.match(said('signal'), new RegExp(`^${ref!.strategy} wants to ${ref!.side} `))
  assert.match(said('intent'), new RegExp(`order ${ref!.orderId} .* once, as client order ${clientOrderId}`))
  assert.match(said('fill'), new RegExp(`^${lastQuantity} at ${lastPrice} as taker`))
  assert.match(said('ledger'), /^position 0 → \d+(\.\d+)?; cash USDT 100000 → \d+/)
  for (const id of [ref!.signalId, clientOrderId, fillId, fill.correlationId]) {
    const same = await storyOf(folder, id)
    assert.deepEqual(same, story, id)
  }
  // A venue numbers orders for each account.
  assert.ok((await storyOf(folder, venueOrderId))!.length >= story!.length)
  assert.equal(await storyOf(folder, 'nobody'), undefined)
})

test('a denied signal ends with the reason and what a person was told', async () => {
  const folder = recorded()
  const opened = await openLog(folder)
  const [alert] = await all(opened.log, 'risk.alerts')
  await opened.close()
  const story = await storyOf(folder, alert!.correlationId)
  assert.deepEqual(
    story!.map(({ kind }) => kind),
    ['tick', 'signal', 'risk', 'told'],
  )
  assert.match(story![2]!.text, /^denied: INSUFFICIENT_CASH: expected \d+.* USDT .*, found \d+.* USDT not reserved$/)
})

test('with everything in the archive the story is the same, but for a tick that is no longer kept; the ledgers are equal', async () => {
  const folder = recorded()
  const fill = await fillIn(folder)
  const { orderId } = fill.payload.ref!
  const before = await storyOf(folder, orderId)
  const fatal = (reason: string, cause: unknown): never => {
    throw new Error(reason, { cause })
  }
  const store = new SqliteStore({ file: join(folder, 'jts.sqlite'), log: silentLogger, fatal })
  const archive = new Archive(join(folder, ARCHIVE_FOLDER))
  const bus = new EmbeddedBus({ store, log: silentLogger, archive, fatal })
  const retention = new Retention({ store, bus, archive, log: silentLogger })
  const moved = await retention.pass(fill.timeEventUs + 365 * 86_400_000_000)
  assert.ok(moved.archived > 50 && moved.deleted > moved.archived)
  await store.close()

  const story = await storyOf(folder, orderId)
  assert.deepEqual(story!.slice(1), before!.slice(1))
  assert.match(story![0]!.text, /^market-data.binance.candles\/.* caused it; that event is no longer kept$/)
  const opened = await openFolder(folder)
  const { differences, events } = await rebuild(opened)
  assert.deepEqual(differences, [])
  assert.ok(events > 40)
  await opened.close()
})
