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
/** Every candle that was collected: the log keeps a candle for days, and a backtest wants years. */
export const collectedCandles = defineTable(
  'collector_candles',
  {
    ...{ instrument: 'text', timeframe: 'text', open_time_us: 'integer', close_time_us: 'integer' },
    ...{ open: 'real', high: 'real', low: 'real', close: 'real', volume: 'real', source: 'text' },
  },
  ['instrument', 'timeframe', 'open_time_us'],
)
/** Times of which everything that the source has is collected: see `domain/stretches.ts`. */
export const collectedStretches = defineTable(
  'collector_stretches',
  {
    ...{ instrument: 'text', timeframe: 'text', from_us: 'integer', until_us: 'integer' },
    ...{ first_open_us: 'integer', last_close_us: 'integer' },
  },
  ['instrument', 'timeframe', 'from_us'],
)
/** The last run of each venue: a process that is started again goes on with one that had not ended. */
export const collectionRuns = defineTable(
  'collector_runs',
  {
    ...{ venue: 'text', request: 'text', by: 'text', state: 'text', reason: 'text', total: 'integer' },
    ...{ started_us: 'integer', ended_us: 'integer' },
  },
  ['venue'],
)
/** What that run has brought so far, in the same transaction as the candles. */
export const collectionCounts = defineTable(
  'collector_run_counts',
  { venue: 'text', candles: 'integer', gaps: 'integer' },
  ['venue'],
)
/** What it has given up. */
export const collectionFailures = defineTable(
  'collector_run_failures',
  { venue: 'text', instrument: 'text', reason: 'text', attempts: 'integer' },
  ['venue', 'instrument'],
)
/** The last day whose candles of a timeframe the calendar has begun to collect: the others of that day are still due. */
export const scheduledSeries = defineTable(
  'collector_scheduled_series',
  { venue: 'text', timeframe: 'text', day: 'text' },
  ['venue', 'timeframe'],
)
