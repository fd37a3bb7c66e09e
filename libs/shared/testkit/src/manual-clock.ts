/** A wall clock that a test moves by hand: timers run when their time has come, in the order of their times. */
import type { WallClock } from '@jts/runtime'

type Timer = { readonly dueUs: number; readonly callback: () => void }

export class ManualClock implements WallClock {
  #nowUs: number
  readonly #timers = new Set<Timer>()

  constructor(nowUs: number) {
    this.#nowUs = nowUs
  }

  nowUs(): number {
    return this.#nowUs
  }

  after(delayMs: number, callback: () => void): { cancel(): void } {
    const timer = { dueUs: this.#nowUs + delayMs * 1000, callback }
    this.#timers.add(timer)
    return { cancel: () => void this.#timers.delete(timer) }
  }

  get waiting(): number {
    return this.#timers.size
  }

  /** Moves on, giving whatever a timer has started the time to run before the next one. */
  async run(ms: number): Promise<void> {
    const endUs = this.#nowUs + ms * 1000
    await settled()
    for (;;) {
      const [next] = [...this.#timers].filter(({ dueUs }) => dueUs <= endUs).sort((a, b) => a.dueUs - b.dueUs)
      if (next === undefined) break
      this.#timers.delete(next)
      this.#nowUs = Math.max(this.#nowUs, next.dueUs)
      next.callback()
      await settled()
    }
    this.#nowUs = endUs
  }
}

/** Some turns of the event loop: commits are made, what waited for them has run, and what that began has run too. */
export async function settled(turns = 8): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
}
