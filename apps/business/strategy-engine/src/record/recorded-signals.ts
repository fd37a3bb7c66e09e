/** Every signal of an instance as the log has it and, of those that nobody has answered yet, as they are kept. */
import type { BusEvent } from '@jts/contracts'
import { refusal, strategySignal, type Signal } from '../domain/signal.ts'
import type { RecordedSignal } from './replay.ts'

/** By the event that caused them. */
export class RecordedSignals {
  readonly #byCause = new Map<string, Map<string, RecordedSignal>>()

  /** @param events `strategy.signals`, or a part of it; what is of other instances is passed over. */
  async read(instance: string, events: AsyncIterable<BusEvent>): Promise<void> {
    for await (const { type, stream, causationId, payload } of events) {
      if (stream !== instance) continue
      // What has waited is told twice.
      if (type === 'StrategySignal' || type === 'SignalWaiting') this.#add(causationId, payload)
    }
  }

  keep(signal: Signal): void {
    this.#add(signal.causationId, strategySignal(signal, refusal(signal, '', '')))
  }

  get(eventId: string): readonly RecordedSignal[] {
    return [...(this.#byCause.get(eventId)?.values() ?? [])]
  }

  #add(cause: string, signal: RecordedSignal): void {
    let known = this.#byCause.get(cause)
    if (known === undefined) this.#byCause.set(cause, (known = new Map()))
    known.set(signal.signalId, signal)
  }
}
