/**
 * Order execution (D): hears approved signals, speaks to the brokers, says everything that happens to an order on
 * orders.events. One `AccountExecution` an account does the work; this file wires them, and holds the trading state.
 */
import type { BrokerPort, PlaceOutcome } from '@jts/broker-kit'
import {
  partitionOf,
  RpcError,
  TOPICS,
  type BusEvent,
  type BusEventOf,
  type OrderExecutionApi,
  type Topic,
} from '@jts/contracts'
import type {
  AdjustBalanceRequest,
  AdjustBalanceResponse,
  CancelOrderRequest,
  CancelOrderResponse,
  GetTradingStateRequest,
  HaltRequest,
  HaltResponse,
  ListOrdersRequest,
  ListOrdersResponse,
  ResumeRequest,
  ResumeStrategyRequest,
  TradingState as TradingStateView,
} from '@jts/contracts/orders-api'
import type { AccountId, Hold, HoldCode, InstrumentId, SignalId, StrategyInstanceId, TradingState } from '@jts/model'
import type { Activity, HeartbeatTimes, Logger, MarketClock, WallClock } from '@jts/runtime'
import { Heartbeats, type Bus, type Store, type Turn } from '@jts/transport'
import { AccountExecution } from './account-execution.ts'
import {
  accounts,
  adjustments,
  fills,
  foreignOrders,
  holds,
  ordersClosed,
  ordersOpen,
  strategyStates,
  tradingStates,
} from './adapters/tables.ts'
import { Comparisons, type ComparisonTimes } from './comparisons.ts'
import { isStoppedIn, isWithin, WHOLE, type Halted, type Scope } from './domain/account-states.ts'
import type { ForeignOrders } from './domain/foreign-orders.ts'
import type { OrderRecord, OrderTermsRecord } from './domain/order-record.ts'
import { TradingStates } from './trading-states.ts'

export type OrderExecutionOptions = {
  readonly store: Store
  readonly bus: Bus
  readonly marketClock: MarketClock
  readonly wallClock: WallClock
  readonly activity: Activity
  readonly log: Logger
  readonly accounts: readonly {
    readonly account: AccountId
    readonly broker: BrokerPort
    readonly instruments: readonly InstrumentId[]
    /** Instances that trade it, each of which a person may halt alone. */
    readonly strategies: readonly StrategyInstanceId[]
    readonly foreignOrders?: ForeignOrders | undefined
  }[]
  /** Wall time from an intent to the last moment at which it may be written to the wire, µs (2 s; a replay has longer). */
  readonly sendWindowUs: number
  /** Market time without a word about an open order after which the venue is asked, µs. */
  readonly quietMarketOrderUs: number
  readonly quietOrderUs: number
  /**
   * While risk is silent, every account may only reduce. Without it, nobody is listened for: a replay in lock-step releases
   * nothing while the conductor's link is down.
   */
  readonly heartbeats?: HeartbeatTimes
  /** How often every account is compared with its broker. Without it, whoever calls `reconcile` says when: a replay at its end. */
  readonly comparisons?: ComparisonTimes
  readonly onSent?: (order: OrderTermsRecord) => string | undefined
  readonly onAnswered?: (order: OrderTermsRecord, outcome: PlaceOutcome['kind']) => void
}

export type FillRow = {
  readonly account: string
  readonly instrument: string
  readonly trade_id: string
  readonly strategy: string
  readonly side: string
  readonly quantity: string
  readonly price: string
  readonly fee: string
  readonly fee_currency: string
  readonly time_us: number
  readonly order_id: string
  readonly liquidity: string
}

export type StartOptions = { readonly except?: (account: AccountId) => boolean }

export type OrderExecution = {
  readonly api: OrderExecutionApi
  /**
   * Reads what is on disk; before the bus starts, because an approval that the log still holds would otherwise be read
   * twice: from the log and from the row that it became.
   */
  restore(): Promise<void>
  /** Listens to the brokers and sends; after the bus has started. Accounts left out begin with `startAccount`. */
  start(options?: StartOptions): Promise<void>
  startAccount(account: AccountId): void
  stop(): Promise<void>
  /** Compares with the venue now; see `AccountExecution.reconcile`. False when the account would not hold still. */
  reconcile(account: AccountId): Promise<boolean>
  /** Every fill booked, oldest first within its account and instrument. */
  fills(): Promise<readonly FillRow[]>
  tradingState(account: AccountId): TradingState
  /** Denies an account's new orders except those that reduce, until the cause is gone or a person says so. */
  hold(hold: Hold): void
}

