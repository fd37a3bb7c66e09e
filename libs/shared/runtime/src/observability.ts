/** Metrics and traces of one process, as configured. Off by default; what is off is not even loaded. */
import type { Logger } from './log.ts'
import { noMetrics, type Metrics } from './metrics/port.ts'
import type { MetricsPage, MetricsServer } from './metrics/server.ts'
import { noTracing, type Tracing } from './tracing/port.ts'

export type TracingSettings = { readonly endpoint: string; readonly sampleRatio: number }

export type ObservabilityOptions = {
  /** `jts` for the one process, else the name of the unit. */
  readonly service: string
  readonly mode: string
  readonly version: string
  readonly runId: string
  /** Where `/metrics` is served; undefined = off, 0 = any free port. */
  readonly metricsPort?: number | undefined
  /** A port that is taken is replaced by a free one rather than refused: two processes may stand by for one unit. */
  readonly orAnyPort?: boolean
  readonly tracing?: TracingSettings | undefined
  /** JSON pages beside `/metrics`. */
  readonly pages?: Readonly<Record<string, () => string>>
  readonly log: Logger
}

export type Observability = {
  readonly metrics: Metrics
  readonly tracing: Tracing
  /** Neither metrics nor traces: nobody need be told anything. */
  readonly isOff: boolean
  readonly metricsUrl: string | undefined
  stop(): Promise<void>
}

export const NOT_OBSERVED: Observability = {
  metrics: noMetrics,
  tracing: noTracing,
  isOff: true,
  metricsUrl: undefined,
  stop: () => Promise.resolve(),
}

/** @throws Error when the port of the metrics is taken. */
export async function openObservability(options: ObservabilityOptions): Promise<Observability> {
  const { metricsPort, tracing: traced, service, mode, version } = options
  if (metricsPort === undefined && traced === undefined) return NOT_OBSERVED
  let metrics: Metrics = noMetrics
  let server: MetricsServer | undefined
  if (metricsPort !== undefined) {
    const { createPrometheusMetrics } = await import('./metrics/prometheus.ts')
    const { startMetricsServer } = await import('./metrics/server.ts')
    const prometheus = createPrometheusMetrics({ service, mode })
    prometheus.gauge('jts_build_info', { version, node: process.version }).set(1)
    metrics = prometheus
    const pages = { '/metrics': prometheus, ...jsonPages(options.pages ?? {}) }
    server = await startMetricsServer(metricsPort, pages).catch((error: unknown) => {
      if (options.orAnyPort !== true || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
      return startMetricsServer(0, pages)
    })
    options.log.info({ url: server.url }, 'metrics are served, on the loopback address only')
  }
  let telemetry: (Tracing & { stop(): Promise<void> }) | undefined
  if (traced !== undefined) {
    const { openTelemetry } = await import('./tracing/opentelemetry.ts')
    telemetry = openTelemetry({ ...traced, service, mode, version, runId: options.runId, log: options.log })
  }
  return {
    metrics,
    tracing: telemetry ?? noTracing,
    isOff: false,
    metricsUrl: server?.url,
    async stop() {
      await telemetry?.stop()
      await server?.stop()
    },
  }
}

function jsonPages(pages: Readonly<Record<string, () => string>>): Record<string, MetricsPage> {
  return Object.fromEntries(
    Object.entries(pages).map(([path, text]) => [
      path,
      { contentType: 'application/json', text: () => Promise.resolve(text()) },
    ]),
  )
}
