/**
 * The bus on Apache Kafka. A handler's run is one transaction in the unit's own store: state, consumed offset (by
 * compare-and-set), and the outbox from which its events go to Kafka. Kafka itself remembers no position of ours.
 *
 * Kafka delivers at least once. Every stream is numbered without gaps, and the last number handled is kept beside the offset:
 * what comes again is dropped, and a hole stops the partition.
 */
import { decodeEvent, EventError, mayHaveHoles, RpcError, TOPIC_NAMES, type BusEvent, type Topic } from '@jts/contracts'
import type { Activity, Logger } from '@jts/runtime'
import type { CommitParticipant, PostgresStore } from '../../store/postgres.ts'
import { isPassing, type Archive } from '../../archive/archive.ts'
import { bury, stopsAt, tellResumed, tellStop } from '../dead-letter.ts'
import { isRead, type Bus, type LogReader, type ReadOptions, type Stop, type Subscription } from '../port.ts'
import { beforeStart } from '../sqlite-log.ts'
import { fromRecordHeaders, withHeaders } from '../../observe/event-headers.ts'
import { KafkaClient, type Ends, type KafkaOptions } from './client.ts'
import { Group, type Cursor } from './group.ts'
import { KafkaLog } from './log.ts'
import { KafkaOutbox } from './outbox.ts'
import { KafkaReader, type KafkaRecord, type LogRange } from './reader.ts'

export type KafkaBusOptions = {
  readonly store: PostgresStore
  readonly kafka: Omit<KafkaOptions, 'log'> | KafkaClient
  /** Settles when the topics are there, where another makes them for all; else the bus does. */
  readonly topicsMade?: Promise<unknown> | undefined
  readonly log: Logger
  readonly activity?: Activity
  /** Where events are that have left Kafka: a group that is behind Kafka's own beginning reads them there. */
  readonly archive?: Archive
  /** What rides beside the events is read too: for metrics and traces. */
  readonly readHeaders?: boolean
  /** Called before each event's handler: market time moves with the events. */
  readonly beforeHandle?: (event: BusEvent) => void
}

/** Events handled and not yet committed, above which reading waits for the store. */
const UNCOMMITTED_MAX = 2000
const SHOW_OFFSETS_MS = 2000
const ARCHIVE_BATCH = 1000
/** Records before the cursor that are read again after a start or a loss of sight; of some of them the group may read no stream. */
const LOOK_BACK = 32

export class KafkaBus implements Bus, LogReader {
  readonly #options: KafkaBusOptions
  readonly #store: PostgresStore
  readonly #client: KafkaClient
  readonly #outbox: KafkaOutbox
  readonly #log: KafkaLog
  readonly #groups: Group[] = []
  #uncommitted = 0
  /** Market time of the event delivered last. */
  #timeUs = 0
  #started = false
  #stopped = false
  #showing: { cancel(): void } | undefined
  #waiters: { readonly isTrue: () => boolean; readonly resolve: () => void }[] = []

