/**
 * What is on disk goes to Kafka, stream by stream in sequence, until Kafka has acknowledged it. A crash may send an event
 * twice, never leave one out and never change the order: consumers drop what they have seen by its sequence.
 *
 * Events of the last commit go straight from memory. Where another process has written to the same stream in between, or
 * one was left behind by a crash, the stream is read from the table, so that nothing overtakes.
 */
import type { Producer } from '@platformatic/kafka'
import { partitionOf, TOPICS, type Topic } from '@jts/contracts'
import type { Activity } from '@jts/runtime'
import { toRecordHeaders, type EventHeaders } from '../../observe/event-headers.ts'
import type { OutboxEntry } from '../../store/postgres-outbox.ts'
import type { PostgresStore } from '../../store/postgres.ts'
import type { KafkaClient } from './client.ts'

type Stream = { readonly topic: Topic; readonly stream: string }
type Place = { readonly topic: string; readonly partition: number; readonly name: string; readonly key: Buffer }

const BATCH = 2000
/** An event alone gains nothing and would wait; a batch of them takes a third of the room. */
const COMPRESSED_FROM_BYTES = 4096
const RETRY_MS = 100
const SAID_EVERY = 50
const DELETE_EVERY_MS = 50

export class KafkaOutbox {
  readonly #client: KafkaClient
  readonly #store: PostgresStore
  readonly #activity: Activity | undefined
  /** Highest sequence handed to the queue, by stream. */
  readonly #queued = new Map<string, number>()
  /** Highest sequence that Kafka has acknowledged and the table may still hold. */
  readonly #acknowledged = new Map<string, Stream & { sequence: number }>()
  /** Next offset after the last acknowledged record, by topic and partition. */
  readonly #ends = new Map<string, number>()
  readonly #headers: Map<Buffer, Buffer>
  /** Where each stream goes in Kafka. */
  readonly #places = new Map<string, Place>()
  #queue: (OutboxEntry | Stream)[] = []
  #producer: Producer<Buffer, Buffer, Buffer, Buffer> | undefined
  #running = false
  #stopped = false
  #deleting: NodeJS.Timeout | undefined
  #sent = 0

