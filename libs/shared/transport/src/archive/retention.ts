/**
 * Carries out each topic's retention class on the embedded log. An event leaves the log when it is older than its class, when
 * every group has handled it (their tables and offsets are the snapshot, written in one commit), and, where its class asks for
 * that, when it is in the archive. The log's start and the hash of what was before it are written in the commit that deletes.
 *
 * Killed at any point, it goes on: what is archived and not yet deleted is compared with the archive, then deleted.
 */
import { decodeEnvelope, RETENTION, TOPICS, TOPIC_NAMES, type Topic } from '@jts/contracts'
import type { Logger } from '@jts/runtime'
import type { EmbeddedBus } from '../bus/embedded.ts'
import type { SqliteStore } from '../store/sqlite.ts'
import { ArchiveError, type Archive } from './archive.ts'
import { CHUNK, Due } from './due.ts'
import { sha256, type StoredEvent } from './segment.ts'

export type RetentionOptions = {
  readonly store: SqliteStore
  readonly bus: EmbeddedBus
  readonly archive: Archive
  readonly log: Logger
  /** Topics that their class would delete, and that are archived all the same. */
  readonly archiveToo?: readonly Topic[]
}

export type Moved = { readonly archived: number; readonly deleted: number }

export class Retention {
  readonly #options: RetentionOptions

  constructor(options: RetentionOptions) {
    this.#options = options
  }

  /** One pass over every topic; between its commits the loop gets its turn. */
  async pass(nowUs: number): Promise<Moved> {
    const moved = { archived: 0, deleted: 0 }
    for (const topic of TOPIC_NAMES) {
      for (let partition = 0; partition < TOPICS[topic].partitions; partition++) {
        const { archived, deleted } = await this.#partition(topic, partition, nowUs)
        moved.archived += archived
        moved.deleted += deleted
      }
    }
    if (moved.deleted > 0) this.#options.log.info(moved, 'events have left the log')
    return moved
  }

  async #partition(topic: Topic, partition: number, nowUs: number): Promise<Moved> {
    const { logUs, then } = RETENTION[TOPICS[topic].kept]
    const isArchived = then === 'archive' || (this.#options.archiveToo?.includes(topic) ?? false)
    if (then === 'compact') return { archived: 0, deleted: await this.#compact(topic, partition, nowUs - logUs) }
    let [archived, deleted] = [0, isArchived ? await this.#deleteArchived(topic, partition) : 0]
    for (;;) {
      const due = this.#due(topic, partition, nowUs - logUs)
      const { events } = due
      if (events.length === 0 || (isArchived && !due.isWorthAFile)) return { archived, deleted }
      if (isArchived) {
        this.#options.archive.append(topic, partition, events)
        archived += events.length
      }
      deleted += await this.#delete(topic, partition, events, isArchived)
      if (!due.isFull) return { archived, deleted }
    }
  }

  /** The oldest events of a partition that may leave the log, as many as one file takes. */
  #due(topic: Topic, partition: number, beforeUs: number): Due {
    const { bus } = this.#options
    const { start, end, handled } = bus.partitions.extent(topic, partition)
    const stop = Math.min(end, handled)
    const due = new Due(beforeUs)
    for (const row of start < stop ? bus.partitions.stored(topic, partition, start, CHUNK) : []) {
      if (row.offset >= stop || !due.take(row)) break
    }
    return due
  }

  /** What an earlier run has archived, and was killed before it deleted it. */
  async #deleteArchived(topic: Topic, partition: number): Promise<number> {
    const { archive, bus } = this.#options
    let deleted = 0
    for (;;) {
      const { start } = bus.partitions.extent(topic, partition)
      const end = archive.range(topic, partition)?.end ?? 0
      if (end <= start) return deleted
      const known = archive.read(topic, partition, start, CHUNK)
      const found = bus.partitions.stored(topic, partition, start, known.length)
      if (known.length === 0 || !sameEvents(known, found)) {
        throw new ArchiveError(
          `expected the archive to hold what the log holds of ${topic}[${partition}] from ${start} on, found other events: they are of two histories. Nothing was deleted.`,
        )
      }
      deleted += await this.#delete(topic, partition, found, true)
    }
  }

  async #delete(topic: Topic, partition: number, events: readonly StoredEvent[], isArchived: boolean): Promise<number> {
    const { store, bus, archive } = this.#options
    const before = events.at(-1)!.offset + 1
    store.transact(() => {
      const hash = isArchived
        ? archive.chain(topic, partition, before)
        : hashOf(bus.partitions.hashBefore(topic, partition), events)
      bus.partitions.trim(topic, partition, before, hash)
    }, 'durable')
    await store.durable()
    return events.length
  }

  /** The newest event of each key stays, and what is young. */
  async #compact(topic: Topic, partition: number, beforeUs: number): Promise<number> {
    const { store, bus } = this.#options
    const { end, handled } = bus.partitions.extent(topic, partition)
    const newest = new Map<string, number>()
    const rows: { readonly offset: number; readonly stream: string; readonly timeUs: number }[] = []
    for (let from = 0; from < end;) {
      const batch = bus.partitions.stored(topic, partition, from, CHUNK)
      if (batch.length === 0) break
      for (const { offset, event } of batch) {
        const { stream, timeEventUs } = decodeEnvelope(event, `${topic}[${partition}]@${offset}`)
        rows.push({ offset, stream, timeUs: timeEventUs })
        newest.set(stream, offset)
      }
      from = batch.at(-1)!.offset + 1
      await new Promise((resolve) => setImmediate(resolve))
    }
    const gone = rows.filter(
      ({ offset, stream, timeUs }) => newest.get(stream) !== offset && offset < handled && timeUs < beforeUs,
    )
    for (let at = 0; at < gone.length; at += CHUNK) {
      const offsets = gone.slice(at, at + CHUNK).map(({ offset }) => offset)
      store.transact(() => bus.partitions.removeCompacted(topic, partition, offsets), 'durable')
      await store.durable()
    }
    return gone.length
  }
}

function sameEvents(a: readonly StoredEvent[], b: readonly StoredEvent[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ offset, event }, i) => offset === b[i]!.offset && Buffer.compare(event, b[i]!.event) === 0)
  )
}

function hashOf(before: string, events: readonly StoredEvent[]): string {
  return sha256(`${before}${events.map(({ event }) => sha256(event)).join('')}`)
}
