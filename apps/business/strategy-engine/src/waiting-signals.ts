/**
 * Signals that wait until their market takes orders, with one alarm for the first of them. What waits is on disk; this is who
 * watches the time. Those that are due together come in the order in which they were made.
 */
import type { SignalId } from '@jts/model'
import type { MarketClock } from '@jts/runtime'
import type { Signal } from './domain/signal.ts'

type WaitingSignal = Signal & { readonly notBeforeUs: number }

export class WaitingSignals {
  readonly #clock: Pick<MarketClock, 'nowUs' | 'at'>
  readonly #onDue: (signal: Signal) => void
  readonly #signals = new Map<SignalId, WaitingSignal>()
  #alarm: { readonly timeUs: number; cancel(): void } | undefined

  constructor(clock: Pick<MarketClock, 'nowUs' | 'at'>, onDue: (signal: Signal) => void) {
    this.#clock = clock
    this.#onDue = onDue
  }

  add(signal: WaitingSignal): void {
    this.#signals.set(signal.signalId, signal)
    this.#arm()
  }

  remove(signalId: SignalId): void {
    if (this.#signals.delete(signalId)) this.#arm()
  }

  /** The first to be asked about first. */
  list(): readonly WaitingSignal[] {
    return [...this.#signals.values()].sort((a, b) => a.notBeforeUs - b.notBeforeUs)
  }

  of(instance: string): readonly WaitingSignal[] {
    return this.list().filter((signal) => signal.instance === instance)
  }

  stop(): void {
    this.#alarm?.cancel()
    this.#alarm = undefined
    this.#signals.clear()
  }

  #arm(): void {
    const timeUs = this.list()[0]?.notBeforeUs
    if (timeUs === this.#alarm?.timeUs) return
    this.#alarm?.cancel()
    this.#alarm = timeUs === undefined ? undefined : { timeUs, ...this.#clock.at(timeUs, () => this.#ring()) }
  }

  #ring(): void {
    this.#alarm = undefined
    const nowUs = this.#clock.nowUs()
    const due = this.list().filter(({ notBeforeUs }) => notBeforeUs <= nowUs)
    for (const { signalId } of due) this.#signals.delete(signalId)
    this.#arm()
    for (const signal of due) this.#onDue(signal)
  }
}
