/** The venue's clock as measured: our wall clock plus an offset. */
import type { WallClock } from '@jts/runtime'

export class VenueClock {
  readonly #wall: WallClock
  #offsetUs = 0
  #measuring: Promise<void> | undefined

  constructor(wall: WallClock) {
    this.#wall = wall
  }

  nowUs(): number {
    return this.#wall.nowUs() + this.#offsetUs
  }

  offsetUs(): number {
    return this.#offsetUs
  }

  /**
   * The best of some samples: the one with the shortest way there and back errs least about its middle.
   * Calls while a measurement is running share it.
   */
  measure(readServerTimeUs: () => Promise<number>, samples = 3): Promise<void> {
    this.#measuring ??= this.#measureNow(readServerTimeUs, samples).finally(() => (this.#measuring = undefined))
    return this.#measuring
  }

  async #measureNow(readServerTimeUs: () => Promise<number>, samples: number): Promise<void> {
    let roundTripBestUs = Infinity
    let offsetUs = this.#offsetUs
    for (let sample = 0; sample < samples; sample++) {
      const sentUs = this.#wall.nowUs()
      const serverUs = await readServerTimeUs()
      const roundTripUs = this.#wall.nowUs() - sentUs
      if (roundTripUs >= roundTripBestUs) continue
      roundTripBestUs = roundTripUs
      offsetUs = Math.round(serverUs - (sentUs + roundTripUs / 2))
    }
    this.#offsetUs = offsetUs
  }
}
