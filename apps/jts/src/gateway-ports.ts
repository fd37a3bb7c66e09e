/** What the gateway shows, taken from the services of this process; every answer waits until its cause is on disk. */
import type {
  AccountStateView,
  AccountView,
  CollectionView,
  DecisionView,
  FillView,
  GatewayPorts,
  GatewayUpdate,
  HaltView,
  OrderView,
  StatusView,
  WaitingView,
} from '@jts/api-gateway'
import type { BusEvent, BusEventOf, Topic } from '@jts/contracts'
import type { Collection } from '@jts/contracts/collection-api'
import type { OrderView as OrderWire, StrategyTradingState, TradingState } from '@jts/contracts/orders-api'
import type { StrategyView as StrategyWire, WaitingSignal as WaitingWire } from '@jts/contracts/strategy-api'
import { divide, formatUnits, instrumentId, ONE, parseUnits, type Mode } from '@jts/model'
import type { Logger } from '@jts/runtime'
import { adjust } from './adjust.ts'
import { refusedAs } from './refused-as.ts'
import { TradeCandles } from './trade-candles.ts'
import type { System } from './system.ts'

export type GatewayPortsOptions = {
  readonly system: System
  readonly mode: Mode
  readonly version: string
  readonly startedAtUs: number
  readonly fillModel?: string
  readonly instruments: StatusView['instruments']
  readonly log: Logger
}

/** Decisions kept for the screen; the event log has them all. */
const DECISIONS_KEPT = 200
const FILLS_KEPT = 5000
/** Portfolio updates are told at most this often, ms. */
const PORTFOLIO_EVERY_MS = 250
/** How often collections are looked at, ms. */
const COLLECTIONS_EVERY_MS = 1000

/** Of a word to order execution: everything, until it is said otherwise. */
const ALL = { account: '', strategy: '' }
const UNSAID = { state: 'active', reason: '' }

