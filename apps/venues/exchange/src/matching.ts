/** When does the market fill an order, and at which price. Pure: one order and one market event in, a decision out. */
import { ceilToStep, floorToStep, ONE, type Units } from '@jts/model/numbers'
import type { Order, OrderRequest, Side } from './orders.ts'

export type Decision =
  | { readonly kind: 'fill'; readonly price: Units; readonly maker: boolean }
  | { readonly kind: 'expire' }
  | { readonly kind: 'wait' }

const WAIT: Decision = { kind: 'wait' }
const EXPIRE: Decision = { kind: 'expire' }
const BPS = 10_000n

/** A limit that would trade at this price: at or better than it. */
export function isMarketable(side: Side, limit: Units, price: Units): boolean {
  return side === 'buy' ? limit >= price : limit <= price
}

/** The price has traded past the limit, not only at it: only then is it sure that our place in the queue was reached. */
function isThrough(side: Side, limit: Units, price: Units): boolean {
  return side === 'buy' ? price < limit : price > limit
}

/** Moves a price against the taker and onto the tick that is worse for it. */
export function slip(side: Side, price: Units, bps: number, tick: Units): Units {
  if (bps === 0) return price
  const scaled = price * (side === 'buy' ? BPS * ONE + toBps(bps) : BPS * ONE - toBps(bps))
  const scale = BPS * ONE
  if (side === 'buy') return ceilToStep((scaled + scale - 1n) / scale, tick)
  return floorToStep(scaled / scale, tick)
}

function toBps(bps: number): bigint {
  return BigInt(Math.round(bps * 1e8))
}

type Matchable = Pick<Order | OrderRequest, 'side' | 'kind' | 'timeInForce' | 'price'>

/**
 * At a price that waiting orders may trade at: the open of a bar, or the current price when trading is continuous.
 * `isNew`: the order meets its first price, so it takes; one that has rested makes.
 */
export function decideAtOpen(
  order: Matchable,
  isNew: boolean,
  price: Units,
  slippageBps: number,
  tick: Units,
): Decision {
  if (order.kind === 'market') return { kind: 'fill', price: slip(order.side, price, slippageBps, tick), maker: false }
  const maker = !isNew || order.kind === 'post-only'
  if (isMarketable(order.side, order.price, price)) return { kind: 'fill', price, maker }
  return order.timeInForce === 'gtc' ? WAIT : EXPIRE
}

/** Within a bar: a resting limit fills at its own price when the bar has traded through it, but not in its first bar. */
export function decideInRange(order: Matchable, isNew: boolean, low: Units, high: Units): Decision {
  if (isNew || order.kind === 'market' || order.timeInForce !== 'gtc') return WAIT
  const extreme = order.side === 'buy' ? low : high
  return isThrough(order.side, order.price, extreme) ? { kind: 'fill', price: order.price, maker: true } : WAIT
}

/** A recorded trade is open and range in one: new orders take its price, resting ones fill when it goes through them. */
export function decideAtTrade(
  order: Matchable,
  isNew: boolean,
  price: Units,
  slippageBps: number,
  tick: Units,
): Decision {
  if (isNew) return decideAtOpen(order, true, price, slippageBps, tick)
  return decideInRange(order, false, price, price)
}
