/** The tracing port on OpenTelemetry, exporting by OTLP over HTTP. Loaded only when tracing is configured. */
import { createHash, randomBytes } from 'node:crypto'
import {
  diag,
  DiagLogLevel,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type SpanContext,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type IdGenerator,
} from '@opentelemetry/sdk-trace'
import type { Logger } from '../log.ts'
import type { SpanOptions, Tracing } from './port.ts'

export type OpenTelemetryOptions = {
  /** The collector, such as `http://127.0.0.1:4318`; `/v1/traces` is added. */
  readonly endpoint: string
  /** Share of the traces that are recorded, 0 to 1; the same ones in every process. */
  readonly sampleRatio: number
  readonly service: string
  readonly mode: string
  readonly version: string
  /** Goes into every trace's id: two runs over the same data have different traces. */
  readonly runId: string
  readonly log: Logger
}

export type OpenTelemetry = Tracing & { stop(): Promise<void> }

const EXPORT_EVERY_MS = 1000
const EXPORT_TIMEOUT_MS = 5000
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const

/** Draws span ids, and takes the trace's id that was computed for the next span. */
class Ids implements IdGenerator {
  trace = ''
  generateTraceId(): string {
    return this.trace
  }
  generateSpanId(): string {
    return randomBytes(8).toString('hex')
  }
}

export function openTelemetry(options: OpenTelemetryOptions): OpenTelemetry {
  sayTrouble(options.log)
  const ids = new Ids()
  const provider = new TracerProvider({
    idGenerator: ids,
    resource: resourceFromAttributes({
      'service.name': options.service,
      'service.namespace': 'jts',
      'service.version': options.version,
      'deployment.environment.name': options.mode,
    }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(options.sampleRatio) }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter({
          url: `${options.endpoint.replace(/\/+$/, '')}/v1/traces`,
          timeoutMillis: EXPORT_TIMEOUT_MS,
        }),
        scheduledDelayMillis: EXPORT_EVERY_MS,
      }),
    ],
  })
  const tracer = provider.getTracer('jts', options.version)
  return {
    isOn: true,
    start(name, { correlationId, parent, kind = 'internal', startMs, attributes }) {
      ids.trace = traceIdOf(options.runId, correlationId)
      const span = tracer.startSpan(
        name,
        {
          kind: KINDS[kind],
          attributes: { 'jts.correlation_id': correlationId, ...attributes },
          ...(startMs === undefined ? {} : { startTime: startMs }),
        },
        contextOf(parent),
      )
      return {
        traceparent: textOf(span.spanContext()),
        set: (more) => void span.setAttributes({ ...more }),
        end(trouble) {
          if (trouble !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: trouble })
          span.end()
        },
      }
    },
    stop: () => provider.shutdown().catch(() => undefined),
  }
}

function traceIdOf(runId: string, correlationId: string): string {
  return createHash('sha256').update(`${runId.length}:${runId}${correlationId}`).digest('hex').slice(0, 32)
}

function contextOf(traceparent: SpanOptions['parent']): Context {
  const found = traceparent === undefined ? null : TRACEPARENT.exec(traceparent)
  if (found === null) return ROOT_CONTEXT
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: found[1]!,
    spanId: found[2]!,
    traceFlags: parseInt(found[3]!, 16),
    isRemote: true,
  })
}

function textOf({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${(traceFlags & TraceFlags.SAMPLED) === 0 ? '00' : '01'}`
}

/** A collector that is away costs spans and nothing else; it is said, and not more than once a minute. */
function sayTrouble(log: Logger): void {
  let saidMs = -Infinity
  const say = (message: string): void => {
    const nowMs = performance.now()
    if (nowMs - saidMs < 60_000) return
    saidMs = nowMs
    // The library's own words may quote an address with a key in it.
    log.warn({ reason: message.slice(0, 80).replace(/https?:\/\/\S+/g, '[address]') }, 'traces could not be exported')
  }
  const quiet = (): void => undefined
  diag.setLogger({ error: say, warn: say, info: quiet, debug: quiet, verbose: quiet }, DiagLogLevel.WARN)
}