/** How often the wall clock looks for open orders that the venue has been silent about. */
const QUIET_CHECK_MS = 1000
const RISK = 'risk-management'
/** Whoever stands still in one of these knows less of the accounts whose events lie there. */
const ACCOUNT_TOPICS: ReadonlySet<string> = new Set([
  'orders.signals',
  'orders.events',
  'orders.fills',
] satisfies Topic[])
/** Why an account is held while risk is silent. */
const SILENCE = `silence of ${RISK}`

export function createOrderExecution(options: OrderExecutionOptions): OrderExecution {
  options.store.ensure([
    ordersOpen,
    ordersClosed,
    fills,
    adjustments,
    accounts,
    tradingStates,
    strategyStates,
    holds,
    foreignOrders,
  ] as never[])
  const service = new Service(options)
  options.bus.subscribe({
    group: 'order-execution',
    topics: ['orders.signals', 'system.health'],
    handle: (event, turn) => service.handle(event, turn),
  })
  return {
    api: service,
    restore: () => service.restore(),
    start: (given) => service.start(given),
    startAccount: (account) => service.begin(service.execution(account)),
    stop: () => service.stop(),
    reconcile: (account) => service.execution(account).reconcile(),
    fills: () => options.store.all(fills),
    tradingState: (account) => service.states.own(account).state,
    hold: (hold) => options.store.transact((turn) => service.states.hold(hold, turn), 'durable'),
  }
}

class Service implements OrderExecutionApi {
  readonly #options: OrderExecutionOptions
  readonly #executions = new Map<AccountId, AccountExecution>()
  readonly states: TradingStates
  readonly #heartbeats: Heartbeats | undefined
  readonly #comparisons: Comparisons | undefined
  #timer: { cancel(): void } | undefined
  #stopListening: () => void = () => undefined
  #restored = false

