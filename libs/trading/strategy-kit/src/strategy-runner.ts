/**
 * Runs one strategy instance for one account and instrument: the backtester and the strategy engine use it unchanged.
 * An event goes in, the strategy's intents are in `intents[0 .. intentCount)` until the next event.
 */
import { floorToStep, parseUnits, unitsFromFloat, type Units } from '@jts/model/numbers'
import { ceilToTick, floorToTick } from '@jts/model/tick-size'
import { timeframeUs, type Bar, type Side, type Trade } from '@jts/model/bars'
import type { StrategyInstanceId } from '@jts/model/ids'
import type { Instrument } from '@jts/model/instruments'
import { StrategyError, type Amount, type AnyStrategy, type OrderNumber, type OrderOptions } from './define-strategy.ts'
import { Context, FillEvent, type ContextOptions } from './strategy-context.ts'
import { Holdings, type HoldingsPlain } from './holdings.ts'
import { IntentBuffer, type StrategyIntent } from './intents.ts'
import type { Plain } from './indicators/index.ts'
import { formatParameters, type ParameterTable } from './parameters.ts'
import { stateFromPlain, stateToPlain } from './state-snapshot.ts'

/** `parameters` as `parseParameters` gives them. */
export type StrategyRunnerOptions = ContextOptions & {
  readonly instance: StrategyInstanceId
  /** So many of the first bars warm it up: in a recording nothing lies before them. */
  readonly warmUpBars?: number
}

export type StrategySnapshot = {
  readonly strategy: string
  readonly parameters: Readonly<Record<string, string>>
  readonly instrument: string
  readonly barCount: number
  readonly nowUs: number
  readonly ordersPlaced: number
  readonly timerNextUs: number
  /** Absent when it has warmed up, or wants none. */
  readonly warmUpLeft?: number
  readonly holdings: HoldingsPlain
  readonly state: Plain
}

export class StrategyRunner {
  readonly definition: AnyStrategy
  readonly instance: StrategyInstanceId
  readonly instrument: Instrument
  readonly position: Holdings
  readonly #context: Context
  readonly #intents = new IntentBuffer()
  readonly #fill = new FillEvent()
  readonly #timerUs: number
  /** Bars to come that only warm it up. */
  #warmUpLeft: number
  #timerNextUs = NaN
  #inTimer = false
  #ordersPlaced = 0

