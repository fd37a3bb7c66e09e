/** What a strategy's handlers are given, reused from event to event. */
import type { Units } from '@jts/model/numbers'
import type { Side } from '@jts/model/bars'
import type { Instrument } from '@jts/model/instruments'
import type { Amount, AnyStrategy, FillView, OrderNumber, OrderOptions, StrategyContext } from './define-strategy.ts'
import type { Holdings } from './holdings.ts'
import type { ParameterTable, ParameterValues } from './parameters.ts'

/** What the context's functions do, and where its position comes from. */
export type StrategyActions = {
  readonly position: Holdings
  place(side: Side, amount: Amount, options?: OrderOptions): OrderNumber
  cancel(order: OrderNumber): void
  target(quantity: Amount): OrderNumber
}

export type ContextOptions = {
  readonly definition: AnyStrategy
  readonly parameters: ParameterValues<ParameterTable>
  readonly instrument: Instrument
  readonly log?: (message: string) => void
}

/** One fill object for a whole run. */
export class FillEvent implements FillView {
  order = 0
  side: Side = 'buy'
  quantity = 0
  price = 0
  timeUs = 0
}

/** The one context object of a runner; `StrategyContext` is what the strategy sees of it. */
export class Context implements StrategyContext<ParameterTable, unknown> {
  readonly parameters: ParameterValues<ParameterTable>
  state: unknown
  readonly position: Holdings
  readonly instrument: Instrument
  readonly lotSize: Units
  barCount = 0
  nowUs = 0
  isWarmingUp = false
  readonly buy: StrategyContext<ParameterTable, unknown>['buy']
  readonly sell: StrategyContext<ParameterTable, unknown>['sell']
  readonly cancel: StrategyContext<ParameterTable, unknown>['cancel']
  readonly target: StrategyContext<ParameterTable, unknown>['target']
  readonly log: (message: string) => void

  constructor(actions: StrategyActions, options: ContextOptions) {
    this.parameters = options.parameters
    this.state = options.definition.state(options.parameters)
    this.position = actions.position
    this.instrument = options.instrument
    this.lotSize = options.instrument.lotSize
    // Bound once, so that a strategy can take them out of the context.
    this.buy = (amount, order) => actions.place('buy', amount, order)
    this.sell = (amount, order) => actions.place('sell', amount, order)
    this.cancel = (order) => actions.cancel(order)
    this.target = (quantity) => actions.target(quantity)
    const { log = () => undefined } = options
    this.log = (message) => log(this.isWarmingUp ? `warm-up: ${message}` : message)
  }
}
