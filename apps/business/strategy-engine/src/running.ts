/**
 * One strategy instance and how it comes back exactly as it was. Its state is written when it has signalled or one of its orders
 * has moved, and otherwise now and then; between two such writes each input is written instead, and fed to it again after a
 * restart. Handlers know no clock and no chance, so the same inputs lead to the same state.
 */
import {
  decimalTextFromDouble,
  type AccountId,
  type Bar,
  type Instrument,
  type StrategyInstanceId,
  type Trade,
} from '@jts/model'
import type { Logger } from '@jts/runtime'
import {
  StrategyError,
  StrategyRunner,
  type AnyStrategy,
  type ParameterTable,
  type ParameterValues,
  type StrategySnapshot,
} from '@jts/strategy-kit'
import type { Turn } from '@jts/transport'
import { instances, tails } from './adapters/tables.ts'

export type StrategyInstance = {
  readonly instance: StrategyInstanceId
  readonly definition: AnyStrategy
  readonly parameters: ParameterValues<ParameterTable>
  readonly account: AccountId
  readonly instrument: Instrument
  /** It runs on closed bars of this length or, without one, on each public trade. */
  readonly timeframe?: string | undefined
}

/** What of the market an instance is given. */
export type MarketInput =
  | { readonly kind: 'bar'; readonly timeUs: number; readonly bar: Bar }
  | { readonly kind: 'trade'; readonly timeUs: number; readonly trade: Trade }

/** `stopped` by a person; `barred` because it did not come back from a handler, or not as it was. */
export type InstanceState = 'running' | 'stopped' | 'barred'

/** The state is written at the latest after this many inputs, or this much market time. */
export const TAIL_MAX = 64
const TAIL_MAX_US = 3_600_000_000

type Kept = StrategySnapshot & {
  readonly lastPrice: string
  /** Absent in what an older version wrote. */
  readonly account?: string
}

export class Running {
  readonly config: StrategyInstance
  inputs = 0
  signals = 0
  state: InstanceState = 'running'
  lastPrice = ''
  readonly #log: Logger
  #runner: StrategyRunner
  /** As last written, and what it was given since. */
  #kept: string | undefined
  #tail: MarketInput[] = []

  constructor(config: StrategyInstance, log: Logger) {
    this.config = config
    this.#log = log
    this.#runner = this.#fresh()
  }

  get runner(): StrategyRunner {
    return this.#runner
  }

  feed(input: MarketInput): void {
    if (input.kind === 'bar') {
      this.lastPrice = decimalTextFromDouble(input.bar.close)
      this.#runner.onBar(input.bar)
    } else {
      this.lastPrice = decimalTextFromDouble(input.trade.price)
      this.#runner.onTrade(input.trade)
    }
  }

  /** After an input of the market: the input itself, or the whole state when it has signalled or the tail is long enough. */
  keepInput(input: MarketInput, turn: Turn): void {
    const oldestUs = this.#tail[0]?.timeUs ?? input.timeUs
    const isLong = this.#tail.length >= TAIL_MAX - 1 || input.timeUs - oldestUs >= TAIL_MAX_US
    if (this.#kept === undefined || this.#runner.intentCount > 0 || isLong) return this.keep(turn)
    this.#tail.push(input)
    const { instance } = this.config
    turn.put(tails, { instance, slot: this.inputs % TAIL_MAX, number: this.inputs, input: JSON.stringify(input) })
  }

  /** The whole state. In the transaction of the input's offset, so that a restored instance is exactly where its inputs are. */
  keep(turn: Turn): void {
    const kept: Kept = { ...this.#runner.snapshot(), lastPrice: this.lastPrice, account: this.config.account }
    this.#kept = JSON.stringify(kept)
    this.#tail = []
    const { inputs, signals, state, config } = this
    turn.put(instances, { instance: config.instance, snapshot: this.#kept, inputs, signals, state })
  }

  /**
   * From what is on disk; `tail` is what it was given after the snapshot, in order. `anew`: with other parameters, or as another
   * strategy, it begins with what it holds and nothing else.
   * @throws StrategyError when the instance was of another account or instrument: what it holds is not there
   */
  restore(snapshot: string, tail: readonly MarketInput[]): 'as it was' | 'anew' | 'not repeatable' {
    const kept = JSON.parse(snapshot) as Kept
    this.#checkPlace(kept)
    this.inputs += tail.length
    if (this.#runner.changedSince(kept) !== undefined) {
      this.#runner.takeOver(kept)
      this.lastPrice = kept.lastPrice ?? ''
      return 'anew'
    }
    this.#kept = snapshot
    this.#tail = [...tail]
    return this.rebuild() ? 'as it was' : 'not repeatable'
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
    this.#restoreKept()
    for (const input of this.#tail) {
      this.feed(input)
      if (this.#runner.intentCount === 0) continue
      this.#restoreKept()
      return false
    }
    return true
  }

  #restoreKept(): void {
    this.#runner = this.#fresh()
    if (this.#kept === undefined) return
    const kept = JSON.parse(this.#kept) as Kept
    this.#runner.restore(kept)
    this.lastPrice = kept.lastPrice ?? ''
  }

  #fresh(): StrategyRunner {
    const { definition, parameters, instance, instrument } = this.config
    const log = (message: string): void => this.#log.info({ strategy: instance }, message)
    return new StrategyRunner({ definition, parameters, instance, instrument, log })
  }
}
