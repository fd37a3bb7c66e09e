/** What the services of a data folder keep, with how far each had read the log: one consistent moment, also while JTS runs. */
import { partitionOf, TOPICS, type BusEvent } from '@jts/contracts'
import type { LedgerPlain } from '@jts/model'
import { accounts, adjustments, fills, ordersOpen } from '@jts/order-execution/adapters/tables'
import { ledgers } from '@jts/portfolio-tracker/adapters/tables'
import { books } from '@jts/risk-management/adapters/tables'
import type { KeptAdjustment, KeptFill, KeptOrder } from './compare.ts'
import { openMoment, type Moment } from './moment.ts'

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

const TOPIC = 'orders.events'
const TABLES = [ledgers, books, fills, adjustments, ordersOpen, accounts]

function partitionOfAccount(account: string): number {
  return partitionOf(account, TOPICS[TOPIC].partitions)
}

export async function openFolder(folder: string): Promise<Folder> {
  const { units, sequences, log, close } = await openMoment(folder, { tables: TABLES, topic: TOPIC })
  return { kept: { ...keptIn(units), sequences }, events: () => log.read(TOPIC), close }
}

function keptIn(units: Moment['units']): Omit<Kept, 'sequences'> {
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
      next: tables.next(service, partitionOfAccount(row['account'] as string)),
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
