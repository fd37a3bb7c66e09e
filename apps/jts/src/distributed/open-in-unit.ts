/** An account as its unit has left it, read without owning it. */
import type { AccountId } from '@jts/model'
import {
  openOnDisk,
  ordersOpen,
  strategyStates,
  tradingStates,
  type Halt,
  type OpenOnDisk,
} from '@jts/order-execution/open-orders'
import { HaltTable } from '@jts/transport/store/halt-table'
import { unitSchemaName } from '@jts/transport/store/postgres-schema'
import type { connectPostgres } from '@jts/transport/store/postgres-connection'
import { unitOfAccount } from './units.ts'

/** A unit that has never been opened has no table yet. */
const NOT_THERE = new Set(['42P01', '3F000'])

type Database = ReturnType<typeof connectPostgres>

export async function openInUnit(
  sql: Database,
  namespace: string,
  account: AccountId,
  halt: Halt,
): Promise<OpenOnDisk> {
  const schema = schemaOf(namespace, account)
  const rows = await found(sql.unsafe(`SELECT record FROM ${schema}.${ordersOpen.name} WHERE account = $1`, [account]))
  const records = rows.map((row) => ({ record: row['record'] as string }))
  return openOnDisk(records, halt)
}

/** Whether a person has halted just this, whether the unit has taken it yet or not. */
export async function isHaltedInUnit(
  sql: Database,
  namespace: string,
  unitAccount: AccountId,
  { account, strategy }: { readonly account: string; readonly strategy: string },
): Promise<boolean> {
  const schema = schemaOf(namespace, unitAccount)
  const states = strategy === '' ? tradingStates : strategyStates
  const of = strategy === '' ? 'account = $1' : 'account = $1 AND strategy = $2'
  const rows = await found(
    sql.unsafe(
      `SELECT state FROM ${schema}.${states.name} WHERE ${of}`,
      strategy === '' ? [account] : [account, strategy],
    ),
  )
  const untaken = await new HaltTable(sql, namespace).of(unitOfAccount('order-execution', unitAccount))
  const said = untaken.filter((one) => one.account === account && one.strategy === strategy)
  return [...rows, ...said].some((one) => one['state'] === 'halted')
}

const schemaOf = (namespace: string, account: AccountId): string =>
  unitSchemaName(namespace, unitOfAccount('order-execution', account))

type Rows = readonly Readonly<Record<string, unknown>>[]

async function found(asked: PromiseLike<Rows>): Promise<Rows> {
  try {
    return await asked
  } catch (error) {
    if (!NOT_THERE.has((error as { code?: string }).code ?? '')) throw error
    return []
  }
}
