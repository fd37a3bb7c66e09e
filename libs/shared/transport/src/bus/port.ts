/** The bus port: topics with partitions, consumer groups whose offsets live in the consumer's own store. */
import { partitionOf, TOPICS, type BusEvent, type Topic } from '@jts/contracts'
import type { Turn } from '../store/port.ts'

export type Subscription = {
  /** Who reads; offsets are kept per group. */
  readonly group: string
  readonly topics: readonly Topic[]
  /**
   * Only these streams of a topic; without a topic's entry, all of it. What a group does not see it has passed over: a group
   * that is to see more is another group.
   */
  readonly streams?: Partial<Record<Topic, readonly string[]>>
  /** Where a group begins that has never read a partition. */
  readonly start?: 'earliest' | 'latest'
  /**
   * One event in one transaction, synchronously: state, offset and published events are committed together. A throw stops
   * the partition (`orders.*`) or sends the event to the dead letters (market data, notifications).
   */
  handle(event: BusEvent, turn: Turn): void
}

export type ReadOptions = {
  readonly partition?: number
  readonly from?: number
  readonly limit?: number
  /** Only so many of the newest of each partition. */
  readonly last?: number
}

export interface Bus {
  subscribe(subscription: Subscription): void
  /**
   * Sees events once they are on disk, without a transaction and without an offset: for screens, metrics, outside readers.
   * Returns the unsubscription.
   */
  tap(topics: readonly Topic[], listener: (event: BusEvent) => void): () => void
  /** Delivers what the groups have not read yet, then goes on live. */
  start(): Promise<void>
  stop(): Promise<void>
  /**
   * Events of a topic from an offset on, in partition and offset order, from the archive and the log alike; for `events tail`,
   * `why`, `rebuild`.
   */
  read(topic: Topic, options?: ReadOptions): AsyncIterable<BusEvent>
  /** Events not yet handled, per group, topic and partition with any. */
  lag(): readonly { group: string; topic: Topic; partition: number; lag: number }[]
}

/** Where a reader stands still: at an event that it could not take and must not pass over. */
export type Stop = {
  /** The group or, between processes, the unit. */
  readonly reader: string
  readonly topic: Topic
  readonly partition: number
  readonly eventId: string
  readonly reason: string
}

/** What a process that reads the log says of where its groups stand still. Each stop is told as `LogStopped`, too. */
export interface LogReader {
  stops(): readonly Stop[]
  /**
   * Tries again where a group stands still, as a new start would, and returns where one stands all the same; a hole in market
   * data is passed over. A group that stands nowhere says so as `LogResumed`: what it was held for is over.
   */
  readAgain(): Promise<readonly Stop[]>
}

/** The partitions of a topic in which the streams lie that a group reads, and whether it reads a stream. */
export function partitionsRead({ streams }: Subscription, topic: Topic): readonly number[] {
  const { partitions } = TOPICS[topic]
  const wanted = streams?.[topic]
  if (wanted === undefined) return Array.from({ length: partitions }, (_, partition) => partition)
  return [...new Set(wanted.map((stream) => partitionOf(stream, partitions)))].sort((a, b) => a - b)
}

export function isRead({ streams }: Subscription, { topic, stream }: Pick<BusEvent, 'topic' | 'stream'>): boolean {
  return streams?.[topic as Topic]?.includes(stream) ?? true
}

export class BusError extends Error {
  override readonly name = 'BusError'
  readonly code: 'OFFSET_CONFLICT' | 'SEQUENCE_GAP' | 'POISON' | 'ARCHIVED_AWAY' | 'FORGOTTEN'
  constructor(code: BusError['code'], message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
