/**
 * The embedded store: one SQLite file per process holds every service's tables and the event log, so that a handler's run
 * (state, offsets, events) is one transaction, and all handlers of one event-loop turn share one commit.
 *
 * SQLite cannot change its safety level inside a transaction: it commits at `synchronous=NORMAL`, and the write-ahead log is
 * synced by hand when the turn held a durable record.
 */
import { closeSync, fdatasyncSync, openSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import type { NewEvent, Topic } from '@jts/contracts'
import { TOPICS } from '@jts/contracts'
import type { Activity, Logger } from '@jts/runtime'
import { checkShape, stepsFrom, tableVersion } from './migrations.ts'
import type { LastRows, PublishHook, Store, Turn } from './port.ts'
import { allSql, createTableSql, lastSql, removeSql, upsertSql, type Row, type Table } from './table.ts'

export type SqliteStoreOptions = {
  readonly file: string
  readonly log: Logger
  readonly activity?: Activity
  /** A commit that fails ends the process: what is in memory is no longer what is on disk. */
  readonly fatal: (reason: string, cause: unknown) => void
  readonly onPublish?: PublishHook | undefined
  /** Told how long each commit took, its sync included. */
  readonly onCommit?: ((seconds: number) => void) | undefined
}

/** Where a handler's events go; the embedded bus plugs itself in here. */
export type TurnPublisher = {
  append(topic: Topic, event: NewEvent): void
  /** The handler has ended well: its events may be delivered. */
  release(): void
  /** The handler has thrown: its events never were. */
  discard(): void
}

export class SqliteStore implements Store {
  readonly database: DatabaseSync
  readonly #options: SqliteStoreOptions
  readonly #walFile: number
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #savepoint: StatementSync
  readonly #releaseSavepoint: StatementSync
  readonly #rollbackSavepoint: StatementSync
  readonly #upserts = new Map<string, StatementSync>()
  readonly #removes = new Map<string, StatementSync>()
  #open = false
  #needsSync = false
  /** Committed without a sync since the last one. */
  #unsynced = false
  #inHandler = false
  #closed = false
  #effects: (() => void)[] = []
  #handlerEffects: (() => void)[] = []
  #waiters: (() => void)[] = []
  #beforeCommit: (() => void)[] = []
  #publisher: TurnPublisher | undefined
  #commits = 0

  constructor(options: SqliteStoreOptions) {
    this.#options = options
    this.database = new DatabaseSync(options.file)
    this.database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=2000')
    this.database.exec('CREATE TABLE IF NOT EXISTS store_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)')
    this.database.exec("INSERT INTO store_meta VALUES ('format', '1') ON CONFLICT (key) DO NOTHING")
    this.database.exec('CREATE TABLE IF NOT EXISTS store_tables (name TEXT PRIMARY KEY, version INTEGER NOT NULL)')
    this.#walFile = openSync(`${options.file}-wal`, 'r+')
    this.#begin = this.database.prepare('BEGIN IMMEDIATE')
    this.#commit = this.database.prepare('COMMIT')
    this.#savepoint = this.database.prepare('SAVEPOINT handler')
    this.#releaseSavepoint = this.database.prepare('RELEASE handler')
    this.#rollbackSavepoint = this.database.prepare('ROLLBACK TO handler')
  }

  /** Commits made since the start (a figure for benchmarks and metrics). */
  get commits(): number {
    return this.#commits
  }

  plugPublisher(publisher: TurnPublisher): void {
    this.#publisher = publisher
  }

  /** Work that joins every commit, such as the consumed offsets of the turn. */
  onBeforeCommit(work: () => void): void {
    this.#beforeCommit.push(work)
  }

  ensure(tables: readonly Table<never>[]): void {
    for (const table of tables) this.#ensure(table)
  }

  #ensure(table: Table<never>): void {
    const { database } = this
    const columns = database.prepare('SELECT name, type FROM pragma_table_info(?)')
    const isThere = columns.all(table.name).length > 0
    const row = database.prepare('SELECT version FROM store_tables WHERE name = ?').get(table.name)
    const version = (row?.['version'] as number | undefined) ?? 1
    const today = tableVersion(table)
    if (!isThere || version !== today || row === undefined) {
      const steps = isThere ? stepsFrom(table, version) : [createTableSql(table)]
      database.exec('BEGIN IMMEDIATE')
      try {
        for (const step of steps) database.exec(step)
        database
          .prepare('INSERT INTO store_tables VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET version = excluded.version')
          .run(table.name, today)
        checkShape(table, columns.all(table.name) as { name: string; type: string }[])
        database.exec('COMMIT')
      } catch (error) {
        database.exec('ROLLBACK')
        throw error
      }
      this.#unsynced = true
    } else checkShape(table, columns.all(table.name) as { name: string; type: string }[])
  }

  all<R extends Row>(table: Table<R>): Promise<readonly R[]> {
    return Promise.resolve(this.database.prepare(allSql(table as unknown as Table<never>)).all() as unknown as R[])
  }

  last<R extends Row>(table: Table<R>, wanted: LastRows<R>): Promise<readonly R[]> {
    const sql = lastSql(table as unknown as Table<never>, wanted, { markOf: () => '?' })
    const rows = this.database.prepare(sql).all(...(Object.values(wanted.where) as SQLInputValue[]))
    return Promise.resolve((rows as unknown as R[]).reverse())
  }

  transact<T>(work: (turn: Turn) => T, durability: 'durable' | 'relaxed' = 'relaxed'): T {
    if (this.#closed) throw new Error('the store is closed')
    if (this.#inHandler) throw new Error('a handler may not begin a transaction inside another')
    this.#openTurn()
    this.#savepoint.run()
    this.#inHandler = true
    let result: T
    try {
      result = work(this.#turn)
    } catch (error) {
      this.#inHandler = false
      if (isSqliteError(error)) this.#options.fatal('the store could not be written', error)
      this.#rollbackSavepoint.run()
      this.#releaseSavepoint.run()
      this.#publisher?.discard()
      this.#handlerEffects.length = 0
      throw error
    }
    this.#inHandler = false
    this.#releaseSavepoint.run()
    if (durability === 'durable') this.#needsSync = true
    if (this.#handlerEffects.length > 0) {
      for (const effect of this.#handlerEffects) this.#effects.push(effect)
      this.#handlerEffects.length = 0
    }
    this.#publisher?.release()
    return result
  }

  durable(): Promise<void> {
    if (!this.#open) {
      this.#sync()
      return Promise.resolve()
    }
    this.#needsSync = true
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  /** Commits now what this turn has written so far; called by the loop at the end of each turn. */
  flush(): void {
    if (!this.#open || this.#closed) return
    const effects = this.#effects
    const waiters = this.#waiters
    const { onCommit } = this.#options
    const begunMs = onCommit === undefined ? 0 : performance.now()
    try {
      for (const work of this.#beforeCommit) work()
      this.#commit.run()
      this.#unsynced = true
      if (this.#needsSync) this.#sync()
    } catch (cause) {
      // Memory and disk no longer agree: nothing more is written, and no waiter is told that its cause is on disk.
      this.#closed = true
      this.#options.fatal('a commit failed', cause)
      return
    }
    onCommit?.((performance.now() - begunMs) / 1000)
    this.#commits++
    this.#open = false
    this.#needsSync = false
    this.#effects = []
    this.#waiters = []
    for (const waiter of waiters) waiter()
    for (const effect of effects) effect()
    this.#options.activity?.leave('store')
  }

  close(): Promise<void> {
    this.flush()
    this.#closed = true
    closeSync(this.#walFile)
    this.database.close()
    return Promise.resolve()
  }

  readonly #turn: Turn = {
    put: (table, row) => {
      const statement = this.#prepared(this.#upserts, table, upsertSql)
      statement.run(...table.columns.map((column) => row[column] as SQLInputValue))
    },
    remove: (table, key) => {
      const statement = this.#prepared(this.#removes, table, removeSql)
      statement.run(...table.key.map((column) => key[column] as SQLInputValue))
    },
    publish: (topic, event) => {
      if (this.#publisher === undefined) throw new Error('no bus is plugged into this store')
      const { onPublish } = this.#options
      this.#publisher.append(topic, onPublish === undefined ? event : onPublish(topic, event, this.#turn))
      if (TOPICS[topic].durability === 'durable') this.#needsSync = true
    },
    afterCommit: (effect) => {
      this.#needsSync = true
      this.#handlerEffects.push(effect)
    },
  }

  #prepared<R extends Row>(
    cache: Map<string, StatementSync>,
    table: Table<R>,
    sql: (table: Table<never>) => string,
  ): StatementSync {
    let statement = cache.get(table.name)
    if (statement === undefined) {
      statement = this.database.prepare(sql(table as unknown as Table<never>))
      cache.set(table.name, statement)
    }
    return statement
  }

  #sync(): void {
    if (!this.#unsynced) return
    fdatasyncSync(this.#walFile)
    this.#unsynced = false
  }

  #openTurn(): void {
    if (this.#open) return
    this.#begin.run()
    this.#open = true
    this.#options.activity?.enter('store')
    setImmediate(() => this.flush())
  }
}

/** A full disk or a damaged file is nobody's event: no handler may be blamed for it, and the process cannot go on. */
function isSqliteError(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'ERR_SQLITE_ERROR'
}
