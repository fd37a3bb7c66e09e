import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { BusEvent, NewEvent } from '@jts/contracts'
import { Activity, silentLogger } from '@jts/runtime'
import { EmbeddedBus, SqliteStore, defineTable, lockFolder, FolderInUseError, type Subscription } from './index.ts'

const positions = defineTable('test_positions', { id: 'text', quantity: 'text' }, ['id'])

function open(folder: string) {
  const failures: unknown[] = []
  const fatal = (reason: string, cause: unknown) => failures.push({ reason, cause })
  const activity = new Activity()
  const store = new SqliteStore({ file: join(folder, 'jts.sqlite'), log: silentLogger, activity, fatal })
  store.ensure([positions as never])
  const bus = new EmbeddedBus({ store, log: silentLogger, activity, fatal })
  return { store, bus, activity, failures }
}

function folder(): string {
  return mkdtempSync(join(tmpdir(), 'jts-transport-'))
}

function accepted(stream: string, n: number): NewEvent {
  return {
    type: 'OrderAccepted',
    stream,
    account: stream,
    correlationId: `c${n}`,
    causationId: '',
    timeEventUs: n,
    payload: { ref: undefined, clientOrderId: `o${n}`, venueOrderId: String(n) },
  }
}

function collecting(group: string, seen: BusEvent[]): Subscription {
  return { group, topics: ['orders.events'], handle: (event) => void seen.push(event) }
}

test('an event is delivered to every group in stream order with gap-free sequences and computed ids', async () => {
  const { store, bus, activity } = open(folder())
  const a: BusEvent[] = []
  const b: BusEvent[] = []
  bus.subscribe(collecting('a', a))
  bus.subscribe(collecting('b', b))
  await bus.start()
  for (let n = 1; n <= 5; n++) store.transact((turn) => turn.publish('orders.events', accepted('sim.binance.main', n)))
  await activity.whenIdle()
  assert.deepEqual(
    a.map((event) => event.sequence),
    [1, 2, 3, 4, 5],
  )
  assert.equal(a[4]!.eventId, 'orders.events/sim.binance.main/5')
  assert.deepEqual(a, b)
  await store.close()
})

test('a handler that throws leaves no row, no event and no offset behind', async () => {
  const path = folder()
  const { store, bus, activity } = open(path)
  const seen: BusEvent[] = []
  bus.subscribe(collecting('a', seen))
  await bus.start()
  assert.throws(() =>
    store.transact((turn) => {
      turn.put(positions, { id: 'x', quantity: '1' })
      turn.publish('orders.events', accepted('sim.binance.main', 1))
      throw new Error('no')
    }),
  )
  store.transact((turn) => turn.publish('orders.events', accepted('sim.binance.main', 2)))
  await activity.whenIdle()
  assert.deepEqual(await store.all(positions), [])
  assert.deepEqual(
    seen.map((event) => [event.sequence, event.offset, event.correlationId]),
    [[1, 0, 'c2']],
  )
  await store.close()
})

test('a restarted group goes on after the last event whose run was committed', async () => {
  const path = folder()
  const first = open(path)
  first.bus.subscribe(collecting('a', []))
  await first.bus.start()
  first.store.transact((turn) => turn.publish('orders.events', accepted('sim.binance.main', 1)))
  await first.activity.whenIdle()
  await first.store.close()

  const second = open(path)
  const seen: BusEvent[] = []
  const fresh: BusEvent[] = []
  second.bus.subscribe(collecting('a', seen))
  second.bus.subscribe(collecting('new', fresh))
  await second.bus.start()
  second.store.transact((turn) => turn.publish('orders.events', accepted('sim.binance.main', 2)))
  await second.activity.whenIdle()
  assert.deepEqual(
    seen.map((event) => event.sequence),
    [2],
  )
  assert.deepEqual(
    fresh.map((event) => event.sequence),
    [1, 2],
  )
  await second.store.close()
})

test('an owner whose epoch was taken over cannot commit: its process is told to stop', async () => {
  const path = folder()
  const { store, bus, activity, failures } = open(path)
  bus.subscribe(collecting('a', []))
  await bus.start()
  store.transact((turn) => turn.publish('orders.events', accepted('sim.binance.main', 1)))
  await activity.whenIdle()
  store.database.prepare('UPDATE bus_offsets SET epoch = epoch + 1').run()
  store.transact((turn) => turn.publish('orders.events', accepted('sim.binance.main', 2)))
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  assert.equal(failures.length, 1)
  assert.throws(() => store.transact(() => undefined), /closed/)
})

test('a poison event on orders.events stops its partition and is read again after a restart', async () => {
  const path = folder()
  const poisoned: string[] = []
  const { store, bus, activity } = open(path)
  bus.subscribe({
    group: 'a',
    topics: ['orders.events'],
    handle: (event) => {
      poisoned.push(event.eventId)
      throw new Error('cannot take it')
    },
  })
  await bus.start()
  store.transact((turn) => turn.publish('orders.events', accepted('sim.binance.main', 1)))
  store.transact((turn) => turn.publish('orders.events', accepted('sim.binance.main', 2)))
  await activity.whenIdle()
  assert.deepEqual(poisoned, ['orders.events/sim.binance.main/1'])
  await store.close()

  const second = open(path)
  const seen: BusEvent[] = []
  second.bus.subscribe(collecting('a', seen))
  await second.bus.start()
  assert.equal(seen.length, 2)
  await second.store.close()
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

test('an effect runs only after the commit that holds its cause', async () => {
  const { store } = open(folder())
  const order: string[] = []
  store.transact((turn) => {
    turn.put(positions, { id: 'x', quantity: '1' })
    turn.afterCommit(() => order.push(`effect after ${store.commits} commit`))
  })
  order.push('handler ended')
  await store.durable()
  assert.deepEqual(order, ['handler ended', 'effect after 1 commit'])
  await store.close()
})

test('a data folder is held by one process and freed by its end', () => {
  const path = folder()
  const lock = lockFolder(path)
  assert.throws(() => lockFolder(path), FolderInUseError)
  lock.release()
  lockFolder(path).release()
})
