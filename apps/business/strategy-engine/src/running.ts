/**
 * One strategy instance and how it comes back exactly as it was. Its state is written when it has signalled or one of its orders
 * has moved, and otherwise now and then; between two such writes each input is written instead, and fed to it again after a
 * restart. Handlers know no clock and no chance, so the same inputs lead to the same state. What it was told stays on its record
 * (`record/input-record.ts`).
 */
import type { BusEvent, Topic } from '@jts/contracts'
import type { Fill } from '@jts/model'
import type { Logger } from '@jts/runtime'
import { StrategyError, type StrategyIntent, type StrategyRunner } from '@jts/strategy-kit'
import type { Turn } from '@jts/transport'
import { instances, tails } from './adapters/tables.ts'
import type { Signal } from './domain/signal.ts'
import { warmUpBarsOf, type WarmUp } from './domain/warm-up.ts'
import { Instance, type Kept, type StrategyInstance } from './instance.ts'
import type { MarketInput } from './market-input.ts'
import type { Entry, Place } from './record/entry.ts'
import { InputRecord, type CheckpointRow, type Moment, type PageRow } from './record/input-record.ts'
import { madeByText } from './record/made-by.ts'

/** `stopped` by a person; `barred` because it did not come back from a handler, or not as it was. */
export type InstanceState = 'running' | 'stopped' | 'barred'

/** The state is written at the latest after this many inputs, or this much market time. */
export const TAIL_MAX = 64
const TAIL_MAX_US = 3_600_000_000

export type RunningOptions = {
  readonly log: Logger
  readonly runId: string
  /** How long its record is kept, in market time; for ever when not given. */
  readonly recordKeptUs?: number | undefined
  /** Bars of the past can be asked for; else the first ones that come warm it up, as in a backtest. */
  readonly hasHistory: boolean
}

/** What the store has of an instance. */
export type KeptInstance = {
  readonly row: NonNullable<(typeof instances)['row']>
  /** What it was given after the state was written, in order. */
  readonly tail: readonly NonNullable<(typeof tails)['row']>[]
  readonly checkpoints: readonly CheckpointRow[]
  readonly lastPage: PageRow | undefined
}

export class Running {
  readonly config: StrategyInstance
  inputs = 0
  signals = 0
  state: InstanceState = 'running'
  readonly #runId: string
  readonly #seesPast: boolean
  readonly #instance: Instance
  readonly #record: InputRecord
  /** As last written, and what it was given since. */
  #kept: string | undefined
  #tail: MarketInput[] = []

