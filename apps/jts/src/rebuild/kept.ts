/** What the services of a data folder keep, with how far each had read the log: one consistent moment, also while JTS runs. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { decodeEvent, partitionOf, TOPICS, type BusEvent } from '@jts/contracts'
import type { LedgerPlain } from '@jts/model'
import { accounts, adjustments, fills, ordersOpen } from '@jts/order-execution/adapters/tables'
import { ledgers } from '@jts/portfolio-tracker/adapters/tables'
import { books } from '@jts/risk-management/adapters/tables'
import { Archive, ARCHIVE_FOLDER, openForReading, SqliteLog } from '@jts/transport'
import { connectPostgres } from '@jts/transport/store/postgres-connection'
import { sharedSchemaName, unitSchemaName } from '@jts/transport/store/postgres-schema'
import { UserError } from '../cli.ts'
import { databaseUrlOf, readRunFile, RUN_FILE } from '../distributed/run-file.ts'
import { openRunLog } from '../distributed/run-log.ts'
import type { KeptAdjustment, KeptFill, KeptOrder } from './compare.ts'

/** A ledger as a service keeps it: it says what `orders.events` said before `next`. */
export type KeptLedger = {
  readonly service: 'portfolio-tracker' | 'risk-management'
  /** Whose tables: the process, or the unit of a distributed run. */
  readonly unit: string
  readonly account: string
  readonly ledger: LedgerPlain
  readonly fillCount: number | undefined
  readonly next: number
}

export type Kept = {
  readonly ledgers: readonly KeptLedger[]
  /** By account. */
  readonly fills: ReadonlyMap<string, readonly KeptFill[]>
  readonly adjustments: ReadonlyMap<string, readonly KeptAdjustment[]>
  readonly openOrders: ReadonlyMap<string, readonly KeptOrder[]>
  readonly fillCounts: ReadonlyMap<string, number>
  /** The last sequence of each account on `orders.events` at that moment. */
  readonly sequences: ReadonlyMap<string, number>
}

export type Folder = {
  readonly kept: Kept
  /** `orders.events` from its first event on. */
  events(): AsyncIterable<BusEvent>
  close(): Promise<void>
}

type Tables = {
  rows(name: string): readonly Record<string, unknown>[]
  /** Where a service's group will go on with this account's `orders.events`. */
  next(service: string, account: string): number
}

const TOPIC = 'orders.events'

export function partitionOfAccount(account: string): number {
  return partitionOf(account, TOPICS[TOPIC].partitions)
}

export async function openFolder(folder: string): Promise<Folder> {
  if (existsSync(join(folder, RUN_FILE))) return openRun(join(folder, RUN_FILE))
  const file = join(folder, 'jts.sqlite')
  if (!existsSync(file)) throw new UserError(`expected the state of a run in ${folder}, found none`)
  const database = openForReading(file)
  // One moment for the tables and the log, whatever a running process writes meanwhile.
  database.exec('BEGIN')
  const names = new Set(
    database
      .prepare('SELECT name FROM sqlite_master')
      .all()
      .map((row) => row['name'] as string),
  )
  const offsets = database.prepare('SELECT next FROM bus_offsets WHERE consumer = ? AND topic = ? AND partition = ?')
  const tables: Tables = {
    rows: (name) => (names.has(name) ? database.prepare(`SELECT * FROM ${name}`).all() : []),
    next: (service, account) =>
      (offsets.get(service, TOPIC, partitionOfAccount(account))?.['next'] as number | undefined) ?? 0,
  }
  const sequences = database.prepare('SELECT stream, sequence FROM bus_sequences WHERE topic = ?').all(TOPIC)
  const log = new SqliteLog(database, new Archive(join(folder, ARCHIVE_FOLDER)))
  return {
    kept: {
      ...keptIn([{ unit: 'this process', tables }]),
      sequences: new Map(sequences.map((row) => [row['stream'] as string, row['sequence'] as number])),
    },
    events: () => log.read(TOPIC),
    close: () => {
      database.close()
      return Promise.resolve()
    },
  }
}

