/** The market clock: the last released phase of a replay, or the wall clock (run faster on request) of a made-up market. */
import type { Replay } from '@jts/exchange'

export class MarketClock {
  readonly #replay: Replay | undefined
  readonly #speed: number
  readonly #wallUs = wallUs()
  readonly #startUs: number

  /** `storedUs`: where an earlier run has ended; time never goes back. */
  constructor(replay: Replay | undefined, speed: number, storedUs: number) {
    this.#replay = replay
    this.#speed = speed
    this.#startUs = Math.max(this.#wallUs, storedUs)
  }

  nowUs(): number {
    if (this.#replay) return this.#replay.timeUs || this.#replay.firstTimeUs
    return Math.floor(this.#startUs + (wallUs() - this.#wallUs) * this.#speed)
  }
}

export function wallUs(): number {
  return Date.now() * 1000
}
