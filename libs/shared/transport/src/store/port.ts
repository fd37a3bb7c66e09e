/**
 * The store port: one transaction per handler's run, one commit per event-loop turn, and nothing leaves the process before
 * the commit that holds its cause is on disk.
 *
 * Services keep their state in memory and *write* rows through a turn; they read rows only at start. So the same service code
 * runs on an engine that answers at once (SQLite) and on one that answers later (PostgreSQL).
 */
import type { NewEvent, Topic } from '@jts/contracts'
import type { Row, Table } from './table.ts'

/** One handler's transaction. Valid only while the handler runs. */
export interface Turn {
  /** Writes a row, replacing the one with the same key. */
  put<R extends Row>(table: Table<R>, row: R): void
  remove<R extends Row>(table: Table<R>, key: Partial<R>): void
  /** Appends to a topic; delivered inside the process when the handler has ended, outside after the commit. */
  publish(topic: Topic, event: NewEvent): void
  /** What leaves the process (a broker call, a client's answer, a notification) happens here: after the commit is on disk. */
  afterCommit(effect: () => void): void
}

/**
 * Sees each event as it is published, in its transaction: may add what rides beside it (its headers), and say it when it is
 * on disk.
 */
export type PublishHook = (topic: Topic, event: NewEvent, turn: Pick<Turn, 'afterCommit'>) => NewEvent

/** The last rows of a history: those with the highest value of a column. */
export type LastRows<R extends Row> = {
  readonly by: keyof R & string
  readonly count: number
  /** Only rows that have these values. */
  readonly where: Partial<R>
}

export interface Store {
  /** Creates the tables that are missing, and brings older ones to today's shape; one that has no way there is refused. */
  ensure(tables: readonly Table<never>[]): void
  /** Every row of a table, in key order. Read at start. */
  all<R extends Row>(table: Table<R>): Promise<readonly R[]>
  /** The end of a table that only grows, oldest first, without reading the rest of it. Read at start. */
  last<R extends Row>(table: Table<R>, wanted: LastRows<R>): Promise<readonly R[]>
  /**
   * Runs a handler as one transaction: all of its writes and events, or none.
   * @param durability `durable` asks for a synced commit even when no durable topic is written.
   */
  transact<T>(work: (turn: Turn) => T, durability?: 'durable' | 'relaxed'): T
  /** Resolves when everything written so far is on disk. Await it before an answer leaves the process. */
  durable(): Promise<void>
  close(): Promise<void>
}
