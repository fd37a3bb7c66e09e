/** The decisions of order execution: may an intent be written now, and has the venue proved that a request never arrived? */
import type { Capabilities, QueryOutcome } from '@jts/broker-kit'
import type { HoldCode } from '@jts/model'
import type { OrderState } from './account-states.ts'
import type { OrderRecord } from './order-record.ts'

export type IntentDecision =
  | { readonly kind: 'write' }
  | {
      readonly kind: 'denied'
      readonly code: 'TRADING_HALTED' | 'TRADING_REDUCING' | HoldCode
      readonly reason: string
    }
  | { readonly kind: 'expired'; readonly code: 'APPROVAL_EXPIRED'; readonly reason: string }

export function decideIntent(order: OrderRecord, { state, hold }: OrderState, marketNowUs: number): IntentDecision {
  if (state === 'halted') {
    return { kind: 'denied', code: 'TRADING_HALTED', reason: 'expected trading to be active, found halted' }
  }
  if (hold !== undefined && order.terms.side === 'buy') return { kind: 'denied', code: hold.code, reason: hold.reason }
  if (state === 'reducing' && order.terms.side === 'buy') {
    return { kind: 'denied', code: 'TRADING_REDUCING', reason: 'expected a reducing order while reducing, found a buy' }
  }
  if (marketNowUs > order.terms.validUntilUs) {
    const lateMs = Math.ceil((marketNowUs - order.terms.validUntilUs) / 1000)
    return {
      kind: 'expired',
      code: 'APPROVAL_EXPIRED',
      reason: `expected to write the intent while the approval was valid, found it ${lateMs} ms over`,
    }
  }
  return { kind: 'write' }
}

/** Queries that must have said «not found» after the window was over before absence is taken as proved. */
export const ABSENCE_QUERIES = 2

export type AbsenceDecision =
  | { readonly kind: 'settled' }
  /** Ask again, not before this venue time (µs). */
  | { readonly kind: 'ask-again'; readonly notBeforeUs: number; readonly absences: number }
  /** The venue has proved that the request never became an order. */
  | { readonly kind: 'absent' }
  /** Not found, and this venue cannot prove it. */
  | { readonly kind: 'not-found' }

const ASK_AGAIN_US = 250_000
/** Where nothing can be proved, how long after the last moment of sending an order may still turn up. */
const SETTLE_WINDOW_US = 30_000_000

/**
 * What a query's answer means for an order whose request was never answered. `absences` counts the «not found» answers
 * that came after the window in which the venue would have taken the request.
 */
export function decideAbsence(
  order: OrderRecord,
  outcome: QueryOutcome,
  capabilities: Capabilities,
  venueNowUs: number,
  absences: number,
): AbsenceDecision {
  if (outcome.kind === 'found') return { kind: 'settled' }
  const again = (notBeforeUs: number, count: number): AbsenceDecision => ({
    kind: 'ask-again',
    notBeforeUs,
    absences: count,
  })
  if (outcome.kind === 'failed') return again(venueNowUs + ASK_AGAIN_US, absences)
  const overUs = order.request?.sendBeforeUs ?? 0
  if (venueNowUs <= overUs) return again(Math.min(overUs + 1000, venueNowUs + ASK_AGAIN_US), 0)
  const count = absences + 1
  if (capabilities.absenceProof === 'receive-window') {
    return count >= ABSENCE_QUERIES ? { kind: 'absent' } : again(venueNowUs + 20_000, count)
  }
  if (venueNowUs <= overUs + SETTLE_WINDOW_US) return again(venueNowUs + ASK_AGAIN_US, count)
  return { kind: 'not-found' }
}
