/**
 * The embedded bus: Kafka's shape (topics, partitions by Kafka's key hash, offsets, groups) on one SQLite file.
 *
 * An append is part of its handler's transaction. Delivery inside the process may run ahead of the commit, because both
 * ends share that commit; taps and everything else that leaves the process wait for it.
 */
import type { StatementSync } from 'node:sqlite'
import {
  decodeEvent,
  encodeEvent,
  EventError,
  eventIdOf,
  mayHaveHoles,
  versionOf,
  type BusEvent,
  type NewEvent,
  type PoisonedEvent,
  type Topic,
} from '@jts/contracts'
import type { Activity, Logger } from '@jts/runtime'
import type { SqliteStore } from '../store/sqlite.ts'
import { isPassing, type Archive } from '../archive/archive.ts'
import type { StoredEvent } from '../archive/segment.ts'
import { bury, stopsAt, tellResumed, tellStop } from './dead-letter.ts'
import {
  BusError,
  isRead,
  partitionsRead,
  type Bus,
  type LogReader,
  type ReadOptions,
  type Stop,
  type Subscription,
} from './port.ts'
import { PartitionLogs, type PartitionLog } from './partition-logs.ts'
import { beforeStart, OFFSET_SPAN } from './sqlite-log.ts'

export type EmbeddedBusOptions = {
  readonly store: SqliteStore
  readonly log: Logger
  readonly activity?: Activity
  /** Where events are that have left the log. */
  readonly archive?: Archive
  /** Offsets that do not fit mean that two processes own one group: this one stops. */
  readonly fatal: (reason: string, cause: unknown) => void
  /** Told when a partition of `orders.*` stops at an event that its handler could not take. */
  readonly onPoison?: (event: PoisonedEvent, group: string, error: unknown) => void
}

type Cursor = {
  next: number
  committed: number
  stopped: Stop | undefined
  lastSequence: Map<string, number> | undefined
}
type Reader = { readonly subscription: Subscription; readonly epoch: number; readonly cursors: Map<number, Cursor> }

/** Events delivered in one go before the loop gets its turn: bounds a turn and so the commit's size. */
const BATCH = 1000

export class EmbeddedBus implements Bus, LogReader {
  readonly #options: EmbeddedBusOptions
  readonly #store: SqliteStore
  readonly partitions: PartitionLogs
  readonly #sequences = new Map<string, number>()
  readonly #dirtySequences = new Set<string>()
  readonly #readers: Reader[] = []
  readonly #byTopic = new Map<Topic, Reader[]>()
  readonly #taps = new Map<Topic, Set<(event: BusEvent) => void>>()
  readonly #dirtyCursors = new Map<Cursor, { reader: Reader; log: PartitionLog }>()
  readonly #append: StatementSync
  readonly #putSequence: StatementSync
  readonly #putOffset: StatementSync
  readonly #moveOffset: StatementSync
  #queue: BusEvent[] = []
  #head = 0
  #pending: BusEvent[] = []
  #untapped: BusEvent[] = []
  #started = false
  #stopped = false
  #draining = false
  #scheduled = false
  /** Market time of the event delivered last. */
  #timeUs = 0

