/** The one door from a fill on the wire to a fill of the model. */
import {
  accountId,
  EXTERNAL,
  parseUnits,
  type Fill,
  type InstrumentId,
  type OrderId,
  type StrategyInstanceId,
} from '@jts/model'
import type { BusEventOf } from './events.ts'

/** A fill of our own order, or one that no order of ours explains (booked as `external`). */
export function fillOfEvent(event: BusEventOf<'OrderFilled'> | BusEventOf<'ForeignFill'>): Fill {
  const common = {
    account: accountId(event.stream),
    fillId: event.payload.fillId,
    tradeId: event.payload.tradeId,
    fee: parseUnits(event.payload.fee),
    feeCurrency: event.payload.feeCurrency,
    timeUs: event.timeEventUs,
  }
  if (event.type === 'ForeignFill') {
    const { instrument, side, quantity, price, venueOrderId } = event.payload
    return {
      ...common,
      strategy: EXTERNAL,
      instrument: instrument as InstrumentId,
      side: side as Fill['side'],
      quantity: parseUnits(quantity),
      price: parseUnits(price),
      liquidity: 'taker',
      orderId: venueOrderId as OrderId,
    }
  }
  const { ref, lastQuantity, lastPrice, liquidity } = event.payload
  if (ref === undefined) throw new Error(`expected ${event.eventId} to name its order, found no reference`)
  return {
    ...common,
    strategy: ref.strategy as StrategyInstanceId,
    instrument: ref.instrument as InstrumentId,
    side: ref.side as Fill['side'],
    quantity: parseUnits(lastQuantity),
    price: parseUnits(lastPrice),
    liquidity: liquidity as Fill['liquidity'],
    orderId: ref.orderId as OrderId,
  }
}
