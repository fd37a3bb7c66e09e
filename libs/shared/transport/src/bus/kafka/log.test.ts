import assert from 'node:assert/strict'
import { test } from 'node:test'
import { partitionOf, TOPICS } from '@jts/contracts'
import { KafkaLog } from './log.ts'
import { ScriptedKafka } from './testing/scripted-kafka.ts'

const TOPIC = 'market-data.binance.candles'
const STREAM = 'BTCUSDT.BINANCE'
const PARTITION = partitionOf(STREAM, TOPICS[TOPIC].partitions)

/** The offsets of the records from one offset up to another. */
async function offsets(kafka: ScriptedKafka, from: number, end: number): Promise<number[]> {
  const found: number[] = []
  for await (const { offset } of new KafkaLog(kafka, 'test').records(TOPIC, PARTITION, from, end)) found.push(offset)
  return found
}

test('records of bars that were deleted meanwhile are passed over; of those that Kafka has lost none is given for another', async () => {
  const kafka = new ScriptedKafka()
  kafka.append(TOPIC, STREAM, 1, 2, 3, 4, 5)
  kafka.log(TOPIC, PARTITION).start = 2
  assert.deepEqual(await offsets(kafka, 0, 5), [2, 3, 4])
  kafka.forget(TOPIC, STREAM, 3)
  await assert.rejects(offsets(kafka, 4, 5), /from offset 4 on, found that it ends at 3: Kafka has lost events/)
})

test('a read ends with an error when Kafka comes back without what was to be read', async () => {
  const kafka = new ScriptedKafka()
  kafka.append(TOPIC, STREAM, 1, 2)
  const read = offsets(kafka, 0, 4)
  await kafka.fetches(10)
  kafka.failOnce()
  await assert.rejects(read, /found that it ends at 2: Kafka has lost events that it had acknowledged/)
})
