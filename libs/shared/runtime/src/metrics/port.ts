/**
 * The metrics port. A series is asked for once, with its labels, and kept: counting is then one addition and allocates
 * nothing. Off is the default, and costs a call of an empty function.
 */
import type { LabelsOf, MetricNameOf } from './catalogue.ts'

export interface Counter {
  inc(by?: number): void
}
export interface Histogram {
  observe(value: number): void
}
export interface Gauge {
  set(value: number): void
}
export type Sample<N extends MetricNameOf<'gauge'>> = { readonly labels: LabelsOf<N>; readonly value: number }

export interface Metrics {
  counter<N extends MetricNameOf<'counter'>>(name: N, labels: LabelsOf<N>): Counter
  histogram<N extends MetricNameOf<'histogram'>>(name: N, labels: LabelsOf<N>): Histogram
  gauge<N extends MetricNameOf<'gauge'>>(name: N, labels: LabelsOf<N>): Gauge
  /** What is known anyway is read when somebody looks, and costs nothing before; returns what ends that. */
  onScrape<N extends MetricNameOf<'gauge'>>(name: N, read: () => Iterable<Sample<N>>): () => void
}

const nothing = (): void => undefined
const NOTHING = { inc: nothing, observe: nothing, set: nothing }

export const noMetrics: Metrics = {
  counter: () => NOTHING,
  histogram: () => NOTHING,
  gauge: () => NOTHING,
  onScrape: () => nothing,
}

/** The same metrics for a part of a process that may end before it: what it shows goes with it. */
export function scopedMetrics(metrics: Metrics): Metrics & { close(): void } {
  const ends: (() => void)[] = []
  return {
    counter: metrics.counter,
    histogram: metrics.histogram,
    gauge: metrics.gauge,
    onScrape(name, read) {
      const end = metrics.onScrape(name, read)
      ends.push(end)
      return end
    },
    close: () => ends.splice(0).forEach((end) => end()),
  }
}

/** One sample for each state a thing may be in: 1 for the one it is in. */
export function* stateSamples<S extends string>(
  states: readonly S[],
  current: S,
): Iterable<{ readonly state: S; readonly value: number }> {
  for (const state of states) yield { state, value: state === current ? 1 : 0 }
}
