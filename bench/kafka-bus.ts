/** Events through our bus on Kafka (store, outbox, offsets, handler) beside the bare client with the same bytes. */
import { encodeEvent, partitionOf, TOPICS, type NewEvent } from '@jts/contracts'
import { Activity, silentLogger, systemClock } from '@jts/runtime'
import { KafkaBus } from '@jts/transport/bus/kafka/bus'
import { KafkaClient } from '@jts/transport/bus/kafka/client'
import { KafkaReader } from '@jts/transport/bus/kafka/reader'
import { PostgresStore } from '@jts/transport/store/postgres'

export type KafkaBusBench = {
  readonly events: number
  readonly busPerSecond: number
  readonly bareClientPerSecond: number
  readonly ratioToBare: number
}

const TOPIC = 'market-data.binance.candles'
const EVENTS = 40_000
const PER_BATCH = 1000
function event(n: number): NewEvent {
  const instrument = `BINANCE:BENCH${n % 8}USDT`
  return {
    type: 'Candle',
    stream: instrument,
    correlationId: `candle/${instrument}/${n}`,
    causationId: '',
    timeEventUs: n,
    payload: {
      instrument,
      timeframe: '1m',
      openTimeUs: n,
      closeTimeUs: n + 1,
      open: 1,
      high: 2,
      low: 0.5,
      close: 1.5,
      volume: 3,
      final: true,
      revision: 0,
      source: 'bench',
    },
  }
}

export async function benchKafkaBus(brokers: readonly string[], url: string): Promise<KafkaBusBench> {
  const bareClientPerSecond = await bareClient(brokers)
  const activity = new Activity()
  const store = await PostgresStore.open({
    url,
    namespace: 'bench',
    unit: 'bench',
    owner: 'bench',
    log: silentLogger,
    activity,
    wallClock: systemClock,
    fatal: (reason, cause) => {
      throw new Error(reason, { cause })
    },
  })
  const bus = new KafkaBus({
    store,
    kafka: { brokers, prefix: 'bench.', clientId: 'bench' },
    log: silentLogger,
    activity,
  })
  let handled = 0
  let done: () => void = () => undefined
  const all = new Promise<void>((resolve) => (done = resolve))
  bus.subscribe({
    group: 'bench',
    topics: [TOPIC],
    handle: () => {
      if (++handled === EVENTS) done()
    },
  })
  await bus.start()
  const begun = performance.now()
  for (let n = 0; n < EVENTS;) {
    for (let i = 0; i < PER_BATCH; i++) {
      const one = event(n++)
      store.transact((turn) => turn.publish(TOPIC, one))
    }
    await store.durable()
  }
  await all
  const busPerSecond = EVENTS / ((performance.now() - begun) / 1000)
  await bus.stop()
  await store.close()
  return { events: EVENTS, busPerSecond, bareClientPerSecond, ratioToBare: busPerSecond / bareClientPerSecond }
}

/** The same bytes, produced in batches and fetched again, with nothing kept. */
async function bareClient(brokers: readonly string[]): Promise<number> {
  const client = new KafkaClient({ brokers, prefix: 'bare.', clientId: 'bare', log: silentLogger })
  await client.ensureTopics([TOPIC])
  await client.offsets([TOPIC], 'end')
  const producer = client.producer()
  let read = 0
  let done: () => void = () => undefined
  const all = new Promise<void>((resolve) => (done = resolve))
  const reader = new KafkaReader(client, 'bare', {
    onRecords: (_topic, _partition, records) => {
      read += records.length
      if (read >= EVENTS) done()
    },
    onLost: (_topic, _partition, _asked, { start }) => start,
  })
  for (let partition = 0; partition < TOPICS[TOPIC].partitions; partition++) reader.add(TOPIC, partition, 0)
  reader.start()
  const begun = performance.now()
  for (let n = 0; n < EVENTS;) {
    const messages = Array.from({ length: PER_BATCH }, () => {
      const one = event(n++)
      return {
        topic: client.nameOf(TOPIC),
        partition: partitionOf(one.stream, TOPICS[TOPIC].partitions),
        key: Buffer.from(one.stream),
        value: Buffer.from(encodeEvent(one, one.correlationId, n)),
      }
    })
    await producer.send({ messages })
  }
  await all
  const perSecond = EVENTS / ((performance.now() - begun) / 1000)
  await reader.stop()
  await producer.close(true)
  return perSecond
}
