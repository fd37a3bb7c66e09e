/** Whether an intent says what an order needs, and what makes two orders equal. */
import { formatUnits, type Units } from '../numbers.ts'
import type { RiskIntent } from './risk-types.ts'

/** What is wrong with the intent itself, before any rule is asked. */
export function malformation(intent: RiskIntent): string | undefined {
  const { quantity, quoteQuantity, limitPrice, type } = intent
  if ((quantity === undefined) === (quoteQuantity === undefined)) {
    return `expected either quantity or quoteQuantity, found ${quantity === undefined ? 'neither' : 'both'}`
  }
  if ((quantity ?? quoteQuantity!) <= 0n) {
    return `expected a size above 0, found ${formatUnits(quantity ?? quoteQuantity!)}`
  }
  if (type === 'market') {
    return limitPrice === undefined ? undefined : 'expected no limit price on a market order, found one'
  }
  if (limitPrice === undefined || limitPrice <= 0n)
    return `expected a limit price above 0 on a ${type} order, found none`
  return quantity === undefined ? `expected a ${type} order to be sized in base, found quoteQuantity` : undefined
}

type OrderContent = Pick<RiskIntent, 'account' | 'strategy' | 'instrument' | 'side'> & {
  readonly quantity?: Units | string | undefined
  readonly quoteQuantity?: Units | string | undefined
}

/** Equal text for equal orders: the same account, strategy, instrument, side and size. Sizes in units, as numbers or as text. */
export function orderContent(intent: OrderContent): string {
  const size = intent.quantity === undefined ? `quote ${intent.quoteQuantity}` : String(intent.quantity)
  return `${intent.account} ${intent.strategy} ${intent.instrument} ${intent.side} ${size}`
}
