/**
 * Order execution (D): hears approved signals, speaks to the brokers, says everything that happens to an order on
 * orders.events. One `AccountExecution` an account does the work; this file wires them, and holds the trading state.
 */
import type { BrokerPort } from '@jts/broker-kit'
import { RpcError, type BusEvent, type OrderExecutionApi } from '@jts/contracts'
import type {
  CancelOrderRequest,
  CancelOrderResponse,
  GetTradingStateRequest,
  HaltRequest,
  HaltResponse,
  ListOrdersRequest,
  ListOrdersResponse,
  ResumeRequest,
  TradingState as TradingStateView,
} from '@jts/contracts/orders-api'
import type { AccountId, InstrumentId, SignalId, TradingState } from '@jts/model'
import type { Activity, Logger, MarketClock, WallClock } from '@jts/runtime'
import type { Bus, Store, Turn } from '@jts/transport'
import { AccountExecution } from './account-execution.ts'
import { accounts, fills, ordersClosed, ordersOpen, tradingStates } from './adapters/tables.ts'

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
  }[]
  /** Wall time from an intent to the last moment at which it may be written to the wire, µs (2 s; a replay has longer). */
  readonly sendWindowUs: number
  /** Market time without a word about an open order after which the venue is asked, µs. */
  readonly quietMarketOrderUs: number
  readonly quietOrderUs: number
  readonly onSent?: (correlationId: string) => void
  readonly onAnswered?: (correlationId: string) => void
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

export type OrderExecution = {
  readonly api: OrderExecutionApi
  /**
   * Reads what is on disk; before the bus starts, because an approval that the log still holds would otherwise be read
   * twice: from the log and from the row that it became.
   */
  restore(): Promise<void>
  /** Listens to the brokers and sends; after the bus has started. */
  start(): Promise<void>
  stop(): Promise<void>
  /** Compares with the venue now; see `AccountExecution.reconcile`. False when the account would not hold still. */
  reconcile(account: AccountId): Promise<boolean>
  /** Every fill booked, oldest first within its account and instrument. */
  fills(): Promise<readonly FillRow[]>
  /** Denies an account's new orders except those that reduce, because the system has lost its footing. */
  setReducing(account: AccountId, reason: string): void
}

type StateRow = { state: TradingState; version: number; reason: string }

/** How often the wall clock looks for open orders that the venue has been silent about. */
const QUIET_CHECK_MS = 1000

export function createOrderExecution(options: OrderExecutionOptions): OrderExecution {
  options.store.ensure([ordersOpen, ordersClosed, fills, accounts, tradingStates] as never[])
  const service = new Service(options)
  options.bus.subscribe({
    group: 'order-execution',
    topics: ['orders.signals'],
    handle: (event, turn) => service.handle(event, turn),
  })
  return {
    api: service,
    restore: () => service.restore(),
    start: () => service.start(),
    stop: () => service.stop(),
    reconcile: (account) => service.execution(account).reconcile(),
    fills: () => options.store.all(fills),
    setReducing: (account, reason) => service.setReducing(account, reason),
  }
}

class Service implements OrderExecutionApi {
  readonly #options: OrderExecutionOptions
  readonly #executions = new Map<AccountId, AccountExecution>()
  /** By account; '' is everything. */
  readonly #states = new Map<string, StateRow>()
  #timer: { cancel(): void } | undefined
  #stopListening: () => void = () => undefined
  #restored = false

