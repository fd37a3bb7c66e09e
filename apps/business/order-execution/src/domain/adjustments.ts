/** What moved in an account without a trade: what is booked of it, and which notice tells something new. */
import type { AdjustmentReport } from '@jts/broker-kit'
import type { AdjustmentReason, Units } from '@jts/model'

export type Adjustment = {
  readonly adjustmentId: string
  readonly currency: string
  readonly amount: Units
  readonly reason: AdjustmentReason
  readonly source: 'broker' | 'person'
  readonly noticeId: string
  readonly by: string
  readonly words: string
  /** Of the notice; where a person has booked it, of the moment before the balances were read. */
  readonly timeUs: number
}

/** The venue's times are whole milliseconds: it may have happened at the end of the one that it names. */
const VENUE_TICK_US = 1000

export class Adjustments {
  readonly #ids = new Set<string>()
  readonly #totals = new Map<string, Units>()
  /** The last one that a person has booked, by currency: its ledger was equal to the broker's record then. */
  readonly #byPerson = new Map<string, Adjustment>()
  /** What was said before it is in the opening balance. */
  openedUs = 0
  /** Notices heard since the start, booked or not. */
  heard = 0

  /** How many are booked. */
  get count(): number {
    return this.#ids.size
  }

  add(adjustment: Adjustment): void {
    const { adjustmentId, currency, amount, source } = adjustment
    this.#ids.add(adjustmentId)
    this.#totals.set(currency, this.totalOf(currency) + amount)
    if (source === 'person') this.#byPerson.set(currency, adjustment)
  }

  has(adjustmentId: string): boolean {
    return this.#ids.has(adjustmentId)
  }

  /** Everything booked in this currency together, signed. */
  totalOf(currency: string): Units {
    return this.#totals.get(currency) ?? 0n
  }

  lastByPerson(currency: string): Adjustment | undefined {
    return this.#byPerson.get(currency)
  }

  /** The ledger has been set equal to the broker's record since: whatever had happened by then is in it. */
  isContained({ currency, timeUs }: Pick<AdjustmentReport, 'currency' | 'timeUs'>): boolean {
    const equalUs = Math.max(this.openedUs, this.#byPerson.get(currency)?.timeUs ?? 0)
    return timeUs + VENUE_TICK_US <= equalUs
  }
}