  constructor(options: KafkaBusOptions) {
    this.#options = options
    this.#store = options.store
    const { kafka, log } = options
    this.#client = kafka instanceof KafkaClient ? kafka : new KafkaClient({ ...kafka, log })
    this.#log = new KafkaLog(this.#client, options.store.unit, options.archive)
    this.#outbox = new KafkaOutbox(this.#client, options.store, options.activity)
    this.#store.plugParticipant({
      collect: () => this.#collect(),
      committed: (entries) => this.#outbox.committed(entries),
    })
  }

  /** Events on disk that wait for Kafka. */
  get outboxDepth(): number {
    return this.#outbox.waiting
  }

  get breakerState(): 'closed' | 'open' | 'half-open' {
    return this.#client.breakerState
  }

  subscribe(subscription: Subscription): void {
    if (this.#started) throw new Error('subscribe before the bus starts')
    if (this.#groups.some(({ name }) => name === subscription.group)) {
      throw new Error(`group ${subscription.group} is subscribed twice`)
    }
    this.#groups.push(new Group(subscription))
  }

  tap(topics: readonly Topic[], listener: (event: BusEvent) => void): () => void {
    return this.#log.tap(topics, listener)
  }

  async start(): Promise<void> {
    await (this.#options.topicsMade ?? this.#client.ensureTopics(TOPIC_NAMES))
    const topics = [...new Set(this.#groups.flatMap((group) => group.subscription.topics))]
    const ranges = topics.length === 0 ? undefined : this.#client.ranges(topics)
    ranges?.catch(() => undefined)
    await this.#outbox.start()
    if (ranges !== undefined) {
      const [starts, ends] = await ranges
      for (const group of this.#groups) {
        await group.open(this.#store, starts, ends)
        await this.#checkEnds(group)
        await this.#readArchive(group, starts)
        group.reader = this.#readerOf(group, starts)
      }
      // What is in the log now is handled before anyone says that the start is over.
      this.#started = true
      for (const group of this.#groups) group.reader?.start()
      await this.#when(() => !this.#groups.some(({ isBehind }) => isBehind))
      await this.#store.durable()
    }
    this.#started = true
    this.#showLater()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#client.close()
    this.#showing?.cancel()
    this.#log.stop()
    await Promise.all(this.#groups.map(async (group) => group.reader?.stop()))
    if (!this.#store.isClosed) await this.#store.durable()
    await this.#outbox.stop()
  }

  read(topic: Topic, options?: ReadOptions): AsyncIterable<BusEvent> {
    return this.#log.read(topic, options)
  }

  stops(): readonly Stop[] {
    return this.#groups.flatMap(({ stops }) => stops)
  }

  async readAgain(): Promise<readonly Stop[]> {
    for (const group of this.#groups) {
      const tried = [...group.cursors.values()].filter(({ stopped }) => stopped !== undefined)
      if (tried.length > 0) await this.#tryAgain(group, tried)
      const from = new Map(tried.map((cursor) => [cursor, cursor.next]))
      const isTried = ({ stopped, looksBack, next, end }: Cursor, before: number): boolean =>
        stopped !== undefined || (!looksBack && (next > before || next === end))
      await this.#when(() => tried.every((cursor) => isTried(cursor, from.get(cursor)!)))
      if (group.stops.length === 0) tellResumed(this.#store, this.#shownName(group), this.#timeUs)
    }
    await this.#store.durable()
    return this.stops()
  }

  async #tryAgain(group: Group, tried: readonly Cursor[]): Promise<void> {
    const [starts, ends] = await this.#client.ranges([...new Set(tried.map(({ topic }) => topic))])
    for (const cursor of tried) {
      const { topic, partition } = cursor
      const end = ends.get(topic)![partition]!
      cursor.stopped = undefined
      if (isPassing(topic)) {
        this.#passHole(group, cursor)
        group.reader?.add(topic, partition, cursor.next)
      } else if (cursor.next > end) this.#forgotten(group, cursor, end)
      else this.#readFromBehind(group, cursor, { start: starts.get(topic)![partition]!, end })
    }
  }

  lag(): readonly { group: string; topic: Topic; partition: number; lag: number }[] {
    return this.#groups.flatMap((group) =>
      [...group.cursors.values()]
        .filter((cursor) => cursor.next < cursor.end)
        .map(({ topic, partition, next, end }) => ({
          group: group.name,
          topic,
          partition,
          lag: end - next,
        })),
    )
  }

  /** `topic/partition` → the next offset after what this process has produced. */
  produced(): Record<string, number> {
    return Object.fromEntries(this.#outbox.ends())
  }

  /** Every group has handled what is below these offsets, by default what this process has produced; stopped partitions aside. */
  isCaughtUp(produced: Readonly<Record<string, number>> = this.produced()): boolean {
    return this.#groups.every((group) =>
      [...group.cursors].every(([place, cursor]) => cursor.stopped || cursor.next >= (produced[place] ?? 0)),
    )
  }

  whenCaughtUp(produced: Readonly<Record<string, number>>): Promise<void> {
    return this.#when(() => this.isCaughtUp(produced))
  }

  /**
   * Resolves when the event has been handled here, or when nothing here reads its topic.
   * @throws RpcError UNAVAILABLE when that takes longer than `limitMs`.
   */
  async whenHandled(eventId: string, limitMs: number): Promise<void> {
    const [first, last] = [eventId.indexOf('/'), eventId.lastIndexOf('/')]
    if (first < 0 || last <= first) return
    const [topic, stream] = [eventId.slice(0, first), eventId.slice(first + 1, last)]
    const sequence = Number(eventId.slice(last + 1))
    const place = { topic: topic as Topic, stream }
    const groups = this.#groups.filter(
      ({ subscription }) => subscription.topics.includes(place.topic) && isRead(subscription, place),
    )
    const isHandled = (): boolean => groups.every((group) => (group.lastSeen(place) ?? 0) >= sequence)
    if (isHandled()) return
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      this.#checkWaiters()
    }, limitMs)
    await this.#when(() => isLate || isHandled())
    clearTimeout(timer)
    if (!isHandled()) throw new RpcError('UNAVAILABLE', `${eventId} has not come here yet`)
  }

  /** What was handled must be there still: an end before it counts when it is there a second later, too. */
  async #checkEnds(group: Group): Promise<void> {
    const beyond = [...group.cursors.values()].filter(({ next, end }) => next > end)
    if (beyond.length === 0) return
    const ends = await this.#client.endsLater([...new Set(beyond.map(({ topic }) => topic))])
    for (const cursor of beyond) {
      const end = ends.get(cursor.topic)![cursor.partition]!
      if (cursor.next > end) this.#forgotten(group, cursor, end)
      else cursor.end = end
    }
  }

  /** Kafka has lost what it had acknowledged, and what it is given next lies where that was. */
  #forgotten(group: Group, cursor: Cursor, end: number): void {
    const { topic, partition, next } = cursor
    cursor.end = end
    const what = { group: group.name, topic, partition, from: next, to: end }
    if (mayHaveHoles(topic)) {
      this.#options.log.warn(what, 'Kafka has lost events that were read already: going on at its end')
      this.#moveTo(group, cursor, end)
      return
    }
    this.#options.log.error(what, 'Kafka has lost events that were read already: the partition is stopped')
    const reason = `Kafka has lost events that it had acknowledged: it ends at offset ${end}, and was read up to ${next}`
    this.#stopAt(group, cursor, `${topic}[${partition}]@${next}`, reason)
  }

  /**
   * What a group has not handled and Kafka no longer holds, from the archive.
   * @throws BusError when it is not there either
   */
  async #readArchive(group: Group, starts: Ends): Promise<void> {
    const { archive } = this.#options
    archive?.refresh()
    for (const cursor of group.cursors.values()) {
      const { topic, partition } = cursor
      const start = starts.get(topic)?.[partition] ?? 0
      while (cursor.next < start && !cursor.stopped) {
        const first = beforeStart({ topic, partition, from: cursor.next, start, archive })
        if (first !== cursor.next) this.#skip(group, cursor, first)
        if (first >= start) break
        for (const { offset, event } of archive!.read(topic, partition, first, ARCHIVE_BATCH)) {
          if (!cursor.stopped) this.#deliver(group, cursor, { offset, value: Buffer.from(event) })
        }
        await this.#store.durable()
      }
    }
  }

  /** Nobody brings back what is missing of market data: who says that it is to go on has it go on. */
  #passHole(group: Group, cursor: Cursor): void {
    group.letHolesPass(cursor)
    if (cursor.next > cursor.end) this.#moveTo(group, cursor, cursor.end)
  }

  /** Market data that is no longer kept: said, and gone on behind the hole. */
  #skip(group: Group, cursor: Cursor, next: number): void {
    this.#options.log.warn(
      {
        group: group.name,
        topic: cursor.topic,
        partition: cursor.partition,
        from: cursor.next,
        to: next,
      },
      'events were deleted before they were read: going on from the first that is left',
    )
    group.letHolesPass(cursor)
    this.#moveTo(group, cursor, next)
  }

  #moveTo(group: Group, cursor: Cursor, next: number): void {
    group.moveTo(cursor, next)
    this.#store.touch()
  }

  #readerOf(group: Group, starts: Ends): KafkaReader {
    const reader = new KafkaReader(this.#client, group.name, {
      onRecords: (topic, partition, records, end) => this.#onRecords(group, topic, partition, records, end),
      onLost: (topic, partition, asked, range) => this.#onLost(group, topic, partition, asked, range),
      onBack: () =>
        void this.#lookAgain(group).catch((error: unknown) =>
          this.#options.log.warn({ group: group.name, err: error }, 'what was read could not be looked at again'),
        ),
    })
    group.reader = reader
    for (const cursor of group.cursors.values()) {
      const { topic, partition, next, end, stopped } = cursor
      reader.add(topic, partition, next)
      if (stopped !== undefined) reader.drop(topic, partition)
      else this.#readFromBehind(group, cursor, { start: starts.get(topic)?.[partition] ?? 0, end })
    }
    return reader
  }

  /** From a little before the cursor on, where a record that was handled cannot have gone by itself. */
  #readFromBehind(group: Group, cursor: Cursor, { start, end }: LogRange): void {
    const { topic, partition, next } = cursor
    const from = mayHaveHoles(topic) ? next : Math.min(next, Math.max(start, next - LOOK_BACK))
    cursor.end = end
    cursor.looksBack = from < next
    group.reader!.add(topic, partition, from)
  }

  /** While nobody was looking Kafka may have lost what was handled, and grown again to where it was. */
  async #lookAgain(group: Group): Promise<void> {
    const before = [...group.cursors.values()].map((cursor) => ({ cursor, next: cursor.next }))
    const [starts, ends] = await this.#client.ranges(group.subscription.topics)
    for (const { cursor, next } of before) {
      const start = starts.get(cursor.topic)![cursor.partition]!
      const end = ends.get(cursor.topic)![cursor.partition]!
      // That one stands beyond the end the poll itself finds out.
      if (this.#stopped || cursor.stopped !== undefined || next > end) continue
      this.#readFromBehind(group, cursor, { start, end: Math.max(end, cursor.next) })
    }
  }

  /**
   * What lies before the cursor has been handled; or Kafka has lost what was handled, and other events lie there now. A stream
   * that comes up there for the first time is not told from one that the group has passed over.
   */
  #checkBehind(group: Group, cursor: Cursor, { offset, value }: KafkaRecord): void {
    const { topic, partition, next } = cursor
    if (offset === next - 1) cursor.looksBack = false
    let event: BusEvent
    try {
      event = decodeEvent(value, topic, partition, offset)
    } catch (error) {
      // It went to the dead letters.
      if (error instanceof EventError) return
      throw error
    }
    const last = group.lastSeen(event)
    if (!isRead(group.subscription, event) || last === undefined || event.sequence <= last) return
    const what = { group: group.name, event: event.eventId, offset, next }
    this.#options.log.error(
      what,
      'Kafka holds an event that was not read before offsets that were: the partition is stopped',
    )
    // Who goes on over the hole goes on with this event.
    cursor.end = offset
    const reason = `Kafka has lost events that it had acknowledged: it was read up to offset ${next}, and holds ${event.eventId} before that, at ${offset}, which was never read`
    this.#stopAt(group, cursor, event.eventId, reason)
  }

  async #onRecords(
    group: Group,
    topic: Topic,
    partition: number,
    records: readonly KafkaRecord[],
    end: number,
  ): Promise<void> {
    const cursor = group.cursors.get(`${topic}/${partition}`)!
    if (cursor.stopped === undefined) cursor.end = Math.max(cursor.end, end)
    for (const record of records) {
      if (cursor.stopped || this.#stopped) return
      if (record.offset < cursor.next) this.#checkBehind(group, cursor, record)
      else this.#deliver(group, cursor, record)
    }
    this.#checkWaiters()
    if (this.#uncommitted > UNCOMMITTED_MAX) await this.#store.durable()
  }

  #deliver(group: Group, cursor: Cursor, record: KafkaRecord): void {
    let event: BusEvent | undefined
    try {
      event = decodeEvent(record.value, cursor.topic, cursor.partition, record.offset)
      if (isRead(group.subscription, event) && group.isNew(event)) {
        const delivered = this.#withHeaders(event, record)
        this.#timeUs = event.timeEventUs
        this.#options.beforeHandle?.(event)
        this.#store.transact((turn) => group.subscription.handle(delivered, turn))
        group.markSeen(event)
      }
    } catch (error) {
      if (event !== undefined || !(error instanceof EventError)) this.#poison(group, cursor, event, error)
      else this.#poisonUnread(group, cursor, error)
      if (cursor.stopped) return
      if (event !== undefined) group.markSeen(event)
    }
    this.#uncommitted++
    this.#moveTo(group, cursor, record.offset + 1)
  }

  #withHeaders(event: BusEvent, record: KafkaRecord): BusEvent {
    const isWanted = this.#options.readHeaders === true && record.headers !== undefined
    const headers = isWanted ? fromRecordHeaders(record.headers!) : undefined
    return headers === undefined ? event : withHeaders(event, headers)
  }

  #poison(group: Group, cursor: Cursor, event: BusEvent | undefined, error: unknown): void {
    const name = group.name
    const { topic, partition, next: offset } = cursor
    const stops = stopsAt(topic, error)
    const what = event ?? (error instanceof EventError ? error.event : undefined)
    const where = what?.eventId ?? `${topic}[${partition}]@${offset}`
    this.#options.log.error(
      { group: name, event: where, err: error },
      stops ? 'an event could not be handled: its partition is stopped' : 'an event could not be handled: dead letter',
    )
    if (stops) this.#stopAt(group, cursor, where, error instanceof Error ? error.message : String(error))
    else bury(this.#store, { topic, partition, offset, group: name, event: what ?? { topic, eventId: where }, error })
  }

  /** What cannot be read has its place in its stream all the same: it may come again, and what follows it is no hole. */
  #poisonUnread(group: Group, cursor: Cursor, error: EventError): void {
    const { event } = error
    if (event?.stream === undefined || event.sequence === undefined) {
      this.#poison(group, cursor, undefined, error)
      return
    }
    const placed = { topic: event.topic, stream: event.stream, sequence: event.sequence }
    try {
      if (!group.isNew(placed)) return
    } catch (hole) {
      this.#poison(group, cursor, undefined, hole)
      return
    }
    this.#poison(group, cursor, undefined, error)
    if (cursor.stopped === undefined) group.markSeen(placed)
  }

  #onLost(group: Group, topic: Topic, partition: number, asked: number, range: LogRange): number | undefined {
    const cursor = group.cursors.get(`${topic}/${partition}`)!
    const { start, end } = range
    cursor.looksBack = false
    if (asked > end) this.#forgotten(group, cursor, end)
    else if (cursor.next < start && isPassing(topic)) this.#skip(group, cursor, start)
    // Where only what was handled has gone, what follows is there.
    else if (cursor.next < start) {
      this.#options.log.error(
        { group: group.name, topic, partition, asked, start },
        'events were moved to the archive before they were read: the partition is stopped; it is read there after a restart',
      )
      const reason = `offset ${asked} was moved to the archive before it was read; it is read there after a restart`
      this.#stopAt(group, cursor, `${topic}[${partition}]@${asked}`, reason)
    }
    this.#checkWaiters()
    return cursor.stopped === undefined ? cursor.next : undefined
  }

  #stopAt(group: Group, cursor: Cursor, eventId: string, reason: string): void {
    const { topic, partition } = cursor
    cursor.stopped = { reader: this.#shownName(group), topic, partition, eventId, reason }
    cursor.looksBack = false
    group.reader?.drop(topic, partition)
    tellStop(this.#store, cursor.stopped, group.subscription, this.#timeUs)
    this.#checkWaiters()
  }

  #collect(): ReturnType<CommitParticipant['collect']> {
    this.#uncommitted = 0
    const all = this.#groups.map((group) => group.collect())
    return { moves: all.flatMap(({ moves }) => moves), handled: all.flatMap(({ handled }) => handled) }
  }

  #when(isTrue: () => boolean): Promise<void> {
    if (isTrue()) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push({ isTrue, resolve }))
  }

  /** After anything was handled or stopped. */
  #checkWaiters(): void {
    if (this.#waiters.length === 0) return
    const still = []
    for (const waiter of this.#waiters) {
      if (waiter.isTrue()) waiter.resolve()
      else still.push(waiter)
    }
    this.#waiters = still
  }

  /** Several units of a service read for the same group, each with offsets of its own: each is shown under its own name. */
  #shownName({ name }: Group): string {
    const { unit } = this.#store
    return unit.startsWith(`${name}.`) ? unit : name
  }

  /** Kafka's own tools show the lag of our groups. */
  #showLater(): void {
    const timer = setTimeout(() => {
      const shown = this.#groups.map((group) =>
        this.#client.showOffsets(
          this.#shownName(group),
          [...group.cursors.values()].map(({ topic, partition, committed }) => ({ topic, partition, next: committed })),
        ),
      )
      void Promise.allSettled(shown).then(() => {
        if (!this.#stopped) this.#showLater()
      })
    }, SHOW_OFFSETS_MS)
    timer.unref()
    this.#showing = { cancel: () => clearTimeout(timer) }
  }
}
