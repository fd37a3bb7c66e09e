/**
 * The store on PostgreSQL: the same turns as on SQLite, committed one batch at a time while the next one fills. Handlers run
 * ahead of the commit in memory; nothing leaves the process before it.
 *
 * A unit has one owner: its row holds an epoch that rises at each take-over, and every commit is made conditional on it.
 */
import { TOPICS, type Topic } from '@jts/contracts'
import type { Activity, Logger, WallClock } from '@jts/runtime'
import type { Sql } from 'postgres'
import { NumberedCommits, UnitTakenError, type Written } from './postgres-commits.ts'
import { connectPostgres, migrate } from './postgres-connection.ts'
import { outboxParameters, StreamEnds, type OutboxEntry, type PublishedEvent } from './postgres-outbox.ts'
import { sharedSchemaName, unitSchemaName, unitSql } from './postgres-schema.ts'
import { migrateTables } from './postgres-migrations.ts'
import type { LastRows, PublishHook, Store, Turn } from './port.ts'
import { allSql, lastSql, type Row, type Table } from './table.ts'

export { UnitTakenError } from './postgres-commits.ts'

export type PostgresStoreOptions = {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string
  /** Connections that the units of one process share; without them the store makes its own. */
  readonly sql?: Sql
  /** Keeps apart what must never meet: modes, replays. */
  readonly namespace: string
  /** What is owned: a service, or one account or strategy instance of it. */
  readonly unit: string
  /** Who owns it. A process that comes back under the same name takes its unit back at once. */
  readonly owner: string
  /** Where the owner answers calls about the unit: `host:port`. */
  readonly address?: string
  readonly log: Logger
  readonly activity?: Activity
  readonly wallClock: WallClock
  /** The unit was taken over, or what is in memory can no longer be on disk: the process says why and ends. */
  readonly fatal: (reason: string, cause: unknown) => void
  readonly leaseMs?: number
  /** After which a connection without a word is given up. */
  readonly silenceMs?: number
  readonly onPublish?: PublishHook | undefined
  /** Told how long each commit took. */
  readonly onCommit?: ((seconds: number) => void) | undefined
}

/** A step of a consumer: from `last` to `next`, by compare-and-set. */
export type OffsetMove = { consumer: string; topic: Topic; partition: number; last: number; next: number }
/** The highest sequence that a consumer has handled of a stream. */
export type Handled = { consumer: string; topic: Topic; stream: string; sequence: number }
export type OffsetRow = { consumer: string; topic: Topic; partition: number; next: number }

/** What the bus adds to a commit and learns from it. */
export type CommitParticipant = {
  /** Called when a batch is taken: what has been consumed since the last one. */
  collect(): { readonly moves: readonly OffsetMove[]; readonly handled: readonly Handled[] }
  /** The events of a batch, on disk now. */
  committed(entries: readonly OutboxEntry[]): void
}

type Writes = Map<string, Row | null>
type Batch = {
  readonly writes: Writes[]
  readonly events: PublishedEvent[]
  readonly effects: (() => void)[]
  readonly waiters: (() => void)[]
  durable: boolean
  touched: boolean
}

const LEASE_MS = 3000
const OUTBOX_PARAMETERS = 9
export class PostgresStore implements Store {
  readonly unit: string
  readonly namespace: string
  readonly sql: Sql
  readonly shared: string
  readonly #options: PostgresStoreOptions
  readonly #schema: string
  readonly #tables: Table<never>[] = []
  readonly #tableIndex = new Map<string, number>()
  readonly #streams: StreamEnds
  readonly #commits: NumberedCommits
  #prepared: Promise<void> | undefined
  #commitSql = ''
  #epoch = 0
  #takenUs = 0
  #leaseEndsMs = Number.NEGATIVE_INFINITY
  #batch: Batch | undefined
  #handlerWrites: { readonly table: number; readonly key: string; readonly row: Row | null }[] = []
  #handlerEvents: PublishedEvent[] = []
  #handlerEffects: (() => void)[] = []
  #handlerDurable = false
  #inHandler = false
  #committing = false
  #committingSinceMs: number | undefined
  #isLeaseLate = false
  #closed = false
  #scheduled = false
  #participant: CommitParticipant | undefined
  #lease: { cancel(): void } | undefined

