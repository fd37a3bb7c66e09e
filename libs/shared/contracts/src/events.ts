/** Every event once: its payload's message and version. Payloads are immutable facts; amounts in them are decimal text. */
import * as health from './generated/jts/events/v1/health.ts'
import * as marketData from './generated/jts/events/v1/market_data.ts'
import * as orders from './generated/jts/events/v1/orders.ts'
import * as signals from './generated/jts/events/v1/signals.ts'
import * as strategies from './generated/jts/events/v1/strategies.ts'
import { Envelope } from './generated/jts/events/v1/envelope.ts'
import { upcast, UPCASTERS, versionOf, type Upcasters } from './upcast.ts'

const codecs = {
  Candle: marketData.Candle,
  PublicTrade: marketData.PublicTrade,
  InstrumentListed: marketData.InstrumentListed,
  CollectionFailed: marketData.CollectionFailed,
  DeadLetter: marketData.DeadLetter,
  StrategySignal: signals.StrategySignal,
  SignalWaiting: signals.SignalWaiting,
  ApprovedSignal: signals.ApprovedSignal,
  CancelRequested: signals.CancelRequested,
  StrategyBarred: strategies.StrategyBarred,
  StrategyStarted: strategies.StrategyStarted,
  RiskAlert: signals.RiskAlert,
  PositionChanged: signals.PositionChanged,
  ServiceHealth: signals.ServiceHealth,
  Heartbeat: health.Heartbeat,
  LogStopped: health.LogStopped,
  LogResumed: health.LogResumed,
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
  OrderFoundLate: orders.OrderFoundLate,
  SignalExpired: orders.SignalExpired,
  TradingStateChanged: orders.TradingStateChanged,
  ForeignFill: orders.ForeignFill,
  ForeignOrderFound: orders.ForeignOrderFound,
  BalanceAdjusted: orders.BalanceAdjusted,
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

/**
 * An event that somebody could not take: enough to stop its stream and to tell whose money it is about; and its place in its
 * stream, where its envelope could be read.
 */
export type PoisonedEvent = {
  readonly topic: string
  readonly eventId: string
  readonly account?: string
  readonly stream?: string
  readonly sequence?: number
}

export class EventError extends Error {
  override readonly name = 'EventError'
  /** What could be read of it. */
  readonly event: PoisonedEvent | undefined
  constructor(message: string, options: { event?: PoisonedEvent; cause?: unknown } = {}) {
    super(message, options)
    this.event = options.event
  }
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
    version: versionOf(event.type),
    stream: event.stream,
    sequence,
    correlationId: event.correlationId,
    causationId: event.causationId,
    account: event.account,
    timeEventUs: event.timeEventUs,
    payload: codec.encode(event.payload).finish() as Uint8Array<ArrayBuffer>,
  } as Envelope).finish()
}

/**
 * The one door from bytes to an event: whatever older version wrote it, what comes out is of today's.
 * @throws EventError when the bytes are not an event that this version knows.
 */
export function decodeEvent(
  bytes: Uint8Array,
  topic: string,
  partition: number,
  offset: number,
  upcasters: Upcasters = UPCASTERS,
): BusEvent {
  const where = `${topic}[${partition}]@${offset}`
  const envelope = decodeEnvelope(bytes, where)
  const account = envelope.account === undefined || envelope.account === '' ? {} : { account: envelope.account }
  const { eventId, stream, sequence } = envelope
  const event = { topic, eventId, ...account, stream, sequence }
  if (!Object.hasOwn(codecs, envelope.type)) {
    throw new EventError(
      `expected a known event type at ${where}, found ${JSON.stringify(envelope.type)}: a newer JTS may have written it`,
      { event },
    )
  }
  const type = envelope.type as EventType
  const version = versionOf(type, upcasters)
  if (envelope.version < 1 || envelope.version > version) {
    throw new EventError(
      `expected ${type} of version 1 to ${version} at ${where}, found ${envelope.version}: a newer JTS has written it; run that version, or a newer one`,
      { event },
    )
  }
  let payload: unknown
  try {
    payload = codecs[type].decode(envelope.payload)
  } catch (cause) {
    throw new EventError(`expected the payload of ${type} at ${where}, found bytes that do not parse`, { event, cause })
  }
  return {
    eventId,
    type,
    version,
    stream,
    sequence,
    correlationId: envelope.correlationId,
    causationId: envelope.causationId,
    ...account,
    timeEventUs: envelope.timeEventUs,
    payload: upcast(type, envelope.version, payload, upcasters),
    topic,
    partition,
    offset,
  } as BusEvent
}

/** @throws EventError */
export function decodeEnvelope(bytes: Uint8Array, where: string): Envelope {
  try {
    return Envelope.decode(bytes)
  } catch (cause) {
    throw new EventError(`expected an event envelope at ${where}, found ${bytes.length} bytes that do not parse`, {
      cause,
    })
  }
}

/** The event as JSON for a person (`./jts events tail`). */
export function eventToJson(event: BusEvent): unknown {
  const codec = codecs[event.type] as unknown as { toJSON(message: unknown): unknown }
  return { ...event, payload: codec.toJSON(event.payload) }
}
