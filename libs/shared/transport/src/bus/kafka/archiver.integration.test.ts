/** What must be kept leaves Kafka only for the archive, on real servers. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { Admin, ConfigResourceTypes, IncrementalAlterConfigOperationTypes, Producer } from '@platformatic/kafka'
import { partitionOf, TOPIC_NAMES, TOPICS, type BusEvent, type Topic } from '@jts/contracts'
import { Activity, silentLogger, systemClock } from '@jts/runtime'
import { provideKafka, providePostgres, type ProvidedKafka, type ProvidedPostgres } from '@jts/servers'
import { Archive } from '../../archive/archive.ts'
import { accepted } from '../../contract/transport-contract.ts'
import { connectPostgres } from '../../store/postgres-connection.ts'
import { PostgresStore } from '../../store/postgres.ts'
import { UnitTable } from '../../store/unit-table.ts'
import { KafkaArchiver } from './archiver.ts'
import { KafkaBus } from './bus.ts'
import { KafkaClient } from './client.ts'
import { KafkaLog } from './log.ts'

const DAY_US = 86_400_000_000
const START_US = 1_704_067_200_000_000
const MAIN = 'sim.binance.main'
const folder = mkdtempSync(join(tmpdir(), 'jts-archiver-'))
const namespace = `t${randomBytes(4).toString('hex')}`
let kafka: ProvidedKafka
let postgres: ProvidedPostgres
let client: KafkaClient
let sql: ReturnType<typeof connectPostgres>

before(async () => {
  ;[kafka, postgres] = await Promise.all([provideKafka(), providePostgres()])
  client = new KafkaClient({ brokers: kafka.brokers, prefix: `${namespace}.`, clientId: 'test', log: silentLogger })
  sql = connectPostgres(postgres.url, 'test')
})
after(async () => {
  client.close()
  await sql.end({ timeout: 2 })
  await Promise.all([kafka.stop(), postgres.stop()])
  rmSync(folder, { recursive: true, force: true })
})

/** A unit with one group that reads `orders.events`. */
async function open(unit: string, options: { readonly archive?: Archive; readonly reads?: boolean } = {}) {
  const activity = new Activity()
  const store = await PostgresStore.open({
    url: postgres.url,
    namespace,
    unit,
    owner: unit,
    log: silentLogger,
    activity,
    wallClock: systemClock,
    fatal: (reason, cause) => {
      throw new Error(reason, { cause })
    },
  })
  const bus = new KafkaBus({
    store,
    kafka: { brokers: kafka.brokers, prefix: `${namespace}.`, clientId: unit },
    log: silentLogger,
    activity,
    ...options,
  })
  const seen: BusEvent[] = []
  if (options.reads !== false) {
    bus.subscribe({ group: unit, topics: ['orders.events'], handle: (event) => void seen.push(event) })
  }
  return {
    store,
    bus,
    seen,
    async publish(topic: Topic, ...days: readonly number[]) {
      for (const day of days) {
        store.transact((turn) => turn.publish(topic, accepted(MAIN, START_US + day * DAY_US)))
      }
      await store.durable()
      await activity.whenIdle()
      while (!bus.isCaughtUp()) await new Promise((resolve) => setTimeout(resolve, 20))
      await store.durable()
    },
    async close() {
      await bus.stop()
      await store.release()
    },
  }
}

function archiverWith(archive: Archive): KafkaArchiver {
  const log = new KafkaLog(client, 'archiver', archive)
  const units = new UnitTable(sql, namespace)
  return new KafkaArchiver({ client, log, archive, handled: () => units.handled(), logger: silentLogger })
}

async function all(topic: Topic, archive?: Archive): Promise<number[]> {
  const sequences: number[] = []
  for await (const event of new KafkaLog(client, 'reader', archive).read(topic)) sequences.push(event.sequence)
  return sequences
}

/** What is found when it is as it should be, or after a minute. */
async function soon<T>(find: () => Promise<T>, isRight: (found: T) => boolean): Promise<T> {
  const end = performance.now() + 60_000
  for (;;) {
    const isLast = performance.now() > end
    const found = await find()
    if (isLast || isRight(found)) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const startOf = async (topic: Topic): Promise<number> =>
  Math.max(...(await client.offsets([topic], 'start')).get(topic)!)
const oneTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1)
const days = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

test('topics get the settings of their class, also those that an older version made; an operator has the last word', async () => {
  const admin = new Admin({ clientId: 'old', bootstrapBrokers: [...kafka.brokers] })
  const keepAll = [
    { name: 'cleanup.policy', value: 'delete' },
    { name: 'retention.ms', value: '-1' },
  ]
  const never = '9223372036854775807'
  const own = [keepAll[0]!, { name: 'retention.ms', value: '12345678' }]
  const make = (topic: Topic, configs: typeof keepAll) =>
    admin.createTopics({ topics: [{ topic: client.nameOf(topic), partitions: 16, replicas: 1 }], configs })
  await make('market-data.binance.candles', keepAll)
  await make('market-data.binance.trades', own)
  await make('strategy.signals', [...keepAll, { name: 'flush.messages', value: '1234' }])
  await client.ensureTopics(TOPIC_NAMES)
  const configOf = async (topic: Topic): Promise<readonly (string | null | undefined)[]> => {
    const [described] = await admin.describeConfigs({
      resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: client.nameOf(topic) }],
    })
    const value = (name: string) => described!.configs.find((config) => config.name === name)?.value
    return [value('cleanup.policy'), value('retention.ms'), value('flush.messages')]
  }
  // The broker shows a moment later what it has taken.
  const settles = async (topic: Topic, ...expected: readonly string[]): Promise<void> => {
    const find = async () => (await configOf(topic)).slice(0, expected.length)
    assert.deepEqual(await soon(find, (found) => isDeepStrictEqual(found, expected)), expected)
  }
  await settles('market-data.binance.candles', 'delete', '604800000', '1')
  await settles('market-data.binance.trades', 'delete', '12345678', never)
  await settles('orders.events', 'delete', '-1', '1')
  await settles('strategy.signals', 'delete', '-1', '1234')
  await settles('portfolio.positions', 'compact')
  const ping = () => client.ping()
  assert.equal(await soon(ping, (risk) => risk === undefined), undefined)
  const configs = [{ name: 'flush.messages', configOperation: IncrementalAlterConfigOperationTypes.DELETE }]
  const resourceName = client.nameOf('orders.events')
  await admin.incrementalAlterConfigs({
    resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName, configs }],
  })
  assert.match(
    (await soon(ping, (risk) => risk !== undefined))!,
    /may take acknowledged events of \S+orders\.events: it does not keep flush\.messages=1/,
  )
  await admin.close()
})