  private constructor(options: PostgresStoreOptions) {
    this.#options = options
    this.unit = options.unit
    this.namespace = options.namespace
    this.shared = sharedSchemaName(options.namespace)
    this.#schema = unitSchemaName(options.namespace, options.unit)
    const { url, unit, sql, silenceMs } = options
    this.sql = sql ?? connectPostgres(url, unit, { silenceMs })
    this.#streams = new StreamEnds(this.sql, this.shared)
    this.#commits = new NumberedCommits({
      ...{ sql: this.sql, shared: this.shared, unit, log: options.log },
      isClosed: () => this.#closed,
      ask: (parameters) => this.sql.unsafe(this.#commitSql, parameters as never[], { prepare: true }),
    })
  }

  /**
   * Connects, brings the schema to today's version and takes the unit.
   * @throws UnitTakenError when another process holds it.
   */
  static async open(options: PostgresStoreOptions): Promise<PostgresStore> {
    const store = new PostgresStore(options)
    try {
      await migrate(store.sql, options.namespace)
      await store.#take()
      return store
    } catch (error) {
      await store.#disconnect()
      throw error
    }
  }

  get epoch(): number {
    return this.#epoch
  }

  /**
   * When this owner took the unit, by the database's clock, µs: what it is told from its predecessors by outside this database,
   * where epochs of another one may be remembered.
   */
  get takenUs(): number {
    return this.#takenUs
  }

  /** As far as is known without asking: nobody else can have taken the unit yet. */
  get holdsLease(): boolean {
    return !this.#closed && performance.now() < this.#leaseEndsMs
  }

  /** Asks, where that is not sure, and renews the lease. False when the unit has another owner, or nobody can say. */
  async confirmLease(): Promise<boolean> {
    if (!this.holdsLease) await this.#renew().catch(() => undefined)
    return this.holdsLease
  }

  /** Closed by its owner, or by a commit that could not be made. */
  get isClosed(): boolean {
    return this.#closed
  }

  /** For how long the commit under way has been waiting for the database; 0 when there is none. */
  get commitWaitsMs(): number {
    return this.#committingSinceMs === undefined ? 0 : performance.now() - this.#committingSinceMs
  }

  /** Commits made since the unit exists. */
  get commits(): number {
    return this.#commits.count
  }

  plugParticipant(participant: CommitParticipant): void {
    this.#participant = participant
  }

  ensure(tables: readonly Table<never>[]): void {
    if (this.#prepared !== undefined) throw new Error('tables are ensured before the first read or commit')
    for (const table of tables) {
      if (this.#tableIndex.has(table.name)) continue
      this.#tableIndex.set(table.name, this.#tables.length)
      this.#tables.push(table)
    }
  }

  async all<R extends Row>(table: Table<R>): Promise<readonly R[]> {
    await this.#prepare()
    const rows = await this.sql.unsafe(allSql(table as unknown as Table<never>, `${this.#schema}.${table.name}`))
    return Array.from(rows, (row) => ({ ...row }) as unknown as R)
  }

  async last<R extends Row>(table: Table<R>, wanted: LastRows<R>): Promise<readonly R[]> {
    await this.#prepare()
    const name = `${this.#schema}.${table.name}`
    const sql = lastSql(table as unknown as Table<never>, wanted, { name, markOf: (n) => `$${n}` })
    const rows = await this.sql.unsafe(sql, Object.values(wanted.where) as never[])
    return Array.from(rows, (row) => ({ ...row }) as unknown as R).reverse()
  }

  transact<T>(work: (turn: Turn) => T, durability: 'durable' | 'relaxed' = 'relaxed'): T {
    if (this.#closed) throw new Error('the store is closed')
    if (this.#inHandler) throw new Error('a handler may not begin a transaction inside another')
    this.#inHandler = true
    this.#handlerDurable = durability === 'durable'
    let result: T
    try {
      result = work(this.#turn)
    } catch (error) {
      this.#inHandler = false
      this.#handlerWrites = []
      this.#handlerEvents = []
      this.#handlerEffects = []
      throw error
    }
    this.#inHandler = false
    const batch = this.#openBatch()
    for (const { table, key, row } of this.#handlerWrites) (batch.writes[table] ??= new Map()).set(key, row)
    batch.events.push(...this.#handlerEvents)
    batch.effects.push(...this.#handlerEffects)
    batch.durable ||= this.#handlerDurable
    this.#handlerWrites = []
    this.#handlerEvents = []
    this.#handlerEffects = []
    return result
  }

  /** Something outside a handler has to be committed: a consumer has moved on. */
  touch(): void {
    this.#openBatch()
  }

  async durable(): Promise<void> {
    if (this.#closed) throw new Error('the store is closed')
    if (this.#batch === undefined && !this.#committing && !this.#commits.hasRelaxed) return
    const batch = this.#openBatch()
    batch.durable = true
    await new Promise<void>((resolve) => batch.waiters.push(resolve))
  }

  async close(): Promise<void> {
    if (!this.#closed) await this.durable()
    this.#closed = true
    this.#lease?.cancel()
    await this.#disconnect()
  }

  /** Ends without a word to the database, for instance because it is away: what was not committed is not there. */
  async abandon(): Promise<void> {
    this.#closed = true
    this.#lease?.cancel()
    await this.#disconnect()
  }

  /** Gives the unit up, so that another owner need not wait for the lease to end. */
  async release(): Promise<void> {
    await this.durable()
    this.#closed = true
    this.#lease?.cancel()
    await this.sql.unsafe(`UPDATE ${this.shared}.units SET lease_until = now() WHERE unit = $1 AND epoch = $2`, [
      this.unit,
      this.#epoch,
    ])
    await this.#disconnect()
  }

  /** Connections that were given belong to whoever gave them. */
  async #disconnect(): Promise<void> {
    if (this.#options.sql === undefined) await this.sql.end({ timeout: 2 })
  }

  readonly #turn: Turn = {
    put: (table, row) => this.#write(table, row, row),
    remove: (table, key) => this.#write(table, key, null),
    publish: (topic, event) => {
      const { onPublish } = this.#options
      this.#handlerEvents.push({ topic, event: onPublish === undefined ? event : onPublish(topic, event, this.#turn) })
      if (TOPICS[topic].durability === 'durable') this.#handlerDurable = true
    },
    afterCommit: (effect) => {
      this.#handlerDurable = true
      this.#handlerEffects.push(effect)
    },
  }

  #write<R extends Row>(table: Table<R>, key: Partial<R>, row: R | null): void {
    const index = this.#tableIndex.get(table.name)
    if (index === undefined) throw new Error(`expected table ${table.name} to be ensured first`)
    const keyText = JSON.stringify(table.key.map((column) => key[column]))
    this.#handlerWrites.push({ table: index, key: keyText, row })
  }

  #openBatch(): Batch {
    if (this.#batch === undefined) {
      this.#batch = { writes: [], events: [], effects: [], waiters: [], durable: false, touched: true }
      this.#options.activity?.enter('store')
    }
    if (!this.#scheduled && !this.#committing) {
      this.#scheduled = true
      setImmediate(() => void this.#run())
    }
    return this.#batch
  }

  /** Commits batch after batch until nothing has been written meanwhile. */
  async #run(): Promise<void> {
    this.#scheduled = false
    if (this.#committing) return
    this.#committing = true
    while (this.#batch !== undefined && !this.#closed) {
      const batch = this.#batch
      this.#batch = undefined
      const { moves, handled } = this.#participant?.collect() ?? { moves: [], handled: [] }
      let entries: readonly OutboxEntry[]
      this.#committingSinceMs = performance.now()
      const begunMs = performance.now()
      try {
        entries = await this.#commit(batch, moves, handled)
        this.#committingSinceMs = undefined
      } catch (cause) {
        if (this.#closed) return
        // Memory and disk no longer agree: nothing more is written, and no waiter is told that its cause is on disk.
        this.#closed = true
        this.#options.fatal('a commit failed', cause)
        return
      }
      this.#options.onCommit?.((performance.now() - begunMs) / 1000)
      for (const waiter of batch.waiters) waiter()
      for (const effect of batch.effects) effect()
      if (entries.length > 0) this.#participant?.committed(entries)
      this.#options.activity?.leave('store')
    }
    this.#committing = false
  }

  async #commit(
    batch: Batch,
    moves: readonly OffsetMove[],
    handled: readonly Handled[],
  ): Promise<readonly OutboxEntry[]> {
    const writes = this.#tables.flatMap((table, i) => jsonOf(table, batch.writes[i]))
    const fixed = [moves.length === 0 ? null : moves, handled.length === 0 ? null : handled]
    const write = async (number: number, isDurable: boolean): Promise<Written<OutboxEntry[]>> => {
      await this.#prepare()
      const entries = await this.#streams.place(batch.events)
      const parameters = [this.#epoch, number, isDurable, ...fixed, ...outboxParameters(entries), ...writes]
      return { parameters, result: entries }
    }
    const entries = await this.#commits.make(batch.durable, write, () => this.#streams.forget(batch.events))
    this.#streams.moved(entries)
    return entries
  }

  #prepare(): Promise<void> {
    // An attempt that failed, because the database was away, is made again by the next one who asks.
    this.#prepared ??= this.#createUnit().catch((error: unknown) => {
      this.#prepared = undefined
      throw error
    })
    return this.#prepared
  }

  async #createUnit(): Promise<void> {
    await migrateTables(this.sql, this.#schema, this.#tables)
    await this.sql.unsafe(unitSql({ shared: this.shared, schema: this.#schema, unit: this.unit, tables: this.#tables }))
    const marks = Array.from({ length: 5 + OUTBOX_PARAMETERS + this.#tables.length * 2 }, (_, i) => `$${i + 1}`)
    this.#commitSql = `SELECT ${this.#schema}.commit_turn(${marks.join(', ')}) AS number`
  }

  async #take(): Promise<void> {
    const { owner, address = '', leaseMs = LEASE_MS } = this.#options
    const askedMs = performance.now()
    const [row] = await this.sql.unsafe(
      `INSERT INTO ${this.shared}.units AS u (unit, epoch, owner, lease_until, commits, address, since)
         VALUES ($1, 1, $2, now() + $3 * interval '1 millisecond', 0, $4, now())
         ON CONFLICT (unit) DO UPDATE SET epoch = u.epoch + 1, owner = excluded.owner, lease_until = excluded.lease_until,
             address = excluded.address, since = greatest(excluded.since, u.since + interval '1 microsecond')
           WHERE u.lease_until < now() OR u.owner = excluded.owner
         RETURNING epoch, commits, (extract(epoch FROM since) * 1000000)::bigint AS taken_us`,
      [this.unit, owner, leaseMs, address],
    )
    if (row === undefined) throw new UnitTakenError(`unit ${this.unit} is owned by another process`)
    this.#epoch = row['epoch'] as number
    this.#takenUs = row['taken_us'] as number
    this.#leaseEndsMs = askedMs + leaseMs
    this.#commits.goOnFrom(this.#epoch, row['commits'] as number)
    await this.sql.unsafe(`UPDATE ${this.shared}.offsets SET epoch = $2 WHERE unit = $1`, [this.unit, this.#epoch])
    this.#keepLease(leaseMs)
  }

  /** A lease says that the owner lives; whether it may still write is decided by the epoch alone. */
  #keepLease(leaseMs: number): void {
    const renew = async (): Promise<void> => {
      try {
        if (!(await this.#renew())) return
        this.#isLeaseLate = false
      } catch (error) {
        // Once for each time that the database is away.
        if (!this.#closed && !this.#isLeaseLate) {
          this.#options.log.warn({ unit: this.unit, err: error }, 'the lease could not be renewed')
        }
        this.#isLeaseLate = true
      }
      if (!this.#closed) this.#keepLease(leaseMs)
    }
    this.#lease = this.#options.wallClock.after(leaseMs / 3, () => void renew())
  }

  /** False when another owns the unit: this process ends. */
  async #renew(): Promise<boolean> {
    const { leaseMs = LEASE_MS } = this.#options
    const askedMs = performance.now()
    const rows = await this.sql.unsafe(
      `UPDATE ${this.shared}.units SET lease_until = now() + $3 * interval '1 millisecond'
         WHERE unit = $1 AND epoch = $2 RETURNING unit`,
      [this.unit, this.#epoch, leaseMs],
    )
    if (rows.length > 0) {
      this.#leaseEndsMs = askedMs + leaseMs
      return true
    }
    if (!this.#closed) {
      this.#closed = true
      const cause = new UnitTakenError(`unit ${this.unit} is no longer owned at epoch ${this.#epoch}`)
      this.#options.fatal('its unit was taken over by another process', cause)
    }
    return false
  }
}

/** The rows to put and the keys to remove, or null where there are none. */
function jsonOf(table: Table<never>, writes: Writes | undefined): [Row[] | null, Row[] | null] {
  if (writes === undefined) return [null, null]
  const put: Row[] = []
  const remove: Row[] = []
  for (const [key, row] of writes) {
    if (row !== null) put.push(row)
    else {
      const values = JSON.parse(key) as (string | number)[]
      remove.push(Object.fromEntries(table.key.map((column, i) => [column, values[i]!])))
    }
  }
  return [put.length === 0 ? null : put, remove.length === 0 ? null : remove]
}
