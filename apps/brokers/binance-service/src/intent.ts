/** Pure: what an intent says about the wire: its signed window, and whether it can be said at all. */
import type { PlaceOrderIntent } from '@jts/broker-kit'
import { instrumentVenue, type InstrumentId } from '@jts/model'
import type { SignedWindow } from './adapters/http.ts'
import { VENUE } from './adapters/symbols.ts'

/** https://developers.binance.com/docs/binance-spot-api-docs/rest-api/request-security#timing-security */
const RECV_WINDOW_MAX_MS = 60_000
const CLIENT_ID = /^[A-Za-z0-9_-]{1,36}$/

/**
 * Signed with the intent's own time and open only until `sendBefore`: the venue itself refuses whatever comes later. Both
 * are rounded so that the window never reaches past `sendBefore`.
 */
export function toSignedWindow(intent: { readonly intentTimeUs: number; readonly sendBeforeUs: number }): SignedWindow {
  const timestampMs = Math.floor(intent.intentTimeUs / 1000)
  const lengthMs = Math.floor(intent.sendBeforeUs / 1000) - timestampMs
  return { timestampMs, recvWindowMs: Math.min(Math.max(lengthMs, 0), RECV_WINDOW_MAX_MS) }
}

/** After this the venue refuses the request, so writing it would be idle. */
export function deadlineUsOf(window: SignedWindow): number {
  return (window.timestampMs + window.recvWindowMs) * 1000
}

export function whyInvalidId(id: string): string | undefined {
  if (CLIENT_ID.test(id)) return undefined
  return `expected a client id of 1 to 36 letters, digits, _ or -, found ${JSON.stringify(id)}`
}

export function whyForeign(instrument: InstrumentId): string | undefined {
  if (instrumentVenue(instrument) === VENUE) return undefined
  return `expected an instrument of ${VENUE}, found ${instrument}`
}

/** What the venue could only refuse, said before it costs an order of the budget. */
export function whyInvalid(intent: PlaceOrderIntent): string | undefined {
  const foreign = whyForeign(intent.instrument)
  if (foreign !== undefined) return foreign
  const sizes = [intent.quantity, intent.quoteQuantity].filter((size) => size !== undefined)
  if (sizes.length !== 1) return `expected either quantity or quoteQuantity, found ${sizes.length} of them`
  if (sizes[0]! <= 0n) return 'expected a size above zero'
  if (intent.type === 'market') {
    if (intent.limitPrice !== undefined) return 'expected no limit price for a market order'
    if (intent.timeInForce !== undefined) return 'expected no time in force for a market order'
  } else {
    if (intent.limitPrice === undefined || intent.limitPrice <= 0n) return `expected a limit price for ${intent.type}`
    if (intent.quantity === undefined) return `expected quantity for ${intent.type}, found quoteQuantity`
  }
  return whyInvalidId(intent.clientOrderId)
}
