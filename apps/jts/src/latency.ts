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

export class LatencyProbe {
  readonly #ticks = new Map<string, number>()
  readonly #signals = new Map<string, number>()
  readonly #sent = new Map<string, number>()
  /** Begin of the tick of each order on its way, for the whole way from tick to wire. */
  readonly #begun = new Map<string, number>()
  readonly #tickToSignal = new Samples()
  readonly #tickToWire = new Samples()
  readonly #signalToWire = new Samples()
  readonly #wireToAnswer = new Samples()

  tick(correlationId: string): void {
    if (this.#ticks.size >= OPEN_MAX) this.#ticks.clear()
    this.#ticks.set(correlationId, performance.now())
  }

  signal(correlationId: string): void {
    const begun = this.#ticks.get(correlationId)
    if (begun !== undefined) this.#begun.set(correlationId, begun)
    this.#step(this.#ticks, this.#signals, this.#tickToSignal, correlationId)
  }

  sent(correlationId: string): void {
    const begun = this.#begun.get(correlationId)
    this.#begun.delete(correlationId)
    if (begun !== undefined) this.#tickToWire.add((performance.now() - begun) * 1000)
    this.#step(this.#signals, this.#sent, this.#signalToWire, correlationId)
  }

  answered(correlationId: string): void {
    this.#step(this.#sent, undefined, this.#wireToAnswer, correlationId)
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

  #step(from: Map<string, number>, to: Map<string, number> | undefined, samples: Samples, correlationId: string): void {
    const begun = from.get(correlationId)
    const now = performance.now()
    from.delete(correlationId)
    if (begun !== undefined) samples.add((now - begun) * 1000)
    to?.set(correlationId, now)
  }
}
