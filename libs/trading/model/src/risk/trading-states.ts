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
    if (this.#states.size === 0) return 'active'
    const whole = this.#states.get(scopeKey()) ?? 'active'
    const ofAccount = this.#states.get(scopeKey(account)) ?? 'active'
    const ofStrategy = this.#states.get(scopeKey(undefined, strategy)) ?? 'active'
    const ofBoth = this.#states.get(scopeKey(account, strategy)) ?? 'active'
    return [whole, ofAccount, ofStrategy, ofBoth].reduce((a, b) => (STRICTNESS[a] >= STRICTNESS[b] ? a : b))
  }

  toPlain(): Record<string, TradingState> {
    return Object.fromEntries(this.#states)
  }

  restore(plain: Readonly<Record<string, TradingState>>): void {
    this.#states.clear()
    for (const [key, state] of Object.entries(plain)) this.#states.set(key, state)
  }
}

function scopeKey(account?: AccountId, strategy?: StrategyInstanceId): string {
  return `${account ?? '*'}/${strategy ?? '*'}`
}
