/** What the strategy engine keeps: each instance's state, its signals that have not ended, the record of its inputs. */
import { defineTable } from '@jts/transport'

export const instances = defineTable(
  'strategy_instances',
  { instance: 'text', snapshot: 'text', inputs: 'integer', signals: 'integer', state: 'text' },
  ['instance'],
)
/** A signal from the moment it is made until its order has ended; its status is that of `OpenSignals`. */
export const signals = defineTable(
  'strategy_signals',
  { signal_id: 'text', instance: 'text', order_number: 'integer', status: 'text', signal: 'text' },
  ['signal_id'],
)
/**
 * The order in which an instance consumed its inputs, so that a replay can follow it: pages of lines, one line each time that the state
 * is written (`record/line.ts`). The first shape had a row for each input and nothing from which a replay could have begun.
 */
export const inputs = defineTable(
  'strategy_inputs',
  { instance: 'text', page: 'integer', lines: 'text' },
  ['instance', 'page'],
  [
    'DELETE FROM strategy_inputs',
    'ALTER TABLE strategy_inputs RENAME COLUMN number TO page',
    'ALTER TABLE strategy_inputs RENAME COLUMN event_id TO lines',
  ],
)
/** States from which a replay of the pages from `page` on can begin, with what made them. */
export const checkpoints = defineTable(
  'strategy_checkpoints',
  {
    instance: 'text',
    page: 'integer',
    inputs: 'integer',
    signals: 'integer',
    time_us: 'integer',
    run_id: 'text',
    made_by: 'text',
    snapshot: 'text',
  },
  ['instance', 'page'],
)
/**
 * Inputs of the market since the state was last written, as a ring; those with a higher number than the state's are given again.
 * `entry` is the input as it comes on the record; empty in what an older version wrote.
 */
export const tails = defineTable(
  'strategy_tails',
  { instance: 'text', slot: 'integer', number: 'integer', input: 'text', entry: 'text' },
  ['instance', 'slot'],
  ["ALTER TABLE strategy_tails ADD COLUMN entry TEXT NOT NULL DEFAULT ''"],
)
/** Instruments whose market keeps hours elsewhere and not here: a simulated one, as its broker has told. */
export const openMarkets = defineTable('strategy_open_markets', { instrument: 'text' }, ['instrument'])
