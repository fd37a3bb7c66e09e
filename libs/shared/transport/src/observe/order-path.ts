/**
 * The way of an order from its tick to the notification, as this process sees it: each hop becomes a latency, and a span of
 * the one trace that all processes write together. Fed by what passes on the bus (`watchBus`, `watchStore`) and, where an
 * order is on no bus, by the strategy engine, risk and order execution.
 *
 * The tick's span is written when a signal comes of it: a tick that causes nothing leaves no trace.
 */
import type { BusEvent, NewEvent } from '@jts/contracts'
import type { RiskCheckRequest, RiskCheckResponse } from '@jts/contracts/risk-api'
import { wallClockMs, type Counter, type Histogram, type Metrics, type Span, type Tracing } from '@jts/runtime'
import { headersOf, withHeaders, type EventHeaders } from './event-headers.ts'

export const HOPS = [
  'tick_to_signal',
  'signal_to_approval',
  'approval_to_intent',
  'intent_to_wire',
  'wire_to_ack',
  'ack_to_booked',
] as const
export type Hop = (typeof HOPS)[number]

export type SignalRef = { readonly correlationId: string; readonly signalId: string; readonly account: string }
export type SentRef = Omit<SignalRef, 'account'> & { readonly orderId: string }

/** How far a signal has come here. */
type Leg = { readonly account: string; sinceMs: number; traceparent: string | undefined; span: Span | undefined }

/** Signals remembered: far more than are on their way at once. */
const LEGS_MAX = 10_000

export class OrderPath {
  readonly #metrics: Metrics
  readonly #tracing: Tracing
  readonly #legs = new Map<string, Leg>()
  readonly #latencies = new Map<string, Histogram>()
  readonly #orderEvents = new Map<string, Counter>()
  /** The event that is being handled, and its span. */
  #current: BusEvent | undefined
  #span: Span | undefined

  constructor({ metrics, tracing }: { readonly metrics: Metrics; readonly tracing: Tracing }) {
    this.#metrics = metrics
    this.#tracing = tracing
  }

  /** Runs a handler as a span of the trace that its event belongs to, if it belongs to one. */
  handling(event: BusEvent, group: string, handle: () => void): void {
    const headers = headersOf(event)
    const before = this.#current
    this.#current = event
    if (headers !== undefined) this.#heard(event, group, headers)
    try {
      handle()
      this.#span?.end()
    } catch (error) {
      this.#span?.end((error as Error).message)
      throw error
    } finally {
      this.#span = undefined
      this.#current = before
    }
  }

