/** The last answers by signal, so that a signal asked twice is answered the same and never reserved twice. */
import { formatUnits, parseUnits } from '../numbers.ts'
import type { SignalId } from '../ids.ts'
import type { RiskDecision, RiskIntent } from './risk-types.ts'

/** Older ones are forgotten here; whoever must remember longer keeps the answer with the signal. */
export const ANSWERS_KEPT_DEFAULT = 4096

export type Answer = { readonly intent: RiskIntent; readonly decision: RiskDecision }

export class Answers {
  readonly #bySignal = new Map<SignalId, Answer>()
  readonly #ring: SignalId[] = []
  #next = 0
  readonly #kept: number

  constructor(kept: number) {
    this.#kept = kept
  }

  get(signalId: SignalId): Answer | undefined {
    if (this.#ring.length === 0) return undefined
    return this.#bySignal.get(signalId)
  }

  set(intent: RiskIntent, decision: RiskDecision): void {
    if (this.#kept === 0) return
    const { signalId } = intent
    if (this.#ring.length < this.#kept) this.#ring.push(signalId)
    else {
      this.#bySignal.delete(this.#ring[this.#next]!)
      this.#ring[this.#next] = signalId
      this.#next = (this.#next + 1) % this.#kept
    }
    this.#bySignal.set(signalId, { intent, decision })
  }

  /** Oldest first. */
  *inOrder(): Generator<Answer> {
    for (let i = 0; i < this.#ring.length; i++) {
      yield this.#bySignal.get(this.#ring[(this.#next + i) % this.#ring.length]!)!
    }
  }

  /** JSON text keeps bigints as `{"$units": "0.01"}`. */
  toPlain(): unknown[] {
    return [...this.inOrder()].map((answer) => JSON.parse(JSON.stringify(answer, tagUnits)) as unknown)
  }

  restore(plain: readonly unknown[]): void {
    for (const one of plain) {
      const { intent, decision } = JSON.parse(JSON.stringify(one), untagUnits) as Answer
      this.set(intent, decision)
    }
  }
}

function tagUnits(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? { $units: formatUnits(value) } : value
}

function untagUnits(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('$units' in value)) return value
  return parseUnits(String(value.$units))
}

export function sameIntent(a: RiskIntent, b: RiskIntent): boolean {
  return (
    a === b ||
    (a.account === b.account &&
      a.strategy === b.strategy &&
      a.instrument === b.instrument &&
      a.side === b.side &&
      a.type === b.type &&
      a.quantity === b.quantity &&
      a.quoteQuantity === b.quoteQuantity &&
      a.limitPrice === b.limitPrice &&
      a.timeInForce === b.timeInForce &&
      a.signalTimeUs === b.signalTimeUs)
  )
}