export async function createGatewayPorts(options: GatewayPortsOptions): Promise<GatewayPorts> {
  const { system } = options
  const decisions: DecisionView[] = []
  for (const decision of await newest(system.log, 'strategy.signals', DECISIONS_KEPT, decisionOf)) {
    keepDecision(decisions, decision)
  }
  const fills = await newest(system.log, 'orders.fills', FILLS_KEPT, (event) =>
    event.type === 'OrderFilled' ? fillView(event) : undefined,
  )
  const listeners = new Set<(update: GatewayUpdate) => void>()
  const tell = (update: GatewayUpdate): void => {
    for (const listener of listeners) listener(update)
  }

  const portfolio = async (): Promise<{ accounts: AccountView[] }> => {
    const { accounts } = await system.portfolio.getCurrentPortfolio({ account: '' })
    await system.durable()
    return { accounts: accounts.map(accountView) }
  }
  const collections = async (): Promise<CollectionView[]> =>
    (await system.collections.listCollections({})).collections.map(collectionView)
  // As last heard: who asks for the status does not wait for a collector that is away.
  let knownCollections: readonly CollectionView[] = await collections().catch(() => [])
  const status = async (): Promise<StatusView> => {
    const state = await system.orders.getTradingState({})
    const { strategies } = await system.strategies.listStrategies({})
    return {
      mode: options.mode,
      version: options.version,
      tradingState: state.state as StatusView['tradingState'],
      ...(state.reason === '' ? {} : { tradingStateReason: state.reason }),
      accountStates: state.accounts
        .filter((own) => own.state !== 'active')
        .map(({ account, instrument, state: own, reasonCode: code, reason }) => ({
          account,
          instrument,
          state: own as AccountStateView['state'],
          code,
          reason,
        })),
      startedAtUs: options.startedAtUs,
      marketTimeUs: system.marketTimeUs(),
      ...(options.fillModel === undefined ? {} : { fillModel: options.fillModel }),
      services: system.lights(),
      instruments: options.instruments,
      strategies: strategies.map((one) => strategyView(one, state)),
      collections: knownCollections,
    }
  }
  const orders = async (limit: number): Promise<OrderView[]> => {
    const found = await system.orders.listOrders({ account: '', openOnly: false, limit, orderId: '' })
    await system.durable()
    return found.orders.map(orderView)
  }

  // One portfolio update a quarter second at most, however many events move it.
  let portfolioTimer: NodeJS.Timeout | undefined
  const portfolioSoon = (): void => {
    portfolioTimer ??= setTimeout(() => {
      portfolioTimer = undefined
      portfolio()
        .then((data) => tell({ type: 'portfolio', data }))
        .catch((error: unknown) => options.log.error({ err: error }, 'the portfolio could not be told'))
    }, PORTFOLIO_EVERY_MS)
    portfolioTimer.unref()
  }
  const tellOrder = (account: string, orderId: string): void => {
    system.orders
      .listOrders({ account, openOnly: false, limit: 1, orderId })
      .then(({ orders: [found] }) => {
        if (found !== undefined) tell({ type: 'order', data: orderView(found) })
      })
      .catch((error: unknown) => options.log.warn({ orderId, err: error }, 'an order could not be told'))
  }
  const tellStatus = (): void => {
    status()
      .then((data) => tell({ type: 'status', data }))
      .catch((error: unknown) => options.log.warn({ err: error }, 'the status could not be told'))
  }
  const tradeCandles = new TradeCandles()
  // Candles of a whole market may come in minutes: only what a chart shows is told.
  const shown = new Set(options.instruments.map(({ id, timeframe }) => `${id}/${timeframe}`))
  const onEvent = (event: BusEvent): void => {
    if (event.type === 'OrderFilled') keepNewest(fills, fillView(event), FILLS_KEPT)
    const decision = decisionOf(event)
    const changesWaiting = decision !== undefined && keepDecision(decisions, decision)
    // Its candles grow whether somebody looks or not: one is told when it is whole.
    const grown = event.type === 'PublicTrade' ? tradeCandles.take(event.payload) : []
    if (listeners.size === 0) return
    switch (event.type) {
      case 'Candle':
        if (!shown.has(`${event.payload.instrument}/${event.payload.timeframe}`)) return
        tell({ type: 'candle', data: event.payload })
        return portfolioSoon()
      case 'PublicTrade':
        for (const data of grown) tell({ type: 'candle', data })
        return portfolioSoon()
      case 'StrategySignal':
      case 'SignalWaiting':
        tell({ type: 'decision', data: decision! })
        return changesWaiting ? tellStatus() : undefined
      case 'BalancesReported':
      case 'BalanceAdjusted':
        return portfolioSoon()
      case 'OrderFilled':
        tell({ type: 'fill', data: fillView(event) })
        tellOrder(event.stream, event.payload.ref!.orderId)
        return portfolioSoon()
      case 'TradingStateChanged':
      case 'ServiceHealth':
        return tellStatus()
      default: {
        const ref =
          'ref' in event.payload ? event.payload.ref : 'terms' in event.payload ? event.payload.terms?.ref : undefined
        if (ref !== undefined) tellOrder(event.stream, ref.orderId)
      }
    }
  }
  const topics: Topic[] = [
    'market-data.binance.candles',
    'market-data.binance.trades',
    'market-data.krx.candles',
    'market-data.krx.trades',
    'strategy.signals',
    'orders.events',
    'system.health',
  ]
  system.log.tap(topics, onEvent)

  let isLooking = false
  const watchCollections = setInterval(() => {
    if (isLooking) return
    isLooking = true
    collections()
      .then((data) => {
        if (JSON.stringify(data) === JSON.stringify(knownCollections)) return
        knownCollections = data
        tell({ type: 'collections', data })
      })
      .catch((error: unknown) => options.log.debug({ err: error }, 'the collections could not be told'))
      .finally(() => (isLooking = false))
  }, COLLECTIONS_EVERY_MS)
  watchCollections.unref()

  const halted = async (answer: Promise<Omit<HaltView, 'tradingState'> & { state: string }>): Promise<HaltView> => {
    const { state, cancelled, unknown, open, message } = await answer
    return { tradingState: state as HaltView['tradingState'], cancelled, unknown, open, message }
  }
  return {
    status,
    portfolio,
    candles: async ({ instrument, timeframe, limit }) => {
      const bars = await system.marketData.candles({ instrument: instrumentId(instrument), timeframe, limit })
      return bars.slice(-limit)
    },
    orders: ({ limit }) => orders(limit),
    fills: ({ instrument, limit }) =>
      Promise.resolve(
        fills
          .filter((fill) => instrument === undefined || fill.instrument === instrument)
          .slice(-limit)
          .reverse(),
      ),
    decisions: ({ limit }) => Promise.resolve(decisions.slice(-limit).reverse()),
    halt: (request) => halted(system.orders.halt({ ...ALL, ...request })),
    resume: ({ by }) => halted(system.orders.resume({ account: '', by })),
    haltStrategy: ({ instance, ...request }) =>
      halted(refusedAs(system.orders.halt({ ...ALL, strategy: instance, ...request }))),
    resumeStrategy: async ({ instance, by }) => {
      const lifted = await halted(refusedAs(system.orders.resumeStrategy({ ...ALL, strategy: instance, by })))
      const { state, message } = await startedAgain(system, instance)
      return { ...lifted, instance, state, message: [lifted.message, message].filter((one) => one !== '').join('. ') }
    },
    adjust: (request) => adjust(system, request),
    startStrategy: async ({ instance }) =>
      strategyView(
        await refusedAs(system.strategies.startStrategy({ instance })),
        await system.orders.getTradingState({}),
      ),
    stopStrategy: async ({ instance }) =>
      strategyView(
        await refusedAs(system.strategies.stopStrategy({ instance })),
        await system.orders.getTradingState({}),
      ),
    collections,
    collect: async ({ venue = '', instruments = [], markets = [], timeframe = '1d', from = '', to = '' }) => {
      const wanted = { instruments: [...instruments], markets: [...markets] }
      const request = { venue, ...wanted, timeframe, fromDay: from, toDay: to }
      return (await refusedAs(system.collections.collect(request))).collections.map(collectionView)
    },
    cancelCollection: async ({ venue }) =>
      (await refusedAs(system.collections.cancelCollection({ venue }))).collections.map(collectionView),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

function collectionView(one: Collection): CollectionView {
  return { ...one, state: one.state as CollectionView['state'], by: one.by as CollectionView['by'] }
}

/** The newest of a topic, oldest first: only the end of each partition is read, however long the log is. */
async function newest<V extends { readonly timeUs: number }>(
  log: System['log'],
  topic: Topic,
  count: number,
  viewOf: (event: BusEvent) => V | undefined,
): Promise<V[]> {
  const views: V[] = []
  for await (const event of log.read(topic, { last: count })) {
    const view = viewOf(event)
    if (view !== undefined) views.push(view)
  }
  return views.sort((a, b) => a.timeUs - b.timeUs).slice(-count)
}

function keep<T>(list: T[], item: T, max: number): void {
  list.push(item)
  if (list.length > max) list.splice(0, list.length - max)
}

function keepNewest(list: FillView[], fill: FillView, max: number): void {
  if (!list.some((known) => known.fillId === fill.fillId)) keep(list, fill, max)
}

/** Its halt is lifted, whether its engine answers or not. */
async function startedAgain(
  { strategies }: Pick<System, 'strategies'>,
  instance: string,
): Promise<{ readonly state: StatusView['strategies'][number]['state']; readonly message: string }> {
  try {
    const listed = await strategies.listStrategies({})
    const found = listed.strategies.find((one) => one.instance === instance)
    if (found === undefined || found.state === 'unknown') throw new Error('nobody answers for it')
    const isStill = found.state === 'stopped' || found.state === 'barred'
    const { state } = isStill ? await strategies.startStrategy({ instance }) : found
    return { state: state as StatusView['strategies'][number]['state'], message: '' }
  } catch (error) {
    return { state: 'unknown', message: `whether ${instance} runs is not known: ${(error as Error).message}` }
  }
}

/** What is said of a strategy in the account that it trades or, before anything was said there, in one that it traded before. */
function saidOf(
  { instance, account }: StrategyWire,
  said: TradingState,
): Pick<StrategyTradingState, 'state' | 'reason'> {
  const silent = said.accounts.find((one) => one.account === account && one.state === 'unknown')
  if (silent !== undefined) return silent
  const ofIt = said.strategies.filter(({ strategy }) => strategy === instance)
  return ofIt.find((one) => one.account === account) ?? ofIt[0] ?? UNSAID
}

function strategyView(one: StrategyWire, said: TradingState): StatusView['strategies'][number] {
  const { state: tradingState, reason } = saidOf(one, said)
  return {
    instance: one.instance,
    strategy: one.strategy,
    account: one.account,
    instrument: one.instrument,
    timeframe: one.timeframe,
    parameters: JSON.parse(one.parameters) as Record<string, unknown>,
    state: one.state as StatusView['strategies'][number]['state'],
    ...(tradingState === 'active'
      ? {}
      : { tradingState: tradingState as 'halted' | 'reducing' | 'unknown', tradingStateReason: reason }),
    ...(one.waiting.length === 0 ? {} : { waiting: one.waiting.map(waitingView) }),
  }
}

function waitingView({ signalId, side, quantity, quoteQuantity, limitPrice, notBeforeUs }: WaitingWire): WaitingView {
  return {
    signalId,
    side: side as WaitingView['side'],
    quantity: quantity || quoteQuantity,
    ...(limitPrice === '' ? {} : { limitPrice }),
    notBeforeUs,
  }
}

type AccountWire = Awaited<ReturnType<System['portfolio']['getCurrentPortfolio']>>['accounts'][number]

function accountView(account: AccountWire): AccountView {
  const amounts = (list: readonly { currency: string; amount: string }[]): Record<string, string> =>
    Object.fromEntries(list.map((one) => [one.currency, one.amount]))
  return {
    account: account.account,
    equity: account.equity,
    equityCurrency: account.equityCurrency,
    realisedPnl: account.realisedPnl,
    unrealisedPnl: account.unrealisedPnl,
    cash: amounts(account.cash),
    fees: amounts(account.fees),
    adjusted: amounts(account.adjusted.filter(({ amount }) => amount !== '0')),
    reconciled: account.reconciled as AccountView['reconciled'],
    differences: account.differences.map((one) => ({ ...one })),
    ...settlementView(account.settlements[0]),
    positions: account.positions.map((position) => {
      const quantity = parseUnits(position.quantity)
      const cost = parseUnits(position.totalCost)
      return {
        strategy: position.strategy,
        instrument: position.instrument,
        quantity: position.quantity,
        averagePrice: quantity === 0n ? '' : formatUnits(divide(cost * ONE, quantity, 'half-even')),
        totalCost: position.totalCost,
        markPrice: position.markPrice,
        unrealisedPnl: position.unrealisedPnl,
        realisedPnl: position.realisedPnl,
      }
    }),
  }
}

function settlementView(said: AccountWire['settlements'][number] | undefined): Pick<AccountView, 'settlement'> {
  if (said === undefined) return {}
  const { currency, date, settled, days, undated, orderable, orderableTimeUs } = said
  return {
    settlement: {
      ...{ currency, date, settled, days },
      ...(undated === '0' ? {} : { undated }),
      ...(orderable === '' ? {} : { orderable: { amount: orderable, timeUs: orderableTimeUs } }),
    },
  }
}

function orderView(order: OrderWire): OrderView {
  return {
    orderId: order.orderId,
    clientOrderId: order.clientOrderId,
    ...(order.venueOrderId === '' ? {} : { venueOrderId: order.venueOrderId }),
    account: order.account,
    strategy: order.strategy,
    instrument: order.instrument,
    side: order.side as OrderView['side'],
    type: order.orderType as OrderView['type'],
    quantity: order.quantity,
    ...(order.limitPrice === '' ? {} : { limitPrice: order.limitPrice }),
    status: order.status as OrderView['status'],
    filledQuantity: order.filledQuantity,
    ...(order.averageFillPrice === '' ? {} : { averageFillPrice: order.averageFillPrice }),
    ...(order.reason === '' ? {} : { reason: order.reason }),
    timeUs: order.timeUs,
    correlationId: order.correlationId,
  }
}

function fillView(event: BusEventOf<'OrderFilled'>): FillView {
  const { ref, fillId, lastQuantity, lastPrice, fee, feeCurrency } = event.payload
  return {
    fillId,
    account: event.stream,
    strategy: ref!.strategy,
    instrument: ref!.instrument,
    side: ref!.side as FillView['side'],
    quantity: lastQuantity,
    price: lastPrice,
    fee,
    feeCurrency,
    timeUs: event.timeEventUs,
    orderId: ref!.orderId,
  }
}

/** A signal as it stands: decided, or waiting until its market takes orders. */
function decisionOf(event: BusEvent): DecisionView | undefined {
  if (event.type === 'StrategySignal') return decisionView(event)
  if (event.type !== 'SignalWaiting') return undefined
  const { notBeforeUs } = event.payload
  return { ...wantedView(event), notBeforeUs, approved: false, adjustedQuantity: '', riskScore: 0 }
}

/** What waited and has been decided is one signal. True when one waits or has waited. */
function keepDecision(list: DecisionView[], decision: DecisionView): boolean {
  const waited = list.findIndex((known) => known.signalId === decision.signalId && known.notBeforeUs !== undefined)
  if (waited !== -1) list.splice(waited, 1)
  keep(list, decision, DECISIONS_KEPT)
  return waited !== -1 || decision.notBeforeUs !== undefined
}

function wantedView({ payload, correlationId, timeEventUs: timeUs }: BusEventOf<'StrategySignal' | 'SignalWaiting'>) {
  return {
    signalId: payload.signalId,
    correlationId,
    account: payload.account,
    strategy: payload.strategy,
    instrument: payload.instrument,
    side: payload.side as DecisionView['side'],
    type: payload.orderType as DecisionView['type'],
    quantity: payload.quantity || payload.quoteQuantity,
    price: payload.price,
    timeUs,
  }
}

function decisionView(event: BusEventOf<'StrategySignal'>): DecisionView {
  const { payload } = event
  return {
    ...wantedView(event),
    approved: payload.approved,
    adjustedQuantity: payload.adjustedQuantity,
    ...(payload.reasonCode === '' ? {} : { reasonCode: payload.reasonCode }),
    ...(payload.reason === '' ? {} : { reason: payload.reason }),
    riskScore: payload.riskScore,
  }
}
