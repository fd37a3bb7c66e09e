/**
 * The tracing port. What crosses a process, a topic or a call is one text, W3C's `traceparent`
 * (https://www.w3.org/TR/trace-context/); the trace's own id is computed from the correlation id, so that every process, and
 * a process that was started again, finds the same trace without being told.
 */
export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer'
export type SpanOptions = {
  /** Whose trace it is. */
  readonly correlationId: string
  /** The span that caused it, as it was carried here; none: the trace's first span here. */
  readonly parent?: string | undefined
  readonly kind?: SpanKind
  /** ms since the epoch, with fractions; now when not given. */
  readonly startMs?: number
  readonly attributes?: Readonly<Record<string, string | number | boolean>>
}

export interface Span {
  readonly traceparent: string
  set(attributes: Readonly<Record<string, string | number | boolean>>): void
  /** `trouble` marks it as failed. */
  end(trouble?: string): void
}

export interface Tracing {
  /** Off: nothing is recorded, and no header is written. */
  readonly isOn: boolean
  start(name: string, options: SpanOptions): Span
}

const NO_SPAN: Span = { traceparent: '', set: () => undefined, end: () => undefined }

export const noTracing: Tracing = { isOn: false, start: () => NO_SPAN }
