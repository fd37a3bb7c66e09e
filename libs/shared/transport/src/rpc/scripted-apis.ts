/** The five Apis with handlers that a test scripts and counts, and one request and answer of each method. */
import {
  RpcError,
  type CollectionApi,
  type OrderExecutionApi,
  type Payload,
  type PortfolioApi,
  type RiskManagementApi,
  type StrategyApi,
} from '@jts/contracts'
import { CollectionServiceService, ListCollectionsResponse } from '@jts/contracts/collection-api'
import { OrderExecutionServiceService, OrderView } from '@jts/contracts/orders-api'
import { AccountView, PortfolioServiceService, type PositionUpdate } from '@jts/contracts/portfolio-api'
import {
  PositionSizeRequest,
  RiskCheckRequest,
  RiskCheckResponse,
  RiskManagementServiceService,
} from '@jts/contracts/risk-api'
import { StrategyServiceService, StrategyView } from '@jts/contracts/strategy-api'
import type { RpcService } from './grpc-server.ts'

export type Apis = {
  readonly risk: RiskManagementApi
  readonly portfolio: PortfolioApi
  readonly orders: OrderExecutionApi
  readonly strategy: StrategyApi
  readonly collection: CollectionApi
}

export type Call = { readonly method: string; readonly request: object }
type Script = (method: string, request: object, signal: AbortSignal | undefined) => Promise<unknown>

const risk = RiskCheckRequest.create({
  correlationId: 'c-1',
  symbol: 'BINANCE:BTCUSDT',
  side: 'buy',
  quantity: 0.1,
  account: 'sim.binance.main',
  signalId: 's-1',
  signalTimeUs: 1_704_067_200_000_001,
})
const approved = RiskCheckResponse.create({
  approved: true,
  adjustedQuantity: 0.1,
  adjustedQuantityText: '0.1',
  correlationId: 'c-1',
  signalId: 's-1',
  checks: [{ rule: 'cash', passed: true, expected: '', found: '' }],
})
const collections = ListCollectionsResponse.create({ collections: [{ venue: 'KRX', state: 'running', total: 2882 }] })
const candle: Payload<'Candle'> = {
  ...{
    instrument: 'KRX:005930',
    timeframe: '1d',
    openTimeUs: 1_704_067_200_000_001,
    closeTimeUs: 1_704_090_600_000_000,
  },
  ...{
    open: 71_000,
    high: 71_800,
    low: 70_500.5,
    close: 71_300,
    volume: 12,
    final: true,
    revision: 0,
    source: 'creon',
  },
}
const view = StrategyView.create({ instance: 'ema', state: 'running', bars: 7 })
const halted = { state: 'halted', cancelled: 1, unknown: 2, open: 3, message: '멈춤' }

/** One of each unary method. */
export const said = [
  { api: 'risk', method: 'checkTradingRisk', request: stripped(risk), answer: stripped(approved) },
  {
    api: 'risk',
    method: 'calculatePositionSize',
    request: PositionSizeRequest.create({
      symbol: 'BTCUSDT',
      price: 1.5,
      currentPortfolio: { cash: 1, cashText: '1', positions: [] },
    }),
    answer: { quantity: 0.5, quantityText: '0.5', notional: 0.75, reason: '' },
  },
  {
    api: 'portfolio',
    method: 'getCurrentPortfolio',
    request: { account: 'sim.binance.main' },
    answer: { accounts: [AccountView.create({ account: 'sim.binance.main', equity: '10' })] },
  },
  {
    api: 'orders',
    method: 'listOrders',
    request: { account: '', openOnly: true, limit: 5, orderId: 'o1' },
    answer: { orders: [OrderView.create({ orderId: 'o-1', timeUs: 1_704_067_200_000_001 })] },
  },
  { api: 'orders', method: 'cancelOrder', request: { orderId: 'o-1' }, answer: { accepted: true, message: '' } },
  {
    api: 'orders',
    method: 'halt',
    request: { account: '', reason: 'a', by: 'b', strategy: 'ema', state: 'reducing' },
    answer: halted,
  },
  { api: 'orders', method: 'resume', request: { account: '', by: 'b' }, answer: halted },
  {
    api: 'orders',
    method: 'resumeStrategy',
    request: { account: '', by: 'b', strategy: 'ema' },
    answer: halted,
  },
  {
    api: 'orders',
    method: 'getTradingState',
    request: {},
    answer: {
      ...{ state: 'active', version: 1, reason: '', accounts: [] },
      strategies: [{ strategy: 'ema', account: 'sim.binance.main', state: 'halted', reason: 'a', version: 3 }],
    },
  },
  {
    api: 'orders',
    method: 'adjustBalance',
    request: {
      ...{ account: 'sim.binance.main', currency: 'USDT', amount: '-1.5', reason: 'withdrawal', words: 'to the bank' },
      ...{ by: 'b', ledger: '10', fillCount: 3, adjusted: '0', seen: '-1.5' },
    },
    answer: { outcome: 'booked', adjustmentId: 'a', venue: '8.5', difference: '-1.5' },
  },
  { api: 'strategy', method: 'listStrategies', request: {}, answer: { strategies: [view] } },
  { api: 'strategy', method: 'startStrategy', request: { instance: 'ema' }, answer: view },
  { api: 'strategy', method: 'stopStrategy', request: { instance: 'ema' }, answer: view },
  {
    api: 'collection',
    method: 'collect',
    request: { venue: 'KRX', instruments: ['KRX:005930'], markets: [], timeframe: '1d', fromDay: '', toDay: '' },
    answer: collections,
  },
  { api: 'collection', method: 'listCollections', request: {}, answer: collections },
  { api: 'collection', method: 'cancelCollection', request: { venue: 'KRX' }, answer: collections },
  {
    api: 'collection',
    method: 'latestCandles',
    request: { instrument: 'KRX:005930', timeframe: '1d', count: 20 },
    answer: { candles: [candle], missing: 1 },
  },
] as const satisfies readonly { api: keyof Apis; method: string; request: object; answer: object }[]

