import { kstText, movement, type Said, type Words } from './words.ts'

const FOREIGN_HANDLING: Readonly<Record<string, string>> = {
  alert: 'its fills are booked, trading goes on',
  adopt: 'its fills are booked, and a halt cancels it',
  block: 'its fills are booked, and the account only reduces until a person resumes',
}

type Reason = { readonly reasonCode: string; readonly reason: string }

const because = (title: string, { reasonCode, reason }: Reason): Said => ({ title, text: `${reasonCode}: ${reason}` })

export const en: Words = {
  OrderFilled: ({ ref, lastQuantity, lastPrice, fee, feeCurrency }) => ({
    title: `${ref?.side === 'buy' ? 'Bought' : 'Sold'} ${lastQuantity} ${ref?.instrument}`,
    text: `at ${lastPrice}, fee ${fee} ${feeCurrency} (${ref?.strategy})`,
  }),
  OrderRejected: (said) => because(`Order rejected: ${said.ref?.instrument}`, said),
  OrderUnknown: ({ ref, reason }) => ({
    title: `Order without an answer: ${ref?.instrument}`,
    text: `${reason}; it is being settled and will not be sent again`,
  }),
  OrderFoundLate: ({ ref, reason }) => ({
    title: `Order found that was given up: ${ref?.instrument}`,
    text: `${reason}; where it is open it is cancelled`,
  }),
  OrderExpired: (said) => because(`Order expired: ${said.ref?.instrument}`, said),
  OrderDenied: (said) => because(`Order not sent: ${said.terms?.ref?.instrument}`, said),
  SignalExpired: (said) => because(`Order not sent: ${said.terms?.ref?.instrument}`, said),
  BalanceAdjusted: ({ currency, amount, reason, source, by, words }) => {
    const { isOut, size } = movement(amount)
    return {
      title: `${size} ${currency} ${isOut ? 'went out' : 'came in'} without a trade`,
      text: `${reason}, ${source === 'person' ? `booked by ${by}: ${words}` : 'told by the broker'}`,
    }
  },
  ForeignFill: ({ instrument, side, quantity, price }) => ({
    title: `Fill of a foreign order: ${instrument}`,
    text: `${side} ${quantity} at ${price}`,
  }),
  ForeignOrderFound: ({ instrument, side, quantity, venueOrderId, handling }) => ({
    title: `Open order that JTS has not made: ${instrument}`,
    text: `${side} ${quantity} (${venueOrderId}); ${FOREIGN_HANDLING[handling] ?? ''}`,
  }),
  LogStopped: ({ reader, eventId, reason }) => ({
    title: `${reader} stands still in the event log`,
    text: `at ${eventId}, which it could not take: ${reason}`,
  }),
  TradingStateChanged: ({ scope, strategy, state, reason }) => ({
    title: `Trading${scope === 'strategy' ? ` of ${strategy}` : ''} is ${state}`,
    text: reason,
  }),
  SignalWaiting: ({ side, quantity, quoteQuantity, instrument, strategy, notBeforeUs }) => ({
    title: `Waits for its market: ${instrument}`,
    text: `${side} ${quantity || `for ${quoteQuantity}`} is sent from ${kstText(notBeforeUs)} in Korea on, if risk agrees then (${strategy})`,
  }),
  RiskAlert: (said) => because(`Denied by risk: ${said.signal?.instrument}`, said),
  ServiceHealth: ({ service, state, reason }) => ({ title: `${service} is ${state}`, text: reason }),
}
