/** Kafka and PostgreSQL killed, stopped and started again under a running process; repetitions, holes, two writers. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { Producer } from '@platformatic/kafka'
import { encodeEvent, eventIdOf, partitionOf, TOPICS, type Topic } from '@jts/contracts'
import { Activity, silentLogger, systemClock, type WallClock } from '@jts/runtime'
import { startKafka, startPostgres, type KafkaServer, type PostgresServer } from '@jts/servers'
import { KafkaBus } from './bus/kafka/bus.ts'
import { accepted, positions } from './contract/transport-contract.ts'
import { UnitTakenError } from './store/postgres-commits.ts'
import { PostgresStore } from './store/postgres.ts'

let kafka: KafkaServer
let postgres: PostgresServer

before(async () => {
  ;[kafka, postgres] = await Promise.all([startKafka(), startPostgres()])
})
after(async () => {
  await Promise.all([kafka.stop(), postgres.stop()])
})

/** Also those of a test that failed: a reader left alone would keep the process from ending. */
const opened: Node[] = []
afterEach(async () => {
  for (const node of opened.splice(0)) await node.abandon()
})

type Node = {
  store: PostgresStore
  bus: KafkaBus
  failures: unknown[]
  seen: number[]
  /** The same by topic. */
  read: Readonly<Record<string, readonly number[]>>
  stop(): Promise<void>
  /** As if its process had been killed: what it had on its way is cut off, and nobody is waited for. */
  abandon(): Promise<void>
}

function newNamespace(): string {
  return `f${randomBytes(4).toString('hex')}`
}

async function open(
  namespace: string,
  unit: string,
  options: { owner?: string; leaseMs?: number; wallClock?: WallClock; topics?: readonly Topic[] } = {},
): Promise<Node> {
  const failures: unknown[] = []
  const activity = new Activity()
  const store = await PostgresStore.open({
    url: postgres.url,
    namespace,
    unit,
    owner: options.owner ?? unit,
    log: silentLogger,
    activity,
    wallClock: options.wallClock ?? systemClock,
    fatal: (reason, cause) => failures.push({ reason, cause }),
    ...(options.leaseMs === undefined ? {} : { leaseMs: options.leaseMs }),
  })
  store.ensure([positions as never])
  const bus = new KafkaBus({
    store,
    kafka: { brokers: kafka.brokers, prefix: `${namespace}.`, clientId: unit, callTimeoutMs: 2000 },
    log: silentLogger,
    activity,
  })
  const seen: number[] = []
  const read: Record<string, number[]> = {}
  bus.subscribe({
    group: 'reader',
    topics: options.topics ?? ['orders.events'],
    handle: (event, turn) => {
      seen.push(event.timeEventUs)
      read[event.topic] = [...(read[event.topic] ?? []), event.timeEventUs]
      turn.put(positions, { id: event.eventId, quantity: String(event.timeEventUs) })
    },
  })
  const stop = async (): Promise<void> => {
    await bus.stop()
    await store.close()
  }
  const abandon = async (): Promise<void> => void (await Promise.allSettled([bus.stop(), store.abandon()]))
  const node = { store, bus, failures, seen, read, stop, abandon }
  opened.push(node)
  return node
}

/** Asks again while another owner has the unit. */
async function openWhenFree(namespace: string, unit: string, owner: string): Promise<Node> {
  const end = performance.now() + 60_000
  for (;;) {
    try {
      return await open(namespace, unit, { owner })
    } catch (error) {
      if (!(error instanceof UnitTakenError) || performance.now() > end) throw error
      await pause(100)
    }
  }
}

function publish({ store }: Node, stream: string, n: number, topic: Topic = 'orders.events'): void {
  store.transact((turn) => turn.publish(topic, accepted(stream, n)))
}

