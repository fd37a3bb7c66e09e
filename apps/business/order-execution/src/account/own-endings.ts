/** Ends that are ours: an order denied before the wire, an approval that ran out, a request that was never found. */
import { formatUnits, type OrderReasonCode } from '@jts/model'
import type { Turn } from '@jts/transport'
import type { OrderRecord } from '../domain/order-record.ts'
import type { AccountState } from './account-state.ts'

export type Reason = { readonly code: OrderReasonCode; readonly reason: string }

export const CANCELLED_BEFORE_SENDING: Reason = {
  code: 'CANCELLED_BEFORE_SENDING',
  reason: 'cancelled before its request was written',
}

export function deny(state: AccountState, record: OrderRecord, { code, reason }: Reason, turn: Turn): void {
  // Denied is ours and before the wire: an order whose request was never written goes there from wherever it is.
  record.life.status = 'denied'
  record.reason = `${code}: ${reason}`
  state.publish(turn, record, state.options.marketClock.nowUs(), {
    type: 'OrderDenied',
    payload: { terms: record.eventTerms(), reasonCode: code, reason },
  })
  state.orders.keep(record, turn)
}

export function expire(state: AccountState, record: OrderRecord, { code, reason }: Reason, turn: Turn): void {
  const nowUs = state.options.marketClock.nowUs()
  const { request } = record
  record.life.move('expired')
  record.reason = `${code}: ${reason}`
  if (request === null) {
    state.publish(turn, record, nowUs, {
      type: 'SignalExpired',
      payload: { terms: record.eventTerms(), reasonCode: code, reason },
    })
  } else {
    state.publish(turn, record, nowUs, {
      type: 'OrderExpired',
      payload: {
        ref: record.eventRef(),
        clientOrderId: request.clientOrderId,
        reasonCode: code,
        reason,
        cumulativeQuantity: formatUnits(record.life.cumulativeQuantity),
        leavesQuantity: '0',
      },
    })
  }
  state.orders.keep(record, turn)
}
