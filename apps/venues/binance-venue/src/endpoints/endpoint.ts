/** An endpoint of the protocol, the same for REST and the WebSocket API: weight, security, mandatory parameters, answer. */
import type { AcceptFault, OrderEvent } from '@jts/exchange'
import type { Params } from '../params.ts'
import type { TimeOf } from '../payloads.ts'
import type { Venue } from '../venue.ts'

/** One request on its way: what the endpoint reads, and what it leaves for the transport to carry out. */
export type Call = {
  readonly venue: Venue
  readonly params: Params
  readonly time: TimeOf
  /** Index of the caller's account; −1 when the endpoint needs none. */
  readonly account: number
  /** On disk already; to be sent after the reply (or before it, by a fault). */
  events: readonly OrderEvent[]
  /** Accepted, but the reply is to go astray. */
  fault?: AcceptFault
  /** An order reply shows the order counters. */
  countsOrders?: boolean
}

export type Endpoint = {
  /** Method and path, such as `GET /api/v3/time`. */
  readonly rest: string
  /** Method of the WebSocket API, where there is one. */
  readonly socket?: string
  readonly weight: number | ((params: Params) => number)
  readonly security: 'none' | 'key' | 'signed'
  readonly mandatory?: readonly string[]
  readonly run: (call: Call) => unknown
}
