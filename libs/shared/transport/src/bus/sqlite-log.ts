/**
 * The event log in a SQLite file, and the archive before it, as one: where each partition begins and ends, and what is in it
 * from an offset on. The bus writes through its own statements; whoever only looks opens the file beside it.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { decodeEvent, TOPICS, type BusEvent, type Topic } from '@jts/contracts'
import { isPassing, type Archive } from '../archive/archive.ts'
import type { StoredEvent } from '../archive/segment.ts'
import { BusError, type ReadOptions } from './port.ts'

/** One row id holds the log and the offset: 2^13 logs of 2^40 events. */
export const OFFSET_SPAN = 2 ** 40
const BATCH = 1000

export type Start = { readonly start: number; readonly hash: string }

export class SqliteLog {
  readonly #database: DatabaseSync
  readonly #archive: Archive | undefined
  readonly #indexes = new Map<string, number>()
  readonly #range: StatementSync
  readonly #start: StatementSync
  readonly #last: StatementSync
  /** Another process writes: what belongs together is read in one transaction. */
  readonly #isShared: boolean

  constructor(database: DatabaseSync, archive?: Archive, options: { readonly isShared?: boolean } = {}) {
    this.#database = database
    this.#archive = archive
    this.#isShared = options.isShared ?? false
    for (const row of database.prepare('SELECT topic, partition, log FROM bus_partitions').all()) {
      this.#indexes.set(`${row['topic']}/${row['partition']}`, row['log'] as number)
    }
    this.#range = database.prepare('SELECT id, event FROM bus_log WHERE id >= ? AND id < ? ORDER BY id LIMIT ?')
    const hasStarts = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'bus_starts'").get() !== undefined
    this.#start = database.prepare(
      hasStarts ? 'SELECT start, hash FROM bus_starts WHERE log = ?' : 'SELECT 0 AS start WHERE ? < 0',
    )
    this.#last = database.prepare('SELECT max(id) AS id FROM bus_log WHERE id >= ? AND id < ?')
  }

  /** Where what is left in the file begins, and the hash of what was there before it. */
  startOf(topic: Topic, partition: number): Start {
    const index = this.#indexes.get(`${topic}/${partition}`)
    const row = index === undefined ? undefined : this.#start.get(index)
    return { start: (row?.['start'] as number | undefined) ?? 0, hash: (row?.['hash'] as string | undefined) ?? '' }
  }

  /** The next offset. */
  endOf(topic: Topic, partition: number): number {
    const index = this.#indexes.get(`${topic}/${partition}`)
    if (index === undefined) return 0
    const id = this.#last.get(index * OFFSET_SPAN, (index + 1) * OFFSET_SPAN)!['id'] as number | null
    const { start } = this.startOf(topic, partition)
    return Math.max(start, id === null ? 0 : id - index * OFFSET_SPAN + 1)
  }

  /**
   * Events of a partition from an offset on, at most `limit`; none means the end.
   * @throws BusError when what was asked for is neither in the log nor in the archive, and may not be missing
   */
  rows(topic: Topic, partition: number, from: number, limit: number): readonly StoredEvent[] {
    const index = this.#indexes.get(`${topic}/${partition}`)
    if (index === undefined) return []
    if (!this.#isShared) return this.#rowsNow(topic, partition, index, from, limit)
    this.#archive?.refresh()
    this.#database.exec('BEGIN')
    try {
      return this.#rowsNow(topic, partition, index, from, limit)
    } finally {
      this.#database.exec('COMMIT')
    }
  }

  async *read(topic: Topic, options: ReadOptions = {}): AsyncIterable<BusEvent> {
    let left = options.limit ?? Infinity
    for (let partition = 0; partition < TOPICS[topic].partitions; partition++) {
      if (options.partition !== undefined && options.partition !== partition) continue
      const least = options.last === undefined ? 0 : Math.max(0, this.endOf(topic, partition) - options.last)
      for (let from = Math.max(options.from ?? 0, least); left > 0;) {
        const rows = this.rows(topic, partition, from, Math.min(BATCH, left))
        if (rows.length === 0) break
        for (const { offset, event } of rows) yield decodeEvent(event, topic, partition, offset)
        left -= rows.length
        from = rows.at(-1)!.offset + 1
      }
    }
    await Promise.resolve()
  }

  #rowsNow(topic: Topic, partition: number, index: number, from: number, limit: number): readonly StoredEvent[] {
    const { start } = this.startOf(topic, partition)
    const first = from < start ? beforeStart({ topic, partition, from, start, archive: this.#archive }) : from
    if (first < start) return this.#archive!.read(topic, partition, first, limit)
    const base = index * OFFSET_SPAN
    return this.#range
      .all(base + first, base + OFFSET_SPAN, limit)
      .map((row) => ({ offset: (row['id'] as number) - base, event: row['event'] as Uint8Array }))
  }
}

/**
 * Where to go on for offsets that the log no longer holds: in the archive, or, for what is kept only for a while, at the first
 * that is left.
 * @throws BusError when what was asked for is nowhere: never a silent gap
 */
export function beforeStart(place: {
  readonly topic: Topic
  readonly partition: number
  readonly from: number
  readonly start: number
  readonly archive: Archive | undefined
}): number {
  const { topic, partition, from, start, archive } = place
  const archived = archive?.range(topic, partition)
  if (archived !== undefined) {
    const isWhole = archived.first <= from && archived.end >= start
    if (isWhole || (isPassing(topic) && from < archived.end)) return Math.max(from, archived.first)
  }
  if (isPassing(topic)) return start
  const found = archived === undefined ? 'no archive of it' : `an archive of ${archived.first} to ${archived.end - 1}`
  throw new BusError(
    'ARCHIVED_AWAY',
    `expected ${topic}[${partition}] from offset ${from} on: the log begins at ${start}, found ${found}. Put the archive folder back beside the data from a backup.`,
  )
}

/** Opens a data folder's file to look at, also while a process is running on it. */
export function openForReading(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { readOnly: true })
  database.exec('PRAGMA busy_timeout=2000')
  return database
}
