/**
 * The fee of a fill: a share of what is received, in the received asset (base for a buy, quote for a sell), rounded down to 1e-8
 * once, from the exact product.
 */
import { ONE, type Units } from '@jts/model/numbers'

export function feeOf(side: 'buy' | 'sell', quantity: Units, price: Units, rate: Units): Units {
  return side === 'buy' ? (quantity * rate) / ONE : (quantity * price * rate) / (ONE * ONE)
}