  constructor(options: StrategyRunnerOptions) {
    this.definition = options.definition
    this.instance = options.instance
    this.instrument = options.instrument
    this.position = new Holdings(options.instrument.lotSize)
    this.#timerUs = options.definition.timer === undefined ? 0 : timeframeUs(options.definition.timer)
    this.#warmUpLeft = options.warmUpBars ?? 0
    this.#context = new Context(this, options)
    stateToPlain(this.#context.state)
  }

  get intents(): readonly StrategyIntent[] {
    return this.#intents.items
  }

  get intentCount(): number {
    return this.#intents.count
  }

  get barCount(): number {
    return this.#context.barCount
  }

  /** Market time of the last event; 0 before the first. */
  get nowUs(): number {
    return this.#context.nowUs
  }

  get state(): unknown {
    return this.#context.state
  }

  /** The handler that runs is `onTimer`, inside the event that has brought its time. */
  get inTimer(): boolean {
    return this.#inTimer
  }

  /** A settled bar of the past: the handler runs, and neither intents nor timers come of it. */
  warmUp(bar: Bar): void {
    const context = this.#context
    this.#intents.count = 0
    context.nowUs = bar.closeTimeUs
    context.barCount++
    context.isWarmingUp = true
    try {
      this.#refusePromise(this.definition.onBar?.(bar, context), 'onBar')
    } finally {
      context.isWarmingUp = false
    }
  }

  /** A closed bar. */
  onBar(bar: Bar): void {
    if (this.#warmUpLeft > 0) {
      this.#warmUpLeft--
      return this.warmUp(bar)
    }
    const context = this.#context
    this.#intents.count = 0
    context.nowUs = bar.closeTimeUs
    context.barCount++
    if (this.#timerUs !== 0) this.#beat(bar.closeTimeUs)
    const { definition } = this
    if (definition.onBar !== undefined) this.#refusePromise(definition.onBar(bar, context), 'onBar')
  }

  onTrade(trade: Trade): void {
    const context = this.#context
    this.#intents.count = 0
    context.nowUs = trade.timeUs
    if (this.#timerUs !== 0) this.#beat(trade.timeUs)
    const { definition } = this
    if (definition.onTrade !== undefined) this.#refusePromise(definition.onTrade(trade, context), 'onTrade')
  }

  /** Market time has come this far without an event of the market. */
  onTime(timeUs: number): void {
    this.#intents.count = 0
    this.#context.nowUs = timeUs
    if (this.#timerUs !== 0) this.#beat(timeUs)
  }

  /**
   * An execution. `netQuantity` is what the position gains (negative: loses), fees in base taken off.
   * `order` is the number of the strategy's order; 0 for a fill that is none of its orders'.
   */
  onFill(order: OrderNumber, side: Side, quantity: Units, netQuantity: Units, price: number, timeUs: number): void {
    this.#intents.count = 0
    this.position.fill(order, quantity, netQuantity)
    const { definition } = this
    if (definition.onFill === undefined) return
    const fill = this.#fill
    fill.order = order
    fill.side = side
    fill.quantity = Number(quantity) / 1e8
    fill.price = price
    fill.timeUs = timeUs
    this.#context.nowUs = timeUs
    this.#refusePromise(definition.onFill(fill, this.#context), 'onFill')
  }

  /** An execution of which the strategy is told nothing, because its handlers do not run. */
  bookFill(order: OrderNumber, quantity: Units, netQuantity: Units): void {
    this.#intents.count = 0
    this.position.fill(order, quantity, netQuantity)
  }

  /** The order has ended, filled or not: denied, rejected, cancelled, expired. */
  onOrderClosed(order: OrderNumber): void {
    this.position.close(order)
  }

  /** The order was sent and its fate is not known. */
  onOrderUnknown(order: OrderNumber): void {
    this.position.setUnknown(order, true)
  }

  /** The order is known to be working again. */
  onOrderKnown(order: OrderNumber): void {
    this.position.setUnknown(order, false)
  }

  place(side: Side, amount: Amount, options?: OrderOptions): OrderNumber {
    if (this.#context.isWarmingUp) return 0
    const inQuote = options?.quote === true
    const size = inQuote ? exactAmount(amount) : this.#quantity(amount)
    if (size <= 0n) throw this.#error(`expected an amount above 0 to ${side}, found ${String(amount)}`)
    const isLimit = options?.limit !== undefined
    if (!isLimit && options?.makerOnly === true) throw this.#error('expected a limit with makerOnly, found none')
    if (isLimit && inQuote) throw this.#error('expected a limit order to be sized in base, found quote')
    const intent = this.#intents.next()
    intent.kind = 'place'
    intent.order = ++this.#ordersPlaced
    intent.side = side
    intent.type = !isLimit ? 'market' : options.makerOnly === true ? 'limit_maker' : 'limit'
    intent.quantity = inQuote ? undefined : size
    intent.quoteQuantity = inQuote ? size : undefined
    intent.limitPrice = isLimit ? this.#price(options.limit, side) : undefined
    intent.timeInForce = options?.timeInForce ?? 'gtc'
    this.position.open(intent.order, side, inQuote ? 0n : size)
    return intent.order
  }

  cancel(order: OrderNumber): void {
    if (this.#context.isWarmingUp || !this.position.isOpen(order)) return
    const intent = this.#intents.next()
    intent.kind = 'cancel'
    intent.order = order
  }

  target(amount: Amount): OrderNumber {
    if (this.#context.isWarmingUp) return 0
    const missing = this.#quantity(amount) - this.position.units - this.position.outstanding()
    const size = floorToStep(missing < 0n ? -missing : missing, this.instrument.lotSize)
    return size === 0n ? 0 : this.place(missing < 0n ? 'sell' : 'buy', size)
  }

  /** Exact: a restored runner goes on as if it had never stopped. */
  snapshot(): StrategySnapshot {
    const context = this.#context
    return {
      strategy: this.definition.name,
      parameters: formatParameters(this.definition.parameters as ParameterTable, context.parameters),
      instrument: this.instrument.id,
      barCount: context.barCount,
      nowUs: context.nowUs,
      ordersPlaced: this.#ordersPlaced,
      timerNextUs: Number.isNaN(this.#timerNextUs) ? -1 : this.#timerNextUs,
      ...(this.#warmUpLeft === 0 ? {} : { warmUpLeft: this.#warmUpLeft }),
      holdings: this.position.toPlain(),
      state: stateToPlain(context.state),
    }
  }

  /** In what a snapshot is of another strategy, or of other parameters; undefined when this one can go on from it. */
  changedSince(snapshot: StrategySnapshot): string | undefined {
    const of = (one: StrategySnapshot): string => JSON.stringify([one.strategy, one.parameters])
    const own = this.snapshot()
    return of(snapshot) === of(own) ? undefined : `expected ${of(own)}, found ${of(snapshot)}`
  }

  /** Begins anew with what the instance holds and has outstanding. @throws StrategyError for another instrument's. */
  takeOver(snapshot: StrategySnapshot): void {
    this.#checkInstrument(snapshot)
    this.#ordersPlaced = snapshot.ordersPlaced
    this.position.restore(snapshot.holdings)
  }

  /** @throws StrategyError when the snapshot is of another strategy, other parameters or another instrument. */
  restore(snapshot: StrategySnapshot): void {
    this.#checkInstrument(snapshot)
    const changed = this.changedSince(snapshot)
    if (changed !== undefined) throw this.#error(`${changed} in the snapshot`)
    const context = this.#context
    context.state = stateFromPlain(snapshot.state)
    context.barCount = snapshot.barCount
    context.nowUs = snapshot.nowUs
    this.#ordersPlaced = snapshot.ordersPlaced
    this.#timerNextUs = snapshot.timerNextUs === -1 ? NaN : snapshot.timerNextUs
    this.#warmUpLeft = snapshot.warmUpLeft ?? 0
    this.position.restore(snapshot.holdings)
    this.#intents.count = 0
  }

  #checkInstrument({ instrument }: StrategySnapshot): void {
    if (instrument === this.instrument.id) return
    throw this.#error(`expected a snapshot of ${this.instrument.id}, found one of ${instrument}`)
  }

  /** Calls `onTimer` for every beat that market time has passed; the first event only starts the clock. */
  #beat(timeUs: number): void {
    const step = this.#timerUs
    if (Number.isNaN(this.#timerNextUs)) this.#timerNextUs = Math.floor(timeUs / step) * step + step
    while (this.#timerNextUs <= timeUs) {
      const beat = this.#timerNextUs
      this.#timerNextUs += step
      this.#inTimer = true
      this.#refusePromise(this.definition.onTimer?.(beat, this.#context), 'onTimer')
      this.#inTimer = false
    }
  }

  #quantity(amount: Amount): Units {
    if (typeof amount === 'number') return floorToStep(exactAmount(amount), this.instrument.lotSize)
    return exactAmount(amount)
  }

  /** A price given as a number goes to the nearest tick on the careful side: buys down, sells up. */
  #price(amount: Amount, side: Side): Units {
    const price = exactAmount(amount)
    if (typeof amount !== 'number') return price
    return side === 'buy' ? floorToTick(this.instrument, price) : ceilToTick(this.instrument, price)
  }

  #refusePromise(returned: unknown, handler: string): void {
    if (returned === undefined) return
    if (typeof (returned as { then?: unknown } | null)?.then === 'function') {
      throw this.#error(`expected ${handler} to finish at once, found a promise (handlers are synchronous)`)
    }
  }

  #error(message: string): StrategyError {
    return new StrategyError(`${this.definition.name}: ${message}`)
  }
}

function exactAmount(amount: Amount): Units {
  if (typeof amount === 'bigint') return amount
  return typeof amount === 'number' ? unitsFromFloat(amount) : parseUnits(amount)
}
