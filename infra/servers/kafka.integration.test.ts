import { test } from 'node:test'
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { runKafkaTool, startKafka } from './index.ts'
import { LOOPBACK, answers } from './ports.ts'

const TOPIC = 'jts.test.words'

/** The client waits without end for a broker that is not there. */
async function within<T>(seconds: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${seconds} s`)), seconds * 1000)
  })
  return await Promise.race([work, late]).finally(() => clearTimeout(timer))
}

async function send(bootstrapBrokers: string[], topic: string, value: string, more = {}): Promise<void> {
  const producer = new Producer({ clientId: 'test', bootstrapBrokers, serializers: stringSerializers, ...more })
  try {
    await within(60, 'send', producer.send({ acks: -1, messages: [{ topic, key: 'key', value }] }))
  } finally {
    await within(60, 'close', producer.close())
  }
}

async function receive(bootstrapBrokers: string[], count: number): Promise<string[]> {
  const consumer = new Consumer({
    clientId: 'test',
    groupId: 'test',
    bootstrapBrokers,
    deserializers: stringDeserializers,
  })
  const found: string[] = []
  try {
    const stream = await within(60, 'join', consumer.consume({ topics: [TOPIC], mode: 'earliest', autocommit: false }))
    const read = async () => {
      for await (const message of stream) if (found.push(message.value) === count) return
    }
    await within(60, 'read', read())
  } finally {
    await within(60, 'close', consumer.close(true))
  }
  return found
}

test('carries records to another client, keeps them over a kill, makes no topic unasked, and leaves nothing when it is stopped', async (t) => {
  const server = await startKafka()
  // A test that fails does not leave its server behind.
  t.after(() => server.stop())
  const brokers = [...server.brokers]
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: brokers })
  await within(60, 'create', admin.createTopics({ topics: [TOPIC], partitions: 1, replicas: 1 }))
  await admin.close()
  await send(brokers, TOPIC, 'first')
  await assert.rejects(send(brokers, 'jts.test.unknown', 'lost', { retries: 0 }))

  await server.kill9()
  assert.match(String(await answers(LOOPBACK, server.port, 30_000)), /ECONNREFUSED/)
  await server.restart()
  await send(brokers, TOPIC, 'second')
  assert.deepEqual(await receive(brokers, 2), ['first', 'second'])
  const consoleConsumer = await runKafkaTool(
    'org.apache.kafka.tools.consumer.ConsoleConsumer',
    ['--bootstrap-server', brokers.join(','), '--topic', TOPIC, '--from-beginning', '--max-messages', '2'],
    { timeoutMs: 30_000 },
  )
  assert.match(consoleConsumer, /^first\nsecond$/m)

  await server.stop()
  assert.match(String(await answers(LOOPBACK, server.port, 30_000)), /ECONNREFUSED/)
  assert.ok(!existsSync(server.dir))
})
