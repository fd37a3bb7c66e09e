/** Every event once: its payload's message and version. Payloads are immutable facts; amounts in them are decimal text. */
import * as marketData from './generated/jts/events/v1/market_data.ts'
import * as orders from './generated/jts/events/v1/orders.ts'
import * as signals from './generated/jts/events/v1/signals.ts'
import { Envelope } from './generated/jts/events/v1/envelope.ts'

const codecs = {
  Candle: marketData.Candle,
  PublicTrade: marketData.PublicTrade,
  StrategySignal: signals.StrategySignal,
  ApprovedSignal: signals.ApprovedSignal,
  CancelRequested: signals.CancelRequested,
  RiskAlert: signals.RiskAlert,
  PositionChanged: signals.PositionChanged,
  ServiceHealth: signals.ServiceHealth,
  OpeningBalance: orders.OpeningBalance,
  OrderSubmitting: orders.OrderSubmitting,
  OrderDenied: orders.OrderDenied,
  OrderAccepted: orders.OrderAccepted,
  OrderRejected: orders.OrderRejected,
  OrderUnknown: orders.OrderUnknown,
  OrderFilled: orders.OrderFilled,
  OrderPendingCancel: orders.OrderPendingCancel,
  OrderCancelled: orders.OrderCancelled,
  OrderExpired: orders.OrderExpired,
  SignalExpired: orders.SignalExpired,
  TradingStateChanged: orders.TradingStateChanged,
  ForeignFill: orders.ForeignFill,
  BalancesReported: orders.BalancesReported,
  ReconciliationReported: orders.ReconciliationReported,
}

export type EventType = keyof typeof codecs
type DecodedPayload<T extends EventType> = ReturnType<(typeof codecs)[T]['decode']>
export type DeepReadonly<T> = T extends (infer U)[]
  ? readonly DeepReadonly<U>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T
export type Payload<T extends EventType> = DeepReadonly<DecodedPayload<T>>

/** Versions written today; an older one is upcast at the door (`decodeEvent`). */
export const EVENT_VERSION = 1

/** What a producer states; the bus adds id, stream position and sequence. */
export type NewEvent = {
  [T in EventType]: {
    readonly type: T
    /** The topic's key. */
    readonly stream: string
    readonly correlationId: string
    readonly causationId: string
    readonly account?: string
    /** Market time, µs. */
    readonly timeEventUs: number
    readonly payload: Payload<T>
  }
}[EventType]

type Position = {
  readonly eventId: string
  readonly version: number
  readonly sequence: number
  readonly topic: string
  readonly partition: number
  readonly offset: number
}
export type BusEvent = NewEvent & Position
export type BusEventOf<T extends EventType> = Extract<BusEvent, { type: T }>

export class EventError extends Error {
  override readonly name = 'EventError'
}

/** The event's id: computed from its place, so a second reading or a repeated publication gives the same id. */
export function eventIdOf(topic: string, stream: string, sequence: number): string {
  return `${topic}/${stream}/${sequence}`
}

export function encodeEvent(event: NewEvent, eventId: string, sequence: number): Uint8Array {
  const codec = codecs[event.type] as { encode(message: unknown): { finish(): Uint8Array } }
  return Envelope.encode({
    eventId,
    type: event.type,
    version: EVENT_VERSION,
    stream: event.stream,
    sequence,
    correlationId: event.correlationId,
    causationId: event.causationId,
    account: event.account,
    timeEventUs: event.timeEventUs,
    payload: codec.encode(event.payload).finish() as Uint8Array<ArrayBuffer>,
  } as Envelope).finish()
}

/** @throws EventError when the bytes are not an event that this version knows. */
export function decodeEvent(bytes: Uint8Array, topic: string, partition: number, offset: number): BusEvent {
  const where = `${topic}[${partition}]@${offset}`
  let envelope: Envelope
  try {
    envelope = Envelope.decode(bytes)
  } catch (cause) {
    throw new EventError(`expected an event envelope at ${where}, found ${bytes.length} bytes that do not parse`, {
      cause,
    })
  }
  if (!Object.hasOwn(codecs, envelope.type)) {
    throw new EventError(`expected a known event type at ${where}, found ${JSON.stringify(envelope.type)}`)
  }
  if (envelope.version < 1 || envelope.version > EVENT_VERSION) {
    throw new EventError(
      `expected ${envelope.type} of version 1 to ${EVENT_VERSION} at ${where}, found ${envelope.version}`,
    )
  }
  const type = envelope.type as EventType
  let payload: unknown
  try {
    payload = codecs[type].decode(envelope.payload)
  } catch (cause) {
    throw new EventError(`expected the payload of ${type} at ${where}, found bytes that do not parse`, { cause })
  }
  return {
    eventId: envelope.eventId,
    type,
    version: envelope.version,
    stream: envelope.stream,
    sequence: envelope.sequence,
    correlationId: envelope.correlationId,
    causationId: envelope.causationId,
    ...(envelope.account === undefined || envelope.account === '' ? {} : { account: envelope.account }),
    timeEventUs: envelope.timeEventUs,
    payload,
    topic,
    partition,
    offset,
  } as BusEvent
}

/** The event as JSON for a person (`./jts events tail`). */
export function eventToJson(event: BusEvent): unknown {
  const codec = codecs[event.type] as unknown as { toJSON(message: unknown): unknown }
  return { ...event, payload: codec.toJSON(event.payload) }
}
