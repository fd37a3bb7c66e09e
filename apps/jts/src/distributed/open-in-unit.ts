/** The open orders of an account as its unit has left them, read without owning it. */
import type { AccountId } from '@jts/model'
import { openOnDisk, ordersOpen, type Halt, type OpenOnDisk } from '@jts/order-execution/open-orders'
import { unitSchemaName } from '@jts/transport/store/postgres-schema'
import type { connectPostgres } from '@jts/transport/store/postgres-connection'
import { unitOfAccount } from './units.ts'

/** A unit that has never been opened has no table yet. */
const NOT_THERE = new Set(['42P01', '3F000'])

export async function openInUnit(
  sql: ReturnType<typeof connectPostgres>,
  namespace: string,
  account: AccountId,
  halt: Halt,
): Promise<OpenOnDisk> {
  const schema = unitSchemaName(namespace, unitOfAccount('order-execution', account))
  try {
    const rows = await sql.unsafe(`SELECT record FROM ${schema}.${ordersOpen.name} WHERE account = $1`, [account])
    const records = rows.map((row) => ({ record: row['record'] as string }))
    return openOnDisk(records, halt)
  } catch (error) {
    if (!NOT_THERE.has((error as { code?: string }).code ?? '')) throw error
    return openOnDisk([])
  }
}
