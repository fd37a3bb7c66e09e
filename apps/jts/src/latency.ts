/** Real time from tick to signal, signal to wire, wire to answer; kept by correlation id while an order is on its way. */
export type LatencyView = { readonly p50: number; readonly p99: number }

const KEPT_MAX = 100_000
/** Ticks remembered while they may still cause a signal. */
const OPEN_MAX = 4096

class Samples {
  readonly #values: number[] = []
  add(us: number): void {
    if (this.#values.length < KEPT_MAX) this.#values.push(us)
  }
  view(): LatencyView {
    const sorted = [...this.#values].sort((a, b) => a - b)
    const at = (q: number): number =>
      Math.round(sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0)
    return { p50: at(0.5), p99: at(0.99) }
  }
}

export class LatencyProbe implements Probe {
  readonly #ticks = new Map<string, number>()
  readonly #signals = new Map<string, number>()
  readonly #sent = new Map<string, number>()
  /** Begin of the tick of each order on its way, for the whole way from tick to wire. */
  readonly #begun = new Map<string, number>()
  readonly #tickToSignal = new Samples()
  readonly #tickToWire = new Samples()
  readonly #signalToWire = new Samples()
  readonly #wireToAnswer = new Samples()

  tick(correlationId: string, nowMs = performance.now()): void {
    if (this.#ticks.size >= OPEN_MAX) this.#ticks.clear()
    this.#ticks.set(correlationId, nowMs)
  }

  signal(correlationId: string, nowMs = performance.now()): void {
    const begun = this.#ticks.get(correlationId)
    if (begun !== undefined) this.#begun.set(correlationId, begun)
    this.#step(this.#ticks, this.#signals, this.#tickToSignal, correlationId, nowMs)
  }

  sent(correlationId: string, nowMs = performance.now()): void {
    const begun = this.#begun.get(correlationId)
    this.#begun.delete(correlationId)
    if (begun !== undefined) this.#tickToWire.add((nowMs - begun) * 1000)
    this.#step(this.#signals, this.#sent, this.#signalToWire, correlationId, nowMs)
  }

  answered(correlationId: string, nowMs = performance.now()): void {
    this.#step(this.#sent, undefined, this.#wireToAnswer, correlationId, nowMs)
  }

  /** p50 and p99 in µs. */
  view(): Record<'tickToSignal' | 'signalToWire' | 'tickToWire' | 'wireToAcknowledgement', LatencyView> {
    return {
      tickToWire: this.#tickToWire.view(),
      tickToSignal: this.#tickToSignal.view(),
      signalToWire: this.#signalToWire.view(),
      wireToAcknowledgement: this.#wireToAnswer.view(),
    }
  }

  #step(
    from: Map<string, number>,
    to: Map<string, number> | undefined,
    samples: Samples,
    correlationId: string,
    nowMs: number,
  ): void {
    const begun = from.get(correlationId)
    from.delete(correlationId)
    if (begun !== undefined) samples.add((nowMs - begun) * 1000)
    to?.set(correlationId, nowMs)
  }
}

export const STEPS = ['tick', 'signal', 'sent', 'answered'] as const
export type Step = (typeof STEPS)[number]
/** Told when a tick, a signal or a request passes. */
export type Probe = Record<Step, (correlationId: string) => void>
export type Mark = { readonly correlationId: string; readonly step: Step; readonly timeMs: number }

/** Marks of one process, for latencies across several: by the machine's clock, which all of them share. */
export class LatencyMarks implements Probe {
  readonly #marks: Mark[] = []

  tick(correlationId: string): void {
    this.#add('tick', correlationId)
  }
  signal(correlationId: string): void {
    this.#add('signal', correlationId)
  }
  sent(correlationId: string): void {
    this.#add('sent', correlationId)
  }
  answered(correlationId: string): void {
    this.#add('answered', correlationId)
  }

  /** @param ids only these; none: all. */
  list(ids: readonly string[]): readonly Mark[] {
    if (ids.length === 0) return this.#marks
    const wanted = new Set(ids)
    return this.#marks.filter(({ correlationId }) => wanted.has(correlationId))
  }

  #add(step: Step, correlationId: string): void {
    if (this.#marks.length >= KEPT_MAX) this.#marks.splice(0, KEPT_MAX / 2)
    this.#marks.push({ correlationId, step, timeMs: performance.timeOrigin + performance.now() })
  }
}

/** The latencies that the marks of several processes tell together. */
export function latencyOf(marks: readonly Mark[]): LatencyProbe {
  const probe = new LatencyProbe()
  for (const { correlationId, step, timeMs } of [...marks].sort((a, b) => a.timeMs - b.timeMs)) {
    probe[step](correlationId, timeMs)
  }
  return probe
}
