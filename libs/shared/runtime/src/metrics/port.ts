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
  /** What is known anyway is read when somebody looks, and costs nothing before. */
  onScrape<N extends MetricNameOf<'gauge'>>(name: N, read: () => Iterable<Sample<N>>): void
}

const NOTHING = { inc: () => undefined, observe: () => undefined, set: () => undefined }

export const noMetrics: Metrics = {
  counter: () => NOTHING,
  histogram: () => NOTHING,
  gauge: () => NOTHING,
  onScrape: () => undefined,
}

/** One sample for each state a thing may be in: 1 for the one it is in. */
export function* stateSamples<S extends string>(
  states: readonly S[],
  current: S,
): Iterable<{ readonly state: S; readonly value: number }> {
  for (const state of states) yield { state, value: state === current ? 1 : 0 }
}