async function until(what: string, isTrue: () => boolean, seconds = 60): Promise<void> {
  const end = performance.now() + seconds * 1000
  while (!isTrue()) {
    if (performance.now() > end) assert.fail(`expected within ${seconds} s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

for (const [name, harm] of [
  [
    'Kafka killed and started again',
    async () => {
      await kafka.kill9()
      await pause(1500)
      await kafka.restart()
    },
  ],
  [
    'Kafka stopped where it stands for three seconds',
    async () => {
      kafka.pause()
      await pause(3000)
      kafka.resume()
    },
  ],
  [
    'PostgreSQL killed and started again',
    async () => {
      await postgres.kill9()
      await pause(1000)
      await postgres.restart()
    },
  ],
  [
    'PostgreSQL stopped where it stands for three seconds',
    async () => {
      postgres.pause()
      await pause(3000)
      postgres.resume()
    },
  ],
] as const) {
  test(`${name}: every event arrives, once and in order, and the process goes on by itself`, async () => {
    const node = await open(newNamespace(), 'unit')
    await node.bus.start()
    let sent = 0
    const timer = setInterval(() => {
      // What has closed it is in `failures`: an error from here would hide that.
      if (node.store.isClosed) clearInterval(timer)
      else publish(node, 'sim.binance.main', ++sent)
    }, 5)
    try {
      await pause(400)
      await harm()
      await pause(400)
    } finally {
      clearInterval(timer)
    }
    await until(`${sent} events`, () => node.seen.length >= sent || node.failures.length > 0)
    assert.deepEqual(node.failures, [])
    await pause(200)
    assert.deepEqual(node.seen, upTo(sent))
    assert.deepEqual(node.failures, [])
    await node.stop()
  })
}

test('a process cut off anywhere sends what it had committed when it comes back, and its readers see each event once', async () => {
  const namespace = newNamespace()
  const reader = await open(namespace, 'reader')
  await reader.bus.start()
  let sent = 0
  for (let run = 0; run < 6; run++) {
    const writer = await open(namespace, 'writer', { owner: 'writer' })
    await writer.bus.start()
    for (let i = 0; i < 50; i++) {
      publish(writer, 'sim.binance.main', ++sent)
      if (i % 10 === 0) await pause(run)
    }
    await writer.store.durable()
    await writer.abandon()
  }
  const last = await open(namespace, 'writer', { owner: 'writer' })
  await last.bus.start()
  await until(`${sent} events`, () => reader.seen.length >= sent)
  assert.deepEqual(reader.seen, upTo(sent))
})

test('an event that Kafka holds twice is handled once, also when a restart lies between', async () => {
  const namespace = newNamespace()
  const first = await open(namespace, 'unit')
  await first.bus.start()
  for (const n of [1, 2, 3]) publish(first, 'sim.binance.main', n)
  await until('three events', () => first.seen.length === 3)
  await first.stop()
  await produce(namespace, [1, 2, 3, 4])
  const second = await open(namespace, 'unit')
  await second.bus.start()
  assert.deepEqual(second.seen, [4])
})

test('a hole in a stream stops its partition, and other partitions go on', async () => {
  const namespace = newNamespace()
  const node = await open(namespace, 'unit')
  await node.bus.start()
  await produce(namespace, [1, 2, 4, 5])
  await until('two events', () => node.seen.length === 2)
  const other = ['a', 'b', 'c', 'd'].find((name) => partitionAt(name) !== partitionAt('sim.binance.main'))!
  publish(node, other, 99)
  await until('the other stream', () => node.seen.includes(99))
  assert.deepEqual(node.seen, [1, 2, 99])
})

test('bytes that are no event stop a partition of orders.events', async () => {
  const namespace = newNamespace()
  const node = await open(namespace, 'unit')
  await node.bus.start()
  await produce(namespace, [1])
  await produceRaw(namespace, [Buffer.from('not an event')])
  await produce(namespace, [2])
  await until('one event', () => node.seen.length === 1)
  await pause(300)
  assert.deepEqual(node.seen, [1])
})

/** Kafka comes back as after a power cut that has taken what it had not put on disk: the last bytes of a partition of each topic. */
async function forget(namespace: string, topics: readonly Topic[], stream: string): Promise<void> {
  await kafka.kill9()
  for (const topic of topics) {
    const partition = partitionOf(stream, TOPICS[topic].partitions)
    const file = join(kafka.dir, 'data', `${namespace}.${topic}-${partition}`, '00000000000000000000.log')
    truncateSync(file, statSync(file).size - 50)
  }
  await kafka.restart()
}

test('what Kafka has lost that was read: a reader of trades goes on, one of candles when a person says so, one of orders stops and says why', async () => {
  const namespace = newNamespace()
  const stream = 'BTCUSDT.BINANCE'
  const topics = ['market-data.binance.trades', 'market-data.binance.candles', 'orders.events'] as const
  const [trades, candles, orders] = topics
  const start = async (unit: string, read: readonly Topic[]): Promise<Node> => {
    const node = await open(namespace, unit, { topics: read })
    await node.bus.start()
    return node
  }
  const writer = await start('writer', ['risk.alerts'])
  const send = async (...numbers: number[]): Promise<void> => {
    for (const n of numbers) {
      for (const topic of topics) publish(writer, stream, n, topic)
      await writer.store.durable()
      await until(`${n} to be sent`, () => writer.bus.outboxDepth === 0)
    }
  }
  const [reading, stopped] = [await start('reading', topics), await start('stopped', topics)]
  await send(1, 2, 3)
  for (const { seen, store } of [reading, stopped]) {
    await until('three events of each topic', () => seen.length === 9)
    await store.durable()
  }
  await stopped.stop()
  await forget(namespace, topics, stream)
  const restarted = await start('stopped', topics)
  for (const { bus } of [reading, restarted]) {
    await until('two stops', () => bus.stops().length === 2)
    for (const { reason } of bus.stops()) {
      assert.match(
        reason,
        /^Kafka has lost events that it had acknowledged: it ends at offset \d+, and was read up to \d+$/,
      )
    }
  }
  // What is sent now lies where the lost events were, before a person says that it is to go on as well as after.
  const stillStopped = async ({ bus }: Node): Promise<string[]> => (await bus.readAgain()).map(({ topic }) => topic)
  assert.deepEqual(await stillStopped(reading), [orders])
  await send(4, 5)
  assert.deepEqual(await stillStopped(restarted), [orders])
  for (const [node, before] of [
    [reading, [1, 2, 3]],
    [restarted, []],
  ] as const) {
    await until('what was sent afterwards', () => [trades, candles].every((topic) => node.read[topic]?.at(-1) === 5))
    const all = [...before, 4, 5]
    assert.deepEqual([node.read[trades], node.read[candles], node.read[orders] ?? []], [all, all, before])
    assert.deepEqual(node.failures, [])
  }
})

test('two units that write to one stream leave no hole and change no order', async () => {
  const namespace = newNamespace()
  const [a, b] = [await open(namespace, 'a'), await open(namespace, 'b')]
  await a.bus.start()
  await b.bus.start()
  for (let i = 0; i < 200; i++) {
    publish(a, 'shared', 1000 + i)
    publish(b, 'shared', 2000 + i)
    if (i % 20 === 0) await pause(2)
  }
  await until('400 events in each', () => a.seen.length >= 400 && b.seen.length >= 400)
  assert.deepEqual(a.seen, b.seen)
  for (const base of [1000, 2000]) {
    const own = a.seen.filter((n) => n >= base && n < base + 1000)
    assert.deepEqual(
      own,
      Array.from({ length: 200 }, (_, i) => base + i),
    )
  }
  await a.stop()
})

test('a unit has one owner: another waits for the lease to end, and the first one can then write no more', async () => {
  const namespace = newNamespace()
  // A process that stands still does not renew its lease: its timers never come.
  let isStanding = false
  const wallClock: WallClock = {
    ...systemClock,
    after: (ms, callback) =>
      systemClock.after(ms, () => {
        if (!isStanding) callback()
      }),
  }
  const first = await open(namespace, 'unit', { owner: 'one', leaseMs: 10_000, wallClock })
  await first.bus.start()
  await assert.rejects(open(namespace, 'unit', { owner: 'two' }), UnitTakenError)
  publish(first, 'sim.binance.main', 1)
  await until('one event', () => first.seen.length === 1)
  isStanding = true
  const second = await openWhenFree(namespace, 'unit', 'two')
  await second.bus.start()
  publish(first, 'sim.binance.main', 66)
  await until('the first one is told', () => first.failures.length > 0)
  publish(second, 'sim.binance.main', 2)
  await until('its event', () => second.seen.length === 1)
  assert.deepEqual(second.seen, [2])
  await first.abandon()
})

function partitionAt(stream: string): number {
  return partitionOf(stream, TOPICS['orders.events'].partitions)
}

async function produce(namespace: string, sequences: readonly number[]): Promise<void> {
  const stream = 'sim.binance.main'
  const events = sequences.map((n) => encodeEvent(accepted(stream, n), eventIdOf('orders.events', stream, n), n))
  await produceRaw(namespace, events)
}

async function produceRaw(namespace: string, values: readonly Uint8Array[]): Promise<void> {
  // Patient: it sends once, and what it sends twice is no hole.
  const options = { idempotent: true, acks: -1, retries: 0, requestTimeout: 60_000, autocreateTopics: false }
  const bootstrapBrokers = [...kafka.brokers]
  const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({ clientId: 'test', bootstrapBrokers, ...options })
  await producer.send({
    messages: values.map((value) => ({
      topic: `${namespace}.orders.events`,
      partition: partitionAt('sim.binance.main'),
      key: Buffer.from('sim.binance.main'),
      value: Buffer.from(value),
    })),
  })
  await producer.close(true)
}
