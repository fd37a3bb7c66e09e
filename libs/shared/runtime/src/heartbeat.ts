/**
 * Who is silent for too long. Heartbeats and silence are measured by the wall clock; a replay in lock-step needs neither, since
 * nothing is released there without the conductor's link.
 */
import type { WallClock } from './clocks.ts'

export type HeartbeatTimes = { readonly everyMs: number; readonly silenceMaxMs: number }
export const HEARTBEAT: HeartbeatTimes = { everyMs: 1000, silenceMaxMs: 5000 }

const LOOK_MS = 250
/** After it has stood still itself, a process first hears what has come in meanwhile. */
const LOOK_AGAIN_MS = 100

export type HeartbeatWatchOptions = {
  readonly wallClock: WallClock
  readonly peers: readonly string[]
  readonly silenceMaxMs: number
  readonly onMissing: (peer: string, silentMs: number) => void
}

export class HeartbeatWatch {
  readonly #options: HeartbeatWatchOptions
  readonly #heardUs = new Map<string, number>()
  readonly #missing = new Set<string>()
  #lookedUs = 0
  #timer: { cancel(): void } | undefined

  constructor(options: HeartbeatWatchOptions) {
    this.#options = options
  }

  /** Everyone has the time of one silence to speak for the first time; who was missing before a restart is missing still. */
  start(missing: readonly string[] = []): void {
    for (const peer of missing) this.#missing.add(peer)
    const nowUs = this.#options.wallClock.nowUs()
    this.#lookedUs = nowUs
    for (const peer of this.#options.peers) this.#heardUs.set(peer, nowUs)
    this.#lookLater(LOOK_MS)
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /**
   * `saidUs`: when it was said. What was said long ago, and read only now, is no sign of life. True when this ends a silence.
   */
  heard(peer: string, saidUs: number): boolean {
    const { wallClock, silenceMaxMs } = this.#options
    const before = this.#heardUs.get(peer)
    const nowUs = wallClock.nowUs()
    if (before === undefined || saidUs < before || nowUs - saidUs > silenceMaxMs * 1000) return false
    this.#heardUs.set(peer, Math.min(saidUs, nowUs))
    return this.#missing.delete(peer)
  }

  get missing(): ReadonlySet<string> {
    return this.#missing
  }

  #look(): void {
    const { wallClock, peers, silenceMaxMs, onMissing } = this.#options
    const nowUs = wallClock.nowUs()
    const stoodStill = nowUs - this.#lookedUs > 4 * LOOK_MS * 1000
    this.#lookedUs = nowUs
    if (stoodStill) return this.#lookLater(LOOK_AGAIN_MS)
    for (const peer of peers) {
      const silentMs = (nowUs - this.#heardUs.get(peer)!) / 1000
      if (silentMs <= silenceMaxMs || this.#missing.has(peer)) continue
      this.#missing.add(peer)
      onMissing(peer, silentMs)
    }
    this.#lookLater(LOOK_MS)
  }

  #lookLater(delayMs: number): void {
    this.#timer = this.#options.wallClock.after(delayMs, () => this.#look())
  }
}

/** Speaks at once and then in this rhythm, until it is stopped. */
export class HeartbeatVoice {
  readonly #wallClock: WallClock
  readonly #everyMs: number
  readonly #say: () => void
  #timer: { cancel(): void } | undefined

  constructor(wallClock: WallClock, everyMs: number, say: () => void) {
    this.#wallClock = wallClock
    this.#everyMs = everyMs
    this.#say = say
  }

  start(): void {
    this.#say()
    this.#timer = this.#wallClock.after(this.#everyMs, () => this.start())
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
