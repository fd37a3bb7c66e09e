/**
 * Order execution (D): hears approved signals, speaks to the brokers, says everything that happens to an order on
 * orders.events. One `AccountExecution` an account does the work, `Halting` what a person says, `AccountHolds` what JTS itself
 * holds an account for; this file wires them.
 */
import type { BrokerPort, PlaceOutcome } from '@jts/broker-kit'
import { RpcError, type BusEvent, type OrderExecutionApi } from '@jts/contracts'
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
import type { AccountId, Hold, InstrumentId, SignalId, StrategyInstanceId, TradingState } from '@jts/model'
import type { Activity, HeartbeatTimes, Logger, MarketClock, WallClock } from '@jts/runtime'
import type { Bus, Store, Turn } from '@jts/transport'
import { AccountExecution } from './account-execution.ts'
import { AccountHolds } from './account-holds.ts'
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
import { WHOLE } from './domain/account-states.ts'
import type { ForeignOrders } from './domain/foreign-orders.ts'
import type { OrderTermsRecord } from './domain/order-record.ts'
import { Halting } from './halting.ts'
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
  readonly #holds: AccountHolds
  readonly #halting: Halting
  readonly #comparisons: Comparisons | undefined
  #timer: { cancel(): void } | undefined
  #stopListening: () => void = () => undefined
  #restored = false

  constructor(options: OrderExecutionOptions) {
    this.#options = options
    const accounts = options.accounts.map(({ account }) => account)
    this.states = new TradingStates({
      store: options.store,
      marketClock: options.marketClock,
      accounts,
      onChange: () => this.#applyGates(),
    })
    const { states } = this
    this.#holds = new AccountHolds({ ...options, accounts, states, heartbeats: options.heartbeats })
    this.#halting = new Halting({ ...options, states, executions: this.#executions })
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
    this.#holds.start()
    this.#comparisons?.start()
    return Promise.resolve()
  }

  /** What a halt could not cancel when it was said, because nobody was there to do it, is cancelled now. */
  begin(execution: AccountExecution): void {
    execution.start()
    this.#halting
      .cancelLeft(execution)
      .catch((error: unknown) =>
        this.#options.log.error({ account: execution.account, err: error }, 'what is open could not be cancelled'),
      )
  }

  async stop(): Promise<void> {
    this.#timer?.cancel()
    this.#holds.stop()
    this.#comparisons?.stop()
    this.#stopListening()
    for (const execution of this.#executions.values()) {
      await execution.sendsEnded()
      await execution.stop()
    }
  }

  handle(event: BusEvent, turn: Turn): void {
    if (!this.#restored) throw new Error('order execution is restored before it reads the log')
    this.#holds.hear(event, turn)
    if (event.type === 'ApprovedSignal') this.execution(event.stream as AccountId).approve(event, turn)
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

  halt(request: HaltRequest): Promise<HaltResponse> {
    return this.#halting.halt(request)
  }

  resume({ account, by }: ResumeRequest): Promise<HaltResponse> {
    return this.#halting.resume({ account, strategy: '' }, by)
  }

  async resumeStrategy(request: ResumeStrategyRequest): Promise<HaltResponse> {
    if (request.strategy === '') throw new RpcError('INVALID_ARGUMENT', 'strategy: expected one, found none')
    return await this.#halting.resume(request, request.by)
  }

  async adjustBalance(request: AdjustBalanceRequest): Promise<AdjustBalanceResponse> {
    if (request.account === '') throw new RpcError('INVALID_ARGUMENT', 'account: expected one, found none')
    this.#halting.checkAccount(request.account)
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
