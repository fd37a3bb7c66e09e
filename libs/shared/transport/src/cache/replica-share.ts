/**
 * The part of each limit that a replica may use without asking anyone. It is set aside for good: no count that was lost, and
 * no replica that is cut off, can then make the sum pass the limit.
 *
 * It grows in steps while its window runs, because a replica that starts does not know what it had used before its end: so it
 * leaves out the steps that had begun, not the whole window (a day, for some).
 */
import { windowStartUs, type Charge } from './port.ts'

export type Split = {
  /** The greatest number of replicas that may run at once, with those that are about to end. */
  readonly replicas: number
  /** How much of each limit is set aside for the replicas' own parts, 0 to 1. */
  readonly reserve: number
}

type Used = { startUs: number; used: number; stated: number }

const STEP_US = 10_000_000

/** Each replica's own part of a limit, and what they share. At least one each, where the limit has one for each. */
export function splitLimit(limit: number, { replicas, reserve }: Split): { own: number; shared: number } {
  const atLeast = reserve > 0 && limit >= replicas ? 1 : 0
  const own = Math.max(Math.floor((limit * reserve) / replicas), atLeast)
  return { own, shared: limit - own * replicas }
}

export class ReplicaShare {
  readonly #split: Split
  readonly #used = new Map<string, Used>()
  /** Before it our former self may have been at work. */
  readonly #bornUs: number

  constructor(split: Split, bornUs: number) {
    this.#split = split
    this.#bornUs = bornUs
  }

  /** 0 when it was taken, otherwise when to look again. */
  take(charges: readonly Charge[], nowUs: number): number {
    const atUs = Math.max(0, ...charges.map((charge) => this.#roomAtUs(charge, nowUs)))
    if (atUs > 0) return atUs
    for (const { key, lengthUs, cost } of charges) {
      const used = this.#at(key, windowStartUs({ lengthUs }, nowUs))
      used.used += cost
      used.stated += cost
    }
    return 0
  }

  /** The venue's count, others' requests included: with strangers at work it may stop us before our own part is used up. */
  settle(key: string, startUs: number, count: number): void {
    const used = this.#at(key, startUs)
    if (used.startUs === startUs) used.stated = Math.max(used.stated, count)
  }

  #roomAtUs({ key, lengthUs, limit, cost, share = 1 }: Charge, nowUs: number): number {
    const startUs = windowStartUs({ lengthUs }, nowUs)
    const used = this.#at(key, startUs)
    // Another call was already counted in a later window.
    if (used.startUs > startUs) return used.startUs
    const { own } = splitLimit(limit, this.#split)
    if (cost > Math.floor(own * share)) return Infinity
    if (used.stated + cost > Math.floor(limit * share)) return startUs + lengthUs

    const steps = Math.ceil(lengthUs / STEP_US)
    const stepAt = (atUs: number): number => Math.min(steps - 1, Math.floor((atUs - startUs) / STEP_US))
    const grownTo = (step: number): number => (step < 0 ? 0 : Math.floor((own * (step + 1)) / steps))
    const forgone = grownTo(stepAt(Math.min(this.#bornUs, startUs + lengthUs - 1)))
    const step = stepAt(nowUs)
    if (used.used + cost <= Math.floor((grownTo(step) - forgone) * share)) return 0
    const stepNeeded = Math.ceil(((used.used + cost) / share + forgone) * (steps / own)) - 1
    return startUs + Math.min(Math.max(stepNeeded, step + 1) * STEP_US, lengthUs)
  }

  /** The window, emptied when a new one has begun. */
  #at(key: string, startUs: number): Used {
    let used = this.#used.get(key)
    if (used === undefined) this.#used.set(key, (used = { startUs, used: 0, stated: 0 }))
    if (startUs > used.startUs) Object.assign(used, { startUs, used: 0, stated: 0 })
    return used
  }
}
