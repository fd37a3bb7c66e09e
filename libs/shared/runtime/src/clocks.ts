/** The two clocks. `marketClock` is the released event's time; `wallClock` is the machine's. Both in µs since the epoch. */

export interface WallClock {
  nowUs(): number
  /** Runs `callback` once after `delayMs` unless cancelled. */
  after(delayMs: number, callback: () => void): { cancel(): void }
}

export const systemClock: WallClock = {
  nowUs: () => Date.now() * 1000,
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    return { cancel: () => clearTimeout(timer) }
  },
}

/** Runs `factor` times as fast from now on: the time of a made-up market where none of its events are heard. */
export function fasterClock(wall: Pick<WallClock, 'nowUs'>, factor: number): { nowUs(): number } {
  const sinceUs = wall.nowUs()
  return { nowUs: () => Math.round(sinceUs + (wall.nowUs() - sinceUs) * factor) }
}

/** How far the steady clock may be from the wall clock, which is set now and then, before it is set as well. */
const DRIFT_MAX_MS = 2
let originMs = performance.timeOrigin

/** Wall time with fractions, ms since the epoch: for latencies across processes, and never for a decision. */
export function wallClockMs(): number {
  const steadyMs = performance.now()
  const wallMs = Date.now()
  if (Math.abs(originMs + steadyMs - wallMs) > DRIFT_MAX_MS) originMs = wallMs - steadyMs
  return originMs + steadyMs
}

/** A machine that was suspended, or whose clock was set, has its timers at the wrong time: so the clock is looked at again. */
const LOOK_AGAIN_MS = 10_000

/**
 * Market time drives time to live, staleness, sessions, rates and strategy timers. In live and paper it is never behind
 * the wall clock, so that a quiet market still ages a signal; only a replay lets it stand.
 */
export class MarketClock {
  readonly #wall: WallClock | undefined
  readonly #listeners = new Set<(nowUs: number) => void>()
  #nowUs = 0

  /** @param wall the clock that market time may not fall behind; undefined in a replay. */
  constructor(wall: WallClock | undefined) {
    this.#wall = wall
  }

  nowUs(): number {
    if (this.#wall !== undefined) {
      const wallUs = this.#wall.nowUs()
      if (wallUs > this.#nowUs) this.#nowUs = wallUs
    }
    return this.#nowUs
  }

  /** Moves forward to an event's time; an older event leaves it. */
  advanceTo(timeUs: number): void {
    if (timeUs <= this.#nowUs) return
    this.#nowUs = timeUs
    for (const listener of this.#listeners) listener(timeUs)
  }

  /** Told at each step forward that an event makes; returns the unsubscription. */
  onAdvance(listener: (nowUs: number) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Calls back once when market time has come to `timeUs`, by an event or by the wall; never before this returns. */
  at(timeUs: number, callback: () => void): { cancel(): void } {
    let timer: { cancel(): void } | undefined
    const cancel = (): void => {
      timer?.cancel()
      stopListening()
    }
    const look = (): void => {
      const leftUs = timeUs - this.nowUs()
      if (leftUs <= 0) {
        cancel()
        callback()
      } else timer = this.#wall?.after(Math.min(leftUs / 1000, LOOK_AGAIN_MS), look)
    }
    const stopListening = this.onAdvance((nowUs) => {
      if (nowUs >= timeUs) look()
    })
    if (this.nowUs() < timeUs) look()
    else timer = soon(look)
    return { cancel }
  }
}

function soon(callback: () => void): { cancel(): void } {
  let isWanted = true
  queueMicrotask(() => {
    if (isWanted) callback()
  })
  return { cancel: () => (isWanted = false) }
}
