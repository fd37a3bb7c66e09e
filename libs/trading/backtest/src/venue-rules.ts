/** What the venue holds back for an order, and what it refuses although risk has approved it. */
import { ONE, divide, floorToStep, unitsFromFloat, type Instrument, type Units } from '@jts/model'
import type { MatchOrder } from '@jts/matching'

/** Open orders of one account in one instrument. */
export const OPEN_ORDERS_MAX = 200
/** A limit may be at most this many times the last price, and at least this part of it. */
const LIMIT_FAR = 5n

/** Quote currency for a buy, base currency for a sell; a market order's is an estimate from the last price. */
export function lockOf(order: MatchOrder, lastPrice: number, instrument: Instrument): Units {
  const { side, type, quantity, quoteQuantity, limitPrice } = order
  if (side === 'sell') {
    return quantity ?? floorToStep((quoteQuantity! * ONE) / unitsFromFloat(lastPrice), instrument.lotSize)
  }
  if (quoteQuantity !== undefined) return quoteQuantity
  return divide(quantity! * (type === 'market' ? unitsFromFloat(lastPrice) : limitPrice!), ONE, 'up')
}

export function isFarFromMarket({ limitPrice }: MatchOrder, lastPrice: number): boolean {
  if (limitPrice === undefined) return false
  const last = unitsFromFloat(lastPrice)
  return limitPrice > last * LIMIT_FAR || limitPrice * LIMIT_FAR < last
}
