/** The same ports within one process: what the embedded default needs. */
import type { WallClock } from '@jts/runtime'
import {
  checkCharges,
  windowStartUs,
  type BudgetWindow,
  type Cache,
  type Charge,
  type HeldLock,
  type LockHint,
  type SharedBudget,
  type Taken,
} from './port.ts'
import { TokenKeeper, type TokenOptions, type TokenPlace } from './token-keeper.ts'

const ENTRIES_MAX = 10_000

export class MemoryCache implements Cache {
  readonly #clock: WallClock
  readonly #entriesMax: number
  readonly #entries = new Map<string, { readonly value: string; readonly untilUs: number }>()

  /** @param entriesMax the oldest goes when there would be more. */
  constructor(clock: WallClock, entriesMax: number = ENTRIES_MAX) {
    this.#clock = clock
    this.#entriesMax = entriesMax
  }

  get(key: string): Promise<string | undefined> {
    const entry = this.#entries.get(key)
    if (entry === undefined) return Promise.resolve(undefined)
    if (this.#clock.nowUs() < entry.untilUs) return Promise.resolve(entry.value)
    this.#entries.delete(key)
    return Promise.resolve(undefined)
  }

  set(key: string, value: string, ttlMs: number): Promise<void> {
    this.#entries.delete(key)
    if (ttlMs > 0) this.#entries.set(key, { value, untilUs: this.#clock.nowUs() + ttlMs * 1000 })
    if (this.#entries.size > this.#entriesMax) this.#entries.delete(this.#entries.keys().next().value!)
    return Promise.resolve()
  }

  delete(key: string): Promise<void> {
    this.#entries.delete(key)
    return Promise.resolve()
  }
}

/** No place but our own memory: also what is left of the shared one when it is lost. */
const NOWHERE: TokenPlace = {
  look: () => Promise.resolve('lost'),
  end: () => Promise.resolve(),
  remove: () => Promise.resolve(true),
}

export class MemoryTokens extends TokenKeeper {
  constructor(options: TokenOptions) {
    super(NOWHERE, options)
  }
}

export class MemoryLockHint implements LockHint {
  readonly #clock: WallClock
  readonly #held = new Map<string, { untilUs: number }>()
  #last = 0

  constructor(clock: WallClock) {
    this.#clock = clock
  }

  acquire(name: string, ttlMs: number): Promise<HeldLock | undefined> {
    if ((this.#held.get(name)?.untilUs ?? 0) > this.#clock.nowUs()) return Promise.resolve(undefined)
    const held = { untilUs: this.#untilUs(ttlMs) }
    this.#held.set(name, held)
    // The time as the floor: tokens rise over a restart too.
    this.#last = Math.max(this.#last + 1, this.#clock.nowUs())
    return Promise.resolve({
      fencingToken: this.#last,
      renew: (renewedMs) => {
        const isOurs = this.#held.get(name) === held && held.untilUs > this.#clock.nowUs()
        if (isOurs) held.untilUs = this.#untilUs(renewedMs)
        return Promise.resolve(isOurs)
      },
      release: () => {
        if (this.#held.get(name) === held) this.#held.delete(name)
        return Promise.resolve()
      },
    })
  }

  #untilUs(ttlMs: number): number {
    return this.#clock.nowUs() + ttlMs * 1000
  }
}

/** One process uses the whole limit. It counts from zero when it starts: the venue's first answer corrects it. */
export class MemorySharedBudget implements SharedBudget {
  readonly #windows = new Map<string, { startUs: number; used: number }>()

  take(name: string, charges: readonly Charge[], nowUs: number): Promise<Taken> {
    const asked = checkCharges(charges)
    const lookAgainUs = Math.max(0, ...asked.map((charge) => this.#roomAtUs(name, charge, nowUs)))
    if (lookAgainUs > 0) return Promise.resolve({ granted: false, lookAgainUs })
    for (const charge of asked) this.#at(name, charge.key, windowStartUs(charge, nowUs)).used += charge.cost
    return Promise.resolve({ granted: true, by: 'all' })
  }

  settle(name: string, window: BudgetWindow, statedCount: number, takenAtUs: number): Promise<void> {
    const startUs = windowStartUs(window, takenAtUs)
    const at = this.#at(name, window.key, startUs)
    if (at.startUs === startUs && statedCount > at.used) at.used = statedCount
    return Promise.resolve()
  }

  #roomAtUs(name: string, { key, lengthUs, limit, cost, share = 1 }: Charge, nowUs: number): number {
    const startUs = windowStartUs({ lengthUs }, nowUs)
    const at = this.#at(name, key, startUs)
    if (at.startUs > startUs) return at.startUs
    const allowed = Math.floor(limit * share)
    if (cost > allowed) return Infinity
    return at.used + cost <= allowed ? 0 : startUs + lengthUs
  }

  #at(name: string, key: string, startUs: number): { startUs: number; used: number } {
    const id = `${name}\n${key}`
    let at = this.#windows.get(id)
    if (at === undefined) this.#windows.set(id, (at = { startUs, used: 0 }))
    if (startUs > at.startUs) Object.assign(at, { startUs, used: 0 })
    return at
  }
}
