import assert from 'node:assert/strict'
import { test } from 'node:test'
import { partitionOf, TOPICS } from '@jts/contracts'
import { KafkaReader } from './reader.ts'
import { numbersOf, ScriptedKafka } from './testing/scripted-kafka.ts'

const TOPIC = 'orders.events'
const STREAM = 'sim.binance.main'
const PARTITION = partitionOf(STREAM, TOPICS[TOPIC].partitions)

/** A reader of one partition from an offset on, and the numbers that it has given. */
function reading(kafka: ScriptedKafka, offset: number) {
  const given: number[] = []
  const reader = new KafkaReader(kafka, 'test', {
    onRecords: (topic, _partition, records) => void given.push(...numbersOf(topic, records)),
    onLost: () => undefined,
  })
  reader.add(TOPIC, PARTITION, offset)
  reader.start()
  return { reader, given }
}

test('an answer to a question from before the reader was moved back is dropped: nothing between is passed over', async (t) => {
  const kafka = new ScriptedKafka()
  kafka.append(TOPIC, STREAM, 1, 2, 3, 4, 5)
  const release = kafka.hold()
  const { reader, given } = reading(kafka, 3)
  t.after(() => reader.stop())
  await kafka.fetches(1)
  reader.add(TOPIC, PARTITION, 1)
  release()
  await kafka.until(() => given.length >= 4)
  assert.deepEqual(given, [2, 3, 4, 5])
})

test('an answer that comes after its partition was dropped is not given, and the partition is not asked for again', async (t) => {
  const kafka = new ScriptedKafka()
  kafka.append(TOPIC, STREAM, 1)
  const release = kafka.hold()
  const { reader, given } = reading(kafka, 0)
  t.after(() => reader.stop())
  await kafka.fetches(1)
  reader.drop(TOPIC, PARTITION)
  release()
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.deepEqual([given, kafka.fetched], [[], [`${TOPIC}/${PARTITION}@0`]])
  reader.add(TOPIC, PARTITION, 0)
  await kafka.until(() => given.length === 1)
})

test('a broker that was away is asked again from the same place', async (t) => {
  const kafka = new ScriptedKafka()
  kafka.append(TOPIC, STREAM, 1, 2)
  const { reader, given } = reading(kafka, 0)
  t.after(() => reader.stop())
  await kafka.until(() => given.length === 2)
  kafka.failOnce()
  kafka.append(TOPIC, STREAM, 3)
  await kafka.until(() => given.length === 3)
  assert.deepEqual(given, [1, 2, 3])
})
