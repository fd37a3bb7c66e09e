/**
 * Binance's codes → ours, and the one question that matters: does this answer prove that there is no order?
 * https://developers.binance.com/docs/binance-spot-api-docs/errors
 */
import { BrokerError, messageOf } from '@jts/broker-kit'
import type { BrokerRejectCode } from '@jts/model'
import { PayloadError, parseJson, readRefusal, type Refusal } from './messages.ts'

export const CODE = {
  clockOutside: -1021,
  orderRejected: -2010,
  cancelRejected: -2011,
  noSuchOrder: -2013,
  noSuchSymbol: -1121,
  illegalCharacters: -1100,
} as const

/** «Execution status unknown» in several words: the request may have become an order. */
const UNDECIDED_CODES: ReadonlySet<number> = new Set([-1000, -1001, -1006, -1007])

const REJECT_CODES: Readonly<Record<number, BrokerRejectCode>> = {
  [-1002]: 'AUTHENTICATION',
  [-1003]: 'RATE_LIMIT',
  [-1008]: 'RATE_LIMIT',
  [-1013]: 'FILTER_FAILURE',
  [-1014]: 'NOT_SUPPORTED',
  [-1015]: 'RATE_LIMIT',
  [-1016]: 'NOT_SUPPORTED',
  [-1020]: 'NOT_SUPPORTED',
  [-1021]: 'OUTSIDE_RECEIVE_WINDOW',
  [-1022]: 'AUTHENTICATION',
  [-1111]: 'FILTER_FAILURE',
  [-1115]: 'NOT_SUPPORTED',
  [-1116]: 'NOT_SUPPORTED',
  [-1121]: 'NOT_SUPPORTED',
  [-2014]: 'AUTHENTICATION',
  [-2015]: 'AUTHENTICATION',
}

/** -2010 and -1013 are told apart by their text only. */
const REJECT_TEXTS: readonly (readonly [RegExp, BrokerRejectCode])[] = [
  [/insufficient balance/i, 'INSUFFICIENT_BALANCE'],
  [/market is closed/i, 'MARKET_CLOSED'],
  [/immediately match and take/i, 'WOULD_TAKE'],
  [/not support|unsupported order combination|not permitted/i, 'NOT_SUPPORTED'],
]

export function toRejectCode(refusal: Refusal): BrokerRejectCode {
  if (refusal.code === CODE.orderRejected || refusal.code === -1013) {
    const byText = REJECT_TEXTS.find(([text]) => text.test(refusal.msg))
    if (byText) return byText[1]
  }
  return REJECT_CODES[refusal.code] ?? 'REJECTED'
}

export type Verdict =
  | { readonly kind: 'ok'; readonly body: unknown }
  /** The venue has decided against the request. */
  | { readonly kind: 'refused'; readonly code: BrokerRejectCode; readonly refusal: Refusal; readonly message: string }
  /** An answer that decides nothing: 5xx, an unreadable body, a code that says so. */
  | { readonly kind: 'undecided'; readonly message: string }

/** What an HTTP answer says about the request. */
export function verdictOf(answer: { readonly status: number; readonly text: string }): Verdict {
  const { status, text } = answer
  const refusal = status === 200 ? undefined : refusalOf(text)
  const words = refusal ? `${refusal.code} ${refusal.msg}` : JSON.stringify(text.slice(0, 80))
  // Both mean that the request was not processed, whoever wrote the body.
  if (status === 429 || status === 418) {
    const stated = refusal ?? { code: -1003, msg: words }
    return { kind: 'refused', code: 'RATE_LIMIT', refusal: stated, message: `HTTP ${status}: ${words}` }
  }
  if (status >= 400 && status < 500 && refusal && !UNDECIDED_CODES.has(refusal.code)) {
    return { kind: 'refused', code: toRejectCode(refusal), refusal, message: words }
  }
  if (status !== 200) return { kind: 'undecided', message: `HTTP ${status}: ${words}` }
  try {
    return { kind: 'ok', body: parseJson('answer', text) }
  } catch (error) {
    return { kind: 'undecided', message: messageOf(error) }
  }
}

function refusalOf(text: string): Refusal | undefined {
  try {
    return readRefusal(parseJson('error', text))
  } catch {
    return undefined
  }
}

/** An order with this client id is already open: perhaps ours, so only the order's own query decides. */
export function isDuplicateOrder(refusal: Refusal): boolean {
  return refusal.code === CODE.orderRejected && /duplicate order/i.test(refusal.msg)
}

/** -2011 that is about the account, not about the order. */
export function isCancelForbidden(refusal: Refusal): boolean {
  return /may not place or cancel|action is disabled|cancel restrictions/i.test(refusal.msg)
}

/** The one door through which whatever was caught becomes our error. */
export function toBrokerError(what: string, error: unknown): BrokerError {
  if (error instanceof BrokerError) return error
  const code = error instanceof PayloadError ? 'UNREADABLE' : 'FAILED'
  return new BrokerError(code, `${what}: ${messageOf(error)}`, { cause: error })
}
