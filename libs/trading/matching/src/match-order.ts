/** An order at the fill model. Its owner may extend it with what it needs to find itself again. */
import type { Side } from '@jts/model/bars'
import { unitsToFloat, type Units } from '@jts/model/numbers'
import type { OrderType, TimeInForce } from '@jts/model/orders'

export type MatchOrderTerms = {
  readonly side: Side
  readonly type: OrderType
  readonly timeInForce: TimeInForce
  /** Absent for an order sized in quote. */
  readonly quantity?: Units | undefined
  readonly quoteQuantity?: Units | undefined
  readonly limitPrice?: Units | undefined
}

export class MatchOrder {
  readonly side: Side
  readonly type: OrderType
  readonly timeInForce: TimeInForce
  readonly quantity: Units | undefined
  readonly quoteQuantity: Units | undefined
  readonly limitPrice: Units | undefined
  /** For the comparison on every bar. Amounts of up to 15 digits are told apart exactly by their doubles. */
  readonly limitFloat: number
  /** True until the order has met its first price. */
  isNew = true
  isEnded = false

  constructor(terms: MatchOrderTerms) {
    this.side = terms.side
    this.type = terms.type
    this.timeInForce = terms.timeInForce
    this.quantity = terms.quantity
    this.quoteQuantity = terms.quoteQuantity
    this.limitPrice = terms.limitPrice
    this.limitFloat = terms.limitPrice === undefined ? NaN : unitsToFloat(terms.limitPrice)
  }
}