  constructor(config: StrategyInstance, { log, runId, recordKeptUs, hasHistory }: RunningOptions) {
    this.config = config
    this.#runId = runId
    const { instance } = config
    const warmUpBars = warmUpBarsOf(config)
    this.#seesPast = hasHistory && warmUpBars > 0
    const say = (message: string): void => log.info({ strategy: instance }, message)
    this.#instance = new Instance(config, say, hasHistory ? 0 : warmUpBars)
    if (this.#seesPast) this.#instance.warmUp = 'due'
    this.#record = new InputRecord({ instance, runId, madeBy: () => madeByText(this.#instance), keptUs: recordKeptUs })
  }

  get runner(): StrategyRunner {
    return this.#instance.runner
  }

  /** It is to see bars of the past before a live one. */
  get isWarmUpDue(): boolean {
    return this.#instance.warmUp === 'due'
  }

  /** What it has seen of the past at its start. */
  get warmUp(): WarmUp | undefined {
    const { warmUp } = this.#instance
    return warmUp === 'due' ? undefined : warmUp
  }

  /** To see the past beside it. */
  atStart(): Instance {
    return this.#instance.atStart()
  }

  /** Its record begins here: the past is not in it. */
  becomeWarm(warm: Instance, warmUp: WarmUp): void {
    this.#instance.becomeWarm(warm, warmUp)
    this.#record.breakOff()
  }

  feed(input: MarketInput, event: BusEvent): void {
    this.#note({ kind: 'market', place: placeOf(event) })
    this.#instance.feed(input)
  }

  fill(order: number, fill: Fill, event: BusEvent): void {
    this.#note({ kind: 'fill', order, place: placeOf(event) })
    this.#instance.fill(order, fill)
  }

  bookFill(order: number, fill: Fill, event: BusEvent): void {
    this.#note({ kind: 'booked', order, place: placeOf(event) })
    this.#instance.bookFill(order, fill)
  }

  orderClosed(order: number): void {
    this.#note({ kind: 'closed', order })
    this.runner.onOrderClosed(order)
  }

  orderUnknown(order: number): void {
    this.#note({ kind: 'unknown', order })
    this.runner.onOrderUnknown(order)
  }

  orderKnown(order: number): void {
    this.#note({ kind: 'known', order })
    this.runner.onOrderKnown(order)
  }

  /** It wants one of its orders cancelled. */
  noteCancel(order: number): void {
    this.#note({ kind: 'cancel', order })
  }

  signalOf(intent: StrategyIntent, n: number, event: BusEvent): Signal {
    return this.#instance.signalOf(intent, n, event, this.#runId)
  }

  /** After an input of the market: the input itself, or the whole state when it has signalled or the tail is long enough. */
  keepInput(input: MarketInput, turn: Turn): void {
    const oldestUs = this.#tail[0]?.timeUs ?? input.timeUs
    const isLong = this.#tail.length >= TAIL_MAX - 1 || input.timeUs - oldestUs >= TAIL_MAX_US
    if (this.#kept === undefined || this.runner.intentCount > 0 || isLong) return this.keep(turn)
    this.#tail.push(input)
    turn.put(tails, {
      instance: this.config.instance,
      slot: this.inputs % TAIL_MAX,
      number: this.inputs,
      input: JSON.stringify(input),
      entry: this.#record.lastText(input.timeUs, turn),
    })
  }

  /** The whole state. In the transaction of the input's offset, so that a restored instance is exactly where its inputs are. */
  keep(turn: Turn): void {
    const now = this.#now()
    this.#kept = now.state
    this.#tail = []
    this.#record.write(now, turn)
    const { inputs, signals, state, config } = this
    turn.put(instances, { instance: config.instance, snapshot: now.state, inputs, signals, state })
  }

  /**
   * From what is on disk. `anew`: with other parameters, or as another strategy, it begins with what it holds and nothing else.
   * @throws StrategyError when the instance was of another account or instrument: what it holds is not there
   */
  restore({ row, tail, checkpoints, lastPage }: KeptInstance): 'as it was' | 'anew' | 'not repeatable' {
    const kept = JSON.parse(row.snapshot) as Kept
    this.#checkPlace(kept)
    const { inputs, signals, snapshot: state } = row
    this.inputs = inputs + tail.length
    this.signals = signals
    this.state = row.state as InstanceState
    const isAnew = this.runner.changedSince(kept) !== undefined
    if (!isAnew) this.#instance.warmUp = kept.warmUp
    const entries = tail.map(({ entry }) => entry)
    this.#record.restore(checkpoints, lastPage, entries, { state, inputs, signals, timeUs: kept.nowUs })
    if (isAnew) {
      this.#instance.takeOver(kept)
      this.#record.breakOff()
      return 'anew'
    }
    this.#kept = state
    this.#tail = tail.map(({ input }) => JSON.parse(input) as MarketInput)
    const isRepeated = this.rebuild()
    if (!isRepeated) this.#record.breakOff()
    if (this.isWarmUpDue && !this.#seesPast) this.#forgoWarmUp()
    return isRepeated ? 'as it was' : 'not repeatable'
  }

  /** It was interrupted, and its strategy wants none any more. */
  #forgoWarmUp(): void {
    this.#instance.warmUp = undefined
    this.#record.breakOff()
  }

  #checkPlace(kept: Kept): void {
    const { instance, account, instrument } = this.config
    const was = `${kept.account ?? account} ${kept.instrument}`
    if (was === `${account} ${instrument.id}`) return
    throw new StrategyError(
      `strategies: ${instance}: expected the account and instrument that it has positions of (${was}), found ${account} ${instrument.id}: give the new one an instance name of its own`,
    )
  }

  /**
   * As it was before the input in which it was ended: nothing of what it had begun counts. False when it does not repeat itself
   * on the inputs it had, so that nobody knows its state; then it is as last written.
   */
  rebuild(): boolean {
    this.#record.keepOnly(this.#tail.length)
    this.#instance.restore(this.#kept)
    for (const input of this.#tail) {
      this.#instance.feed(input)
      if (this.runner.intentCount === 0) continue
      this.#instance.restore(this.#kept)
      return false
    }
    return true
  }

  #note(entry: Entry): void {
    this.#record.note(entry, () => this.#now())
  }

  #now(): Moment {
    const { inputs, signals } = this
    return { state: this.#instance.toText(), inputs, signals, timeUs: this.#instance.nowUs }
  }
}

function placeOf({ topic, partition, offset }: BusEvent): Place {
  return { topic: topic as Topic, partition, offset }
}
