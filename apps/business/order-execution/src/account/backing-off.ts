/**
 * When a broker that has sent nothing is asked to send again: ever more seldom, and once more before an approval ends. Until then
 * the account sends nothing, unless its order stream comes up again, which is a sign that the broker is back.
 */
import type { MarketClock, WallClock } from '@jts/runtime'
import type { OrderRecord } from '../domain/order-record.ts'

const FIRST_MS = 200
const LONGEST_MS = 15_000
/** Market time before an approval ends: enough to catch up with a slow broker, and to send. */
const LAST_CHANCE_US = 5_000_000

export type BackingOffOptions = {
  readonly marketClock: Pick<MarketClock, 'nowUs' | 'at'>
  readonly wallClock: Pick<WallClock, 'after'>
}

export class BackingOff {
  readonly #options: BackingOffOptions
  readonly #askAgain: () => void
  /** Of the account, since the broker last answered a request in any other way. */
  #refusals = 0
  #timers: { cancel(): void }[] = []

  constructor(options: BackingOffOptions, askAgain: () => void) {
    this.#options = options
    this.#askAgain = askAgain
  }

  get refusals(): number {
    return this.#refusals
  }

  /** `waiting` is all that could be sent now. */
  refused(waiting: readonly OrderRecord[]): void {
    if (waiting.length === 0) this.#refusals = 0
    this.stop()
    const delayMs = Math.min(FIRST_MS * 2 ** this.#refusals, LONGEST_MS)
    this.#refusals++
    this.#timers.push(this.#options.wallClock.after(delayMs, () => this.#due()))
    for (const record of waiting) this.alsoWaits(record)
  }

  /** It was approved while the account backs off. */
  alsoWaits({ terms }: OrderRecord): void {
    const { marketClock } = this.#options
    const lastChanceUs = terms.validUntilUs - LAST_CHANCE_US
    // One that ends sooner is in time only if the broker is.
    if (this.#timers.length === 0 || lastChanceUs <= marketClock.nowUs()) return
    this.#timers.push(marketClock.at(lastChanceUs, () => this.#due()))
  }

  /** The broker has answered, or nothing is left to ask it for. */
  over(): void {
    this.stop()
    this.#refusals = 0
  }

  stop(): void {
    for (const timer of this.#timers.splice(0)) timer.cancel()
  }

  #due(): void {
    this.stop()
    this.#askAgain()
  }
}
