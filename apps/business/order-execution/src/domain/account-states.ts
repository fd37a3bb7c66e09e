/**
 * May an order be sent now? What a person has said for everything, for its account or for its strategy, and what JTS itself holds
 * it for: the strictest counts. A person lifts what a person has set; a hold is lifted by what has set it, or by a person where
 * it says so.
 */
import {
  Holds,
  type AccountId,
  type Hold,
  type InstrumentId,
  type StrategyInstanceId,
  type TradingState,
} from '@jts/model'

/** Whom a person means: a strategy instance of an account, an account (without a strategy), or everything (without either). */
export type Scope = { readonly account: string; readonly strategy: string }

export const WHOLE: Scope = { account: '', strategy: '' }

/** What a person may halt to. */
export type Halted = Exclude<TradingState, 'active'>

/** What somebody has said. */
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
/** What an order meets; `isOfStrategy` where it is said of its strategy alone. */
export type OrderState = {
  readonly state: TradingState
  readonly hold?: Hold | undefined
  readonly isOfStrategy?: boolean
}

const UNSAID: SaidState = { state: 'active', version: 0, reason: '', by: '' }

export class AccountStates {
  readonly #said = new Map<string, SaidState>()
  /** Of each account's strategies of which anything was said. */
  readonly #strategies = new Map<string, Map<string, SaidState>>()
  readonly #holds = new Holds()

  said({ account, strategy }: Scope): SaidState {
    const found = strategy === '' ? this.#said.get(account) : this.#strategies.get(account)?.get(strategy)
    return found ?? UNSAID
  }

  say({ account, strategy }: Scope, said: SaidState): void {
    if (strategy === '') {
      this.#said.set(account, said)
      return
    }
    const strategies = this.#strategies.get(account) ?? new Map<string, SaidState>()
    this.#strategies.set(account, strategies.set(strategy, said))
  }

  strategiesOf(account: AccountId): Iterable<readonly [string, SaidState]> {
    return this.#strategies.get(account) ?? []
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

  /** Of all that was said for everything, the account and its strategies: it rises with each word. */
  versionOf(account: AccountId): number {
    let version = this.said(WHOLE).version + this.said({ account, strategy: '' }).version
    for (const [, said] of this.strategiesOf(account)) version += said.version
    return version
  }

  /** The account by itself, whatever is said for everything. */
  own(account: AccountId): OwnState {
    const said = this.said({ account, strategy: '' })
    const hold = this.#holds.of(account)
    if (said.state === 'halted' || hold === undefined) {
      return { state: said.state, code: '', reason: said.reason, by: said.by }
    }
    return { state: 'reducing', code: hold.code, reason: hold.reason, by: hold.cause }
  }

  ofOrder(account: AccountId, instrument: InstrumentId, strategy: StrategyInstanceId): OrderState {
    const whole = this.said(WHOLE).state
    const own = this.said({ account, strategy: '' }).state
    if (whole === 'halted' || own === 'halted') return { state: 'halted' }
    const ofStrategy = this.said({ account, strategy }).state
    if (ofStrategy === 'halted') return { state: 'halted', isOfStrategy: true }
    const hold = this.#holds.of(account, instrument)
    if (hold !== undefined) return { state: 'reducing', hold }
    if (whole === 'reducing' || own === 'reducing') return { state: 'reducing' }
    return ofStrategy === 'reducing' ? { state: 'reducing', isOfStrategy: true } : { state: 'active' }
  }
}

/** Whether a word for this scope is about an order of this account and strategy. */
export function isWithin(scope: Scope, account: string, strategy: string): boolean {
  return (scope.account === '' || scope.account === account) && (scope.strategy === '' || scope.strategy === strategy)
}

/** What stands after a halt: one that only reduces opens nothing that a person has halted. Only a resume does. */
export function standsAfter(before: TradingState, asked: Halted): Halted {
  return before === 'halted' ? before : asked
}

/** Whether an order of this side has no place in this state, and is cancelled when a person sets it. */
export function isStoppedIn(state: TradingState, side: 'buy' | 'sell'): boolean {
  return state === 'halted' || (state === 'reducing' && side === 'buy')
}
