/**
 * One strategy instance as its inputs make it: no clock, no store, no chance. The engine runs it, and a replay of its record does the
 * same with it.
 */
import type { BusEvent } from '@jts/contracts'
import {
  decimalTextFromDouble,
  netBaseQuantity,
  unitsToFloat,
  type AccountId,
  type Bar,
  type Fill,
  type Instrument,
  type SignalId,
  type StrategyInstanceId,
  type Units,
} from '@jts/model'
import { computedId } from '@jts/runtime'
import {
  StrategyRunner,
  type AnyStrategy,
  type ParameterTable,
  type ParameterValues,
  type StrategyIntent,
  type StrategySnapshot,
} from '@jts/strategy-kit'
import { signalOf, type Signal } from './domain/signal.ts'
import type { WarmUp } from './domain/warm-up.ts'
import type { MarketInput } from './market-input.ts'

export type StrategyInstance = {
  readonly instance: StrategyInstanceId
  readonly definition: AnyStrategy
  readonly parameters: ParameterValues<ParameterTable>
  readonly account: AccountId
  readonly instrument: Instrument
  /** It runs on closed bars of this length or, without one, on each public trade. */
  readonly timeframe?: string | undefined
  /** The file of its strategy, so that a replay of its record finds it and knows whether it is still the same. */
  readonly source?: { readonly file: string; readonly sha256: string } | undefined
}

export type Kept = StrategySnapshot & {
  readonly lastPrice: string
  /** Absent in what an older version wrote. */
  readonly account?: string
  /** Absent where it has seen none and is to see none. */
  readonly warmUp?: 'due' | WarmUp
}

export class Instance {
  readonly config: StrategyInstance
  lastPrice = ''
  /** What it has seen of the past before its first live bar; `due`: it is to see it first. */
  warmUp: 'due' | WarmUp | undefined
  readonly #log: ((message: string) => void) | undefined
  readonly #warmUpBars: number
  #runner: StrategyRunner

  /** @param warmUpBars so many of the first bars that come warm it up: nothing of the past can be asked for */
  constructor(config: StrategyInstance, log?: (message: string) => void, warmUpBars = 0) {
    this.config = config
    this.#log = log
    this.#warmUpBars = warmUpBars
    this.#runner = this.#fresh()
  }

  get runner(): StrategyRunner {
    return this.#runner
  }

  /** Market time of its last input; 0 before the first. */
  get nowUs(): number {
    return this.#runner.nowUs
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

  /** The same at its start, with what this one holds and has outstanding: to see the past beside it. */
  atStart(): Instance {
    const other = new Instance(this.config, this.#log)
    other.#runner.takeOver(this.#runner.snapshot())
    other.lastPrice = this.lastPrice
    return other
  }

  /** A bar of the past. */
  seePast(bar: Bar): void {
    this.lastPrice = decimalTextFromDouble(bar.close)
    this.#runner.warmUp(bar)
  }

  /** Goes on as the other, which has seen the past; what became of its orders meanwhile, this one knows. */
  becomeWarm(other: Instance, warmUp: WarmUp): void {
    other.#runner.takeOver(this.#runner.snapshot())
    this.#runner = other.#runner
    this.lastPrice = other.lastPrice
    this.warmUp = warmUp
  }

  /** `order` is 0 for a fill of none of its open orders. */
  fill(order: number, fill: Fill): void {
    const { side, quantity, price, timeUs } = fill
    this.#runner.onFill(order, side, quantity, this.#net(fill), unitsToFloat(price), timeUs)
  }

  /** A fill of which the strategy is told nothing, because its handlers do not run. */
  bookFill(order: number, fill: Fill): void {
    this.#runner.bookFill(order, fill.quantity, this.#net(fill))
  }

  /** Everything that it needs to go on from here. */
  toText(): string {
    const { lastPrice, warmUp, config } = this
    const kept: Kept = {
      ...this.#runner.snapshot(),
      ...{ lastPrice, account: config.account },
      ...(warmUp === undefined ? {} : { warmUp }),
    }
    return JSON.stringify(kept)
  }

  /** As it was when that was written; without it, as at its first start. @throws StrategyError when it is another's */
  restore(text: string | undefined): void {
    this.#runner = this.#fresh()
    this.lastPrice = ''
    if (text === undefined) return
    const kept = JSON.parse(text) as Kept
    this.#runner.restore(kept)
    this.lastPrice = kept.lastPrice ?? ''
    this.warmUp = kept.warmUp
  }

  /** Begins anew with what it held and had outstanding. @throws StrategyError when it is another instrument's */
  takeOver(kept: Kept): void {
    this.#runner.takeOver(kept)
    this.lastPrice = kept.lastPrice ?? ''
  }

  /** The signal that the n-th intent on an event is, in a run. */
  signalOf(intent: StrategyIntent, n: number, event: BusEvent, runId: string): Signal {
    const { instance, account, instrument } = this.config
    return signalOf(intent, {
      signalId: computedId(runId, instance, event.eventId, n) as SignalId,
      correlationId: event.correlationId,
      causationId: event.eventId,
      instance,
      account,
      instrument: instrument.id,
      price: this.lastPrice,
      timeUs: event.timeEventUs,
    })
  }

  #net(fill: Fill): Units {
    return netBaseQuantity(fill, this.config.instrument)
  }

  #fresh(): StrategyRunner {
    const { definition, parameters, instance, instrument } = this.config
    const log = this.#log === undefined ? {} : { log: this.#log }
    return new StrategyRunner({ definition, parameters, instance, instrument, warmUpBars: this.#warmUpBars, ...log })
  }
}
