/**
 * The rate budget: what has been used of each window, and who may go next. Our own count only bridges the time between
 * two answers; each answer's headers replace it, because the venue's count is the one that refuses.
 */
import type { BrokerState } from '@jts/broker-kit'
import type { WallClock } from '@jts/runtime'
import { BINANCE_LIMITS, PRIORITIES, SHARE, type Limits, type LimitWindow, type Priority } from './limits.ts'

export type Cost = { readonly weight: number; readonly orders: number }
/** Room was taken, or there is none in time: when some may be again, by the venue's clock (never, where time stands). */
export type Grant = true | { readonly roomAtUs: number }

type Window = LimitWindow & { startUs: number; used: number; inFlight: number }
type Waiter = { priority: Priority; cost: Cost; deadlineUs: number; resolve: (granted: Grant) => void }

export class RateBudget {
  readonly #clock: WallClock
  readonly #nowUs: () => number
  readonly #marketNowUs: (() => number) | undefined
  #windows: Window[]
  #pausedUntilUs = 0
  #waiting: Waiter[] = []
  #timer: { cancel(): void } | undefined

  /**
   * @param nowUs the venue's clock: windows are aligned to its calendar.
   * @param marketNowUs in a replay: orders are counted by market time, which stands while a request waits. So an order that
   *   finds no room is told so at once.
   */
  constructor(
    clock: WallClock,
    nowUs: () => number = () => clock.nowUs(),
    limits: Limits = BINANCE_LIMITS,
    marketNowUs?: () => number,
  ) {
    this.#clock = clock
    this.#nowUs = nowUs
    this.#marketNowUs = marketNowUs
    this.#windows = limits.windows.map((window) => ({ ...window, startUs: 0, used: 0, inFlight: 0 }))
  }

  /** Limits that the venue has stated itself; windows that it did not mention stay. */
  adopt(stated: readonly LimitWindow[]): void {
    this.#windows = this.#windows.map((window) => {
      const limit = stated.find((other) => other.header === window.header)?.limit
      return limit === undefined ? window : Object.assign(window, { limit })
    })
    this.#drain()
  }

  /**
   * Takes room for one request, at once or when there is some; answers at once when there will be none before `deadlineUs`.
   * Every granted request must be settled once.
   */
  acquire(priority: Priority, cost: Cost, deadlineUs: number): true | Promise<Grant> {
    if (!this.#isEarlierWaiting(priority) && this.#roomAtUs(priority, cost) === 0) {
      this.#take(cost)
      return true
    }
    return new Promise((resolve) => {
      this.#waiting.push({ priority, cost, deadlineUs, resolve })
      this.#drain()
    })
  }

  /** The request is over. `headers` is undefined when there was no answer: then it counts in full, for it may have arrived. */
  settle(cost: Cost, headers: Readonly<Record<string, string | string[] | undefined>> | undefined): void {
    this.#roll()
    for (const window of this.#windows) {
      window.inFlight -= cost[window.counts]
      const stated = headers?.[window.header]
      const count = typeof stated === 'string' ? Number(stated) : Number.NaN
      if (Number.isFinite(count)) window.used = count
      else window.used += cost[window.counts]
    }
    this.#drain()
  }

  /** What is left of each window, as far as we know. */
  view(): NonNullable<BrokerState['limits']> {
    this.#roll()
    return this.#windows.map(({ header, counts, limit, lengthUs, startUs, used, inFlight }) => ({
      name: header,
      counts,
      limit,
      remaining: Math.max(0, limit - used - inFlight),
      windowUs: lengthUs,
      resetsAtUs: startUs + lengthUs,
    }))
  }

  /** The request was never written. */
  release(cost: Cost): void {
    for (const window of this.#windows) window.inFlight -= cost[window.counts]
    this.#drain()
  }

  /** 429 or 418: nothing is sent before this time, because going on is answered with a longer ban. */
  pauseUntil(timeUs: number): void {
    if (timeUs > this.#pausedUntilUs) this.#pausedUntilUs = timeUs
  }

  /** Ends every wait: for the stop. */
  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    for (const waiter of this.#waiting.splice(0)) waiter.resolve({ roomAtUs: Infinity })
  }

  #take(cost: Cost): void {
    for (const window of this.#windows) window.inFlight += cost[window.counts]
  }

  #roll(): void {
    const nowUs = this.#nowUs()
    const ordersNowUs = this.#marketNowUs?.() ?? nowUs
    for (const window of this.#windows) {
      const countedAtUs = window.counts === 'orders' ? ordersNowUs : nowUs
      const startUs = Math.floor(countedAtUs / window.lengthUs) * window.lengthUs
      if (startUs === window.startUs) continue
      window.startUs = startUs
      window.used = 0
    }
  }

  /** 0 when there is room now, otherwise when to look again (never, where time stands). */
  #roomAtUs(priority: Priority, cost: Cost): number {
    this.#roll()
    let atUs = this.#pausedUntilUs > this.#nowUs() ? this.#pausedUntilUs : 0
    for (const window of this.#windows) {
      const need = cost[window.counts]
      if (need === 0) continue
      // A request that no empty window could hold may go alone, rather than wait for ever.
      const allowed = Math.max(Math.floor(window.limit * SHARE[priority]), need)
      if (window.used + window.inFlight + need <= allowed) continue
      if (window.counts === 'orders' && this.#marketNowUs !== undefined) return Infinity
      atUs = Math.max(atUs, window.startUs + window.lengthUs)
    }
    return atUs
  }

  #isEarlierWaiting(priority: Priority): boolean {
    const rank = PRIORITIES.indexOf(priority)
    return this.#waiting.some((waiter) => PRIORITIES.indexOf(waiter.priority) <= rank)
  }

  /** Lets go whoever has room now, the most important first, and answers those for whom it will be too late. */
  #drain(): void {
    if (this.#waiting.length === 0) return
    this.#timer?.cancel()
    this.#timer = undefined
    this.#waiting.sort((a, b) => PRIORITIES.indexOf(a.priority) - PRIORITIES.indexOf(b.priority))
    const still: Waiter[] = []
    let nextUs = Infinity
    for (const waiter of this.#waiting) {
      const atUs = this.#roomAtUs(waiter.priority, waiter.cost)
      if (atUs === 0) {
        this.#take(waiter.cost)
        waiter.resolve(true)
      } else if (atUs >= waiter.deadlineUs) {
        waiter.resolve({ roomAtUs: atUs })
      } else {
        still.push(waiter)
        nextUs = Math.min(nextUs, atUs)
      }
    }
    this.#waiting = still
    if (still.length === 0) return
    const delayMs = Math.max(1, Math.ceil((nextUs - this.#nowUs()) / 1000))
    this.#timer = this.#clock.after(delayMs, () => this.#drain())
  }
}
