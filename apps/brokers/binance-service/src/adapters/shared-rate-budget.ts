/**
 * The rate budget of several processes: first this one's own (priorities, and what the venue has said to it), then the request
 * weight, which the venue counts for an address and so for all of them. Without the shared count a process goes on with the small
 * part that is set aside for it: more slowly, and never over the limit.
 *
 * New orders are not shared: they are counted for an account, and one process has an account at a time. A new owner learns by the
 * venue's first answer what the last one has used.
 */
import type { WallClock } from '@jts/runtime'
import type { Charge, SharedBudget } from '@jts/transport/cache/port'
import { SHARE, type Limits, type LimitWindow, type Priority } from './limits.ts'
import { RateBudget, type Cost, type Grant } from './rate-budget.ts'

/** What stands before every request. */
export type RateLimiter = Pick<RateBudget, 'acquire' | 'settle' | 'release' | 'pauseUntil' | 'close' | 'adopt' | 'view'>

export type SharedRateBudgetOptions = {
  readonly own: RateBudget
  readonly shared: SharedBudget
  readonly clock: WallClock
  /** The venue's clock. */
  readonly nowUs: () => number
  readonly windows: readonly LimitWindow[]
  /** The venue, as seen from the address that all of them share. */
  readonly name: string
}

export type RateLimiterOptions = {
  readonly clock: WallClock
  readonly nowUs: () => number
  readonly limits: Limits
  /** In a replay: orders are counted by market time. */
  readonly marketNowUs?: (() => number) | undefined
  readonly shared?: SharedBudget | undefined
  readonly name: string
}

/** This process's own budget alone, or with what is shared behind it. */
export function rateLimiterOf({ clock, nowUs, limits, marketNowUs, shared, name }: RateLimiterOptions): RateLimiter {
  const own = new RateBudget(clock, nowUs, limits, marketNowUs)
  return shared === undefined ? own : new SharedRateBudget({ own, shared, clock, nowUs, windows: limits.windows, name })
}

export class SharedRateBudget implements RateLimiter {
  readonly #options: SharedRateBudgetOptions
  #windows: readonly LimitWindow[]
  /** When each request was granted, by the object that says what it costs. */
  readonly #grantedAtUs = new WeakMap<Cost, number>()
  readonly #waiting = new Set<() => void>()
  #closed = false

  constructor(options: SharedRateBudgetOptions) {
    this.#options = options
    this.#windows = options.windows.filter((window) => window.counts === 'weight')
  }

  adopt(stated: readonly LimitWindow[]): void {
    this.#options.own.adopt(stated)
    this.#windows = this.#windows.map((window) => ({
      ...window,
      limit: stated.find((other) => other.header === window.header)?.limit ?? window.limit,
    }))
  }

  async acquire(priority: Priority, cost: Cost, deadlineUs: number): Promise<Grant> {
    const { own, nowUs } = this.#options
    const granted = await own.acquire(priority, cost, deadlineUs)
    if (granted !== true) return granted
    const taken = await this.#take(priority, cost, deadlineUs)
    if (taken !== true) {
      own.release(cost)
      return taken
    }
    this.#grantedAtUs.set(cost, nowUs())
    return true
  }

  settle(cost: Cost, headers: Parameters<RateBudget['settle']>[1]): void {
    const { own, shared, name, nowUs } = this.#options
    own.settle(cost, headers)
    const takenAtUs = this.#grantedAtUs.get(cost) ?? nowUs()
    for (const window of this.#windows) {
      const stated = headers?.[window.header]
      const count = typeof stated === 'string' ? Number(stated) : Number.NaN
      if (Number.isFinite(count)) void shared.settle(name, budgetWindow(window), count, takenAtUs)
    }
  }

  /** What all share stays taken: it cannot be given back, and a window is over soon. */
  release(cost: Cost): void {
    this.#options.own.release(cost)
  }

  /** As this process sees it: the venue's own counts are of all. */
  view(): ReturnType<RateBudget['view']> {
    return this.#options.own.view()
  }

  pauseUntil(timeUs: number): void {
    this.#options.own.pauseUntil(timeUs)
  }

  close(): void {
    this.#closed = true
    this.#options.own.close()
    for (const wake of this.#waiting) wake()
  }

  async #take(priority: Priority, { weight: cost }: Cost, deadlineUs: number): Promise<Grant> {
    const { shared, name, nowUs } = this.#options
    for (;;) {
      const charges: Charge[] = this.#windows.map((window) => ({
        ...budgetWindow(window),
        cost,
        share: SHARE[priority],
      }))
      const taken = await shared.take(name, charges, nowUs())
      if (taken.granted) return true
      if (this.#closed || taken.lookAgainUs >= deadlineUs) return { roomAtUs: taken.lookAgainUs }
      await this.#wait(taken.lookAgainUs - nowUs())
      if (this.#closed) return { roomAtUs: Infinity }
    }
  }

  async #wait(us: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(Math.max(1, Math.ceil(us / 1000)), () => end())
      const end = (): void => {
        timer.cancel()
        this.#waiting.delete(end)
        resolve()
      }
      this.#waiting.add(end)
    })
  }
}

const budgetWindow = ({ header, lengthUs, limit }: LimitWindow) => ({ key: header, lengthUs, limit })
