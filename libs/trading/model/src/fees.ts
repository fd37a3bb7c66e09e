/** What a venue keeps of a trade. */
import { ONE, type Units } from './numbers.ts'
import type { Side } from './bars.ts'

const ONE_SQUARED = ONE * ONE

/**
 * The fee in the asset that is received (base for a buy, quote for a sell), rounded down to eight decimals: Binance's rule.
 * `rate` is a fraction: 0.1 % is `parseUnits('0.001')`.
 */
export function feeOfReceived(side: Side, quantity: Units, price: Units, rate: Units): Units {
  return side === 'buy' ? (quantity * rate) / ONE : (quantity * price * rate) / ONE_SQUARED
}