  constructor(options: OrderExecutionOptions) {
    this.#options = options
    for (const { account, broker, instruments } of options.accounts) {
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
          tradingState: () => this.#stateOf(account),
          ...(options.onSent === undefined ? {} : { onSent: options.onSent }),
          ...(options.onAnswered === undefined ? {} : { onAnswered: options.onAnswered }),
        }),
      )
    }
  }

  async restore(): Promise<void> {
    for (const row of await this.#options.store.all(tradingStates)) {
      this.#states.set(row.account, { state: row.state as TradingState, version: row.version, reason: row.reason })
    }
    this.#applyGates()
    for (const execution of this.#executions.values()) await execution.restore()
    this.#restored = true
  }

  start(): Promise<void> {
    if (!this.#restored) throw new Error('order execution is restored before it starts')
    for (const execution of this.#executions.values()) execution.start()
    this.#stopListening = this.#options.marketClock.onAdvance((nowUs) => this.#checkQuiet(nowUs))
    this.#tick()
    return Promise.resolve()
  }

  async stop(): Promise<void> {
    this.#timer?.cancel()
    this.#stopListening()
    for (const execution of this.#executions.values()) {
      await execution.sendsEnded()
      await execution.stop()
    }
  }

  handle(event: BusEvent, turn: Turn): void {
    if (!this.#restored) throw new Error('order execution is restored before it reads the log')
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
    const orders = [...this.#executions.values()]
      .filter((execution) => request.account === '' || execution.account === request.account)
      .flatMap((execution) => execution.views(request.openOnly))
      .sort((a, b) => b.timeUs - a.timeUs)
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
    this.#checkAccount(request.account)
    this.setState(request.account, 'halted', request.reason || 'halted by a person', request.by || 'person')
    this.#applyGates()
    await this.#options.store.durable()
    const affected = [...this.#executions.values()].filter(
      (execution) => request.account === '' || execution.account === request.account,
    )
    let cancelled = 0
    for (const execution of affected) {
      await execution.sendsEnded()
      for (const record of execution.openOrders) {
        const { isUnsettled } = record
        const accepted = this.#options.store.transact((turn) => execution.cancel(record, turn))
        // An unknown order is cancelled once it is known; until then it counts as unknown.
        if (accepted && !isUnsettled) cancelled++
      }
    }
    await this.#options.store.durable()
    return this.#haltView(request.account, cancelled)
  }

  async resume(request: ResumeRequest): Promise<HaltResponse> {
    this.#checkAccount(request.account)
    this.setState(request.account, 'active', '', request.by || 'person')
    this.#applyGates()
    await this.#options.store.durable()
    return this.#haltView(request.account, 0)
  }

  getTradingState(_request: GetTradingStateRequest): Promise<TradingStateView> {
    const { state, version, reason } = this.#states.get('') ?? { state: 'active', version: 0, reason: '' }
    return Promise.resolve({ state, version, reason })
  }

  /** A halt is stricter, and only a person lifts it. */
  setReducing(account: AccountId, reason: string): void {
    if (this.#states.get(account)?.state !== 'halted') this.setState(account, 'reducing', reason, 'jts')
  }

  setState(account: string, state: TradingState, reason: string, by: string): void {
    const version = (this.#states.get(account)?.version ?? 0) + 1
    this.#options.store.transact((turn) => {
      turn.put(tradingStates, { account, state, version, reason, changed_by: by })
      this.#states.set(account, { state, version, reason })
      for (const execution of this.#executions.values()) {
        if (account !== '' && execution.account !== account) continue
        turn.publish('orders.events', {
          type: 'TradingStateChanged',
          stream: execution.account,
          account: execution.account,
          correlationId: `trading-state/${account || 'whole'}/${version}`,
          causationId: '',
          timeEventUs: this.#options.marketClock.nowUs(),
          payload: { scope: account === '' ? 'whole' : 'account', strategy: '', state, version, reason, by },
        })
      }
    }, 'durable')
  }

  #haltView(account: string, cancelled: number): HaltResponse {
    const executions = [...this.#executions.values()].filter((one) => account === '' || one.account === account)
    const records = executions.flatMap((execution) => execution.openOrders)
    const unknown = records.filter((record) => record.isUnsettled).length
    const state = this.#states.get(account)?.state ?? 'active'
    return { state, cancelled, unknown, open: records.length, message: this.#states.get(account)?.reason ?? '' }
  }

  #checkAccount(account: string): void {
    if (account !== '' && !this.#executions.has(account as AccountId)) {
      throw new RpcError(
        'NOT_FOUND',
        `account: expected one of ${[...this.#executions.keys()].join(', ')}, found ${JSON.stringify(account)}`,
      )
    }
  }

  #stateOf(account: AccountId): TradingState {
    const whole = this.#states.get('')?.state ?? 'active'
    const own = this.#states.get(account)?.state ?? 'active'
    if (whole === 'halted' || own === 'halted') return 'halted'
    return whole === 'reducing' || own === 'reducing' ? 'reducing' : 'active'
  }

  #applyGates(): void {
    for (const { account, broker } of this.#options.accounts) {
      broker.setGate(this.#stateOf(account) === 'halted' ? 'halted' : 'open')
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
