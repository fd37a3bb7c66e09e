/** What risk management keeps: books, reservations, marks, answers, trading states. One row a fact, written in its handler's run. */
import { defineTable } from '@jts/transport'

/** One account's ledger as JSON. */
export const books = defineTable('risk_books', { account: 'text', ledger: 'text' }, ['account'])
export const reservations = defineTable('risk_reservations', { signal_id: 'text', reservation: 'text' }, ['signal_id'])
export const marks = defineTable('risk_marks', { instrument: 'text', price: 'real', time_us: 'integer' }, [
  'instrument',
])
/** The answer to each signal: the same signal is answered the same again, also after a restart. */
export const answers = defineTable(
  'risk_answers',
  { signal_id: 'text', intent: 'text', response: 'text', time_us: 'integer' },
  ['signal_id'],
)
export const tradingStates = defineTable('risk_trading_states', { account: 'text', strategy: 'text', state: 'text' }, [
  'account',
  'strategy',
])
/** What a venue last said that is listed there: its kind, its limits of the day, its restrictions. As JSON. */
export const listings = defineTable('risk_listings', { instrument: 'text', listing: 'text' }, ['instrument'])
/** What the last comparison with the broker's record has confirmed to differ, and what of it a person has accepted. */
export const differences = defineTable('risk_differences', { account: 'text', reported: 'text', accepted: 'text' }, [
  'account',
])
