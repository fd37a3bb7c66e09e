/** The life of an order: which states there are, and which may follow which. */
export type OrderType = 'market' | 'limit' | 'limit_maker'
export type TimeInForce = 'gtc' | 'ioc' | 'fok'

/** Denied is our refusal, rejected the venue's; unknown is sent and unanswered, never guessed. */
export type OrderStatus =
  | 'initialized'
  | 'denied'
  | 'approved'
  | 'submitting'
  | 'accepted'
  | 'rejected'
  | 'unknown'
  | 'partially_filled'
  | 'filled'
  | 'pending_cancel'
  | 'cancelled'
  | 'expired'

const FROM_VENUE: readonly OrderStatus[] = ['partially_filled', 'filled', 'cancelled', 'expired']

/** A fill may overtake its acceptance, so `submitting` reaches everything that an accepted order reaches. */
const TRANSITIONS: Readonly<Record<OrderStatus, readonly OrderStatus[]>> = {
  initialized: ['denied', 'approved'],
  approved: ['submitting', 'denied', 'expired'],
  submitting: ['accepted', 'rejected', 'unknown', ...FROM_VENUE],
  unknown: ['accepted', 'rejected', 'pending_cancel', ...FROM_VENUE],
  accepted: ['pending_cancel', ...FROM_VENUE],
  partially_filled: ['pending_cancel', ...FROM_VENUE],
  pending_cancel: ['accepted', ...FROM_VENUE],
  denied: [],
  rejected: [],
  filled: [],
  cancelled: [],
  expired: [],
}

export function canTransition(from: OrderStatus, to: OrderStatus): boolean {
  return TRANSITIONS[from].includes(to)
}

/** True once nothing more is expected: denied, rejected, filled, cancelled, expired. */
export function isClosed(status: OrderStatus): boolean {
  return TRANSITIONS[status].length === 0
}

/** True while the order may still trade; `unknown` counts, because it may be resting at the venue. */
export function isOpen(status: OrderStatus): boolean {
  return !isClosed(status)
}
