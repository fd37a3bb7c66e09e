/** The trading states on disk and on `orders.events`: a versioned row that every intent's transaction reads. */
import type { AccountId, Hold, InstrumentId, TradingState } from '@jts/model'
import type { MarketClock } from '@jts/runtime'
import type { Store, Turn } from '@jts/transport'
import { holds, tradingStates } from './adapters/tables.ts'
import { AccountStates, type OrderState, type OwnState, type SaidState } from './domain/account-states.ts'

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
      this.#states.say(account, { state: state as TradingState, version, reason, by })
    }
    for (const row of await store.all(holds)) this.#states.hold(JSON.parse(row.hold) as Hold)
    onChange()
  }

  ofOrder(account: AccountId, instrument: InstrumentId): OrderState {
    return this.#states.ofOrder(account, instrument)
  }

  isHalted(account: AccountId): boolean {
    return this.#states.said('').state === 'halted' || this.#states.said(account).state === 'halted'
  }

  /** Of all that has been said for the account and for everything: it rises with each change. */
  versionOf(account: AccountId): number {
    return this.#states.said('').version + this.#states.said(account).version
  }

  said(account: string): { readonly state: TradingState; readonly version: number; readonly reason: string } {
    return this.#states.said(account)
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

  /** Said by a person, for one account or (under '') for everything. */
  say(account: string, state: TradingState, reason: string, by: string): void {
    this.#options.store.transact((turn) => this.#say(account, { state, reason, by }, turn), 'durable')
    this.#options.onChange()
  }

  /** By a person. For everything, it also lifts what JTS holds accounts for until a person says so. */
  resume(account: string, by: string): void {
    this.#options.store.transact((turn) => {
      for (const hold of this.#states.holdsOf(account)) if (hold.liftedBy === 'person') this.lift(hold, turn)
      this.#say(account, { state: 'active', reason: '', by }, turn)
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

  #say(account: string, said: Pick<SaidState, 'state' | 'reason' | 'by'>, turn: Turn): void {
    const version = this.#states.said(account).version
    if (account !== '') {
      this.#states.say(account, { ...said, version })
      return this.#tell(account as AccountId, turn)
    }
    const { state, reason, by } = said
    this.#states.say('', { ...said, version: version + 1 })
    turn.put(tradingStates, { account: '', state, version: version + 1, reason, changed_by: by })
    for (const one of this.#options.accounts)
      this.#publish(one, 'whole', { ...said, version: version + 1, code: '' }, turn)
  }

  /** What the account's own state is now. */
  #tell(account: AccountId, turn: Turn): void {
    const said = this.#states.said(account)
    const version = said.version + 1
    this.#states.say(account, { ...said, version })
    turn.put(tradingStates, { account, state: said.state, version, reason: said.reason, changed_by: said.by })
    this.#publish(account, 'account', { ...this.#states.own(account), version }, turn)
  }

  #publish(account: AccountId, scope: 'whole' | 'account', said: OwnState & { version: number }, turn: Turn): void {
    const { state, version, reason, by, code: reasonCode } = said
    turn.publish('orders.events', {
      type: 'TradingStateChanged',
      stream: account,
      account,
      correlationId: `trading-state/${scope === 'whole' ? scope : account}/${version}`,
      causationId: '',
      timeEventUs: this.#options.marketClock.nowUs(),
      payload: { scope, strategy: '', state, version, reason, by, reasonCode },
    })
  }
}

function isNews(before: OwnState, now: OwnState): boolean {
  return before.state !== now.state || before.reason !== now.reason
}

function keyOf({ account, cause, instrument }: Pick<Hold, 'account' | 'cause' | 'instrument'>) {
  return { account, cause, instrument: instrument ?? '' }
}
