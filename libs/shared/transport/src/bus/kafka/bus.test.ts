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

const WRITTEN_ANEW = new RegExp(
  `^Kafka has lost events that it had acknowledged: it was read up to offset 3, and holds ${ORDERS}/${STREAM}/4 before that, at 2, which was never read$`,
)

for (const [when, harm] of [
  [
    'at the start',
    async (kafka: ScriptedKafka, running: Awaited<ReturnType<typeof start>>) => {
      await running.stop()
      kafka.forget(ORDERS, STREAM, 2)
      kafka.append(ORDERS, STREAM, 4)
    },
  ],
  [
    'under a reader that finds nobody for a moment',
    async (kafka: ScriptedKafka) => {
      const release = kafka.hold()
      await kafka.fetches(1)
      kafka.failOnce()
      kafka.forget(ORDERS, STREAM, 2)
      kafka.append(ORDERS, STREAM, 4)
      release()
    },
  ],
] as const) {
  test(`a log that was written anew up to where it was read, ${when}, stops its readers at once, and again after a resume`, async (t) => {
    const [kafka, rows] = [new ScriptedKafka(), new ScriptedRows()]
    kafka.append(ORDERS, STREAM, 1, 2, 3)
    let running = await start(t, kafka, rows, ORDERS)
    assert.deepEqual(running.given, [1, 2, 3])
    await harm(kafka, running)
    if (when === 'at the start') running = await start(t, kafka, rows, ORDERS)
    const { bus, given, reasons } = running
    await kafka.until(() => bus.stops().length === 1)
    assert.match(reasons()[0]!, WRITTEN_ANEW)
    const before = [...given]
    await bus.readAgain()
    assert.match(reasons()[0]!, WRITTEN_ANEW)
    kafka.append(ORDERS, STREAM, 5)
    await kafka.fetches(20)
    assert.deepEqual(given, before)
    assert.equal(
      rows.published.some(({ event }) => event.type === 'LogResumed'),
      false,
    )
  })
}

test('a resume of bars goes on with the first event that was written anew', async (t) => {
  const [kafka, rows] = [new ScriptedKafka(), new ScriptedRows()]
  kafka.append(CANDLES, STREAM, 1, 2, 3, 4)
  await (await start(t, kafka, rows, CANDLES)).stop()
  kafka.forget(CANDLES, STREAM, 1)
  // The outbox sends again what was not acknowledged.
  kafka.append(CANDLES, STREAM, 4, 5, 6, 7)
  const { bus, given } = await start(t, kafka, rows, CANDLES)
  await kafka.until(() => bus.stops().length === 1)
  assert.deepEqual(await bus.readAgain(), [])
  await kafka.until(() => given.length >= 3)
  assert.deepEqual(given, [5, 6, 7])
})

test('what lies before the cursor and was handled, is of another’s stream or is deleted meanwhile stops nobody', async (t) => {
  const [kafka, rows] = [new ScriptedKafka(), new ScriptedRows()]
  const other = Array.from({ length: 100 }, (_, i) => `o${i}`).find(
    (one) => placeOf(ORDERS, one) === placeOf(ORDERS, STREAM),
  )!
  kafka.append(ORDERS, STREAM, 1, 2, 1, 2)
  kafka.append(ORDERS, other, 1, 3)
  await (await start(t, kafka, rows, ORDERS, [STREAM])).stop()
  for (const deleted of [0, 3, 6]) {
    kafka.log(ORDERS, partitionOf(STREAM, TOPICS[ORDERS].partitions)).start = deleted
    const { bus, given, stop } = await start(t, kafka, rows, ORDERS, [STREAM])
    await kafka.fetches(20)
    assert.deepEqual([bus.stops(), given], [[], []])
    await stop()
  }
  const { bus, given } = await start(t, kafka, rows, ORDERS, [STREAM])
  kafka.append(ORDERS, STREAM, 3)
  await kafka.until(() => given.length === 1)
  assert.deepEqual([bus.stops(), given], [[], [3]])
})

test('an event that cannot be read goes to the dead letters once, however often it comes, and what follows it is no hole', async (t) => {
  const [kafka, rows] = [new ScriptedKafka(), new ScriptedRows()]
  kafka.append(CANDLES, STREAM, 1)
  kafka.appendUnknown(CANDLES, STREAM, 2)
  kafka.append(CANDLES, STREAM, 3)
  const first = await start(t, kafka, rows, CANDLES)
  kafka.appendUnknown(CANDLES, STREAM, 2)
  kafka.append(CANDLES, STREAM, 3, 4)
  await kafka.until(() => first.given.length >= 3)
  await first.stop()
  const { bus, given } = await start(t, kafka, rows, CANDLES)
  kafka.append(CANDLES, STREAM, 5)
  kafka.appendUnknown(CANDLES, STREAM, 7)
  await kafka.until(() => bus.stops().length > 0)
  assert.deepEqual([first.given, given], [[1, 3, 4], [5]])
  assert.match(bus.stops()[0]!.reason, /sequence 6, found 7/)
  assert.deepEqual(
    rows.published.map(({ topic, event }) => [topic, event.type, event.stream]),
    [
      [`dead-letter.${CANDLES}`, 'DeadLetter', STREAM],
      ['system.health', 'LogStopped', `reader at ${placeOf(CANDLES, STREAM)}`],
    ],
  )
})

test('an event of orders that cannot be read stops its partition', async (t) => {
  const [kafka, rows] = [new ScriptedKafka(), new ScriptedRows()]
  kafka.append(ORDERS, STREAM, 1)
  kafka.appendUnknown(ORDERS, STREAM, 2)
  kafka.append(ORDERS, STREAM, 3)
  const { bus, given, reasons } = await start(t, kafka, rows, ORDERS)
  assert.match(reasons()[0]!, /expected a known event type/)
  assert.equal((await bus.readAgain()).length, 1)
  assert.deepEqual(given, [1])
})
