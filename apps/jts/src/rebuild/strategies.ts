/** Replays each strategy instance of a folder in the recorded order of its inputs, and holds it against what was recorded. */
import { existsSync } from 'node:fs'
import type { InstrumentId, StrategyInstanceId } from '@jts/model'
import { checkpoints, inputs, instances, signals, tails } from '@jts/strategy-engine/adapters/tables'
import type { Signal } from '@jts/strategy-engine/domain/signal'
import type { StrategyInstance } from '@jts/strategy-engine/instance'
import { MissingEventError, Places } from '@jts/strategy-engine/record/places'
import { RecordedSignals } from '@jts/strategy-engine/record/recorded-signals'
import { replaySegment, type ReplayDifference } from '@jts/strategy-engine/record/replay'
import { segmentsOf, type RecordRows, type Segment } from '@jts/strategy-engine/record/segments'
import { partitionOf, TOPICS } from '@jts/contracts'
import { findStrategy } from '../strategies.ts'
import { openMoment, type Moment } from './moment.ts'

export type ReplayedInstance = {
  readonly instance: string
  readonly strategy: string
  readonly instrument: InstrumentId | undefined
  readonly file: string | undefined
  readonly inputs: number
  readonly signals: number
  /** Parts replayed: a new one begins with other parameters, another file, another run, and each day. */
  readonly segments: number
  readonly differences: readonly ReplayDifference[]
  /** Why something could not be replayed that should have been. */
  readonly problems: readonly string[]
  /** What is not replayed, and no fault; that a file has changed. */
  readonly notes: readonly string[]
}

type Rows = {
  readonly instances: readonly RecordRows['kept'][]
  readonly checkpoints: readonly RecordRows['checkpoints'][number][]
  readonly pages: readonly RecordRows['pages'][number][]
  readonly tails: readonly RecordRows['tail'][number][]
  readonly signals: readonly { readonly instance: string; readonly signal: string }[]
}

const TOPIC = 'strategy.signals'

export async function replayStrategies(folder: string): Promise<readonly ReplayedInstance[]> {
  const moment = await openMoment(folder, { tables: [instances, checkpoints, inputs, tails, signals], topic: TOPIC })
  try {
    const rows = rowsOf(moment)
    const replayed: ReplayedInstance[] = []
    for (const kept of [...rows.instances].sort((a, b) => (a.instance < b.instance ? -1 : 1))) {
      replayed.push(await replayInstance(kept, rows, moment))
    }
    return replayed
  } finally {
    await moment.close()
  }
}

/** The unit of an instance has its rows, and no other has. */
function rowsOf({ units }: Moment): Rows {
  const all = <R>({ name }: { readonly name: string }): R[] =>
    units.flatMap(({ tables }) => tables.rows(name) as unknown as R[])
  return {
    instances: all(instances),
    checkpoints: all(checkpoints),
    pages: all(inputs),
    tails: all(tails),
    signals: all(signals),
  }
}

async function replayInstance(kept: RecordRows['kept'], rows: Rows, { log }: Moment): Promise<ReplayedInstance> {
  const { instance } = kept
  const isOwn = (row: { readonly instance: string }): boolean => row.instance === instance
  const { strategy } = JSON.parse(kept.snapshot) as { strategy: string }
  const told = new Told(instance, strategy)
  const recorded = new RecordedSignals()
  let segments: readonly Segment[]
  try {
    const [begins, tail] = [rows.checkpoints.filter(isOwn), rows.tails.filter(isOwn)]
    segments = segmentsOf({ checkpoints: begins, pages: rows.pages.filter(isOwn), kept, tail })
    await recorded.read(instance, log.read(TOPIC, { partition: partitionOf(instance, TOPICS[TOPIC].partitions) }))
  } catch (error) {
    return told.problem((error as Error).message).result()
  }
  if (segments.length === 0) return told.note('nothing is recorded yet from which a replay could begin').result()
  for (const row of rows.signals.filter(isOwn)) recorded.keep(JSON.parse(row.signal) as Signal)
  const places = new Places(log)
  try {
    for (const segment of segments) await told.replay(segment, recorded, places)
  } finally {
    await places.close()
  }
  return told.result()
}

/** What is found of one instance. */
class Told {
  readonly #instance: string
  readonly #strategy: string
  readonly #differences: ReplayDifference[] = []
  readonly #problems: string[] = []
  readonly #notes = new Set<string>()
  #segment: Segment | undefined
  #inputs = 0
  #signals = 0
  #segments = 0

  constructor(instance: string, strategy: string) {
    this.#instance = instance
    this.#strategy = strategy
  }

  note(text: string): this {
    this.#notes.add(text)
    return this
  }

  problem(text: string): this {
    this.#problems.push(text)
    return this
  }

  result(): ReplayedInstance {
    return {
      instance: this.#instance,
      strategy: this.#strategy,
      instrument: this.#segment?.madeBy.instrument.id,
      file: this.#segment?.madeBy.source?.file,
      inputs: this.#inputs,
      signals: this.#signals,
      segments: this.#segments,
      differences: this.#differences,
      problems: this.#problems,
      notes: [...this.#notes],
    }
  }

  async replay(segment: Segment, recorded: RecordedSignals, places: Places): Promise<void> {
    this.#segment = segment
    const since = `from ${new Date(segment.timeUs / 1000).toISOString()} on`
    try {
      const config = await this.#configOf(segment)
      const eventAt = places.at.bind(places)
      const { inputs, signals, differences } = await replaySegment({ config, segment, eventAt, recorded })
      this.#inputs += inputs
      this.#signals += signals
      this.#segments++
      this.#differences.push(...differences)
    } catch (error) {
      const reason = (error as Error).message
      const isPassed = error instanceof MissingEventError && error.isPassed
      if (isPassed) this.note(`${since} not replayed, because its market is no longer kept: ${reason}`)
      else this.problem(`${since} not replayed: ${reason}`)
    }
  }

  /** The strategy as it was configured then, by its file as it is now. @throws Error when that is gone or takes no such parameters */
  async #configOf({ madeBy }: Segment): Promise<StrategyInstance> {
    const { account, instrument, parameters, timeframe, source } = madeBy
    if (source === undefined) throw new Error('expected the file of its strategy on the record, found none')
    const { file, sha256 } = source
    if (!existsSync(file)) {
      throw new Error(`expected the strategy's file ${file} (SHA-256 ${sha256}), found none: put it back there`)
    }
    const strategy = await findStrategy(file, parameters)
    if (strategy.sha256 !== sha256) {
      this.note(
        `${file}, or what it imports, has changed since: then its SHA-256 was ${sha256}, now it is ${strategy.sha256}`,
      )
    }
    const instance = this.#instance as StrategyInstanceId
    return {
      instance,
      definition: strategy.definition,
      parameters: strategy.parameters,
      account,
      instrument,
      timeframe,
    }
  }
}
