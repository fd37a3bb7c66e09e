/**
 * What JTS itself lets only reduce, and why: an account, or one instrument of it. A hold is lifted by what has set it or, where
 * it says so, by a person; what a person has set is no hold, and nothing here lifts it.
 */
import type { AccountId, InstrumentId } from '../ids.ts'

export type HoldCode =
  /** Somebody whose silence is dangerous has fallen silent. */
  | 'HEARTBEAT_MISSING'
  /** The ledger differs from the broker's own record. */
  | 'RECONCILIATION_DIFFERENCE'
  /** A strategy did not come back from its handler. */
  | 'STRATEGY_STUCK'
  /** An event of this account could not be taken, and its log stands still. */
  | 'LOG_STOPPED'
  /** An order that JTS has not made, in an account where that is not meant to be. */
  | 'FOREIGN_ORDER'

export type Hold = {
  readonly account: AccountId
  /** Undefined: everything that the account trades. */
  readonly instrument?: InstrumentId | undefined
  /** Who or what holds: one hold each. */
  readonly cause: string
  readonly code: HoldCode
  /** What was expected and what was found. */
  readonly reason: string
  readonly liftedBy: 'machine' | 'person'
}

export class Holds {
  /** Usually empty, which an order sees at a glance. */
  readonly #holds: Hold[] = []

  /** False when it is held for this already, and the reason is the same. */
  set(hold: Hold): boolean {
    const at = this.#indexOf(hold)
    if (at !== -1 && this.#holds[at]!.reason === hold.reason && this.#holds[at]!.code === hold.code) return false
    if (at === -1) this.#holds.push(hold)
    else this.#holds[at] = hold
    return true
  }

  /** False when there was no such hold. */
  lift(hold: Pick<Hold, 'account' | 'cause' | 'instrument'>): boolean {
    const at = this.#indexOf(hold)
    if (at === -1) return false
    this.#holds.splice(at, 1)
    return true
  }

  /** The hold that applies to an order of this account in this instrument; without one, to the account as a whole. */
  of(account: AccountId, instrument?: InstrumentId): Hold | undefined {
    if (this.#holds.length === 0) return undefined
    for (const hold of this.#holds) {
      if (hold.account !== account) continue
      if (hold.instrument === undefined || hold.instrument === instrument) return hold
    }
    return undefined
  }

  list(): readonly Hold[] {
    return this.#holds
  }

  #indexOf({ account, cause, instrument }: Pick<Hold, 'account' | 'cause' | 'instrument'>): number {
    return this.#holds.findIndex(
      (one) => one.account === account && one.cause === cause && one.instrument === instrument,
    )
  }
}