  constructor(options: OrderExecutionOptions) {
    this.#options = options
    this.states = new TradingStates({
      store: options.store,
      marketClock: options.marketClock,
      accounts: options.accounts.map(({ account }) => account),
      onChange: () => this.#applyGates(),
    })
    this.#heartbeats = options.heartbeats && this.#heartbeatsOf(options.heartbeats)
    this.#comparisons = options.comparisons && this.#comparisonsOf(options.comparisons)
    for (const { account, broker, instruments, foreignOrders } of options.accounts) {
      const { store, marketClock, wallClock, activity, log, sendWindowUs, quietMarketOrderUs, quietOrderUs } = options
      this.#executions.set(
        account,
        new AccountExecution({
          account,
          broker,
          instruments,
          store,
          marketClock,
          wallClock,
          activity,
          log,
          sendWindowUs,
          quietMarketOrderUs,
          quietOrderUs,
          tradingState: (instrument, strategy) => this.states.ofOrder(account, instrument, strategy),
          ...(foreignOrders === undefined ? {} : { foreignOrders }),
          onForeign: (reason, turn) =>
            this.states.hold(
              { account, cause: 'foreign order', code: 'FOREIGN_ORDER', reason, liftedBy: 'person' },
              turn,
            ),
          tradingStateVersion: () => this.states.versionOf(account),
          ...(options.onSent === undefined ? {} : { onSent: options.onSent }),
          ...(options.onAnswered === undefined ? {} : { onAnswered: options.onAnswered }),
        }),
      )
    }
  }

  async restore(): Promise<void> {
    await this.states.restore()
    for (const execution of this.#executions.values()) await execution.restore()
    this.#restored = true
  }

  start({ except = () => false }: StartOptions = {}): Promise<void> {
    if (!this.#restored) throw new Error('order execution is restored before it starts')
    for (const execution of this.#executions.values()) if (!except(execution.account)) this.begin(execution)
    this.#stopListening = this.#options.marketClock.onAdvance((nowUs) => this.#checkQuiet(nowUs))
    this.#tick()
    this.#heartbeats?.start(this.states.isHeldFor(SILENCE) ? [RISK] : [])
    this.#comparisons?.start()
    return Promise.resolve()
  }

  /** What a halt could not cancel when it was said, because nobody was there to do it, is cancelled now. */
  begin(execution: AccountExecution): void {
    execution.start()
    const { account } = execution
    const isMeant = ({ terms }: OrderRecord): boolean => this.states.isStopped(account, terms)
    const isHalted = this.states.isHalted(account)
    if (!isHalted && !execution.openOrders.some(isMeant)) return
    this.#cancelOpen(execution, isMeant, isHalted).catch((error: unknown) =>
      this.#options.log.error({ account, err: error }, 'what is open could not be cancelled'),
    )
  }

  async stop(): Promise<void> {
    this.#timer?.cancel()
    this.#heartbeats?.stop()
    this.#comparisons?.stop()
    this.#stopListening()
    for (const execution of this.#executions.values()) {
      await execution.sendsEnded()
      await execution.stop()
    }
  }

  handle(event: BusEvent, turn: Turn): void {
    if (!this.#restored) throw new Error('order execution is restored before it reads the log')
    this.#heartbeats?.hear(event, turn)
    if (event.type === 'Heartbeat') this.#onHeartbeat(event, turn)
    else if (event.type === 'LogStopped') this.#onLogStopped(event, turn)
    else if (event.type === 'LogResumed') this.#onLogResumed(event, turn)
    else if (event.type === 'ApprovedSignal') this.execution(event.stream as AccountId).approve(event, turn)
    else if (event.type === 'StrategyBarred') this.#onBarred(event, turn)
    else if (event.type === 'StrategyStarted') this.states.lift(barredHold(event.payload), turn)
    else if (event.type === 'CancelRequested') {
      this.execution(event.stream as AccountId).cancelSignal(event.payload.signalId as SignalId, turn)
    }
  }

  execution(account: AccountId): AccountExecution {
    const execution = this.#executions.get(account)
    if (execution === undefined) {
      throw new Error(`expected an account of ${[...this.#executions.keys()].join(', ')}, found ${account}`)
    }
    return execution
  }

  listOrders(request: ListOrdersRequest): Promise<ListOrdersResponse> {
    const asked = [...this.#executions.values()].filter(
      (execution) => request.account === '' || execution.account === request.account,
    )
    if (request.orderId !== '') {
      const found = asked.flatMap((execution) => execution.viewOf(request.orderId) ?? [])
      return Promise.resolve({ orders: found })
    }
    const orders = asked.flatMap((execution) => execution.views(request.openOnly)).sort((a, b) => b.timeUs - a.timeUs)
    return Promise.resolve({ orders: request.limit === 0 ? orders : orders.slice(0, request.limit) })
  }

  async cancelOrder(request: CancelOrderRequest): Promise<CancelOrderResponse> {
    for (const execution of this.#executions.values()) {
      const record = execution.find(request.orderId)
      if (record === undefined) continue
      const accepted = this.#options.store.transact((turn) => execution.cancel(record, turn))
      await this.#options.store.durable()
      return { accepted, message: accepted ? '' : `the order is ${record.life.status}` }
    }
    throw new RpcError(
      'NOT_FOUND',
      `order_id: expected an open order, found none with ${JSON.stringify(request.orderId)}`,
    )
  }

  /** Answers when sends in flight have ended; cancels what is open; survives restarts; only a person lifts it. */
  async halt(request: HaltRequest): Promise<HaltResponse> {
    const scope = this.#scopeOf(request)
    const asked = haltState(request.state)
    const state = this.states.halt(scope, asked, request.reason || `${asked} by a person`, request.by || 'person')
    await this.#options.store.durable()
    const isWhole = scope.strategy === '' && asked === 'halted'
    let cancelled = 0
    for (const execution of this.#executions.values()) {
      const { account } = execution
      const isMeant = ({ terms: { strategy, side } }: OrderRecord): boolean =>
        isWithin(scope, account, strategy) && isStoppedIn(state, side)
      if (scope.account === '' || scope.account === account) {
        cancelled += await this.#cancelOpen(execution, isMeant, isWhole)
      }
    }
    await this.#options.store.durable()
    const view = this.#haltView(scope, cancelled, ({ side }) => isStoppedIn(state, side))
    return state === asked ? view : { ...view, message: stillHalted(view.message) }
  }

  resume({ account, by }: ResumeRequest): Promise<HaltResponse> {
    return this.#resume({ account, strategy: '' }, by)
  }

  async resumeStrategy(request: ResumeStrategyRequest): Promise<HaltResponse> {
    if (request.strategy === '') throw new RpcError('INVALID_ARGUMENT', 'strategy: expected one, found none')
    return await this.#resume(request, request.by)
  }

  async adjustBalance(request: AdjustBalanceRequest): Promise<AdjustBalanceResponse> {
    if (request.account === '') throw new RpcError('INVALID_ARGUMENT', 'account: expected one, found none')
    this.#checkAccount(request.account)
    return await this.execution(request.account as AccountId).bookDifference(request)
  }

  getTradingState(_request: GetTradingStateRequest): Promise<TradingStateView> {
    const { state, version, reason } = this.states.said(WHOLE)
    const accounts = [...this.#executions.keys()].flatMap((account) => {
      const own = this.states.own(account)
      const held = this.states.heldInstruments(account)
      return [
        { account, instrument: '', state: own.state, reasonCode: own.code, reason: own.reason },
        ...held.map(({ instrument = '', code, reason }) => ({
          account,
          instrument,
          state: 'reducing',
          reasonCode: code,
          reason,
        })),
      ]
    })
    const strategies = [...this.#executions.keys()].flatMap((account) =>
      [...this.states.strategiesOf(account)].map(([strategy, said]) => ({
        ...{ strategy, account, state: said.state },
        ...{ reason: said.reason, version: said.version },
      })),
    )
    return Promise.resolve({ state, version, reason, accounts, strategies })
  }

  async #resume(asked: Scope, by: string): Promise<HaltResponse> {
    const scope = this.#scopeOf(asked)
    this.states.resume(scope, by || 'person')
    await this.#options.store.durable()
    return this.#haltView(scope, 0)
  }

  /** Returns how many were cancelled or are about to be; adopted orders belong to no strategy. */
  async #cancelOpen(
    execution: AccountExecution,
    isMeant: (record: OrderRecord) => boolean,
    withAdopted: boolean,
  ): Promise<number> {
    let cancelled = 0
    await execution.sendsEnded(isMeant)
    for (const record of execution.openOrders.filter(isMeant)) {
      const { isUnsettled } = record
      const accepted = this.#options.store.transact((turn) => execution.cancel(record, turn))
      // An unknown order is cancelled once it is known; until then it counts as unknown.
      if (accepted && !isUnsettled) cancelled++
    }
    return cancelled + (withAdopted ? await execution.cancelAdopted() : 0)
  }

  /** Counts what is left of the orders that a halt was to cancel; of all, where nothing was to be. */
  #haltView(scope: Scope, cancelled: number, isMeant: (terms: OrderTermsRecord) => boolean = () => true): HaltResponse {
    const records = [...this.#executions.values()].flatMap(({ account, openOrders }) =>
      openOrders.filter(({ terms }) => isWithin(scope, account, terms.strategy) && isMeant(terms)),
    )
    const unknown = records.filter((record) => record.isUnsettled).length
    const isAccount = scope.account !== '' && scope.strategy === ''
    const { state, reason } = isAccount ? this.states.own(scope.account as AccountId) : this.states.said(scope)
    return { state, cancelled, unknown, open: records.length, message: reason }
  }

  /**
   * A strategy's account need not be named. Where it is, the strategy may have left the configuration since its halt was written:
   * it is halted when it is back. @throws RpcError for one that is not there
   */
  #scopeOf({ account, strategy }: Scope): Scope {
    this.#checkAccount(account)
    if (strategy === '' || account !== '') return { account, strategy }
    const { accounts: known } = this.#options
    const found = known.find(({ strategies }) => strategies.includes(strategy as StrategyInstanceId))
    if (found !== undefined) return { account: found.account, strategy }
    const names = known.flatMap(({ strategies }) => strategies).join(', ') || 'no strategy at all'
    throw new RpcError('NOT_FOUND', `strategy: expected one of ${names}, found ${JSON.stringify(strategy)}`)
  }

  #checkAccount(account: string): void {
    if (account !== '' && !this.#executions.has(account as AccountId)) {
      throw new RpcError(
        'NOT_FOUND',
        `account: expected one of ${[...this.#executions.keys()].join(', ')}, found ${JSON.stringify(account)}`,
      )
    }
  }

  #applyGates(): void {
    for (const { account, broker } of this.#options.accounts) {
      broker.setGate(this.states.isHalted(account) ? 'halted' : 'open', this.states.versionOf(account))
    }
  }

  #comparisonsOf(times: ComparisonTimes): Comparisons {
    const { store, marketClock, wallClock, log } = this.#options
    const accounts = this.#options.accounts.map(({ account }) => account)
    const compare = (account: AccountId): Promise<boolean> => this.execution(account).reconcile()
    return new Comparisons({ accounts, compare, times, store, marketClock, wallClock, log })
  }

  #heartbeatsOf(times: HeartbeatTimes): Heartbeats {
    const { store, wallClock, log } = this.#options
    const hold = (account: AccountId) =>
      ({ account, cause: SILENCE, code: 'HEARTBEAT_MISSING', liftedBy: 'machine' }) as const
    return new Heartbeats({
      service: 'order-execution',
      store,
      wallClock,
      log,
      times,
      peers: [RISK],
      says: () => ({ accounts: [...this.#executions.keys()] }),
      onMissing: (_, reason, turn) => {
        for (const account of this.#executions.keys()) this.states.hold({ ...hold(account), reason }, turn)
      },
      onBack: (_, turn) => {
        for (const account of this.#executions.keys()) this.states.lift(hold(account), turn)
      },
    })
  }

  /** A strategy that does not come back may have meant anything: a person looks at its account before it risks more. */
  #onBarred({ payload }: BusEventOf<'StrategyBarred'>, turn: Turn): void {
    this.states.hold(
      { ...barredHold(payload), code: 'STRATEGY_STUCK', reason: payload.reason, liftedBy: 'person' },
      turn,
    )
  }

  /** Whoever reads of an account's orders stands still: until it reads on, nobody knows what its books would say of more risk. */
  #onLogStopped({ payload }: BusEventOf<'LogStopped'>, turn: Turn): void {
    const { reader, topic, partition, streams, eventId, reason: why } = payload
    if (!ACCOUNT_TOPICS.has(topic)) return
    const cause = `${logOf(reader)}${topic}/${partition}`
    const reason = `${reader} could not take ${eventId}: ${why}`
    for (const account of this.#executions.keys()) {
      const isThere = partitionOf(account, TOPICS[topic as Topic].partitions) === partition
      if (!isThere || (streams.length > 0 && !streams.includes(account))) continue
      this.states.hold({ account, cause, code: 'LOG_STOPPED', reason, liftedBy: 'machine' }, turn)
    }
  }

  #onLogResumed({ payload }: BusEventOf<'LogResumed'>, turn: Turn): void {
    for (const hold of this.states.holdsBy((cause) => cause.startsWith(logOf(payload.reader)))) {
      this.states.lift(hold, turn)
    }
  }

  /** What risk lets only reduce is said here, where the trading states of the accounts are said. */
  #onHeartbeat({ payload }: BusEventOf<'Heartbeat'>, turn: Turn): void {
    if (payload.service !== RISK) return
    for (const account of this.#executions.keys()) {
      const all = payload.holds.filter((one) => one.account === account)
      // What is held for two things is told of the first.
      const held = all.filter((one, n) => all.findIndex(({ instrument }) => instrument === one.instrument) === n)
      for (const hold of this.states.heldBy(RISK, account)) {
        if (!held.some(({ instrument }) => instrument === (hold.instrument ?? ''))) this.states.lift(hold, turn)
      }
      for (const { instrument, reasonCode, reason } of held) {
        const where = instrument === '' ? {} : { instrument: instrument as InstrumentId }
        const hold = { account, ...where, cause: RISK, code: reasonCode as HoldCode, reason }
        this.states.hold({ ...hold, liftedBy: 'machine' }, turn)
      }
    }
  }

  #tick(): void {
    this.#timer = this.#options.wallClock.after(QUIET_CHECK_MS, () => {
      this.#checkQuiet(this.#options.marketClock.nowUs())
      this.#tick()
    })
  }

  #checkQuiet(nowUs: number): void {
    for (const execution of this.#executions.values()) execution.checkQuiet(nowUs)
  }
}

/** @throws RpcError for another word than a halt's */
function haltState(state: string): Halted {
  if (state === '' || state === 'halted') return 'halted'
  if (state === 'reducing') return state
  throw new RpcError('INVALID_ARGUMENT', `state: expected halted or reducing, found ${JSON.stringify(state)}`)
}

/** Why accounts are held while this reader of the log stands still; the place follows. */
function logOf(reader: string): string {
  return `event log of ${reader} at `
}

function stillHalted(reason: string): string {
  return `it stays halted (${reason}): a halt that only reduces lets nothing through that a person has halted`
}

function barredHold({ account, strategy }: { readonly account: string; readonly strategy: string }) {
  return { account: account as AccountId, cause: `strategy ${strategy}` }
}
