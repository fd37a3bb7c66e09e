/**
 * What the comparison of the ledger with the broker's record holds: the instruments whose base differs or, for cash, the
 * account. A person may accept a difference as it stands; another one is another matter.
 */
import type { AccountId, Hold, Instrument, InstrumentId } from '@jts/model'

export type Difference = { readonly currency: string; readonly ours: string; readonly venue: string }

const CAUSE = 'reconciliation'

export class Differences {
  /** As last reported, and as last accepted, by account. */
  readonly #reported = new Map<AccountId, string>()
  readonly #accepted = new Map<AccountId, string>()

  report(account: AccountId, differences: readonly Difference[]): void {
    this.#reported.set(account, JSON.stringify(differences))
    if (differences.length === 0) this.#accepted.delete(account)
  }

  restore(account: AccountId, reported: string, accepted: string): void {
    this.#reported.set(account, reported)
    if (accepted !== '') this.#accepted.set(account, accepted)
  }

  /** A person goes on in spite of what differs now. The accounts for which that is news. */
  acceptAll(): AccountId[] {
    const accounts = [...this.#reported.keys()].filter((account) => this.#isHeld(account))
    for (const account of accounts) this.#accepted.set(account, this.#reported.get(account)!)
    return accounts
  }

  plain(account: AccountId): { reported: string; accepted: string } {
    return { reported: this.#reported.get(account) ?? '[]', accepted: this.#accepted.get(account) ?? '' }
  }

  holdsOf(account: AccountId, instruments: Iterable<Instrument>): Hold[] {
    if (!this.#isHeld(account)) return []
    const known = [...instruments]
    const differences = JSON.parse(this.#reported.get(account)!) as Difference[]
    return differences.flatMap(({ currency, ours, venue }) => {
      const isCash = known.some((one) => one.quoteCurrency === currency)
      const ofBase = known.filter((one) => one.baseCurrency === currency)
      const held: readonly (InstrumentId | undefined)[] =
        isCash || ofBase.length === 0 ? [undefined] : ofBase.map(({ id }) => id)
      const reason = `expected the ledger to equal the broker's record, found ${ours} ${currency} in the ledger and ${venue} at the broker`
      return held.map((instrument) => ({
        account,
        instrument,
        // Each currency by itself: two of them may hold the account.
        cause: `${CAUSE} of ${currency}`,
        code: 'RECONCILIATION_DIFFERENCE' as const,
        reason,
        liftedBy: 'machine' as const,
      }))
    })
  }

  static isCause(cause: string): boolean {
    return cause.startsWith(CAUSE)
  }

  #isHeld(account: AccountId): boolean {
    const reported = this.#reported.get(account) ?? '[]'
    return reported !== '[]' && reported !== this.#accepted.get(account)
  }
}
