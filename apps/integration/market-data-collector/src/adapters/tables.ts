import { defineTable } from '@jts/transport'

/** How far each series of bars has been published: what is after it is filled back from the broker. */
export const progress = defineTable(
  'collector_progress',
  { instrument: 'text', timeframe: 'text', close_time_us: 'integer', bars: 'integer', gaps: 'integer' },
  ['instrument', 'timeframe'],
)
/** The same of trades. */
export const tradeProgress = defineTable(
  'collector_trade_progress',
  { instrument: 'text', trade_id: 'text', time_us: 'integer', trades: 'integer', gaps: 'integer' },
  ['instrument'],
)
/** Stretches in which the source has no bars though the market was open. */
export const candleGaps = defineTable(
  'collector_candle_gaps',
  { instrument: 'text', timeframe: 'text', from_us: 'integer', bars: 'integer' },
  ['instrument', 'timeframe', 'from_us'],
)
