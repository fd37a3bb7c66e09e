/** Why an order came to nothing, by code; what risk denies has its codes beside the rules. */
import type { DenialCode } from './risk/risk-types.ts'

/** The venue has refused it. */
export type BrokerRejectCode =
  | 'INSUFFICIENT_BALANCE'
  | 'FILTER_FAILURE'
  | 'DUPLICATE_CLIENT_ORDER_ID'
  | 'MARKET_CLOSED'
  | 'WOULD_TAKE'
  | 'OUTSIDE_RECEIVE_WINDOW'
  | 'AUTHENTICATION'
  | 'RATE_LIMIT'
  | 'NOT_SUPPORTED'
  | 'REJECTED'

/** It was not sent, and that is certain. */
export type NotSentCode =
  | 'TOO_LATE'
  | 'GATE_HALTED'
  /** A later owner of the account, or a later trading state, is known. */
  | 'STALE_LEASE'
  | 'STALE_TRADING_STATE'
  /** The broker takes no ids, and another order of this instrument and side is not acknowledged yet. */
  | 'ORDER_IN_FLIGHT'
  | 'BROKER_UNAVAILABLE'
  | 'RATE_BUDGET'
  | 'INVALID'

/** Ends that are ours: before the wire, or after the venue did not know it. */
export type OwnEndCode = 'CANCELLED_BEFORE_SENDING' | 'APPROVAL_EXPIRED' | 'NOT_FOUND'

export type OrderReasonCode = BrokerRejectCode | NotSentCode | OwnEndCode | DenialCode
