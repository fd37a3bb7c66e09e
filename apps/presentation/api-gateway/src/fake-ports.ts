/** A small made-up trading system behind the gateway's ports, for tests and for working on the screen without a market. */
import type { Side } from '@jts/model/bars'
import type { Mode } from '@jts/model/ids'
import { formatUnits, multiplyUnits, parseUnits, unitsFromFloat } from '@jts/model/numbers'
import { GatewayError } from './problems.ts'
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
  PositionView,
  StatusView,
  StrategyHaltView,
  StrategyView,
  TradingState,
  WaitingView,
} from './ports.ts'

type Market = { id: string; timeframe: string; quoteCurrency: string; price: number; tick: number; lot: string }

const MARKETS: readonly Market[] = [
  { id: 'BINANCE:BTCUSDT', timeframe: '1m', quoteCurrency: 'USDT', price: 64_180, tick: 0.01, lot: '0.15' },
  { id: 'KRX:005930', timeframe: '1m', quoteCurrency: 'KRW', price: 71_400, tick: 100, lot: '12' },
]
const MINUTE_US = 60_000_000
const START_US = Date.UTC(2025, 2, 14, 1, 0) * 1000
const BARS = 240
/** Bought on Thursday, sold and bought on Friday the 14th; the 17th and 18th are the days they are settled. */
const SETTLEMENT: NonNullable<AccountView['settlement']> = {
  currency: 'KRW',
  date: '2025-03-14',
  settled: '32054020',
  days: [
    { date: '2025-03-17', receivable: '0', payable: '1428214' },
    { date: '2025-03-18', receivable: '1712442', payable: '857748' },
  ],
  orderable: { amount: '30629190', timeUs: START_US + 14 * MINUTE_US },
}

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
  #random: () => number
  #candles = new Map<string, CandleView[]>()
  #orders: OrderView[] = []
  #fills: FillView[] = []
  #decisions: DecisionView[] = []
  /** Decided once their market takes orders. */
  #waiting: DecisionView[] = []
  #held = new Map<string, { quantity: bigint; cost: bigint }>()
  #count = 0

  constructor(options: { mode?: Mode; seed?: number; empty?: boolean } = {}) {
    this.mode = options.mode ?? 'sim'
    this.#random = randomFrom(options.seed ?? 7)
    for (const market of MARKETS) this.#candles.set(market.id, options.empty ? [] : this.#history(market))
    if (options.empty) return
    for (const [index, side] of (['buy', 'sell', 'buy', 'sell', 'buy', 'buy'] as const).entries()) {
      this.fill(MARKETS[index % 2]!.id, side, BARS - 150 + index * 26)
    }
    this.deny('BINANCE:BTCUSDT', 'sell', 'INSUFFICIENT_POSITION', 'expected at least 0.5 sellable, found 0.3')
    this.deny('KRX:005930', 'buy', 'NOTIONAL_MAX_PER_ORDER', 'expected at most 5000000 KRW, found 14280000 KRW')
    this.#orders.unshift(this.#order('KRX:005930', 'buy', 'accepted', '0', '70900'))
  }

  subscribe(listener: (update: GatewayUpdate) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  collectionsNow: readonly CollectionView[] = []

  emit(update: GatewayUpdate): void {
    for (const listener of this.listeners) listener(update)
  }

  async status(): Promise<StatusView> {
    if (this.failure) throw this.failure
    return this.statusNow()
  }

  statusNow(): StatusView {
    return {
      mode: this.mode,
      version: '0.1.0',
      tradingState: this.tradingState,
      accountStates: this.accountStates,
      ...(this.tradingState === 'halted' ? { tradingStateReason: this.commands.at(-1)?.reason ?? 'halted' } : {}),
      startedAtUs: START_US,
      marketTimeUs: this.#last('BINANCE:BTCUSDT')?.openTimeUs ?? START_US,
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
      collections: this.collectionsNow,
      instruments: MARKETS.map(({ id, timeframe, quoteCurrency }) => ({ id, timeframe, quoteCurrency })),
      strategies: [
        {
          instance: 'ema-btc',
          strategy: 'ema-cross',
          account: this.#accountOf('BINANCE:BTCUSDT'),
          instrument: 'BINANCE:BTCUSDT',
          timeframe: '1m',
          parameters: { fast: 12, slow: 26 },
          ...this.#strategyState('ema-btc'),
        },
        {
          instance: 'breakout-samsung',
          strategy: 'volatility-breakout',
          account: this.#accountOf('KRX:005930'),
          instrument: 'KRX:005930',
          timeframe: '1m',
          parameters: { k: 0.5, stop: 0.02 },
          ...this.#strategyState('breakout-samsung'),
          ...(this.#waiting.length === 0 ? {} : { waiting: this.#waiting.map(waitingView) }),
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
        this.#account('BINANCE:BTCUSDT', 'USDT', '48211.5372', '152.08'),
        this.#account('KRX:005930', 'KRW', '31480500', '-18400'),
      ],
    }
  }

  async candles(query: { instrument: string; timeframe: string; limit: number }): Promise<readonly CandleView[]> {
    return (this.#candles.get(query.instrument) ?? []).slice(-query.limit)
  }

  async orders(query: { limit: number }): Promise<readonly OrderView[]> {
    return this.#orders.slice(0, query.limit)
  }

  async fills(query: { instrument?: string; limit: number }): Promise<readonly FillView[]> {
    const wanted = this.#fills.filter((fill) => query.instrument === undefined || fill.instrument === query.instrument)
    return wanted.slice(0, query.limit)
  }

  async decisions(query: { limit: number }): Promise<readonly DecisionView[]> {
    return this.#decisions.slice(0, query.limit)
  }

  async halt(request: { reason: string; by: string; state: HaltState }): Promise<HaltView> {
    this.commands.push({ command: 'halt', ...request })
    this.#setTradingState(request.state)
    const resting = this.#orders.filter((order) => order.status === 'accepted')
    for (const order of resting) this.#putOrder({ ...order, status: 'cancelled' })
    return { tradingState: request.state, cancelled: resting.length, unknown: 0, open: 0, message: request.reason }
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

  collections(): Promise<readonly CollectionView[]> {
    return Promise.resolve(this.collectionsNow)
  }

  collect(request: CollectRequestView): Promise<readonly CollectionView[]> {
    if (this.collectionsNow.some(({ state }) => state === 'running'))
      return Promise.reject(new GatewayError('REFUSED', 'a collection of KRX is running'))
    this.putCollection({ timeframe: request.timeframe ?? '1d', venue: request.venue ?? 'KRX' })
    return this.collections()
  }

  cancelCollection({ venue }: { venue: string }): Promise<readonly CollectionView[]> {
    this.putCollection({ venue, state: 'cancelled' })
    return this.collections()
  }

  putCollection(changes: Partial<CollectionView>): void {
    const begun = {
      venue: 'KRX',
      timeframe: '1d',
      fromDay: '',
      toDay: '',
      state: 'running',
      reason: '',
      by: 'person',
    } as const
    const counts = {
      total: 2882,
      done: 0,
      candles: 0,
      gaps: 0,
      failures: [],
      startedUs: START_US,
      endedUs: 0,
      nextUs: 0,
    }
    this.collectionsNow = [{ ...begun, ...counts, ...changes }]
    this.emit({ type: 'collections', data: this.collectionsNow })
  }

  /** Moves the last candle; every few calls closes it and opens the next. */
  tick(instrument: string): void {
    const market = marketOf(instrument)
    const candles = this.#candles.get(instrument) ?? []
    const last = candles.at(-1)
    if (last === undefined || this.#random() < 0.2) {
      if (last !== undefined) this.#putCandle({ ...last, final: true })
      const open = last?.close ?? market.price
      const openTimeUs = last === undefined ? START_US : last.openTimeUs + MINUTE_US
      this.#putCandle(candle(market, openTimeUs, open, open, open, open, 0, false))
      return
    }
    const close = onTick(last.close * (1 + (this.#random() - 0.5) * 0.002), market.tick)
    const high = Math.max(last.high, close)
    const low = Math.min(last.low, close)
    const volume = Math.round((last.volume + this.#random() * 3) * 1000) / 1000
    this.#putCandle({ ...last, close, high, low, volume })
  }

  /** A whole life in one step: approved, filled, booked. */
  fill(instrument: string, side: Side, barIndex = -1): FillView {
    const market = marketOf(instrument)
    const bar = this.#candles.get(instrument)?.at(barIndex)
    const price = formatUnits(unitsFromFloat(bar?.close ?? market.price))
    const timeUs = (bar?.openTimeUs ?? START_US) + 21_000_000
    const order = {
      ...this.#order(instrument, side, 'filled', market.lot),
      averageFillPrice: price,
      timeUs,
    } satisfies OrderView
    const notional = multiplyUnits(parseUnits(price), parseUnits(market.lot), 'half-even')
    const fill: FillView = {
      fillId: `fill-${order.orderId}`,
      account: order.account,
      strategy: order.strategy,
      instrument,
      side,
      quantity: market.lot,
      price,
      fee: formatUnits(multiplyUnits(notional, parseUnits('0.001'), 'half-even')),
      feeCurrency: market.quoteCurrency,
      timeUs,
      orderId: order.orderId,
    }
    this.#book(instrument, side, parseUnits(market.lot), notional)
    this.#decide({ ...this.#decision(order, price), approved: true, riskScore: 0.31 })
    this.#putOrder(order)
    this.#fills.unshift(fill)
    this.emit({ type: 'fill', data: fill })
    this.emit({ type: 'portfolio', data: this.portfolioNow() })
    return fill
  }

  deny(instrument: string, side: Side, reasonCode: string, reason: string): void {
    const price = formatUnits(unitsFromFloat(this.#last(instrument)?.close ?? marketOf(instrument).price))
    const order = { ...this.#order(instrument, side, 'denied', '0'), reason } satisfies OrderView
    const decision = this.#decision(order, price)
    this.#decide({ ...decision, approved: false, adjustedQuantity: '0', reasonCode, reason, riskScore: 1 })
    this.#putOrder(order)
  }

  /** An order that its market does not take yet. */
  wait(instrument: string, side: Side, notBeforeUs: number): void {
    const price = formatUnits(unitsFromFloat(marketOf(instrument).price))
    const decision = this.#decision(this.#order(instrument, side, 'approved', '0'), price)
    const waiting = { ...decision, approved: false, notBeforeUs, adjustedQuantity: '0' }
    this.#waiting.push(waiting)
    this.#decide(waiting)
    this.emit({ type: 'status', data: this.statusNow() })
  }

  /** The market takes orders, and risk lets everything pass that has waited. */
  open(): void {
    for (const { notBeforeUs, ...decision } of this.#waiting.splice(0)) {
      const known = this.#decisions.findIndex(({ signalId }) => signalId === decision.signalId)
      this.#decisions.splice(known, 1)
      this.#decide({ ...decision, approved: true, adjustedQuantity: decision.quantity, timeUs: notBeforeUs! })
    }
    this.emit({ type: 'status', data: this.statusNow() })
  }

  #decide(decision: DecisionView): void {
    this.#decisions.unshift(decision)
    this.emit({ type: 'decision', data: decision })
  }

  #putCandle(data: CandleView): void {
    const candles = this.#candles.get(data.instrument)!
    if (candles.at(-1)?.openTimeUs === data.openTimeUs) candles[candles.length - 1] = data
    else candles.push(data)
    this.emit({ type: 'candle', data })
  }

  #putOrder(order: OrderView): void {
    const index = this.#orders.findIndex(({ orderId }) => orderId === order.orderId)
    if (index === -1) this.#orders.unshift(order)
    else this.#orders[index] = order
    this.emit({ type: 'order', data: order })
  }

  #setTradingState(state: TradingState): void {
    this.tradingState = state
    this.emit({ type: 'status', data: this.statusNow() })
  }

  #order(
    instrument: string,
    side: Side,
    status: OrderView['status'],
    filled: string,
    limitPrice?: string,
  ): OrderView & { filledQuantity: string } {
    const id = String(++this.#count).padStart(4, '0')
    return {
      orderId: `order-${id}`,
      clientOrderId: `client-${id}`,
      ...(status === 'denied' ? {} : { venueOrderId: `${90_000 + this.#count}` }),
      account: this.#accountOf(instrument),
      strategy: instrument.startsWith('KRX') ? 'breakout-samsung' : 'ema-btc',
      instrument,
      side,
      type: limitPrice === undefined ? 'market' : 'limit',
      quantity: marketOf(instrument).lot,
      ...(limitPrice === undefined ? {} : { limitPrice }),
      status,
      filledQuantity: filled,
      timeUs: (this.#last(instrument)?.openTimeUs ?? START_US) + 5_000_000,
      correlationId: `correlation-${id}`,
    }
  }

  #decision(order: OrderView, price: string): DecisionView {
    const { correlationId, account, strategy, instrument, side, type, quantity, timeUs } = order
    const signalId = `signal-${order.orderId}`
    const base = { signalId, correlationId, account, strategy, instrument, side, type, quantity, price, timeUs }
    return { ...base, approved: true, adjustedQuantity: quantity, riskScore: 0 }
  }

  #book(instrument: string, side: Side, quantity: bigint, notional: bigint): void {
    const held = this.#held.get(instrument) ?? { quantity: 0n, cost: 0n }
    if (side === 'buy') {
      this.#held.set(instrument, { quantity: held.quantity + quantity, cost: held.cost + notional })
      return
    }
    const left = held.quantity > quantity ? held.quantity - quantity : 0n
    const cost = held.quantity === 0n ? 0n : (held.cost * left) / held.quantity
    this.#held.set(instrument, { quantity: left, cost })
  }

  #account(instrument: string, currency: string, cash: string, realisedPnl: string): AccountView {
    const position = this.#position(instrument, realisedPnl)
    const mark = multiplyUnits(parseUnits(position.quantity), parseUnits(position.markPrice), 'half-even')
    return {
      account: this.#accountOf(instrument),
      equity: formatUnits(parseUnits(cash) + mark),
      equityCurrency: currency,
      realisedPnl,
      unrealisedPnl: position.unrealisedPnl,
      cash: { [currency]: cash },
      fees: { [currency]: currency === 'KRW' ? '1284' : '28.86120417' },
      positions: position.quantity === '0' ? [] : [position],
      adjusted: {},
      reconciled: currency === 'KRW' ? 'unchecked' : 'equal',
      differences: [],
      ...(currency === 'KRW' ? { settlement: SETTLEMENT } : {}),
      ...this.accountChanges,
    }
  }

  #position(instrument: string, realisedPnl: string): PositionView {
    const { quantity, cost } = this.#held.get(instrument) ?? { quantity: 0n, cost: 0n }
    const mark = unitsFromFloat(this.#last(instrument)?.close ?? marketOf(instrument).price)
    const value = multiplyUnits(quantity, mark, 'half-even')
    return {
      strategy: instrument.startsWith('KRX') ? 'breakout-samsung' : 'ema-btc',
      instrument,
      quantity: formatUnits(quantity),
      averagePrice: quantity === 0n ? '0' : formatUnits((cost * 100_000_000n) / quantity),
      totalCost: formatUnits(cost),
      markPrice: formatUnits(mark),
      unrealisedPnl: formatUnits(value - cost),
      realisedPnl,
    }
  }

  #accountOf(instrument: string): string {
    return `${this.mode}.${instrument.startsWith('KRX') ? 'kis' : 'binance'}.main`
  }

  #last(instrument: string): CandleView | undefined {
    return this.#candles.get(instrument)?.at(-1)
  }

  #history(market: Market): CandleView[] {
    const candles: CandleView[] = []
    let open = market.price
    let drift = 0
    for (let index = 0; index < BARS; index++) {
      drift = drift * 0.92 + (this.#random() - 0.5) * 0.0007
      const close = onTick(open * (1 + drift + (this.#random() - 0.5) * 0.0016), market.tick)
      const high = onTick(Math.max(open, close) * (1 + this.#random() * 0.0008), market.tick)
      const low = onTick(Math.min(open, close) * (1 - this.#random() * 0.0008), market.tick)
      const volume = Math.round((4 + this.#random() * 20 + Math.abs(close / open - 1) * 9000) * 1000) / 1000
      const top = Math.max(high, open, close)
      const bottom = Math.min(low, open, close)
      candles.push(candle(market, START_US + index * MINUTE_US, open, top, bottom, close, volume, index < BARS - 1))
      open = close
    }
    return candles
  }
}

function candle(
  market: Market,
  openTimeUs: number,
  open: number,
  high: number,
  low: number,
  close: number,
  volume: number,
  final: boolean,
): CandleView {
  return { instrument: market.id, timeframe: market.timeframe, openTimeUs, open, high, low, close, volume, final }
}

function marketOf(instrument: string): Market {
  const market = MARKETS.find(({ id }) => id === instrument)
  if (market === undefined)
    throw new Error(`expected one of ${MARKETS.map(({ id }) => id).join(', ')}, found ${instrument}`)
  return market
}

function onTick(price: number, tick: number): number {
  return Number((Math.round(price / tick) * tick).toFixed(8))
}

/** A small generator with a seed (mulberry32), so that a picture can be drawn twice. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

function waitingView({ signalId, side, quantity, notBeforeUs }: DecisionView): WaitingView {
  return { signalId, side, quantity, notBeforeUs: notBeforeUs! }
}