export class ScriptedApis implements Apis {
  calls: Call[] = []
  answer: Script = () => Promise.reject(new RpcError('UNIMPLEMENTED', 'no script'))
  updates: (signal: AbortSignal) => AsyncIterable<PositionUpdate> = async function* () {}
  /** Streams of risk checks that were opened. */
  streams = 0

  readonly risk: RiskManagementApi & {
    streamTradingRiskChecks(requests: AsyncIterable<RiskCheckRequest>): AsyncIterable<RiskCheckResponse>
  } = {
    checkTradingRisk: this.#scripted('risk.checkTradingRisk'),
    calculatePositionSize: this.#scripted('risk.calculatePositionSize'),
    streamTradingRiskChecks: (requests) => this.#stream(requests),
  }
  readonly portfolio: PortfolioApi = {
    getCurrentPortfolio: this.#scripted('portfolio.getCurrentPortfolio'),
    streamPositionUpdates: (_request, signal) => this.updates(signal),
  }
  readonly orders: OrderExecutionApi = {
    listOrders: this.#scripted('orders.listOrders'),
    cancelOrder: this.#scripted('orders.cancelOrder'),
    halt: this.#scripted('orders.halt'),
    resume: this.#scripted('orders.resume'),
    resumeStrategy: this.#scripted('orders.resumeStrategy'),
    getTradingState: this.#scripted('orders.getTradingState'),
    adjustBalance: this.#scripted('orders.adjustBalance'),
  }
  readonly strategy: StrategyApi = {
    listStrategies: this.#scripted('strategy.listStrategies'),
    startStrategy: this.#scripted('strategy.startStrategy'),
    stopStrategy: this.#scripted('strategy.stopStrategy'),
  }

  readonly collection: CollectionApi = {
    collect: this.#scripted('collection.collect'),
    listCollections: this.#scripted('collection.listCollections'),
    cancelCollection: this.#scripted('collection.cancelCollection'),
    latestCandles: this.#scripted('collection.latestCandles'),
  }

  readonly services: readonly RpcService[] = [
    { definition: RiskManagementServiceService, handlers: this.risk },
    { definition: PortfolioServiceService, handlers: this.portfolio },
    { definition: OrderExecutionServiceService, handlers: this.orders },
    { definition: StrategyServiceService, handlers: this.strategy },
    { definition: CollectionServiceService, handlers: this.collection },
  ]

  reset(): void {
    this.calls = []
    this.streams = 0
    this.answer = () => Promise.reject(new RpcError('UNIMPLEMENTED', 'no script'))
  }

  /** How often a method was entered. */
  count(method: string): number {
    return this.calls.filter((call) => call.method === method).length
  }

  #scripted<Answer>(method: string): (request: object, signal?: AbortSignal) => Promise<Answer> {
    return (request, signal) => {
      this.calls.push({ method, request })
      return this.answer(method, request, signal) as Promise<Answer>
    }
  }

  async *#stream(requests: AsyncIterable<RiskCheckRequest>): AsyncIterable<RiskCheckResponse> {
    this.streams++
    for await (const request of requests) {
      const { requestNumber, ...asked } = request
      const answer = await this.risk.checkTradingRisk(asked).catch((error: unknown) => {
        if (!(error instanceof RpcError)) throw error
        return RiskCheckResponse.create({ error: { code: error.code, message: error.message } })
      })
      yield { ...answer, requestNumber }
    }
  }
}

function stripped<T extends object>(message: T): T {
  return Object.fromEntries(Object.entries(message).filter(([, value]) => value !== undefined)) as T
}
