/** Which events a person wants to hear of, and in what words. */
import type { BusEvent } from '@jts/contracts'
import { kstDateOf, kstSecondsOf } from '@jts/model'

export type Notification = {
  readonly id: string
  readonly severity: 'info' | 'warning' | 'critical'
  readonly title: string
  readonly text: string
  readonly account: string
  readonly correlationId: string
  readonly timeUs: number
}

const FOREIGN_HANDLING: Readonly<Record<string, string>> = {
  alert: 'its fills are booked, trading goes on',
  adopt: 'its fills are booked, and a halt cancels it',
  block: 'its fills are booked, and the account only reduces until a person resumes',
}

type Words = Pick<Notification, 'severity' | 'title' | 'text'>

function words(event: BusEvent): Words | undefined {
  switch (event.type) {
    case 'OrderFilled': {
      const { ref, lastQuantity, lastPrice, fee, feeCurrency } = event.payload
      return {
        severity: 'info',
        title: `${ref?.side === 'buy' ? 'Bought' : 'Sold'} ${lastQuantity} ${ref?.instrument}`,
        text: `at ${lastPrice}, fee ${fee} ${feeCurrency} (${ref?.strategy})`,
      }
    }
    case 'OrderRejected':
      return {
        severity: 'warning',
        title: `Order rejected: ${event.payload.ref?.instrument}`,
        text: `${event.payload.reasonCode}: ${event.payload.reason}`,
      }
    case 'OrderUnknown':
      return {
        severity: 'critical',
        title: `Order without an answer: ${event.payload.ref?.instrument}`,
        text: `${event.payload.reason}; it is being settled and will not be sent again`,
      }
    case 'OrderFoundLate':
      return {
        severity: 'critical',
        title: `Order found that was given up: ${event.payload.ref?.instrument}`,
        text: `${event.payload.reason}; where it is open it is cancelled`,
      }
    case 'OrderExpired':
      return {
        // What the venue has lost, a person looks for there.
        severity: event.payload.reasonCode === 'NOT_FOUND' ? 'critical' : 'warning',
        title: `Order expired: ${event.payload.ref?.instrument}`,
        text: `${event.payload.reasonCode}: ${event.payload.reason}`,
      }
    case 'OrderDenied':
    case 'SignalExpired':
      return {
        severity: 'warning',
        title: `Order not sent: ${event.payload.terms?.ref?.instrument}`,
        text: `${event.payload.reasonCode}: ${event.payload.reason}`,
      }
    case 'BalanceAdjusted': {
      const { currency, amount, reason, source, by, words: said } = event.payload
      const isOut = amount.startsWith('-')
      return {
        severity: 'info',
        title: `${isOut ? amount.slice(1) : amount} ${currency} ${isOut ? 'went out' : 'came in'} without a trade`,
        text: `${reason}, ${source === 'person' ? `booked by ${by}: ${said}` : 'told by the broker'}`,
      }
    }
    case 'ForeignFill':
      if (event.payload.handling === 'ignore') return undefined
      return {
        severity: 'warning',
        title: `Fill of a foreign order: ${event.payload.instrument}`,
        text: `${event.payload.side} ${event.payload.quantity} at ${event.payload.price}`,
      }
    case 'ForeignOrderFound':
      if (event.payload.handling === 'ignore') return undefined
      return {
        severity: 'warning',
        title: `Open order that JTS has not made: ${event.payload.instrument}`,
        text: `${event.payload.side} ${event.payload.quantity} (${event.payload.venueOrderId}); ${FOREIGN_HANDLING[event.payload.handling] ?? ''}`,
      }
    case 'LogStopped':
      return {
        severity: 'critical',
        title: `${event.payload.reader} stands still in the event log`,
        text: `at ${event.payload.eventId}, which it could not take: ${event.payload.reason}`,
      }
    case 'TradingStateChanged':
      return {
        severity: event.payload.state === 'active' ? 'info' : 'critical',
        title: `Trading${event.payload.scope === 'strategy' ? ` of ${event.payload.strategy}` : ''} is ${event.payload.state}`,
        text: event.payload.reason,
      }
    case 'SignalWaiting': {
      const { side, quantity, quoteQuantity, instrument, strategy, notBeforeUs } = event.payload
      return {
        severity: 'info',
        title: `Waits for its market: ${instrument}`,
        text: `${side} ${quantity || `for ${quoteQuantity}`} is sent from ${kstText(notBeforeUs)} in Korea on, if risk agrees then (${strategy})`,
      }
    }
    case 'RiskAlert':
      return {
        severity: 'warning',
        title: `Denied by risk: ${event.payload.signal?.instrument}`,
        text: `${event.payload.reasonCode}: ${event.payload.reason}`,
      }
    case 'ServiceHealth':
      return {
        severity: event.payload.state === 'up' ? 'info' : 'critical',
        title: `${event.payload.service} is ${event.payload.state}`,
        text: event.payload.reason,
      }
    default:
      return undefined
  }
}

function kstText(timeUs: number): string {
  return `${kstDateOf(timeUs)} ${new Date(kstSecondsOf(timeUs) * 1000).toISOString().slice(11, 19)}`
}

export function notificationOf(event: BusEvent): Notification | undefined {
  const said = words(event)
  if (said === undefined) return undefined
  return {
    ...said,
    id: event.eventId,
    account: event.account ?? '',
    correlationId: event.correlationId,
    timeUs: event.timeEventUs,
  }
}
