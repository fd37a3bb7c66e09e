/** The partitions of the embedded bus in its SQLite file: where each log begins and ends, and what is taken out of it again. */
import type { DatabaseSync } from 'node:sqlite'
import { isCompacted, partitionOf, TOPICS, TOPIC_NAMES, type Topic } from '@jts/contracts'
import { ArchiveError, type Archive } from '../archive/archive.ts'
import type { StoredEvent } from '../archive/segment.ts'
import { OFFSET_SPAN, SqliteLog } from './sqlite-log.ts'

export type PartitionLog = {
  readonly topic: Topic
  readonly partition: number
  readonly index: number
  start: number
  /** The next offset. */
  end: number
}

export class PartitionLogs {
  readonly #database: DatabaseSync
  readonly #logs: PartitionLog[] = []
  readonly #firstLog = new Map<Topic, number>()
  readonly #indexOfStream = new Map<string, number>()
  /** What is in them, and in the archive before them. */
  readonly events: SqliteLog

  /** @throws ArchiveError when the archive is of a later time than the log: new events would get the places of old ones. */
  constructor(database: DatabaseSync, archive: Archive | undefined) {
    this.#database = database
    database.exec(`
      CREATE TABLE IF NOT EXISTS bus_log (id INTEGER PRIMARY KEY, event BLOB NOT NULL);
      CREATE TABLE IF NOT EXISTS bus_partitions (topic TEXT NOT NULL, partition INTEGER NOT NULL, log INTEGER NOT NULL, PRIMARY KEY (topic, partition)) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS bus_offsets (consumer TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL, epoch INTEGER NOT NULL, PRIMARY KEY (consumer, topic, partition)) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS bus_starts (log INTEGER PRIMARY KEY, start INTEGER NOT NULL, hash TEXT NOT NULL);
    `)
    this.#addPartitions()
    this.events = new SqliteLog(database, archive)
    this.#findEnds(archive)
  }

  at(topic: Topic, partition: number): PartitionLog {
    return this.#logs[this.#firstLog.get(topic)! + partition]!
  }

  byIndex(index: number): PartitionLog {
    return this.#logs[index]!
  }

  ofStream(topic: Topic, stream: string): PartitionLog {
    const key = `${topic}\n${stream}`
    let index = this.#indexOfStream.get(key)
    if (index === undefined) {
      index = this.#firstLog.get(topic)! + partitionOf(stream, TOPICS[topic].partitions)
      this.#indexOfStream.set(key, index)
    }
    return this.#logs[index]!
  }

  /** What is in the log of a partition, and how far every group that has ever read it has come: below that it is snapshotted. */
  extent(topic: Topic, partition: number): { readonly start: number; readonly end: number; readonly handled: number } {
    const { start, end } = this.at(topic, partition)
    const row = this.#database
      .prepare('SELECT min(next) AS next FROM bus_offsets WHERE topic = ? AND partition = ?')
      .get(topic, partition)
    return { start, end, handled: (row?.['next'] as number | null | undefined) ?? end }
  }

  /** The hash of what was in the log of a partition and has left it. */
  hashBefore(topic: Topic, partition: number): string {
    return this.events.startOf(topic, partition).hash
  }

  /** Events as they are on disk, the archive aside. */
  stored(topic: Topic, partition: number, from: number, limit: number): readonly StoredEvent[] {
    return this.events.rows(topic, partition, Math.max(from, this.at(topic, partition).start), limit)
  }

  /** Removes what lies before an offset; inside a transaction. Its hash says what was there. */
  trim(topic: Topic, partition: number, before: number, hash: string): void {
    const log = this.at(topic, partition)
    const { handled } = this.extent(topic, partition)
    if (before > Math.min(handled, log.end)) {
      throw new Error(`expected ${topic}[${partition}] to be handled up to ${before}, found ${handled} of ${log.end}`)
    }
    const base = log.index * OFFSET_SPAN
    this.#database.prepare('DELETE FROM bus_log WHERE id >= ? AND id < ?').run(base, base + before)
    this.#database
      .prepare(
        'INSERT INTO bus_starts (log, start, hash) VALUES (?, ?, ?) ON CONFLICT (log) DO UPDATE SET start = excluded.start, hash = excluded.hash',
      )
      .run(log.index, before, hash)
    log.start = before
  }

  /** Removes single events of a compacted topic; inside a transaction. */
  removeCompacted(topic: Topic, partition: number, offsets: readonly number[]): void {
    if (!isCompacted(topic)) throw new Error(`expected a compacted topic, found ${topic}`)
    const base = this.at(topic, partition).index * OFFSET_SPAN
    const remove = this.#database.prepare('DELETE FROM bus_log WHERE id = ?')
    for (const offset of offsets) remove.run(base + offset)
  }

  #addPartitions(): void {
    const known = this.#database.prepare('SELECT topic, partition, log FROM bus_partitions').all()
    const indexes = new Map(known.map((row) => [`${row['topic']}/${row['partition']}`, row['log'] as number]))
    let free = Math.max(0, ...[...indexes.values()].map((index) => index + 1))
    const add = this.#database.prepare('INSERT INTO bus_partitions (topic, partition, log) VALUES (?, ?, ?)')
    for (const topic of TOPIC_NAMES) {
      for (let partition = 0; partition < TOPICS[topic].partitions; partition++) {
        let index = indexes.get(`${topic}/${partition}`)
        if (index === undefined) add.run(topic, partition, (index = free++))
        this.#logs[index] = { topic, partition, index, start: 0, end: 0 }
        if (partition === 0) this.#firstLog.set(topic, index)
      }
    }
  }

  #findEnds(archive: Archive | undefined): void {
    for (const log of this.#logs) {
      if (log === undefined) continue
      const { topic, partition } = log
      log.start = this.events.startOf(topic, partition).start
      log.end = this.events.endOf(topic, partition)
      const archived = archive?.range(topic, partition)?.end ?? 0
      if (archived > log.end) {
        throw new ArchiveError(
          `expected an archive of ${topic}[${partition}] up to ${log.end} at most, where the log ends, found one up to ${archived}: jts.sqlite is of an earlier time than the archive beside it. Put both back from one backup.`,
        )
      }
    }
  }
}
