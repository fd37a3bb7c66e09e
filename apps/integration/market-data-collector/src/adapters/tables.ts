import { defineTable } from '@jts/transport'

/** How far each series has been published: what is after it is filled back from the broker. */
export const progress = defineTable(
  'collector_progress',
  { instrument: 'text', timeframe: 'text', close_time_us: 'integer', bars: 'integer', gaps: 'integer' },
  ['instrument', 'timeframe'],
)
