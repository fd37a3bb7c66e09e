/** The metrics port on prom-client. Loaded only when metrics are on. */
import {
  collectDefaultMetrics,
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry,
} from 'prom-client'
import { METRICS, type MetricName, type MetricSpec } from './catalogue.ts'
import type { Counter, Gauge, Metrics, Sample } from './port.ts'

export type PrometheusMetrics = Metrics & {
  readonly contentType: string
  /** Prometheus's text format. */
  text(): Promise<string>
  /** Every name that `text` may show. */
  names(): readonly string[]
}

type Labels = Readonly<Record<string, string>>
type Reader = () => Iterable<{ readonly labels: Labels; readonly value: number }>

/** A number that is changed where it happens and read when somebody looks. */
class Cell implements Counter, Gauge {
  value = 0
  readonly labels: Labels
  constructor(labels: Labels) {
    this.labels = labels
  }
  inc(by = 1): void {
    this.value += by
  }
  set(value: number): void {
    this.value = value
  }
}

/** @param common labels of every series: which service this is, and in which mode it trades. */
export function createPrometheusMetrics(common: Labels): PrometheusMetrics {
  const registry = new Registry()
  registry.setDefaultLabels(common)
  collectDefaultMetrics({ register: registry })
  const cells = new Map<MetricName, Map<string, Cell>>()
  const readers = new Map<MetricName, Set<Reader>>()
  const histograms = new Map<MetricName, PromHistogram>()
  for (const [name, spec] of Object.entries(METRICS) as [MetricName, MetricSpec][]) {
    const options = { name, help: spec.help, labelNames: [...spec.labels], registers: [registry] }
    if (spec.kind === 'counter') {
      const own = new Map<string, Cell>()
      cells.set(name, own)
      new PromCounter({
        ...options,
        collect() {
          this.reset()
          for (const cell of own.values()) this.inc({ ...cell.labels }, cell.value)
        },
      })
    } else if (spec.kind === 'gauge') {
      const own = new Map<string, Cell>()
      const read = new Set<Reader>()
      cells.set(name, own)
      readers.set(name, read)
      new PromGauge({
        ...options,
        collect() {
          this.reset()
          for (const cell of own.values()) this.set({ ...cell.labels }, cell.value)
          for (const one of read) for (const { labels, value } of one()) this.set({ ...labels }, value)
        },
      })
    } else {
      histograms.set(name, new PromHistogram({ ...options, buckets: [...(spec.buckets ?? [])] }))
    }
  }
  const cellOf = (name: MetricName, labels: Labels): Cell => {
    const own = cells.get(name)!
    const key = JSON.stringify(labels)
    let cell = own.get(key)
    if (cell === undefined) own.set(key, (cell = new Cell(labels)))
    return cell
  }
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    names: () => registry.getMetricsAsArray().map((metric) => metric.name),
    counter: (name, labels) => cellOf(name, labels),
    histogram: (name, labels) => histograms.get(name)!.labels({ ...labels }),
    gauge: (name, labels) => cellOf(name, labels),
    onScrape: <N extends MetricName>(name: N, read: () => Iterable<Sample<never>>) => {
      const own = readers.get(name)!
      own.add(read as Reader)
      return () => void own.delete(read as Reader)
    },
  }
}
