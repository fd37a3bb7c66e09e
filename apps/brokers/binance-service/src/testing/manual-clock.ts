/** A wall clock that stands until a test moves it. */
import type { WallClock } from '@jts/runtime'

export class ManualClock implements WallClock {
  #nowUs: number
  #timers: { atUs: number; callback: () => void }[] = []

  constructor(nowUs = 0) {
    this.#nowUs = nowUs
  }

  nowUs(): number {
    return this.#nowUs
  }

  after(delayMs: number, callback: () => void): { cancel(): void } {
    const timer = { atUs: this.#nowUs + delayMs * 1000, callback }
    this.#timers.push(timer)
    return { cancel: () => (this.#timers = this.#timers.filter((other) => other !== timer)) }
  }

  advance(byUs: number): void {
    const untilUs = this.#nowUs + byUs
    for (;;) {
      const next = this.#timers.filter(({ atUs }) => atUs <= untilUs).sort((a, b) => a.atUs - b.atUs)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((other) => other !== next)
      this.#nowUs = Math.max(this.#nowUs, next.atUs)
      next.callback()
    }
    this.#nowUs = untilUs
  }
}
