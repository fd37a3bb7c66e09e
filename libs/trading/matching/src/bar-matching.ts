/**
 * The fill model `next-open`, for one market: what recorded bars (or trades) would have done to our orders.
 *
 * A market order fills wholly, whatever the volume, at the next open (or the next trade). A limit order that is marketable
 * then fills at that price, otherwise at its limit once the price trades *through* it: at the limit itself we cannot know
 * who was first in the queue. An order meets no price of the bar in which it was placed; `ioc` and `fok` wait for the next
 * price as all do, and end there. A maker-only order is judged where it is placed, against the last price: it is rejected
 * at once, or rests and is a maker from then on, even when the next price is past its limit.
 */
import { ONE, divide, floorToStep, unitsFromFloat, type Units } from '@jts/model/numbers'
import { ceilToTick, floorToTick } from '@jts/model/tick-size'
import { OpenList } from '@jts/model/open-list'
import type { Side } from '@jts/model/bars'
import type { Instrument } from '@jts/model/instruments'
import type { MatchOrder } from './match-order.ts'

export const FILL_MODEL = 'next-open'
export type Liquidity = 'maker' | 'taker'

/** Whoever owns the orders. Fills come one by one, so that each is judged with the cash that the one before has left. */
export type MatchingOwner<Order extends MatchOrder> = {
  /** False when cash or quantity at hand does not cover this fill: it does not happen, and the order expires. */
  covers(order: Order, quantity: Units, price: Units, timeUs: number): boolean
  /** The order has filled wholly and is closed. */
  filled(order: Order, quantity: Units, price: Units, liquidity: Liquidity, timeUs: number): void
  ended(order: Order, status: 'expired' | 'rejected' | 'cancelled', timeUs: number): void
}

export class BarMatching<Order extends MatchOrder> {
  readonly #instrument: Instrument
  readonly #owner: MatchingOwner<Order>
  readonly #slippage: Units
  readonly #orders = new OpenList<Order>()

  constructor(instrument: Instrument, owner: MatchingOwner<Order>, slippageBps = 0) {
    if (!(slippageBps >= 0 && slippageBps < 10_000)) {
      throw new Error(`expected slippage from 0 to below 10000 basis points, found ${slippageBps}`)
    }
    this.#instrument = instrument
    this.#owner = owner
    this.#slippage = unitsFromFloat(slippageBps / 10_000)
  }

  /** When 0, no phase has anything to do. */
  get orderCount(): number {
    return this.#orders.count
  }

  /** Orders that work: what was cancelled since the last phase is not counted. */
  get openCount(): number {
    let open = 0
    for (let i = 0; i < this.#orders.count; i++) if (!this.#orders.at(i).isEnded) open++
    return open
  }

  /** `lastPrice` is the one that the market has shown last. */
  place(order: Order, lastPrice: number, timeUs: number): void {
    if (order.type === 'limit_maker' && isMarketable(order, lastPrice)) this.#end(order, 'rejected', timeUs)
    else this.#orders.add(order)
  }

  /** A working order; what has ended is not found. */
  find(matches: (order: Order) => boolean): Order | undefined {
    return this.#orders.find((order) => !order.isEnded && matches(order))
  }

  cancel(order: Order, timeUs: number): void {
    if (order.isEnded) return
    order.isEnded = true
    this.#owner.ended(order, 'cancelled', timeUs)
  }

  /** The bar's open: market orders, and limit orders that are marketable at it. */
  open(price: number, timeUs: number): void {
    // An owner may place orders while it is told of fills: those wait for the next price.
    const { count } = this.#orders
    for (let i = 0; i < count; i++) this.#meet(this.#orders.at(i), price, timeUs)
    this.#dropEnded()
  }

  /** The bar's range, timed at its close and before its close is known. */
  range(low: number, high: number, timeUs: number): void {
    const { count } = this.#orders
    for (let i = 0; i < count; i++) {
      const order = this.#orders.at(i)
      if (order.isEnded || order.isNew) continue
      if (order.side === 'buy' ? low < order.limitFloat : high > order.limitFloat) {
        this.#fill(order, order.limitPrice!, 'maker', timeUs)
      }
    }
    this.#dropEnded()
  }

  /** A recorded trade is open and range in one: new orders trade at its price, resting ones when it goes through them. */
  trade(price: number, timeUs: number): void {
    const { count } = this.#orders
    for (let i = 0; i < count; i++) {
      const order = this.#orders.at(i)
      if (order.isNew) this.#meet(order, price, timeUs)
      else if (!order.isEnded && (order.side === 'buy' ? price < order.limitFloat : price > order.limitFloat)) {
        this.#fill(order, order.limitPrice!, 'maker', timeUs)
      }
    }
    this.#dropEnded()
  }

  #meet(order: Order, price: number, timeUs: number): void {
    if (order.isEnded) return
    const isNew = order.isNew
    order.isNew = false
    if (order.type === 'market') {
      return this.#fill(order, this.#slipped(order.side, unitsFromFloat(price)), 'taker', timeUs)
    }
    if (isMarketable(order, price)) {
      const liquidity = isNew && order.type === 'limit' ? 'taker' : 'maker'
      this.#fill(order, unitsFromFloat(price), liquidity, timeUs)
    } else if (order.type === 'limit' && order.timeInForce !== 'gtc') this.#end(order, 'expired', timeUs)
  }

  #fill(order: Order, price: Units, liquidity: Liquidity, timeUs: number): void {
    const quantity = order.quantity ?? floorToStep((order.quoteQuantity! * ONE) / price, this.#instrument.lotSize)
    if (quantity === 0n || !this.#owner.covers(order, quantity, price, timeUs))
      return this.#end(order, 'expired', timeUs)
    order.isEnded = true
    this.#owner.filled(order, quantity, price, liquidity, timeUs)
  }

  #end(order: Order, status: 'expired' | 'rejected', timeUs: number): void {
    order.isEnded = true
    this.#owner.ended(order, status, timeUs)
  }

  /** Worse by the slippage, and to the tick that is worse still. Without slippage the recorded price stands as it is. */
  #slipped(side: Side, price: Units): Units {
    if (this.#slippage === 0n) return price
    if (side === 'buy') return ceilToTick(this.#instrument, divide(price * (ONE + this.#slippage), ONE, 'up'))
    return floorToTick(this.#instrument, (price * (ONE - this.#slippage)) / ONE)
  }

  #dropEnded(): void {
    const orders = this.#orders
    for (let i = orders.count - 1; i >= 0; i--) if (orders.at(i).isEnded) orders.removeAt(i)
  }
}

function isMarketable(order: MatchOrder, price: number): boolean {
  return order.side === 'buy' ? price <= order.limitFloat : price >= order.limitFloat
}
