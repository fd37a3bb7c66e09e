/** Harm that takes more than a signal: events and offsets that come again, and a take-over. */
import { silentLogger } from '@jts/runtime'
import { freePort } from '@jts/servers'
import { sleep } from '@jts/testkit'
import { TOPIC_NAMES, TOPICS } from '@jts/contracts'
import { KafkaClient } from '@jts/transport/bus/kafka/client'
import { KafkaReader } from '@jts/transport/bus/kafka/reader'
import { connectPostgres, openPostgres } from '@jts/transport/store/postgres-connection'
import { UnitTable } from '@jts/transport/store/unit-table'
import { sharedSchemaName } from '@jts/transport/store/postgres-schema'
import type { FaultRig } from './fault-rig.ts'

const AGAIN = 20
const REWOUND = 50
/** Longer than a lease, and than the time in which a request may be sent. */
const STOPPED_MS = 6000

/** The last events of every topic lie in Kafka twice. */
export async function deliverAgain({ run }: FaultRig): Promise<void> {
  const options = { brokers: run.kafkaBrokers, prefix: `${run.namespace}.`, clientId: 'again', log: silentLogger }
  const client = new KafkaClient(options)
  const starts = await client.offsets(TOPIC_NAMES, 'start')
  const ends = await client.offsets(TOPIC_NAMES, 'end')
  const messages: { topic: string; partition: number; key: Buffer; value: Buffer }[] = []
  /** Not its whole yet: of a topic that is compacted not every offset is still there, but the last one is. */
  const left = new Set<string>()
  const reader = new KafkaReader(client, 'again', {
    onRecords: (topic, partition, records) => {
      const end = ends.get(topic)![partition]!
      // With its key: a topic that is compacted takes none without.
      for (const { offset, key, value } of records) {
        if (offset >= end) continue
        messages.push({ topic: client.nameOf(topic), partition, key: Buffer.from(key!), value: Buffer.from(value) })
        if (offset === end - 1) left.delete(`${topic} ${partition}`)
      }
    },
    onLost: (_topic, _partition, _asked, { start }) => start,
  })
  for (const topic of TOPIC_NAMES) {
    for (let partition = 0; partition < TOPICS[topic].partitions; partition++) {
      const end = ends.get(topic)![partition]!
      const from = Math.max(starts.get(topic)![partition]!, end - AGAIN)
      if (from >= end) continue
      left.add(`${topic} ${partition}`)
      reader.add(topic, partition, from)
    }
  }
  reader.start()
  while (left.size > 0) await sleep(50)
  await reader.stop()
  const producer = client.producer()
  await producer.send({ messages })
  await producer.close(true)
  client.close()
}

/** Killed, and what its units come back to are places that they had passed. */
export function rewindOffsets(unit: string): (rig: FaultRig) => Promise<void> {
  return async (rig) => {
    rig.signal(unit, 'SIGSTOP')
    const sql = openPostgres(rig.postgres.url, { max: 1 })
    const moved = await sql.unsafe(
      `UPDATE ${sharedSchemaName(rig.run.namespace)}.offsets SET next = greatest(0, next - ${REWOUND}) WHERE unit = $1 OR unit LIKE $1 || '.%'`,
      [unit],
    )
    await sql.end()
    if (moved.count === 0 && unit !== 'market-data-collector')
      throw new Error(`expected offsets of ${unit}, found none`)
    rig.signal(unit, 'SIGKILL')
    await rig.untilUp(unit)
  }
}

/** Stopped where it stands while another process takes its units, and then woken up. */
export function takeOver(unit: string): (rig: FaultRig) => Promise<void> {
  return async (rig) => {
    const standby = rig.join([unit, '--grpc-port', String(await freePort())])
    await sleep(1000)
    const { starts } = rig.process(unit)
    rig.signal(unit, 'SIGSTOP')
    const { name } = JSON.parse(await standby.firstLine) as { name: string }
    const sql = connectPostgres(rig.postgres.url, 'test')
    const table = new UnitTable(sql, rig.run.namespace)
    await rig.until(
      async () => (await table.owned()).some(({ owner }) => owner === name),
      () => `${name} to take what ${unit} has left`,
    )
    await sql.end()
    await sleep(STOPPED_MS)
    rig.signal(unit, 'SIGCONT')
    // It finds that it was taken over and ends; started again, it stands by until the other one has gone.
    await rig.until(
      () => rig.process(unit).starts > starts,
      () => `the ${unit} that was taken over to end`,
    )
    standby.child.kill('SIGKILL')
    await standby.ended
    await rig.untilUp(unit)
  }
}
