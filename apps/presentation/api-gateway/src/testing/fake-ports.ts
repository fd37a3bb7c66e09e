/** A small made-up trading system behind the gateway's ports, for tests and for working on the screen without a market. */
import type { Side } from '@jts/model/bars'
import type { Mode } from '@jts/model/ids'
import { GatewayError } from '../problems.ts'
import type {
  AccountView,
  AdjustmentView,
  AdjustRequestView,
  CandleView,
  CollectionView,
  CollectRequestView,
  DecisionView,
  FillView,
  GatewayPorts,
  GatewayUpdate,
  HaltState,
  HaltView,
  OrderView,
  PortfolioView,
  StatusView,
  StrategyHaltView,
  StrategyView,
  TradingState,
} from '../ports.ts'
import { FakeAccounts } from './fake-accounts.ts'
import { FakeCollections } from './fake-collections.ts'
import { FakeMarkets, MARKETS, START_US } from './fake-markets.ts'
import { FakeOrders } from './fake-orders.ts'

export class FakePorts implements GatewayPorts {
  readonly listeners = new Set<(update: GatewayUpdate) => void>()
  /** Shown of every account. */
  accountChanges: Partial<AccountView> = {}
  readonly commands: {
    command: 'halt' | 'resume' | 'adjust'
    by: string
    reason?: string
    state?: HaltState
    instance?: string
  }[] = []
  /** By instance. */
  readonly strategyStates = new Map<string, Pick<StrategyView, 'state' | 'tradingState' | 'tradingStateReason'>>()
  readonly mode: Mode
  tradingState: TradingState = 'active'
  accountStates: StatusView['accountStates'] = []
  /** Makes every question fail, as a dead service would. */
  failure: Error | undefined
  readonly #markets: FakeMarkets
  readonly #accounts: FakeAccounts
  readonly #collections = new FakeCollections((update) => this.emit(update))
  readonly #orders: FakeOrders

  constructor(options: { mode?: Mode; seed?: number; empty?: boolean } = {}) {
    this.mode = options.mode ?? 'sim'
    const { seed = 7, empty = false } = options
    this.#markets = new FakeMarkets({ seed, empty, emit: (update) => this.emit(update) })
    this.#accounts = new FakeAccounts(this.mode, this.#markets)
    this.#orders = new FakeOrders(this.#markets, this.#accounts, (update) => this.emit(update))
    if (!empty) this.#orders.begin()
  }

  subscribe(listener: (update: GatewayUpdate) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  emit(update: GatewayUpdate): void {
    for (const listener of this.listeners) listener(update)
  }

  async status(): Promise<StatusView> {
    if (this.failure) throw this.failure
    return this.statusNow()
  }

  statusNow(): StatusView {
    const waiting = this.#orders.waiting()
    return {
      mode: this.mode,
      version: '0.1.0',
      tradingState: this.tradingState,
      accountStates: this.accountStates,
      ...(this.tradingState === 'halted' ? { tradingStateReason: this.commands.at(-1)?.reason ?? 'halted' } : {}),
      startedAtUs: START_US,
      marketTimeUs: this.#markets.last('BINANCE:BTCUSDT')?.openTimeUs ?? START_US,
      fillModel: 'next-open',
      services: [
        { name: 'market-data-collector', state: 'up' },
        { name: 'strategy-engine', state: 'up' },
        { name: 'risk-management', state: 'up' },
        { name: 'portfolio-tracker', state: 'up' },
        { name: 'order-execution', state: 'up', owns: ['sim.binance.main'], sinceUs: START_US },
        { name: 'binance-service', state: 'up' },
        { name: 'kis-service', state: 'starting', reason: 'connecting to the stream' },
        { name: 'notification-service', state: 'up' },
      ],
      collections: this.#collections.now,
      instruments: MARKETS.map(({ id, timeframe, quoteCurrency }) => ({ id, timeframe, quoteCurrency })),
      strategies: [
        {
          instance: 'ema-btc',
          strategy: 'ema-cross',
          account: this.#accounts.of('BINANCE:BTCUSDT'),
          instrument: 'BINANCE:BTCUSDT',
          timeframe: '1m',
          parameters: { fast: 12, slow: 26 },
          ...this.#strategyState('ema-btc'),
        },
        {
          instance: 'breakout-samsung',
          strategy: 'volatility-breakout',
          account: this.#accounts.of('KRX:005930'),
          instrument: 'KRX:005930',
          timeframe: '1m',
          parameters: { k: 0.5, stop: 0.02 },
          ...this.#strategyState('breakout-samsung'),
          ...(waiting.length === 0 ? {} : { waiting }),
        },
      ],
    }
  }

  async portfolio(): Promise<PortfolioView> {
    return this.portfolioNow()
  }

  portfolioNow(): PortfolioView {
    return {
      accounts: [
        this.#accounts.view('BINANCE:BTCUSDT', 'USDT', '48211.5372', '152.08'),
        this.#accounts.view('KRX:005930', 'KRW', '31480500', '-18400'),
      ].map((view) => ({ ...view, ...this.accountChanges })),
    }
  }

  async candles(query: { instrument: string; timeframe: string; limit: number }): Promise<readonly CandleView[]> {
    return this.#markets.candles(query.instrument).slice(-query.limit)
  }

  async orders(query: { limit: number }): Promise<readonly OrderView[]> {
    return this.#orders.orders.slice(0, query.limit)
  }

  async fills(query: { instrument?: string; limit: number }): Promise<readonly FillView[]> {
    const wanted = this.#orders.fills.filter(
      (fill) => query.instrument === undefined || fill.instrument === query.instrument,
    )
    return wanted.slice(0, query.limit)
  }