  constructor(options: EmbeddedBusOptions) {
    this.#options = options
    this.#store = options.store
    const database = options.store.database
    this.partitions = new PartitionLogs(database, options.archive)
    database.exec(`
      CREATE TABLE IF NOT EXISTS bus_sequences (topic TEXT NOT NULL, stream TEXT NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (topic, stream)) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS bus_epochs (consumer TEXT PRIMARY KEY, epoch INTEGER NOT NULL) WITHOUT ROWID;
    `)
    this.#append = database.prepare('INSERT INTO bus_log (id, event) VALUES (?, ?)')
    this.#putSequence = database.prepare(
      'INSERT INTO bus_sequences (topic, stream, sequence) VALUES (?, ?, ?) ON CONFLICT (topic, stream) DO UPDATE SET sequence = excluded.sequence',
    )
    this.#putOffset = database.prepare(
      'INSERT INTO bus_offsets (consumer, topic, partition, next, epoch) VALUES (?, ?, ?, ?, ?)',
    )
    this.#moveOffset = database.prepare(
      'UPDATE bus_offsets SET next = ? WHERE consumer = ? AND topic = ? AND partition = ? AND next = ? AND epoch = ?',
    )
    this.#loadSequences()
    this.#store.plugPublisher({
      append: (topic, event) => this.#appendEvent(topic, event),
      release: () => this.#releasePending(),
      discard: () => this.#discardPending(),
    })
    this.#store.onBeforeCommit(() => this.#writeTurn())
  }

  subscribe(subscription: Subscription): void {
    if (this.#started) throw new Error('subscribe before the bus starts')
    if (this.#readers.some((reader) => reader.subscription.group === subscription.group)) {
      throw new Error(`group ${subscription.group} is subscribed twice`)
    }
    const database = this.#store.database
    // The epoch rises at every take-over, so that an older owner of this group finds its commit touching no row.
    const epoch = database
      .prepare(
        'INSERT INTO bus_epochs (consumer, epoch) VALUES (?, 1) ON CONFLICT (consumer) DO UPDATE SET epoch = epoch + 1 RETURNING epoch',
      )
      .get(subscription.group)!['epoch'] as number
    database.prepare('UPDATE bus_offsets SET epoch = ? WHERE consumer = ?').run(epoch, subscription.group)
    const cursors = new Map<number, Cursor>()
    const known = database.prepare('SELECT topic, partition, next FROM bus_offsets WHERE consumer = ?')
    const rows = new Map(
      known.all(subscription.group).map((row) => [`${row['topic']}/${row['partition']}`, row['next']]),
    )
    for (const topic of subscription.topics) {
      for (const partition of partitionsRead(subscription, topic)) {
        const log = this.partitions.at(topic, partition)
        let next = rows.get(`${topic}/${partition}`) as number | undefined
        if (next === undefined) {
          next = subscription.start === 'latest' ? log.end : 0
          this.#putOffset.run(subscription.group, topic, partition, next, epoch)
        }
        cursors.set(log.index, { next, committed: next, stopped: undefined, lastSequence: undefined })
      }
    }
    const reader = { subscription, epoch, cursors }
    this.#readers.push(reader)
    for (const topic of subscription.topics) {
      const readers = this.#byTopic.get(topic) ?? []
      readers.push(reader)
      this.#byTopic.set(topic, readers)
    }
  }

  tap(topics: readonly Topic[], listener: (event: BusEvent) => void): () => void {
    for (const topic of topics) {
      const taps = this.#taps.get(topic) ?? new Set()
      taps.add(listener)
      this.#taps.set(topic, taps)
    }
    return () => {
      for (const topic of topics) this.#taps.get(topic)?.delete(listener)
    }
  }

  async start(): Promise<void> {
    this.#options.activity?.enter('bus catch-up')
    for (;;) {
      const more = this.#catchUp()
      await this.#store.durable()
      if (!more) break
    }
    this.#started = true
    this.#options.activity?.leave('bus catch-up')
    this.#schedule()
  }

  stop(): Promise<void> {
    this.#stopped = true
    this.#store.flush()
    return Promise.resolve()
  }

  read(topic: Topic, options?: ReadOptions): AsyncIterable<BusEvent> {
    return this.partitions.events.read(topic, options)
  }

  stops(): readonly Stop[] {
    return this.#readers.flatMap((reader) => stopsOf(reader))
  }

  async readAgain(): Promise<readonly Stop[]> {
    for (const reader of this.#readers) {
      for (const [index, cursor] of reader.cursors) {
        if (cursor.stopped === undefined) continue
        cursor.stopped = undefined
        // Nobody brings back what is missing of market data: who says that it is to go on has it go on.
        if (isPassing(this.partitions.byIndex(index).topic)) cursor.lastSequence = undefined
        // In one go: what is published meanwhile is delivered from the queue, and must not come before this.
        while (this.#catchUpAt(reader, cursor, this.partitions.byIndex(index)));
      }
      if (stopsOf(reader).length === 0) tellResumed(this.#store, reader.subscription.group, this.#timeUs)
    }
    await this.#store.durable()
    return this.stops()
  }

  lag(): readonly { group: string; topic: Topic; partition: number; lag: number }[] {
    const found: { group: string; topic: Topic; partition: number; lag: number }[] = []
    for (const reader of this.#readers) {
      for (const [index, cursor] of reader.cursors) {
        const log = this.partitions.byIndex(index)
        if (cursor.next < log.end) {
          found.push({
            group: reader.subscription.group,
            topic: log.topic,
            partition: log.partition,
            lag: log.end - cursor.next,
          })
        }
      }
    }
    return found
  }

  #loadSequences(): void {
    for (const row of this.#store.database.prepare('SELECT topic, stream, sequence FROM bus_sequences').all()) {
      this.#sequences.set(`${row['topic']}\n${row['stream']}`, row['sequence'] as number)
    }
  }

  #appendEvent(topic: Topic, event: NewEvent): void {
    const log = this.partitions.ofStream(topic, event.stream)
    const key = `${topic}\n${event.stream}`
    const sequence = (this.#sequences.get(key) ?? 0) + 1
    const eventId = eventIdOf(topic, event.stream, sequence)
    this.#append.run(log.index * OFFSET_SPAN + log.end, encodeEvent(event, eventId, sequence))
    this.#sequences.set(key, sequence)
    this.#dirtySequences.add(key)
    this.#pending.push({
      ...event,
      eventId,
      version: versionOf(event.type),
      sequence,
      topic,
      partition: log.partition,
      offset: log.end,
    } as BusEvent)
    log.end++
  }

  #releasePending(): void {
    if (this.#pending.length === 0) return
    for (const event of this.#pending) {
      this.#queue.push(event)
      if (this.#taps.size > 0 && this.#taps.has(event.topic as Topic)) this.#untapped.push(event)
    }
    this.#pending.length = 0
    if (this.#started && !this.#draining) this.#schedule()
  }

  #discardPending(): void {
    for (const event of this.#pending) {
      this.partitions.ofStream(event.topic as Topic, event.stream).end--
      this.#sequences.set(`${event.topic}\n${event.stream}`, event.sequence - 1)
    }
    for (const event of this.#pending) {
      const key = `${event.topic}\n${event.stream}`
      this.#sequences.set(key, Math.min(this.#sequences.get(key)!, event.sequence - 1))
    }
    this.#pending.length = 0
  }

  /** Joins every commit: the sequences and the consumed offsets of the turn, offsets by compare-and-set. */
  #writeTurn(): void {
    for (const key of this.#dirtySequences) {
      const cut = key.indexOf('\n')
      this.#putSequence.run(key.slice(0, cut), key.slice(cut + 1), this.#sequences.get(key)!)
    }
    this.#dirtySequences.clear()
    for (const [cursor, { reader, log }] of this.#dirtyCursors) {
      const { group } = reader.subscription
      const moved = this.#moveOffset.run(cursor.next, group, log.topic, log.partition, cursor.committed, reader.epoch)
      if (moved.changes !== 1) {
        throw new BusError(
          'OFFSET_CONFLICT',
          `expected group ${group} at ${log.topic}[${log.partition}]@${cursor.committed} epoch ${reader.epoch}, found it moved by another owner`,
        )
      }
      cursor.committed = cursor.next
    }
    this.#dirtyCursors.clear()
    if (this.#untapped.length > 0) {
      const events = this.#untapped
      this.#untapped = []
      queueMicrotask(() => {
        for (const event of events) {
          for (const listener of this.#taps.get(event.topic as Topic) ?? []) listener(event)
        }
      })
    }
  }

  #schedule(): void {
    if (this.#scheduled || this.#stopped || this.#head >= this.#queue.length) return
    this.#scheduled = true
    this.#options.activity?.enter('bus')
    queueMicrotask(() => this.#drain())
  }

  #drain(): void {
    this.#scheduled = false
    this.#draining = true
    try {
      for (let i = 0; i < BATCH && this.#head < this.#queue.length && !this.#stopped; i++) {
        const event = this.#queue[this.#head++]!
        const readers = this.#byTopic.get(event.topic as Topic)
        if (readers === undefined) continue
        for (const reader of readers) this.#deliver(reader, event)
      }
    } finally {
      this.#draining = false
      this.#options.activity?.leave('bus')
    }
    if (this.#head >= this.#queue.length) {
      this.#queue.length = 0
      this.#head = 0
    } else if (!this.#stopped) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
      this.#scheduled = true
      this.#options.activity?.enter('bus')
      setImmediate(() => this.#drain())
    }
  }

  #deliver(reader: Reader, event: BusEvent): void {
    const log = this.partitions.ofStream(event.topic as Topic, event.stream)
    const cursor = reader.cursors.get(log.index)
    // Not read by this group, seen before (a queue that overlaps a catch-up), or held back behind a poison event.
    if (cursor === undefined || event.offset < cursor.next || cursor.stopped) return
    const isWanted = isRead(reader.subscription, event)
    try {
      if (isWanted) {
        this.#timeUs = event.timeEventUs
        this.#checkSequence(cursor, event)
        this.#store.transact((turn) => reader.subscription.handle(event, turn))
      }
    } catch (error) {
      this.#poison(reader, cursor, log, event.offset, event, error)
      if (cursor.stopped) return
    }
    if (isWanted) (cursor.lastSequence ??= new Map()).set(event.stream, event.sequence)
    cursor.next = event.offset + 1
    this.#dirtyCursors.set(cursor, { reader, log })
  }

  /** A stream's sequence is gap-free: a hole means that an event was lost, and folding on would make the state untrue. */
  #checkSequence(cursor: Cursor, event: BusEvent): void {
    const last = cursor.lastSequence?.get(event.stream)
    if (last !== undefined && event.sequence !== last + 1 && !mayHaveHoles(event.topic as Topic)) {
      throw new BusError(
        'SEQUENCE_GAP',
        `expected ${event.topic}/${event.stream} sequence ${last + 1}, found ${event.sequence}`,
      )
    }
  }

  #poison(
    reader: Reader,
    cursor: Cursor,
    log: PartitionLog,
    offset: number,
    event: PoisonedEvent,
    error: unknown,
  ): void {
    const { group } = reader.subscription
    const stops = stopsAt(log.topic, error)
    this.#options.log.error(
      { group, eventId: event.eventId, err: error },
      stops ? 'an event could not be handled: its partition is stopped' : 'an event could not be handled: dead letter',
    )
    if (stops) {
      const reason = error instanceof Error ? error.message : String(error)
      cursor.stopped = { reader: group, topic: log.topic, partition: log.partition, eventId: event.eventId, reason }
      tellStop(this.#store, cursor.stopped, reader.subscription, this.#timeUs)
    } else bury(this.#store, { topic: log.topic, partition: log.partition, offset, group, event, error })
    this.#options.onPoison?.(event, group, error)
  }

  /** Delivers one batch per partition that lags; true when there may be more. */
  #catchUp(): boolean {
    let more = false
    for (const reader of this.#readers) {
      for (const [index, cursor] of reader.cursors) {
        if (this.#catchUpAt(reader, cursor, this.partitions.byIndex(index))) more = true
      }
    }
    return more
  }

  #catchUpAt(reader: Reader, cursor: Cursor, log: PartitionLog): boolean {
    if (cursor.next >= log.end || cursor.stopped) return false
    this.#skipDeleted(reader, cursor, log)
    const rows = this.partitions.events.rows(log.topic, log.partition, cursor.next, BATCH)
    // What a compacted topic held to its end may be gone.
    if (rows.length === 0) this.#advance(reader, cursor, log, log.end)
    for (const row of rows) this.#deliverStored(reader, cursor, log, row)
    return true
  }

  /** A group that was away for longer than market data is kept goes on at the first that is left, and says so. */
  #skipDeleted(reader: Reader, cursor: Cursor, log: PartitionLog): void {
    if (cursor.next >= log.start) return
    const { archive } = this.#options
    const { topic, partition, start } = log
    const first = beforeStart({ topic, partition, from: cursor.next, start, archive })
    if (first === cursor.next) return
    const { group } = reader.subscription
    this.#options.log.warn(
      { group, topic, partition, from: cursor.next, to: first },
      'events were deleted before they were read: going on from the first that is left',
    )
    this.#advance(reader, cursor, log, first)
  }

  #deliverStored(reader: Reader, cursor: Cursor, log: PartitionLog, { offset, event: bytes }: StoredEvent): void {
    if (cursor.stopped) return
    let event: BusEvent
    try {
      event = decodeEvent(bytes, log.topic, log.partition, offset)
    } catch (error) {
      if (!(error instanceof EventError)) throw error
      const what: PoisonedEvent = error.event ?? {
        topic: log.topic,
        eventId: `${log.topic}[${log.partition}]@${offset}`,
      }
      this.#poison(reader, cursor, log, offset, what, error)
      if (cursor.stopped) return
      // What follows it in its stream is no hole.
      if (what.stream !== undefined && what.sequence !== undefined) {
        ;(cursor.lastSequence ??= new Map()).set(what.stream, what.sequence)
      }
      this.#advance(reader, cursor, log, offset + 1)
      return
    }
    this.#deliver(reader, event)
  }

  #advance(reader: Reader, cursor: Cursor, log: PartitionLog, next: number): void {
    this.#store.transact(() => {
      cursor.next = next
      this.#dirtyCursors.set(cursor, { reader, log })
    })
  }
}

function stopsOf({ cursors }: Reader): Stop[] {
  return [...cursors.values()].flatMap(({ stopped }) => stopped ?? [])
}
