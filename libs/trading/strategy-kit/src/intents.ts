/** What a strategy asked for during one event. The buffer is reused: read it before the next event. */
import type { Side } from '@jts/model/bars'
import type { OrderType, TimeInForce } from '@jts/model/orders'
import type { Units } from '@jts/model/numbers'

export class StrategyIntent {
  kind: 'place' | 'cancel' = 'place'
  /** Number of the order placed or cancelled, counted within the instance from 1. */
  order = 0
  side: Side = 'buy'
  type: OrderType = 'market'
  /** Undefined for an order sized in quote. */
  quantity: Units | undefined = undefined
  quoteQuantity: Units | undefined = undefined
  limitPrice: Units | undefined = undefined
  timeInForce: TimeInForce = 'gtc'
}

export class IntentBuffer {
  readonly items: StrategyIntent[] = []
  count = 0

  next(): StrategyIntent {
    let intent = this.items[this.count]
    if (intent === undefined) this.items.push((intent = new StrategyIntent()))
    this.count++
    return intent
  }
}
