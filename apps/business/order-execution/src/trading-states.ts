/** The trading states on disk and on `orders.events`: a versioned row that every intent's transaction reads. */
import type { AccountId, Hold, InstrumentId, StrategyInstanceId, TradingState } from '@jts/model'
import type { MarketClock } from '@jts/runtime'
import type { Store, Turn } from '@jts/transport'
import { holds, strategyStates, tradingStates } from './adapters/tables.ts'
import {
  AccountStates,
  isStoppedIn,
  standsAfter,
  WHOLE,
  type Halted,
  type OrderState,
  type OwnState,
  type SaidState,
  type Scope,
} from './domain/account-states.ts'

export type TradingStatesOptions = {
  readonly store: Store
  readonly marketClock: MarketClock
  readonly accounts: readonly AccountId[]
  /** After every change: the brokers' own gates follow. */
  readonly onChange: () => void
}

export class TradingStates {
  readonly #options: TradingStatesOptions
  readonly #states = new AccountStates()

  constructor(options: TradingStatesOptions) {
    this.#options = options
  }

  async restore(): Promise<void> {
    const { store, onChange } = this.#options
    for (const { account, state, version, reason, changed_by: by } of await store.all(tradingStates)) {
      this.#states.say({ account, strategy: '' }, { state: state as TradingState, version, reason, by })
    }
    for (const { account, strategy, state, version, reason, changed_by: by } of await store.all(strategyStates)) {
      this.#states.say({ account, strategy }, { state: state as TradingState, version, reason, by })
    }
    for (const row of await store.all(holds)) this.#states.hold(JSON.parse(row.hold) as Hold)
    onChange()
  }

  ofOrder(account: AccountId, instrument: InstrumentId, strategy: StrategyInstanceId): OrderState {
    return this.#states.ofOrder(account, instrument, strategy)
  }

  isHalted(account: AccountId): boolean {
    return this.saidOf(account).some(({ state }) => state === 'halted')
  }

  /** Whether a person has said what leaves no place for an open order: holds of JTS itself cancel nothing. */
  isStopped(
    account: AccountId,
    { strategy, side }: { readonly strategy: string; readonly side: 'buy' | 'sell' },
  ): boolean {
    const said = [...this.saidOf(account), this.#states.said({ account, strategy })]
    return said.some(({ state }) => isStoppedIn(state, side))
  }

  /** For everything, and for the account. */
  saidOf(account: AccountId): readonly SaidState[] {
    return [this.#states.said(WHOLE), this.#states.said({ account, strategy: '' })]
  }

  /** Rises with everything that is said about the account or one of its strategies. */
  versionOf(account: AccountId): number {
    return this.#states.versionOf(account)
  }

  said(scope: Scope): SaidState {
    return this.#states.said(scope)
  }

  strategiesOf(account: AccountId): Iterable<readonly [string, SaidState]> {
    return this.#states.strategiesOf(account)
  }

  own(account: AccountId): OwnState {
    return this.#states.own(account)
  }

  isHeldFor(cause: string): boolean {
    return this.#states.holdsOf('').some((hold) => hold.cause === cause)
  }

  heldInstruments(account: AccountId): readonly Hold[] {
    return this.#states.holdsOf(account).filter(({ instrument }) => instrument !== undefined)
  }

  holdsBy(isCause: (cause: string) => boolean): readonly Hold[] {
    return this.#states.holdsOf('').filter(({ cause }) => isCause(cause))
  }

  heldBy(cause: string, account: AccountId): readonly Hold[] {
    return this.#states.holdsOf(account).filter((hold) => hold.cause === cause)
  }

  /** Said by a person. Returns what stands. */
  halt(scope: Scope, asked: Halted, reason: string, by: string): Halted {
    const state = standsAfter(this.#states.said(scope).state, asked)
    if (state !== asked) return state
    this.#options.store.transact((turn) => this.#say(scope, { state, reason, by }, turn), 'durable')
    this.#options.onChange()
    return state
  }

  /** By a person. For accounts, it also lifts what JTS holds them for until a person says so. */
  resume(scope: Scope, by: string): void {
    this.#options.store.transact((turn) => {
      const held = scope.strategy === '' ? this.#states.holdsOf(scope.account) : []
      for (const hold of held) if (hold.liftedBy === 'person') this.lift(hold, turn)
      this.#say(scope, { state: 'active', reason: '', by }, turn)
    }, 'durable')
    this.#options.onChange()
  }

  hold(hold: Hold, turn: Turn): void {
    const before = this.#states.own(hold.account)
    if (!this.#states.hold(hold)) return
    turn.put(holds, { ...keyOf(hold), hold: JSON.stringify(hold) })
    if (isNews(before, this.#states.own(hold.account))) this.#tell(hold.account, turn)
  }

  lift(hold: Pick<Hold, 'account' | 'cause' | 'instrument'>, turn: Turn): void {
    const before = this.#states.own(hold.account)
    if (!this.#states.lift(hold)) return
    turn.remove(holds, keyOf(hold))
    if (isNews(before, this.#states.own(hold.account))) this.#tell(hold.account, turn)
  }

  #say(scope: Scope, said: Pick<SaidState, 'state' | 'reason' | 'by'>, turn: Turn): void {
    const { account, strategy } = scope
    const before = this.#states.said(scope).version
    if (account !== '' && strategy === '') {
      this.#states.say(scope, { ...said, version: before })
      return this.#tell(account as AccountId, turn)
    }
    const { state, reason, by } = said
    const version = before + 1
    this.#states.say(scope, { ...said, version })
    if (strategy !== '') {
      turn.put(strategyStates, { account, strategy, state, version, reason, changed_by: by })
      return this.#publish(account as AccountId, 'strategy', { ...said, version, code: '' }, turn, strategy)
    }
    turn.put(tradingStates, { account: '', state, version, reason, changed_by: by })
    for (const one of this.#options.accounts) this.#publish(one, 'whole', { ...said, version, code: '' }, turn)
  }

  /** What the account's own state is now. */
  #tell(account: AccountId, turn: Turn): void {
    const scope = { account, strategy: '' }
    const said = this.#states.said(scope)
    const version = said.version + 1
    this.#states.say(scope, { ...said, version })
    turn.put(tradingStates, { account, state: said.state, version, reason: said.reason, changed_by: said.by })
    this.#publish(account, 'account', { ...this.#states.own(account), version }, turn)
  }

  #publish(
    account: AccountId,
    scope: 'whole' | 'account' | 'strategy',
    said: OwnState & { version: number },
    turn: Turn,
    strategy = '',
  ): void {
    const { state, version, reason, by, code: reasonCode } = said
    const whose = { whole: scope, account, strategy: `${account}/${strategy}` }[scope]
    turn.publish('orders.events', {
      type: 'TradingStateChanged',
      stream: account,
      account,
      correlationId: `trading-state/${whose}/${version}`,
      causationId: '',
      timeEventUs: this.#options.marketClock.nowUs(),
      payload: { scope, strategy, state, version, reason, by, reasonCode },
    })
  }
}

function isNews(before: OwnState, now: OwnState): boolean {
  return before.state !== now.state || before.reason !== now.reason
}

function keyOf({ account, cause, instrument }: Pick<Hold, 'account' | 'cause' | 'instrument'>) {
  return { account, cause, instrument: instrument ?? '' }
}
