/**
 * May this account trade now? What a person has said for it or for everything, and what JTS itself holds it for: the strictest
 * counts. A person lifts what a person has set; a hold is lifted by what has set it, or by a person where it says so.
 */
import { Holds, type AccountId, type Hold, type InstrumentId, type TradingState } from '@jts/model'

/** What somebody has said, for one account or (under '') for everything. */
export type SaidState = {
  readonly state: TradingState
  readonly version: number
  readonly reason: string
  readonly by: string
}

export type OwnState = {
  readonly state: TradingState
  readonly code: string
  readonly reason: string
  readonly by: string
}
/** What an order meets. */
export type OrderState = { readonly state: TradingState; readonly hold?: Hold | undefined }

const UNSAID: SaidState = { state: 'active', version: 0, reason: '', by: '' }

export class AccountStates {
  readonly #said = new Map<string, SaidState>()
  readonly #holds = new Holds()

  said(account: string): SaidState {
    return this.#said.get(account) ?? UNSAID
  }

  say(account: string, said: SaidState): void {
    this.#said.set(account, said)
  }

  hold(hold: Hold): boolean {
    return this.#holds.set(hold)
  }

  lift(hold: Pick<Hold, 'account' | 'cause' | 'instrument'>): boolean {
    return this.#holds.lift(hold)
  }

  holdsOf(account: string): readonly Hold[] {
    return this.#holds.list().filter((hold) => account === '' || hold.account === account)
  }

  /** The account by itself, whatever is said for everything. */
  own(account: AccountId): OwnState {
    const said = this.said(account)
    const hold = this.#holds.of(account)
    if (said.state === 'halted' || hold === undefined) {
      return { state: said.state, code: '', reason: said.reason, by: said.by }
    }
    return { state: 'reducing', code: hold.code, reason: hold.reason, by: hold.cause }
  }

  ofOrder(account: AccountId, instrument: InstrumentId): OrderState {
    const whole = this.said('').state
    const own = this.said(account).state
    if (whole === 'halted' || own === 'halted') return { state: 'halted' }
    const hold = this.#holds.of(account, instrument)
    if (hold !== undefined) return { state: 'reducing', hold }
    return { state: whole === 'reducing' || own === 'reducing' ? 'reducing' : 'active' }
  }
}