  async decisions(query: { limit: number }): Promise<readonly DecisionView[]> {
    return this.#orders.decisions.slice(0, query.limit)
  }

  async halt(request: { reason: string; by: string; state: HaltState }): Promise<HaltView> {
    this.commands.push({ command: 'halt', ...request })
    this.#setTradingState(request.state)
    const cancelled = this.#orders.cancelOpen()
    return { tradingState: request.state, cancelled, unknown: 0, open: 0, message: request.reason }
  }

  haltStrategy(request: { instance: string; reason: string; by: string; state: HaltState }): Promise<HaltView> {
    const { instance, reason, state } = request
    return this.#ofStrategy(instance, () => {
      this.commands.push({ command: 'halt', ...request })
      const before = this.#strategyState(instance)
      this.strategyStates.set(instance, { ...before, tradingState: state, tradingStateReason: reason })
      return { tradingState: state, cancelled: 1, unknown: 0, open: 0, message: reason }
    })
  }

  resumeStrategy(request: { instance: string; by: string }): Promise<StrategyHaltView> {
    const { instance } = request
    return this.#ofStrategy(instance, () => {
      this.commands.push({ command: 'resume', ...request })
      this.strategyStates.delete(instance)
      const counts = { cancelled: 0, unknown: 0, open: 0, message: '' }
      return { instance, state: 'running', tradingState: 'active', ...counts }
    })
  }

  #ofStrategy<T>(instance: string, answer: () => T): Promise<T> {
    if (!this.statusNow().strategies.some((one) => one.instance === instance)) {
      return Promise.reject(new GatewayError('NOT_FOUND', `expected a strategy instance, found ${instance}`))
    }
    const answered = answer()
    this.emit({ type: 'status', data: this.statusNow() })
    return Promise.resolve(answered)
  }

  #strategyState(instance: string): Pick<StrategyView, 'state' | 'tradingState' | 'tradingStateReason'> {
    return this.strategyStates.get(instance) ?? { state: 'running' }
  }

  async resume(request: { by: string }): Promise<HaltView> {
    this.commands.push({ command: 'resume', ...request })
    this.#setTradingState('active')
    return { tradingState: 'active', cancelled: 0, unknown: 0, open: 0, message: 'trading goes on' }
  }

  adjust(request: AdjustRequestView & { by: string }): Promise<AdjustmentView> {
    const { account, asset, amount } = request
    this.commands.push({ command: 'adjust', ...request })
    return Promise.resolve({ account, asset, amount, outcome: 'booked', adjustmentId: 'adjustment-1' })
  }

  startStrategy({ instance }: { instance: string }): Promise<StrategyView> {
    const found = this.statusNow().strategies.find((one) => one.instance === instance)
    if (found !== undefined) return Promise.resolve(found)
    return Promise.reject(new GatewayError('NOT_FOUND', `expected a strategy instance, found ${instance}`))
  }

  async stopStrategy({ instance }: { instance: string }): Promise<StrategyView> {
    return { ...(await this.startStrategy({ instance })), state: 'stopped' }
  }

  collections(): Promise<readonly CollectionView[]> {
    return Promise.resolve(this.#collections.now)
  }

  collect(request: CollectRequestView): Promise<readonly CollectionView[]> {
    return this.#collections.collect(request)
  }

  cancelCollection(request: { venue: string }): Promise<readonly CollectionView[]> {
    return this.#collections.cancel(request)
  }

  putCollection(changes: Partial<CollectionView>): void {
    this.#collections.put(changes)
  }

  /** Moves the last candle; every few calls closes it and opens the next. */
  tick(instrument: string): void {
    this.#markets.tick(instrument)
  }

  /** A whole life in one step: approved, filled, booked. */
  fill(instrument: string, side: Side): FillView {
    const fill = this.#orders.fill(instrument, side)
    this.emit({ type: 'portfolio', data: this.portfolioNow() })
    return fill
  }

  deny(instrument: string, side: Side, reasonCode: string, reason: string): void {
    this.#orders.deny(instrument, side, reasonCode, reason)
  }

  /** An order that its market does not take yet. */
  wait(instrument: string, side: Side, notBeforeUs: number): void {
    this.#orders.wait(instrument, side, notBeforeUs)
    this.emit({ type: 'status', data: this.statusNow() })
  }

  /** The market takes orders, and risk lets everything pass that has waited. */
  open(): void {
    this.#orders.open()
    this.emit({ type: 'status', data: this.statusNow() })
  }

  #setTradingState(state: TradingState): void {
    this.tradingState = state
    this.emit({ type: 'status', data: this.statusNow() })
  }
}
