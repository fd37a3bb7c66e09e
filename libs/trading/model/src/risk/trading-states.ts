/** Active, reducing or halted: for everyone, an account, or a strategy; the strictest that applies counts. */
import type { AccountId, StrategyInstanceId } from '../ids.ts'
import type { TradingScope, TradingState } from './risk-types.ts'

const STRICTNESS: Readonly<Record<TradingState, number>> = { active: 0, reducing: 1, halted: 2 }

export class TradingStates {
  /** Only what is not active, so that the usual case is one look at the size. */
  readonly #states = new Map<string, TradingState>()

  set(scope: TradingScope, state: TradingState): void {
    const key = scopeKey(scope.account, scope.strategy)
    if (state === 'active') this.#states.delete(key)
    else this.#states.set(key, state)
  }

  of(account: AccountId, strategy: StrategyInstanceId): TradingState {
    return stricter(this.ofAccount(account), this.ofStrategy(account, strategy))
  }

  /** Whatever is said of its strategies. */
  ofAccount(account: AccountId): TradingState {
    if (this.#states.size === 0) return 'active'
    return stricter(this.#state(), this.#state(account))
  }

  /** What is said of this strategy alone. */
  ofStrategy(account: AccountId, strategy: StrategyInstanceId): TradingState {
    if (this.#states.size === 0) return 'active'
    return stricter(this.#state(undefined, strategy), this.#state(account, strategy))
  }

  toPlain(): Record<string, TradingState> {
    return Object.fromEntries(this.#states)
  }

  restore(plain: Readonly<Record<string, TradingState>>): void {
    this.#states.clear()
    for (const [key, state] of Object.entries(plain)) this.#states.set(key, state)
  }

  #state(account?: AccountId, strategy?: StrategyInstanceId): TradingState {
    return this.#states.get(scopeKey(account, strategy)) ?? 'active'
  }
}

function stricter(one: TradingState, other: TradingState): TradingState {
  return STRICTNESS[one] >= STRICTNESS[other] ? one : other
}

function scopeKey(account?: AccountId, strategy?: StrategyInstanceId): string {
  return `${account ?? '*'}/${strategy ?? '*'}`
}
