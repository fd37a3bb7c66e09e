/** For tests: every part of an instance's record, run once more from what a service under test has on disk. */
import { parseParameters, type AnyStrategy } from '@jts/strategy-kit'
import type { Table } from '@jts/transport'
import type { Harness } from '@jts/testkit/harness'
import { checkpoints, inputs, instances, signals, tails } from '../adapters/tables.ts'
import type { Signal } from '../domain/signal.ts'
import { Places } from '../record/places.ts'
import { RecordedSignals } from '../record/recorded-signals.ts'
import { replaySegment, type Replayed } from '../record/replay.ts'
import { segmentsOf, type Segment } from '../record/segments.ts'
import type { StrategyInstance } from '../instance.ts'

type Row = Record<string, string | number | null>

export function recordOf({ store }: Harness, instance: string): readonly Segment[] {
  store.flush()
  const rows = <R extends Row>({ name }: Table<R>): R[] =>
    store.database.prepare(`SELECT * FROM ${name} WHERE instance = ?`).all(instance) as R[]
  const [kept] = rows(instances)
  if (kept === undefined) return []
  return segmentsOf({ kept, checkpoints: rows(checkpoints), pages: rows(inputs), tail: rows(tails) })
}

/** With the parameters of then, and the strategy that is given. */
export async function replayed(harness: Harness, instance: string, definition: AnyStrategy): Promise<Replayed[]> {
  const segments = recordOf(harness, instance)
  const recorded = new RecordedSignals()
  await recorded.read(instance, harness.bus.read('strategy.signals'))
  for (const row of await harness.store.all(signals)) {
    if (row.instance === instance) recorded.keep(JSON.parse(row.signal) as Signal)
  }
  const places = new Places(harness.bus)
  const found: Replayed[] = []
  for (const segment of segments) {
    const { account, instrument, timeframe, parameters } = segment.madeBy
    const config: StrategyInstance = {
      instance: instance as StrategyInstance['instance'],
      definition,
      parameters: parseParameters(definition, parameters) as StrategyInstance['parameters'],
      ...{ account, instrument, timeframe },
    }
    found.push(await replaySegment({ config, segment, eventAt: (place) => places.at(place), recorded }))
  }
  await places.close()
  return found
}
