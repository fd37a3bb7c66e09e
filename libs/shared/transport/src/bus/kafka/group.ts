/** What one group knows of its reading: how far it is in each partition, which number of each stream it has handled last, where it stands still. */
import { mayHaveHoles, partitionOf, TOPICS, type BusEvent, type Topic } from '@jts/contracts'
import { isPassing } from '../../archive/archive.ts'
import type { Handled, OffsetMove, PostgresStore } from '../../store/postgres.ts'
import { BusError, partitionsRead, type Stop, type Subscription } from '../port.ts'
import type { Ends } from './client.ts'
import type { KafkaReader } from './reader.ts'

export type Cursor = {
  readonly topic: Topic
  readonly partition: number
  /** Next offset to handle, and the same as last put into a commit. */
  next: number
  committed: number
  /** Where the log ends, as last told. */
  end: number
  /** What lies right before `next` is read again first: Kafka may have written it anew. */
  looksBack: boolean
  stopped: Stop | undefined
}

/** An event as a place in its stream. */
export type Placed = Pick<BusEvent, 'topic' | 'stream' | 'sequence'>

export class Group {
  readonly subscription: Subscription
  /** By `topic/partition`. */
  readonly cursors = new Map<string, Cursor>()
  reader: KafkaReader | undefined
  /** Last sequence handled, by topic and stream. */
  readonly #seen = new Map<string, number>()
  /** Streams before whose next event some may be missing. */
  readonly #passing = new Set<string>()
  readonly #dirtyCursors = new Set<Cursor>()
  readonly #dirtySeen = new Set<string>()

  constructor(subscription: Subscription) {
    this.subscription = subscription
  }

  get name(): string {
    return this.subscription.group
  }

  get stops(): Stop[] {
    return [...this.cursors.values()].flatMap(({ stopped }) => stopped ?? [])
  }

  get isBehind(): boolean {
    return [...this.cursors.values()].some((cursor) => !cursor.stopped && cursor.next < cursor.end)
  }

  /** Reads from the store where the group is; one that has never read a partition begins where its subscription says. */
  async open(store: PostgresStore, starts: Ends, ends: Ends): Promise<void> {
    const known = await store.sql.unsafe(
      `SELECT topic, partition, next FROM ${store.shared}.offsets WHERE unit = $1 AND consumer = $2`,
      [store.unit, this.name],
    )
    const rows = new Map(known.map((row) => [`${row['topic']}/${row['partition']}`, row['next'] as number]))
    const fresh: Cursor[] = []
    for (const topic of this.subscription.topics) {
      for (const partition of partitionsRead(this.subscription, topic)) {
        const place = `${topic}/${partition}`
        const end = ends.get(topic)?.[partition] ?? 0
        const first = isPassing(topic) ? (starts.get(topic)?.[partition] ?? 0) : 0
        const next = rows.get(place) ?? (this.subscription.start === 'latest' ? end : first)
        const cursor = { topic, partition, next, committed: next, end, looksBack: false, stopped: undefined }
        this.cursors.set(place, cursor)
        if (!rows.has(place)) fresh.push(cursor)
      }
    }
    if (fresh.length > 0) await this.#keepFresh(store, fresh)
    const seen = await store.sql.unsafe(
      `SELECT topic, stream, sequence FROM ${store.shared}.seen WHERE unit = $1 AND consumer = $2`,
      [store.unit, this.name],
    )
    for (const row of seen) this.#seen.set(`${row['topic']}\n${row['stream']}`, row['sequence'] as number)
  }

  moveTo(cursor: Cursor, next: number): void {
    cursor.next = next
    this.#dirtyCursors.add(cursor)
  }

  /** Undefined before the first event of a stream. */
  lastSeen(place: Pick<Placed, 'topic' | 'stream'>): number | undefined {
    return this.#seen.get(keyOf(place))
  }

  /** @throws BusError when an event of its stream is missing before it: folding on would make the state untrue. */
  isNew(event: Placed): boolean {
    const last = this.lastSeen(event)
    if (last === undefined) return true
    if (event.sequence <= last) return false
    const mayPass = this.#passing.size > 0 && this.#passing.delete(keyOf(event))
    if (event.sequence === last + 1 || mayPass || mayHaveHoles(event.topic as Topic)) return true
    throw new BusError(
      'SEQUENCE_GAP',
      `expected ${event.topic}/${event.stream} sequence ${last + 1}, found ${event.sequence}`,
    )
  }

  markSeen(event: Placed): void {
    const key = keyOf(event)
    this.#seen.set(key, event.sequence)
    this.#dirtySeen.add(key)
  }

  /** Of each stream of this partition the next new event is taken, whatever its number; what was seen is dropped still. */
  letHolesPass({ topic, partition }: Cursor): void {
    for (const key of this.#seen.keys()) {
      const [ofTopic, stream] = partsOf(key)
      if (ofTopic === topic && partitionOf(stream, TOPICS[topic].partitions) === partition) this.#passing.add(key)
    }
  }

  /** What the next commit says of this group's reading: offsets move by compare-and-set. */
  collect(): { readonly moves: readonly OffsetMove[]; readonly handled: readonly Handled[] } {
    const consumer = this.name
    const moves = [...this.#dirtyCursors].map((cursor) => {
      const { topic, partition, committed: last, next } = cursor
      cursor.committed = next
      return { consumer, topic, partition, last, next }
    })
    const handled = [...this.#dirtySeen].map((key) => {
      const [topic, stream] = partsOf(key)
      return { consumer, topic, stream, sequence: this.#seen.get(key)! }
    })
    this.#dirtyCursors.clear()
    this.#dirtySeen.clear()
    return { moves, handled }
  }

  async #keepFresh(store: PostgresStore, fresh: readonly Cursor[]): Promise<void> {
    await store.sql.unsafe(
      `INSERT INTO ${store.shared}.offsets (unit, consumer, topic, partition, next, epoch)
         SELECT $1, $2, r.topic, r.partition, r.next, $3 FROM unnest($4::text[], $5::bigint[], $6::bigint[]) AS r(topic, partition, next)
         ON CONFLICT DO NOTHING`,
      [
        store.unit,
        this.name,
        store.epoch,
        fresh.map((row) => row.topic),
        fresh.map((row) => row.partition),
        fresh.map((row) => row.next),
      ],
    )
  }
}

function keyOf({ topic, stream }: Pick<Placed, 'topic' | 'stream'>): string {
  return `${topic}\n${stream}`
}

function partsOf(key: string): [topic: Topic, stream: string] {
  const cut = key.indexOf('\n')
  return [key.slice(0, cut) as Topic, key.slice(cut + 1)]
}
