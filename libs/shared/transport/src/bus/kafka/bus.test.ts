/** Where a bus on Kafka stands still, what a person's resume does, and what it notices of a log that was written anew. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { partitionOf, TOPICS, type Topic } from '@jts/contracts'
import { silentLogger } from '@jts/runtime'
import { KafkaBus } from './bus.ts'
import { ScriptedKafka, ScriptedRows } from './testing/scripted-kafka.ts'

const CANDLES = 'market-data.binance.candles'
const ORDERS = 'orders.events'
const STREAM = 'BTCUSDT.BINANCE'

const placeOf = (topic: Topic, stream: string): string => `${topic}/${partitionOf(stream, TOPICS[topic].partitions)}`

/** A bus on these rows that reads one topic, and what its handler has been given: `stream/number`, or the number of STREAM. */
async function start(t: TestContext, kafka: ScriptedKafka, rows: ScriptedRows, topic: Topic, streams?: string[]) {
  const store = rows.store()
  const bus = new KafkaBus({ store, kafka, log: silentLogger })
  const given: (number | string)[] = []
  bus.subscribe({
    group: 'reader',
    topics: [topic],
    ...(streams === undefined ? {} : { streams: { [topic]: streams } }),
    handle: ({ stream, sequence }) => void given.push(stream === STREAM ? sequence : `${stream}/${sequence}`),
  })
  let isStopped = false
  const stop = async (): Promise<void> => {
    if (!isStopped) await bus.stop()
    isStopped = true
  }
  t.after(stop)
  await bus.start()
  return { bus, given, stop, reasons: () => bus.stops().map(({ reason }) => reason) }
}

test('a partition that Kafka ends before, at the start, is not polled: where it had ended stays known, and a resume reads from there', async (t) => {
  const [kafka, rows] = [new ScriptedKafka(), new ScriptedRows()]
  kafka.append(CANDLES, STREAM, 1, 2, 3)
  await (await start(t, kafka, rows, CANDLES)).stop()
  kafka.forget(CANDLES, STREAM, 2)
  kafka.fetched.length = 0
  const { bus, given, reasons } = await start(t, kafka, rows, CANDLES)
  const lost = ['Kafka has lost events that it had acknowledged: it ends at offset 2, and was read up to 3']
  assert.deepEqual(reasons(), lost)
  // The first of them is the lost one, sent again; the second lies where it would be read on.
  kafka.append(CANDLES, STREAM, 3, 5, 6)
  await kafka.fetches(40)
  assert.deepEqual(reasons(), lost)
  assert.deepEqual(
    kafka.fetched.filter((one) => one.startsWith(`${placeOf(CANDLES, STREAM)}@`)),
    [],
  )
  assert.deepEqual(await bus.readAgain(), [])
  await kafka.until(() => given.length >= 2)
  assert.deepEqual(given, [5, 6])
})

test('a partition that stopped at a hole is not polled on, and others are', async (t) => {
  const [kafka, rows] = [new ScriptedKafka(), new ScriptedRows()]
  kafka.append(ORDERS, STREAM, 1, 3)
  const other = ['a', 'b', 'c', 'd'].find((one) => placeOf(ORDERS, one) !== placeOf(ORDERS, STREAM))!
  const { given, reasons } = await start(t, kafka, rows, ORDERS)
  assert.deepEqual(reasons(), [`expected ${ORDERS}/${STREAM} sequence 2, found 3`])
  kafka.fetched.length = 0
  kafka.append(ORDERS, STREAM, 4)
  kafka.append(ORDERS, other, 1)
  await kafka.until(() => given.length >= 2)
  await kafka.fetches(40)
  assert.deepEqual(given, [1, `${other}/1`])
  assert.deepEqual(
    kafka.fetched.filter((one) => one.startsWith(`${placeOf(ORDERS, STREAM)}@`)),
    [],
  )
})

test('a resume passes one hole in bars: each bar is given once, also one that is sent again, and the next hole stops again', async (t) => {
  const [kafka, rows] = [new ScriptedKafka(), new ScriptedRows()]
  kafka.append(CANDLES, STREAM, 1, 2, 4)
  const { bus, given } = await start(t, kafka, rows, CANDLES)
  assert.deepEqual([given, bus.stops().length], [[1, 2], 1])
  kafka.append(CANDLES, STREAM, 2, 4, 5)
  assert.deepEqual(await bus.readAgain(), [])
  await kafka.until(() => given.length >= 4)
  kafka.append(CANDLES, STREAM, 1, 5, 6, 8, 9)
  await kafka.until(() => bus.stops().length === 1)
  assert.deepEqual(given, [1, 2, 4, 5, 6])
  assert.deepEqual(
    rows.published.map(({ event }) => event.type),
    ['LogStopped', 'LogResumed', 'LogStopped'],
  )
})

test('a resume does not pass a hole in orders', async (t) => {
  const [kafka, rows] = [new ScriptedKafka(), new ScriptedRows()]
  kafka.append(ORDERS, STREAM, 1, 3)
  const { bus, given } = await start(t, kafka, rows, ORDERS)
  assert.equal((await bus.readAgain()).length, 1)
  assert.deepEqual(given, [1])
  assert.deepEqual(
    rows.published.map(({ event }) => event.type),
    ['LogStopped', 'LogStopped'],
  )
})
