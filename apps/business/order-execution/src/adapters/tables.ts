/** What order execution keeps. Open orders are read at start; closed ones and fills are history. */
import { defineTable, type RowOf } from '@jts/transport'

/** An order's record as JSON while it is open: the intent is here before the wire sees the request. */
export const ordersOpen = defineTable('orders_open', { order_id: 'text', account: 'text', record: 'text' }, [
  'order_id',
])
export const ordersClosed = defineTable(
  'orders_closed',
  { order_id: 'text', account: 'text', time_us: 'integer', record: 'text' },
  ['order_id'],
)
export const fills = defineTable(
  'orders_fills',
  {
    account: 'text',
    instrument: 'text',
    trade_id: 'text',
    order_id: 'text',
    strategy: 'text',
    side: 'text',
    quantity: 'text',
    price: 'text',
    fee: 'text',
    fee_currency: 'text',
    liquidity: 'text',
    time_us: 'integer',
  },
  ['account', 'instrument', 'trade_id'],
)
const ADJUSTMENT = {
  account: 'text',
  adjustment_id: 'text',
  currency: 'text',
  amount: 'text',
  reason: 'text',
  source: 'text',
  notice_id: 'text',
  booked_by: 'text',
  words: 'text',
  time_us: 'integer',
} as const
/** What moved without a trade; all of it is read at start, so that none is booked again. */
export const adjustments = defineTable('orders_adjustments', ADJUSTMENT, ['account', 'adjustment_id'])
export type AdjustmentRow = RowOf<typeof ADJUSTMENT>
/** One row an account: whether its opening balance is booked, fills counted, and per instrument where the list of its trades is read on from. */
export const accounts = defineTable(
  'orders_accounts',
  { account: 'text', opened: 'integer', fill_count: 'integer', cursors: 'text' },
  ['account'],
)
/** The versioned row that every intent's transaction reads. `account` is empty for everything. */
export const tradingStates = defineTable(
  'orders_trading_states',
  { account: 'text', state: 'text', version: 'integer', reason: 'text', changed_by: 'text' },
  ['account'],
)
/** The same for one strategy instance of an account; one of which nobody has said anything has no row. */
export const strategyStates = defineTable(
  'orders_strategy_states',
  { account: 'text', strategy: 'text', state: 'text', version: 'integer', reason: 'text', changed_by: 'text' },
  ['account', 'strategy'],
)
/** Orders of others that are open at the venue and were told of. */
export const foreignOrders = defineTable(
  'orders_foreign',
  { account: 'text', venue_order_id: 'text', instrument: 'text' },
  ['account', 'venue_order_id'],
)
/** Why JTS itself lets an account, or one instrument of it, only reduce. */
export const holds = defineTable('orders_holds', { account: 'text', cause: 'text', instrument: 'text', hold: 'text' }, [
  'account',
  'cause',
  'instrument',
])
