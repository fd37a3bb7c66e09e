/** What the venue says of one order, whoever told it: the order is known there, and it may have ended there. */
import type { OrderReport } from '@jts/broker-kit'
import { formatUnits } from '@jts/model'
import type { Turn } from '@jts/transport'
import type { OrderRecord } from '../domain/order-record.ts'
import type { AccountState } from './account-state.ts'

export class VenueReports {
  readonly #state: AccountState
  readonly #dequeue: (record: OrderRecord) => void

  constructor(state: AccountState, dequeue: (record: OrderRecord) => void) {
    this.#state = state
    this.#dequeue = dequeue
  }

  /** The venue knows the order: from here on it has the venue's id. */
  bind(record: OrderRecord, report: OrderReport, turn: Turn): void {
    const { options, orders } = this.#state
    record.lastNoticeUs = Math.max(record.lastNoticeUs, options.marketClock.nowUs())
    if (record.venueOrderId === '') {
      record.venueOrderId = report.venueOrderId
      orders.nameAtVenue(record)
      if (record.isClosed || record.life.status === 'approved') this.#foundLate(record)
    }
    if (!record.isUnsettled) return
    record.life.move('accepted')
    record.reason = ''
    this.#state.publish(turn, record, report.timeUs, {
      type: 'OrderAccepted',
      payload: {
        ref: record.eventRef(),
        clientOrderId: record.request!.clientOrderId,
        venueOrderId: report.venueOrderId,
      },
    })
    orders.keep(record, turn)
  }

  /** An end without a full fill, once every fill that the report counts is booked. */
  apply(record: OrderRecord, report: OrderReport, turn: Turn): void {
    if (record.isClosed || report.cumulativeQuantity > record.life.cumulativeQuantity) return
    const common = {
      ref: record.eventRef(),
      clientOrderId: record.request!.clientOrderId,
      cumulativeQuantity: formatUnits(record.life.cumulativeQuantity),
      leavesQuantity: record.leavesText,
    }
    if (report.status === 'cancelled' && record.life.move('cancelled') === 'applied') {
      this.#state.publish(turn, record, report.timeUs, { type: 'OrderCancelled', payload: common })
    } else if (
      (report.status === 'expired' || report.status === 'rejected') &&
      record.life.move('expired') === 'applied'
    ) {
      record.reason = report.reason ?? 'expired at the venue'
      this.#state.publish(turn, record, report.timeUs, {
        type: 'OrderExpired',
        payload: { ...common, reasonCode: 'VENUE_EXPIRED', reason: record.reason },
      })
    } else if (report.status === 'filled' && record.life.move('filled') === 'applied') {
      // Sized in quote, and its last fill was booked before anyone said that it was the last: its end is said now.
      this.#state.publish(turn, record, report.timeUs, {
        type: 'OrderExpired',
        payload: { ...common, reasonCode: 'FILLED', reason: 'nothing is left', leavesQuantity: '0' },
      })
    } else return
    this.#state.orders.keep(record, turn)
  }

  /** The venue has an order that was taken for absent: it is its intent's, and nothing more is sent for that. */
  #foundLate(record: OrderRecord): void {
    const { orderId } = record.terms
    this.#state.options.log.error({ orderId, status: record.life.status }, 'the venue has an order that was given up')
    if (record.life.status !== 'approved') return
    this.#dequeue(record)
    record.life.status = 'submitting'
  }
}
