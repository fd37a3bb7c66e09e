/** What the portfolio tracker keeps: one ledger an account, the last price of each instrument. */
import { defineTable } from '@jts/transport'

export const ledgers = defineTable(
  'portfolio_ledgers',
  { account: 'text', ledger: 'text', fill_count: 'integer', reconciled: 'text', differences: 'text' },
  ['account'],
)
export const marks = defineTable('portfolio_marks', { instrument: 'text', price: 'real', time_us: 'integer' }, [
  'instrument',
])