  /** The event as it is published: with the time, and the span that caused it. */
  published(topic: string, event: NewEvent): NewEvent {
    const nowMs = wallClockMs()
    const leg = this.#legs.get(signalIdOf(event) ?? '')
    if (leg !== undefined) this.#said(event, leg, nowMs)
    if (topic === 'orders.events') this.#countOrderEvent(event)
    return withHeaders(event, { publishedMs: nowMs, traceparent: this.#span?.traceparent ?? leg?.traceparent })
  }

  /** A strategy has made a signal of the event that is being handled. */
  signal({ correlationId, signalId, account }: SignalRef): void {
    const nowMs = wallClockMs()
    const cause = this.#current
    const headers = cause === undefined ? undefined : headersOf(cause)
    let traceparent = this.#span?.traceparent ?? headers?.traceparent
    if (cause !== undefined && headers !== undefined && isTick(cause)) {
      this.#took('tick_to_signal', account, headers.publishedMs, nowMs)
      traceparent ??= this.#tickSpan(cause, headers, correlationId)
    }
    this.#remember(signalId, { account, sinceMs: nowMs, traceparent, span: undefined })
  }

  /** The question that a strategy's signal is to risk; the answer ends its span. */
  asking(request: RiskCheckRequest): {
    readonly request: RiskCheckRequest
    readonly answered: (trouble?: string) => void
  } {
    if (!this.#tracing.isOn) return { request, answered: () => undefined }
    const parent = this.#legs.get(request.signalId)?.traceparent
    const span = this.#start('ask risk', request, 'strategy-engine', { kind: 'client', parent })
    return { request: { ...request, traceparent: span.traceparent }, answered: (trouble) => span.end(trouble) }
  }

  /** Risk has a question; call what comes back with its answer. */
  checking(request: RiskCheckRequest): (answer: RiskCheckResponse) => void {
    const parent = request.traceparent
    // An advisory question belongs to no tick, and so to no trace.
    const span =
      parent === undefined
        ? undefined
        : this.#start('CheckTradingRisk', request, 'risk-management', { kind: 'server', parent })
    return (answer) => {
      const { approved, denialCode, riskScore } = answer
      this.#metrics
        .counter('jts_risk_checks_total', { result: approved ? 'approved' : 'denied', reason: denialCode })
        .inc()
      if (request.account !== '') {
        this.#metrics
          .gauge('jts_risk_limit_headroom_ratio', { account: request.account, limit: 'tightest' })
          .set(1 - riskScore)
      }
      span?.set({ 'jts.risk.approved': approved, 'jts.risk.denial_code': denialCode, 'jts.risk.score': riskScore })
      span?.end()
    }
  }

  /** The request is about to be written; returns the span for whoever carries it on. */
  sent({ correlationId, signalId, orderId }: SentRef): string | undefined {
    const leg = this.#legs.get(signalId)
    if (leg === undefined) return undefined
    const nowMs = wallClockMs()
    this.#took('intent_to_wire', leg.account, leg.sinceMs, nowMs)
    leg.sinceMs = nowMs
    if (!this.#tracing.isOn) return undefined
    leg.span = this.#start('place order', { correlationId, signalId, account: leg.account }, 'order-execution', {
      kind: 'client',
      parent: leg.traceparent,
    })
    leg.span.set({ 'jts.order_id': orderId, 'jts.broker': brokerOf(leg.account) })
    leg.traceparent = leg.span.traceparent
    return leg.traceparent
  }

  /** It was answered: `accepted`, `rejected`, `not_sent` or `unknown`. */
  answered({ signalId }: SentRef, outcome: string): void {
    const leg = this.#legs.get(signalId)
    if (leg === undefined) return
    const nowMs = wallClockMs()
    // What never left or was never answered has no latency.
    if (outcome === 'accepted' || outcome === 'rejected') {
      this.#took('wire_to_ack', leg.account, leg.sinceMs, nowMs)
    }
    leg.sinceMs = nowMs
    leg.span?.set({ 'jts.outcome': outcome })
    leg.span?.end(outcome === 'unknown' ? 'the outcome is unknown' : undefined)
    leg.span = undefined
  }

  /** A person is about to be told of an event that is being handled; call what comes back when it has been said. */
  notifying(event: BusEvent): () => void {
    const parent = this.#span?.traceparent
    if (parent === undefined) return () => undefined
    const { correlationId, account = '' } = event
    const span = this.#start(
      'notify',
      { correlationId, signalId: signalIdOf(event) ?? '', account },
      'notification-service',
      {
        kind: 'producer',
        parent,
      },
    )
    return () => span.end()
  }

  #heard(event: BusEvent, group: string, headers: EventHeaders): void {
    if (event.type === 'ApprovedSignal' && group === 'order-execution') {
      const leg = { account: event.stream, sinceMs: headers.publishedMs, traceparent: undefined, span: undefined }
      this.#remember(event.payload.signalId, leg)
    } else if (event.type === 'OrderFilled' && group === 'portfolio-tracker') {
      this.#took('ack_to_booked', event.stream, headers.publishedMs, wallClockMs())
    }
    if (headers.traceparent === undefined || !this.#tracing.isOn || isTick(event)) return
    const signalId = signalIdOf(event) ?? ''
    this.#span = this.#tracing.start(`process ${event.topic}`, {
      correlationId: event.correlationId,
      parent: headers.traceparent,
      kind: 'consumer',
      attributes: {
        'messaging.operation.type': 'process',
        'messaging.destination.name': event.topic,
        'messaging.consumer.group.name': group,
        'messaging.message.id': event.eventId,
        'jts.service': group,
        'jts.event_type': event.type,
        'jts.account': event.account ?? '',
        'jts.signal_id': signalId,
      },
    })
    const leg = this.#legs.get(signalId)
    if (leg !== undefined && event.type === 'ApprovedSignal') leg.traceparent = this.#span.traceparent
  }

  #said(event: NewEvent, leg: Leg, nowMs: number): void {
    if (event.type === 'ApprovedSignal') this.#took('signal_to_approval', leg.account, leg.sinceMs, nowMs)
    else if (event.type === 'OrderSubmitting') this.#took('approval_to_intent', leg.account, leg.sinceMs, nowMs)
    else return
    leg.sinceMs = nowMs
  }

  #tickSpan(cause: BusEvent, { publishedMs }: EventHeaders, correlationId: string): string | undefined {
    if (!this.#tracing.isOn) return undefined
    const span = this.#tracing.start('tick', {
      correlationId,
      kind: 'consumer',
      startMs: publishedMs,
      attributes: {
        'messaging.destination.name': cause.topic,
        'messaging.message.id': cause.eventId,
        'jts.service': 'market-data-collector',
        'jts.instrument': cause.stream,
      },
    })
    span.end()
    // A second signal of the same tick hangs on the same span.
    this.#span = { traceparent: span.traceparent, set: () => undefined, end: () => undefined }
    return span.traceparent
  }

  #start(
    name: string,
    ref: SignalRef,
    service: string,
    options: { readonly kind: 'client' | 'server' | 'producer'; readonly parent: string | undefined },
  ): Span {
    const attributes = { 'jts.service': service, 'jts.account': ref.account, 'jts.signal_id': ref.signalId }
    return this.#tracing.start(name, { correlationId: ref.correlationId, ...options, attributes })
  }

  #took(hop: Hop, account: string, fromMs: number, toMs: number): void {
    const broker = brokerOf(account)
    const key = `${hop} ${broker}`
    let histogram = this.#latencies.get(key)
    if (histogram === undefined) {
      this.#latencies.set(key, (histogram = this.#metrics.histogram('jts_order_latency_seconds', { hop, broker })))
    }
    // Two machines' clocks may disagree by more than a hop takes.
    histogram.observe(Math.max(0, toMs - fromMs) / 1000)
  }

  #countOrderEvent({ type, stream: account }: NewEvent): void {
    const key = `${account} ${type}`
    let counter = this.#orderEvents.get(key)
    if (counter === undefined) {
      this.#orderEvents.set(key, (counter = this.#metrics.counter('jts_order_events_total', { account, type })))
    }
    counter.inc()
  }

  #remember(signalId: string, leg: Leg): void {
    this.#legs.delete(signalId)
    this.#legs.set(signalId, leg)
    if (this.#legs.size <= LEGS_MAX) return
    for (const oldest of this.#legs.keys()) {
      this.#legs.delete(oldest)
      return
    }
  }
}

function isTick(event: NewEvent): boolean {
  return event.type === 'Candle' || event.type === 'PublicTrade'
}

/** `sim.binance.main` → `binance`. */
function brokerOf(account: string): string {
  return account.split('.')[1] ?? account
}

function signalIdOf(event: NewEvent): string | undefined {
  const payload = event.payload as {
    readonly signalId?: string
    readonly ref?: { readonly signalId?: string }
    readonly terms?: { readonly ref?: { readonly signalId?: string } }
    readonly signal?: { readonly signalId?: string }
  }
  return payload.signalId ?? payload.ref?.signalId ?? payload.terms?.ref?.signalId ?? payload.signal?.signalId
}
