/** What the portfolio tracker keeps: one ledger an account, the last price of each instrument, what is yet to be settled. */
import { defineTable, type Table } from '@jts/transport'

export const ledgers = defineTable(
  'portfolio_ledgers',
  { account: 'text', ledger: 'text', fill_count: 'integer', reconciled: 'text', differences: 'text' },
  ['account'],
)
export type LedgerRow = typeof ledgers extends Table<infer R> ? R : never
export const marks = defineTable('portfolio_marks', { instrument: 'text', price: 'real', time_us: 'integer' }, [
  'instrument',
])
/** Cash that settles later, as JSON; of accounts that have some. */
export const settlements = defineTable('portfolio_settlements', { account: 'text', settlement: 'text' }, ['account'])