  constructor(client: KafkaClient, store: PostgresStore, activity: Activity | undefined) {
    this.#client = client
    this.#store = store
    this.#activity = activity
    this.#headers = new Map([
      [Buffer.from('unit'), Buffer.from(store.unit)],
      [Buffer.from('epoch'), Buffer.from(String(store.epoch))],
    ])
  }

  get waiting(): number {
    return this.#queue.length
  }

  /** Acknowledged since the start. */
  get sent(): number {
    return this.#sent
  }

  /** `topic/partition` → the next offset after what this process has produced. */
  ends(): ReadonlyMap<string, number> {
    return this.#ends
  }

  /** Sends what an earlier run of this unit has left. */
  async start(): Promise<void> {
    const rows = await this.#store.sql.unsafe(
      `SELECT DISTINCT topic, stream FROM ${this.#store.shared}.outbox WHERE unit = $1 ORDER BY topic, stream`,
      [this.#store.unit],
    )
    this.#push(rows.map((row) => ({ topic: row['topic'] as Topic, stream: row['stream'] as string })))
  }

  committed(entries: readonly OutboxEntry[]): void {
    this.#push(entries)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#deleting)
    await this.#deleteAcknowledged().catch(() => undefined)
    await this.#producer?.close(true).catch(() => undefined)
  }

  #push(items: readonly (OutboxEntry | Stream)[]): void {
    if (items.length === 0 || this.#stopped) return
    for (const item of items) this.#queue.push(item)
    if (this.#running) return
    this.#running = true
    this.#activity?.enter('outbox')
    void this.#run()
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0 && !this.#stopped) {
      const batch = await this.#next()
      if (batch.length > 0) await this.#send(batch)
    }
    this.#running = false
    this.#activity?.leave('outbox')
  }

  /** The next events to send, in an order that keeps every stream's sequence. */
  async #next(): Promise<OutboxEntry[]> {
    const batch: OutboxEntry[] = []
    while (this.#queue.length > 0 && batch.length < BATCH) {
      const item = this.#queue[0]!
      const key = keyOf(item)
      const queued = this.#queued.get(key)
      if ('event' in item) {
        if (queued !== undefined && item.sequence <= queued) {
          this.#queue.shift()
          continue
        }
        if (item.sequence === (queued ?? 0) + 1) {
          this.#queue.shift()
          batch.push(item)
          this.#queued.set(key, item.sequence)
          continue
        }
      }
      // Sent first, so that what comes from the table follows what came from memory.
      if (batch.length > 0) return batch
      const rows = await this.#readStream(item)
      if (rows.length < BATCH) this.#queue.shift()
      if (rows.length === 0) continue
      this.#queued.set(key, rows.at(-1)!.sequence)
      return rows
    }
    return batch
  }

  async #readStream({ topic, stream }: Stream): Promise<OutboxEntry[]> {
    for (;;) {
      try {
        const rows = await this.#store.sql.unsafe(
          `SELECT sequence, event FROM ${this.#store.shared}.outbox
             WHERE topic = $1 AND stream = $2 AND sequence > $3 ORDER BY sequence LIMIT ${BATCH}`,
          [topic, stream, this.#queued.get(keyOf({ topic, stream })) ?? 0],
        )
        return rows.map((row) => ({
          topic,
          stream,
          sequence: row['sequence'] as number,
          event: row['event'] as Uint8Array,
        }))
      } catch (error) {
        if (this.#stopped) return []
        this.#client.options.log.warn({ err: error }, 'the outbox could not be read; trying again')
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }

  /** Until Kafka has acknowledged every record of the batch: a repetition is dropped by its readers. */
  async #send(batch: readonly OutboxEntry[]): Promise<void> {
    const counts = new Map<string, number>()
    const messages = batch.map((entry) => {
      const { event, headers } = entry
      const { topic, partition, name, key } = this.#placeOf(entry)
      counts.set(name, (counts.get(name) ?? 0) + 1)
      return {
        topic,
        partition,
        key,
        value: Buffer.from(event.buffer, event.byteOffset, event.byteLength),
        headers: headers === undefined ? this.#headers : this.#withHeaders(headers),
      }
    })
    const bytes = batch.reduce((sum, { event }) => sum + event.length, 0)
    const compression = bytes >= COMPRESSED_FROM_BYTES ? 'lz4' : 'none'
    let failures = 0
    for (;;) {
      this.#producer ??= this.#client.producer()
      const producer = this.#producer
      try {
        const result = await this.#client.guarded(() => producer.send({ messages, compression }))
        for (const { topic, partition, offset } of result.offsets ?? []) {
          const place = `${topic}/${partition}`
          this.#ends.set(place.slice(this.#client.options.prefix.length), Number(offset) + (counts.get(place) ?? 0))
        }
        break
      } catch (error) {
        if (this.#stopped) return
        // Whatever it still has under way is cut off, so that it cannot arrive after the repetition.
        this.#producer = undefined
        void producer.close(true).catch(() => undefined)
        if (failures++ % SAID_EVERY === 0)
          this.#client.options.log.warn(
            { waiting: this.#queue.length, err: error },
            'Kafka does not take events; trying again',
          )
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
    this.#sent += batch.length
    for (const { topic, stream, sequence } of batch) {
      this.#acknowledged.set(keyOf({ topic, stream }), { topic, stream, sequence })
    }
    this.#deleting ??= setTimeout(() => {
      this.#deleting = undefined
      void this.#deleteAcknowledged().catch((error: unknown) => {
        this.#client.options.log.warn({ err: error }, 'acknowledged events could not be removed from the outbox')
      })
    }, DELETE_EVERY_MS)
  }

  #placeOf(entry: Stream): Place {
    const known = this.#places.get(keyOf(entry))
    if (known !== undefined) return known
    const topic = this.#client.nameOf(entry.topic)
    const partition = partitionOf(entry.stream, TOPICS[entry.topic].partitions)
    const place = { topic, partition, name: `${topic}/${partition}`, key: Buffer.from(entry.stream) }
    this.#places.set(keyOf(entry), place)
    return place
  }

  #withHeaders(headers: EventHeaders): Map<Buffer, Buffer> {
    const all = new Map(this.#headers)
    for (const [name, value] of toRecordHeaders(headers)) all.set(Buffer.from(name), Buffer.from(value))
    return all
  }

  async #deleteAcknowledged(): Promise<void> {
    const rows = [...this.#acknowledged.values()]
    if (rows.length === 0) return
    this.#acknowledged.clear()
    await this.#store.sql.unsafe(
      `DELETE FROM ${this.#store.shared}.outbox o USING unnest($1::text[], $2::text[], $3::bigint[]) AS r(topic, stream, sequence)
         WHERE o.topic = r.topic AND o.stream = r.stream AND o.sequence <= r.sequence`,
      [rows.map((row) => row.topic), rows.map((row) => row.stream), rows.map((row) => row.sequence)],
    )
  }
}

function keyOf({ topic, stream }: Stream): string {
  return `${topic}\n${stream}`
}
