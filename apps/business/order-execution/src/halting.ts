/** A person's halt and resume, of everything, an account or one strategy: what is said, what is cancelled, and what is left of it. */
import { RpcError } from '@jts/contracts'
import type { HaltRequest, HaltResponse } from '@jts/contracts/orders-api'
import type { AccountId, StrategyInstanceId } from '@jts/model'
import type { WallClock } from '@jts/runtime'
import type { Store } from '@jts/transport'
import type { AccountExecution } from './account-execution.ts'
import { isStoppedIn, isWithin, type Halted, type Scope } from './domain/account-states.ts'
import type { OrderRecord, OrderTermsRecord } from './domain/order-record.ts'
import type { TradingStates } from './trading-states.ts'

export type HaltingOptions = {
  readonly store: Store
  readonly wallClock: WallClock
  readonly states: TradingStates
  readonly executions: ReadonlyMap<AccountId, AccountExecution>
  readonly accounts: readonly { readonly account: AccountId; readonly strategies: readonly StrategyInstanceId[] }[]
}

/** A venue mostly answers at once; one that does not is no reason to keep a person waiting: what it has not said counts as open. */
const CANCELLED_WITHIN_MS = 2000

/** Of an order that is cancelled at the venue, or was taken back before it was sent. */
const GONE: ReadonlySet<string> = new Set(['cancelled', 'denied'])

export class Halting {
  readonly #options: HaltingOptions

  constructor(options: HaltingOptions) {
    this.#options = options
  }

  /**
   * Answers when sends in flight have ended and what was open is cancelled, as far as the venue says so in time; survives restarts; only
   * a person lifts it.
   */
  async halt(request: HaltRequest): Promise<HaltResponse> {
    const { store, states, executions } = this.#options
    const scope = this.#scopeOf(request)
    const asked = haltState(request.state)
    const state = states.halt(scope, asked, request.reason || `${asked} by a person`, request.by || 'person')
    await store.durable()
    const isWhole = scope.strategy === '' && asked === 'halted'
    const meant = [...executions.values()].filter(({ account }) => scope.account === '' || scope.account === account)
    // Each by itself: a broker that does not answer keeps nothing open at another.
    const counts = await Promise.all(
      meant.map((execution) => {
        const isMeant = ({ terms: { strategy, side } }: OrderRecord): boolean =>
          isWithin(scope, execution.account, strategy) && isStoppedIn(state, side)
        return this.#cancelled(execution, isMeant, isWhole)
      }),
    )
    const cancelled = counts.reduce((sum, count) => sum + count, 0)
    const view = this.#view(scope, cancelled, ({ side }) => isStoppedIn(state, side))
    return state === asked ? view : { ...view, message: stillHalted(view.message) }
  }

  async resume(asked: Scope, by: string): Promise<HaltResponse> {
    const { store, states } = this.#options
    const scope = this.#scopeOf(asked)
    states.resume(scope, by || 'person')
    await store.durable()
    return this.#view(scope, 0)
  }

  /** What a halt could not cancel when it was said, because nobody was there to do it. */
  async cancelLeft(execution: AccountExecution): Promise<void> {
    const { states } = this.#options
    const { account } = execution
    const isMeant = ({ terms }: OrderRecord): boolean => states.isStopped(account, terms)
    const isHalted = states.isHalted(account)
    if (!isHalted && !execution.openOrders.some(isMeant)) return
    await this.#cancelOpen(execution, isMeant)
    if (isHalted) await execution.cancelAdopted()
  }

  /** @throws RpcError for an account that is none; empty is all of them */
  checkAccount(account: string): void {
    const { executions } = this.#options
    if (account === '' || executions.has(account as AccountId)) return
    const known = [...executions.keys()].join(', ')
    throw new RpcError('NOT_FOUND', `account: expected one of ${known}, found ${JSON.stringify(account)}`)
  }

  /** How many the venue has cancelled in time, or were taken back; adopted orders belong to no strategy. */
  async #cancelled(
    execution: AccountExecution,
    isMeant: (record: OrderRecord) => boolean,
    withAdopted: boolean,
  ): Promise<number> {
    let adopted = 0
    const open = await this.#cancelOpen(execution, isMeant)
    await this.#options.store.durable()
    const adoptedEnded = withAdopted ? execution.cancelAdopted().then((count) => (adopted = count)) : undefined
    await this.#inTime(Promise.all([execution.cancelsEnded(open), adoptedEnded]))
    return adopted + open.filter(({ life }) => GONE.has(life.status)).length
  }

  /**
   * Returns what was open: at once, but for a send in flight, which is waited for. An unknown order is cancelled once it is known; until
   * then it counts as unknown.
   */
  async #cancelOpen(
    execution: AccountExecution,
    isMeant: (record: OrderRecord) => boolean,
  ): Promise<readonly OrderRecord[]> {
    const cancel = (records: readonly OrderRecord[]): readonly OrderRecord[] => {
      for (const record of records) this.#options.store.transact((turn) => execution.cancel(record, turn))
      return records
    }
    const atOnce = cancel(execution.openOrders.filter((record) => isMeant(record) && !record.isUnsettled))
    await execution.sendsEnded(isMeant)
    return [...new Set([...atOnce, ...cancel(execution.openOrders.filter(isMeant))])]
  }

  async #inTime(ended: Promise<unknown>): Promise<void> {
    let timer: { cancel(): void } | undefined
    const late = new Promise<void>((resolve) => {
      timer = this.#options.wallClock.after(CANCELLED_WITHIN_MS, resolve)
    })
    await Promise.race([ended, late])
    timer?.cancel()
  }

  /** Counts what is left of the orders that a halt was to cancel; of all, where nothing was to be. */
  #view(scope: Scope, cancelled: number, isMeant: (terms: OrderTermsRecord) => boolean = () => true): HaltResponse {
    const { states, executions } = this.#options
    const records = [...executions.values()].flatMap(({ account, openOrders }) =>
      openOrders.filter(({ terms }) => isWithin(scope, account, terms.strategy) && isMeant(terms)),
    )
    const unknown = records.filter((record) => record.isUnsettled).length
    const isAccount = scope.account !== '' && scope.strategy === ''
    const { state, reason } = isAccount ? states.own(scope.account as AccountId) : states.said(scope)
    return { state, cancelled, unknown, open: records.length, message: reason }
  }

  /**
   * A strategy's account need not be named. Where it is, the strategy may have left the configuration since its halt was written:
   * it is halted when it is back. @throws RpcError for one that is not there
   */
  #scopeOf({ account, strategy }: Scope): Scope {
    this.checkAccount(account)
    if (strategy === '' || account !== '') return { account, strategy }
    const { accounts: known } = this.#options
    const found = known.find(({ strategies }) => strategies.includes(strategy as StrategyInstanceId))
    if (found !== undefined) return { account: found.account, strategy }
    const names = known.flatMap(({ strategies }) => strategies).join(', ') || 'no strategy at all'
    throw new RpcError('NOT_FOUND', `strategy: expected one of ${names}, found ${JSON.stringify(strategy)}`)
  }
}

/** @throws RpcError for another word than a halt's */
function haltState(state: string): Halted {
  if (state === '' || state === 'halted') return 'halted'
  if (state === 'reducing') return state
  throw new RpcError('INVALID_ARGUMENT', `state: expected halted or reducing, found ${JSON.stringify(state)}`)
}

function stillHalted(reason: string): string {
  return `it stays halted (${reason}): a halt that only reduces lets nothing through that a person has halted`
}
