import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Activity, silentLogger } from '@jts/runtime'
import { accepted, positions, transportContract, values, type Opened } from './contract/transport-contract.ts'
import { ofNewerVersion } from './bus/kafka/testing/scripted-kafka.ts'
import { EmbeddedBus, SqliteStore, lockFolder, FolderInUseError } from './index.ts'

function open(folder: string) {
  const failures: unknown[] = []
  const fatal = (reason: string, cause: unknown) => failures.push({ reason, cause })
  const activity = new Activity()
  const store = new SqliteStore({ file: join(folder, 'jts.sqlite'), log: silentLogger, activity, fatal })
  store.ensure([positions, values] as never[])
  const bus = new EmbeddedBus({ store, log: silentLogger, activity, fatal })
  return { store, bus, activity, failures }
}

function folder(): string {
  return mkdtempSync(join(tmpdir(), 'jts-transport-'))
}

transportContract({
  name: 'embedded',
  place: () => {
    const path = folder()
    let current: SqliteStore
    return Promise.resolve({
      open: (): Promise<Opened> => {
        const { store, bus, activity, failures } = open(path)
        current = store
        const settled = (): Promise<void> => activity.whenIdle()
        return Promise.resolve({ store, bus, failures, settled, close: () => store.close() })
      },
      takeOver: () => {
        current.database.prepare('UPDATE bus_offsets SET epoch = epoch + 1').run()
        return Promise.resolve()
      },
    })
  },
})

test('a tap sees an event only after its commit', async () => {
  const { store, bus, activity } = open(folder())
  const seen: number[] = []
  bus.tap(['orders.events'], () => seen.push(store.commits))
  await bus.start()
  const before = store.commits
  store.transact((turn) => turn.publish('orders.events', accepted('sim.binance.main', 1)))
  assert.deepEqual(seen, [])
  await activity.whenIdle()
  assert.deepEqual(seen, [before + 1])
  await store.close()
})

test('an event that cannot be read goes to the dead letters, and what follows it is no hole', async () => {
  const { store, bus, activity } = open(folder())
  const given: number[] = []
  bus.subscribe({
    group: 'reader',
    topics: ['market-data.binance.candles'],
    handle: ({ sequence }) => void given.push(sequence),
  })
  for (const n of [1, 2, 3]) {
    store.transact((turn) => turn.publish('market-data.binance.candles', accepted('BTCUSDT.BINANCE', n)))
  }
  await store.durable()
  const [, second] = store.database.prepare('SELECT id, event FROM bus_log ORDER BY id').all()
  const event = ofNewerVersion(second!['event'] as Uint8Array)
  store.database.prepare('UPDATE bus_log SET event = ? WHERE id = ?').run(event, second!['id']!)
  await bus.start()
  await activity.whenIdle()
  assert.deepEqual([given, bus.stops()], [[1, 3], []])
  const letters: string[] = []
  for await (const { type, stream } of bus.read('dead-letter.market-data.binance.candles')) {
    letters.push(`${type} of ${stream}`)
  }
  assert.deepEqual(letters, ['DeadLetter of BTCUSDT.BINANCE'])
  await store.close()
})

test('a data folder is held by one process and freed by its end', () => {
  const path = folder()
  const lock = lockFolder(path)
  assert.throws(() => lockFolder(path), FolderInUseError)
  lock.release()
  lockFolder(path).release()
})
