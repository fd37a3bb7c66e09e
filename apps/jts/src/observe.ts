/** What of a run may be looked at from outside (metrics, traces), and what its processes tell then. */
import { openObservability, stateSamples, type Activity, type Logger, type Metrics } from '@jts/runtime'
import type { Observability, TracingSettings } from '@jts/runtime'
import type { BreakerView, BrokerState } from '@jts/broker-kit'
import { eventSayer, OrderPath, publishHook, watchedBus, type Bus, type PublishHook } from '@jts/transport'
import { UserError } from './cli.ts'
import type { JtsConfig } from './config.ts'
import { VERSION } from './version.ts'

export type ObserveSettings = {
  /** Where `/metrics` is served, on the loopback address; undefined = nowhere. */
  readonly metricsPort?: number | undefined
  readonly tracing?: TracingSettings | undefined
}

/** The configuration, the options over it, and OpenTelemetry's own variables where neither says anything. */
export function observeSettings(
  config: Pick<JtsConfig, 'metrics' | 'tracing'>,
  options: { readonly 'metrics-port': number | undefined },
  env: Readonly<Record<string, string | undefined>> = process.env,
): ObserveSettings {
  const metricsPort = options['metrics-port'] ?? config.metrics?.port
  if (metricsPort !== undefined && !(Number.isInteger(metricsPort) && metricsPort >= 0 && metricsPort <= 65535)) {
    throw new UserError(`--metrics-port: expected a port from 0 to 65535, found ${metricsPort}`)
  }
  const endpoint = config.tracing?.endpoint ?? env['OTEL_EXPORTER_OTLP_ENDPOINT']
  if (endpoint === undefined || endpoint === '') return { metricsPort }
  if (!URL.canParse(endpoint)) {
    throw new UserError('expected OTEL_EXPORTER_OTLP_ENDPOINT to be an address such as http://127.0.0.1:4318')
  }
  const given = env['OTEL_TRACES_SAMPLER_ARG']
  const sampleRatio = config.tracing?.sampleRatio ?? (given === undefined ? 1 : Number(given))
  if (!(sampleRatio >= 0 && sampleRatio <= 1)) {
    throw new UserError(`expected OTEL_TRACES_SAMPLER_ARG to be a number from 0 to 1, found ${JSON.stringify(given)}`)
  }
  return { metricsPort, tracing: { endpoint, sampleRatio } }
}

export type ObservedProcess = {
  /** `jts` for the one process, else the name of the unit. */
  readonly service: string
  readonly mode: string
  readonly runId: string
  readonly log: Logger
  /** See `openObservability`. */
  readonly orAnyPort?: boolean
  readonly pages?: Readonly<Record<string, () => string>>
}

/** @throws UserError when the port of the metrics is taken. */
export async function observe(settings: ObserveSettings, process: ObservedProcess): Promise<Observability> {
  try {
    return await openObservability({ ...process, ...settings, version: VERSION })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause
    throw new UserError(
      `--metrics-port: expected a free port, found ${settings.metricsPort} taken; choose another, or 0 for any free one`,
      { cause },
    )
  }
}

/** What a process puts into its store and round its bus, so that it can be looked at. */
export type Look = {
  readonly metrics: Metrics
  /** The way of an order, where somebody looks at it. */
  readonly path: OrderPath | undefined
  /** For the store: who is told of commits and of events. Nobody where nobody looks. */
  readonly hooks: {
    readonly onCommit: ((seconds: number) => void) | undefined
    readonly onPublish: PublishHook | undefined
  }
  /** The bus as services are to hold it. */
  bus(bus: Bus): Bus
}

/** @param unit whose bus it is: one process may hold several. */
export function lookOf({ metrics, tracing, isOff }: Observability, unit: string, log: Logger): Look {
  const say = eventSayer(log)
  if (isOff) {
    const hooks = { onCommit: undefined, onPublish: publishHook(undefined, say) }
    return { metrics, path: undefined, hooks, bus: (bus) => bus }
  }
  const path = new OrderPath({ metrics, tracing })
  const commits = metrics.histogram('jts_store_commit_duration_seconds', {})
  return {
    metrics,
    path,
    hooks: {
      onCommit: (seconds) => commits.observe(seconds),
      onPublish: publishHook({ metrics, path }, say),
    },
    bus(bus) {
      showBus(bus, unit, metrics)
      return watchedBus(bus, { metrics, path })
    },
  }
}

/** Partitions that have lagged stay on the page, at 0. */
function showBus(bus: Bus, unit: string, metrics: Metrics): void {
  const seen = new Map<string, { group: string; topic: string; partition: string; unit: string }>()
  metrics.onScrape('jts_bus_lag_events', () => {
    const lags = new Map<string, number>()
    for (const { group, topic, partition, lag } of bus.lag()) {
      const key = `${group} ${topic} ${partition}`
      if (!seen.has(key)) seen.set(key, { group, topic, partition: String(partition), unit })
      lags.set(key, lag)
    }
    return [...seen].map(([key, labels]) => ({ labels, value: lags.get(key) ?? 0 }))
  })
}

const BREAKER_STATES = ['closed', 'half-open', 'open'] as const

/** @param state undefined while there is nothing that a breaker could stand before; a broker's is told in its contract's words */
export function showBreaker(
  metrics: Metrics,
  breaker: string,
  state: () => (typeof BREAKER_STATES)[number] | BreakerView['state'] | undefined,
): void {
  metrics.onScrape('jts_breaker_state', () => {
    const found = state()
    if (found === undefined) return []
    const current = found === 'half_open' ? 'half-open' : found === 'isolated' ? 'open' : found
    return [...stateSamples(BREAKER_STATES, current)].map((one) => ({
      labels: { breaker, state: one.state },
      value: one.value,
    }))
  })
}

type Limit = NonNullable<BrokerState['limits']>[number]

/** @param limits as the broker, or its service, last told them */
export function showRateBudgets(
  metrics: Metrics,
  account: string,
  limits: () => readonly Limit[],
  windowOf = ({ counts, windowUs }: Limit): string => `${counts}/${windowUs / 1_000_000}s`,
): void {
  metrics.onScrape('jts_broker_rate_budget_headroom_ratio', () =>
    limits().map((one) => ({ labels: { account, window: windowOf(one) }, value: one.remaining / one.limit })),
  )
}

/** A stream is up while nobody waits for it. */
export function showStream(metrics: Metrics, stream: string, activity: Activity, participant: string): void {
  metrics.onScrape('jts_stream_up', () => [
    { labels: { stream }, value: activity.absentees().includes(participant) ? 0 : 1 },
  ])
}
