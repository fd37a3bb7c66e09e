/** When each account's last orders were approved: as many as may be in a minute, so that the oldest of them tells. */
import type { AccountId } from '../ids.ts'

export class OrderRate {
  readonly #max: number
  readonly #rings = new Map<AccountId, { readonly times: Float64Array; next: number }>()

  constructor(max: number) {
    this.#max = max
  }

  approved(account: AccountId, timeUs: number): void {
    let ring = this.#rings.get(account)
    if (ring === undefined) {
      ring = { times: new Float64Array(this.#max).fill(NaN), next: 0 }
      this.#rings.set(account, ring)
    }
    ring.times[ring.next] = timeUs
    ring.next = (ring.next + 1) % this.#max
  }

  /** When the order was approved after which the others of the allowed number came; NaN while there are fewer. */
  oldestUs(account: AccountId): number {
    const ring = this.#rings.get(account)
    return ring === undefined ? NaN : ring.times[ring.next]!
  }
}
