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
    record.missingSinceUs = 0
    const isLate = record.isGivenUp || record.life.status === 'approved'
    if (record.venueOrderId === '' || record.lost) {
      record.lost = false
      record.venueOrderId = report.venueOrderId
      orders.nameAtVenue(record)
      if (isLate) this.#foundLate(record, report, turn)
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

  /**
   * The venue has an order that was taken for absent: it is its intent's, and nothing more is sent for that. Where it was given up
   * its money is no longer reserved and its strategy has gone on, so nobody wants it any more.
   */
  #foundLate(record: OrderRecord, report: OrderReport, turn: Turn): void {
    const found = `expected no order at the venue after it had ended as ${record.life.status}, found one that is ${report.status}`
    this.#state.options.log.error(
      { ...record.named, status: record.life.status },
      'the venue has an order that was given up',
    )
    if (record.life.status === 'approved') {
      this.#dequeue(record)
      record.life.status = 'submitting'
      return
    }
    this.#state.publish(turn, record, report.timeUs, {
      type: 'OrderFoundLate',
      payload: {
        ref: record.eventRef(),
        clientOrderId: report.clientOrderId,
        venueOrderId: report.venueOrderId,
        reason: found,
      },
    })
    if (report.status === 'accepted' || report.status === 'partially_filled') {
      record.life.status = 'submitting'
      record.cancelWanted = true
      this.#state.orders.reopen(record, turn)
    } else this.#state.orders.keep(record, turn)
  }
}