/** Of a distributed run: what Kafka has not been given yet is still in the outbox, and is part of that moment. */
async function openRun(file: string): Promise<Folder> {
  const run = readRunFile(file)
  const opened = await openRunLog(file)
  const sql = connectPostgres(databaseUrlOf(run), 'rebuild')
  const shared = sharedSchemaName(run.namespace)
  const moment = await sql.begin('ISOLATION LEVEL REPEATABLE READ READ ONLY', async (transaction) => {
    const offsets = await transaction.unsafe(
      `SELECT unit, consumer, partition, next FROM ${shared}.offsets WHERE topic = $1`,
      [TOPIC],
    )
    const units = []
    for (const { unit } of await transaction.unsafe(`SELECT unit FROM ${shared}.units ORDER BY unit`)) {
      const schema = unitSchemaName(run.namespace, unit as string)
      const rows = new Map<string, readonly Record<string, unknown>[]>()
      for (const { name } of [ledgers, books, fills, adjustments, ordersOpen, accounts]) {
        const [there] = await transaction.unsafe('SELECT to_regclass($1) IS NOT NULL AS there', [`${schema}.${name}`])
        if (there!['there'] === true) rows.set(name, [...(await transaction.unsafe(`SELECT * FROM ${schema}.${name}`))])
      }
      const tables: Tables = {
        rows: (name) => rows.get(name) ?? [],
        next: (service, account) =>
          (offsets.find(
            (row) =>
              row['unit'] === unit && row['consumer'] === service && row['partition'] === partitionOfAccount(account),
          )?.['next'] as number | undefined) ?? 0,
      }
      units.push({ unit: unit as string, tables })
    }
    const sequences = await transaction.unsafe(`SELECT stream, sequence FROM ${shared}.streams WHERE topic = $1`, [
      TOPIC,
    ])
    const waiting = await transaction.unsafe(
      `SELECT stream, event FROM ${shared}.outbox WHERE topic = $1 ORDER BY stream, sequence`,
      [TOPIC],
    )
    return { units, sequences, waiting }
  })
  return {
    kept: {
      ...keptIn(moment.units),
      sequences: new Map(moment.sequences.map((row) => [row['stream'] as string, row['sequence'] as number])),
    },
    async *events() {
      yield* opened.log.read(TOPIC)
      // Behind every offset: nobody has read it from Kafka.
      for (const row of moment.waiting) {
        yield decodeEvent(
          row['event'] as Uint8Array,
          TOPIC,
          partitionOfAccount(row['stream'] as string),
          Number.MAX_SAFE_INTEGER,
        )
      }
    },
    async close() {
      await opened.close()
      await sql.end({ timeout: 2 })
    },
  }
}

function keptIn(units: readonly { readonly unit: string; readonly tables: Tables }[]): Omit<Kept, 'sequences'> {
  const kept: KeptLedger[] = []
  const fillRows = new Map<string, KeptFill[]>()
  const orders = new Map<string, KeptOrder[]>()
  const adjusted = new Map<string, KeptAdjustment[]>()
  const fillCounts = new Map<string, number>()
  const add = <T>(map: Map<string, T[]>, account: string, value: T): void => {
    map.set(account, [...(map.get(account) ?? []), value])
  }
  for (const { unit, tables } of units) {
    const ledgerOf = (service: KeptLedger['service'], row: Record<string, unknown>): KeptLedger => ({
      service,
      unit,
      account: row['account'] as string,
      ledger: JSON.parse(row['ledger'] as string) as LedgerPlain,
      fillCount: row['fill_count'] as number | undefined,
      next: tables.next(service, row['account'] as string),
    })
    for (const row of tables.rows(ledgers.name)) kept.push(ledgerOf('portfolio-tracker', row))
    for (const row of tables.rows(books.name)) kept.push(ledgerOf('risk-management', row))
    for (const row of tables.rows(fills.name)) add(fillRows, row['account'] as string, row as unknown as KeptFill)
    for (const row of tables.rows(adjustments.name)) {
      add(adjusted, row['account'] as string, row as unknown as KeptAdjustment)
    }
    for (const row of tables.rows(accounts.name)) fillCounts.set(row['account'] as string, row['fill_count'] as number)
    for (const row of tables.rows(ordersOpen.name)) {
      const { life } = JSON.parse(row['record'] as string) as { life: { status: string; cumulativeQuantity: string } }
      add(orders, row['account'] as string, {
        orderId: row['order_id'] as string,
        status: life.status,
        filled: life.cumulativeQuantity,
      })
    }
  }
  return { ledgers: kept, fills: fillRows, adjustments: adjusted, openOrders: orders, fillCounts }
}