test('events are archived, then deleted from Kafka as far as every unit has handled them; readers see no difference', async () => {
  const archive = new Archive(join(folder, 'one'))
  const slow = await open('slow')
  await slow.bus.start()
  const jts = await open('jts')
  await jts.bus.start()
  await jts.publish('orders.events', ...days(10))
  await jts.publish('orders.fills', ...days(10))
  while (slow.seen.length < 10) await new Promise((resolve) => setTimeout(resolve, 20))
  await slow.close()
  await sql.unsafe(`UPDATE "${namespace}.bus".offsets SET next = 4 WHERE unit = 'slow' AND next > 4`)

  const nowUs = START_US + 100 * DAY_US
  assert.deepEqual(await archiverWith(archive).pass(nowUs), { archived: 20, deleted: 4 })
  assert.equal(await startOf('orders.events'), 4)
  assert.equal(await startOf('orders.fills'), 0, 'the copy of the fills stays for outside readers')
  assert.deepEqual(await all('orders.events', archive), oneTo(10))
  assert.deepEqual(await all('orders.fills', archive), oneTo(10))

  // The slow one comes back and reads the rest from Kafka; then nothing holds the others back.
  const back = await open('slow')
  await back.bus.start()
  assert.deepEqual(
    back.seen.map(({ sequence }) => sequence),
    [],
    'what it had seen is dropped',
  )
  await back.close()
  assert.deepEqual(await archiverWith(new Archive(join(folder, 'one'))).pass(nowUs), { archived: 0, deleted: 6 })
  assert.equal(await startOf('orders.events'), 10)
  await jts.publish('orders.events', 100)
  assert.deepEqual(await all('orders.events', new Archive(join(folder, 'one'))), oneTo(11))
  await jts.close()
})

test('a unit that begins behind Kafka reads the archive first, and refuses where it cannot see it', async () => {
  const archive = new Archive(join(folder, 'one'))
  const fresh = await open('fresh', { archive })
  await fresh.bus.start()
  assert.deepEqual(
    fresh.seen.map(({ sequence }) => sequence),
    oneTo(11),
  )
  await fresh.close()
  const again = await open('fresh', { archive })
  await again.bus.start()
  assert.deepEqual(again.seen, [])
  await again.close()

  const blind = await open('blind')
  await assert.rejects(
    blind.bus.start(),
    /expected orders.events\[\d\] from offset 0 on: the log begins at 10, found no archive/,
  )
  await blind.close()
  await assert.rejects(all('orders.events'), /found no archive/)
  await assert.rejects(
    archiverWith(new Archive(join(folder, 'lost'))).pass(START_US + 100 * DAY_US),
    /put the archive folder back/,
  )
})

test('an event that a crash has sent twice is seen once by whoever looks', async () => {
  const topic = 'orders.events'
  const partition = partitionOf(MAIN, TOPICS[topic].partitions)
  const endOf = async (): Promise<number> => (await client.offsets([topic], 'end')).get(topic)![partition]!
  const from = await endOf()
  const writer = await open('writer', { reads: false })
  await writer.bus.start()
  await writer.publish(topic, 200, 201)
  await writer.close()
  const log = new KafkaLog(client, 'reader')
  const look = async (): Promise<number[]> => {
    const sequences: number[] = []
    for await (const event of log.read(topic, { partition, from })) sequences.push(event.sequence)
    return sequences
  }
  const before = await look()
  assert.equal(before.length, 2)

  // Patient: what it sends twice would be a third.
  const options = { idempotent: true, acks: -1, retries: 0, requestTimeout: 60_000, autocreateTopics: false }
  const bootstrapBrokers = [...kafka.brokers]
  const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({ clientId: 'test', bootstrapBrokers, ...options })
  const name = { topic: client.nameOf(topic), partition, key: Buffer.from(MAIN) }
  for await (const { value } of log.records(topic, partition, from, from + 2)) {
    await producer.send({ messages: [{ ...name, value: Buffer.from(value) }] })
  }
  await producer.close()
  assert.equal(await endOf(), from + 4, 'the log itself has each twice')
  assert.deepEqual(await look(), before)
})
