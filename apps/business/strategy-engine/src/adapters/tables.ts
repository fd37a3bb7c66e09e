/** What the strategy engine keeps: each instance's state, its signals that have not ended, the order of its inputs. */
import { defineTable } from '@jts/transport'

export const instances = defineTable(
  'strategy_instances',
  { instance: 'text', snapshot: 'text', inputs: 'integer', signals: 'integer', state: 'text' },
  ['instance'],
)
/** A signal from the moment it is made until its order has ended; `waiting` has not been asked about, `pending` not answered. */
export const signals = defineTable(
  'strategy_signals',
  { signal_id: 'text', instance: 'text', order_number: 'integer', status: 'text', signal: 'text' },
  ['signal_id'],
)
/** The order in which an instance consumed its inputs, so that a replay can follow it. */
export const inputs = defineTable('strategy_inputs', { instance: 'text', number: 'integer', event_id: 'text' }, [
  'instance',
  'number',
])
/** Inputs of the market since the state was last written, as a ring; those with a higher number than the state's are given again. */
export const tails = defineTable(
  'strategy_tails',
  { instance: 'text', slot: 'integer', number: 'integer', input: 'text' },
  ['instance', 'slot'],
)
/** Instruments whose market keeps hours elsewhere and not here: a simulated one, as its broker has told. */
export const openMarkets = defineTable('strategy_open_markets', { instrument: 'text' }, ['instrument'])
