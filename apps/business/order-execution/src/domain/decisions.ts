/** The decisions of order execution: may an intent be written now, and has the venue proved that a request never arrived? */
import type { Capabilities, QueryOutcome } from '@jts/broker-kit'
import type { HoldCode } from '@jts/model'
import type { OrderState } from './account-states.ts'
import type { OrderRecord } from './order-record.ts'

export type IntentDecision =
  | { readonly kind: 'write' }
  | {
      readonly kind: 'denied'
      readonly code: 'TRADING_HALTED' | 'TRADING_REDUCING' | 'STRATEGY_HALTED' | 'STRATEGY_REDUCING' | HoldCode
      readonly reason: string
    }
  | { readonly kind: 'expired'; readonly code: 'APPROVAL_EXPIRED'; readonly reason: string }

export function decideIntent(
  order: OrderRecord,
  { state, hold, isOfStrategy = false }: OrderState,
  marketNowUs: number,
): IntentDecision {
  const whose = isOfStrategy ? `strategy ${order.terms.strategy}` : 'trading'
  if (state === 'halted') {
    const code = isOfStrategy ? 'STRATEGY_HALTED' : 'TRADING_HALTED'
    return { kind: 'denied', code, reason: `expected ${whose} to be active, found halted` }
  }
  if (hold !== undefined && order.terms.side === 'buy') return { kind: 'denied', code: hold.code, reason: hold.reason }
  if (state === 'reducing' && order.terms.side === 'buy') {
    const code = isOfStrategy ? 'STRATEGY_REDUCING' : 'TRADING_REDUCING'
    return { kind: 'denied', code, reason: `expected a reducing order while ${whose} is reducing, found a buy` }
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

export type AbsenceDecision =
  | { readonly kind: 'settled' }
  | { readonly kind: 'ask-again'; readonly afterMs: number; readonly absences: number }
  /** The venue has proved that the request never became an order. */
  | { readonly kind: 'absent' }
  /** Not found, and this venue cannot prove it. */
  | { readonly kind: 'not-found' }

/** Past the last moment at which the venue would have taken the request: what it has taken then can be found by now. */
const MARGIN_US = 1_000_000
/** «Not found» answers after that, each by a question of its own, which are a proof where the venue can give one. */
const PROOF_QUERIES = 2
/** Where nothing can be proved, an order may still turn up for this long. */
const SETTLE_QUERIES = 30
const QUERY_EVERY_MS = 1000
/** While the request may still arrive, or the venue does not answer. */
const ASK_AGAIN_MS = 250

/**
 * What a query's answer means for an order whose request was never answered. `absences` counts the «not found» answers that
 * came after the window in which the venue would have taken the request. They are counted, a second apart by a timer, so that
 * no step of our wall clock shortens the wait; and where they are to prove something, `venueNowUs` is the venue's own word,
 * asked before the query: undefined when it could not be had.
 */
export function decideAbsence(
  order: OrderRecord,
  outcome: QueryOutcome,
  capabilities: Capabilities,
  venueNowUs: number | undefined,
  absences: number,
): AbsenceDecision {
  if (outcome.kind === 'found') return { kind: 'settled' }
  if (outcome.kind === 'failed' || venueNowUs === undefined) {
    return { kind: 'ask-again', afterMs: ASK_AGAIN_MS, absences }
  }
  if (venueNowUs <= (order.request?.sendBeforeUs ?? 0) + MARGIN_US) {
    return { kind: 'ask-again', afterMs: ASK_AGAIN_MS, absences: 0 }
  }
  const isProved = capabilities.absenceProof === 'receive-window'
  if (absences + 1 < (isProved ? PROOF_QUERIES : SETTLE_QUERIES)) {
    return { kind: 'ask-again', afterMs: QUERY_EVERY_MS, absences: absences + 1 }
  }
  return { kind: isProved ? 'absent' : 'not-found' }
}

export type RenewalDecision = { readonly kind: 'renew' } | { readonly kind: 'expired'; readonly reason: string }

/** After an absence: one new request ever, as long as the approval holds; after that a new signal is needed. */
export function decideRenewal(
  order: OrderRecord,
  absence: 'absent' | 'not-found',
  marketNowUs: number,
): RenewalDecision {
  if (absence === 'not-found') return { kind: 'expired', reason: 'not found at the venue after the settle window' }
  if (order.renewed)
    return { kind: 'expired', reason: 'the venue has proved that its one new request never arrived either' }
  if (marketNowUs > order.terms.validUntilUs) {
    return { kind: 'expired', reason: 'the venue has proved that the request never arrived, and the approval is over' }
  }
  return { kind: 'renew' }
}
