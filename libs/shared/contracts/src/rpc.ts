/** The synchronous conversations as typed calls; the same interface stands before a direct call and before gRPC. */
import type * as collection from './generated/jts/collection/v1/collection.ts'
import type * as orders from './generated/jts/orders/v1/orders.ts'
import type * as portfolio from './generated/jts/portfolio/v1/portfolio.ts'
import type * as risk from './generated/jts/risk/v1/risk.ts'
import type * as strategy from './generated/jts/strategy/v1/strategy.ts'

export interface RiskManagementApi {
  checkTradingRisk(request: risk.RiskCheckRequest): Promise<risk.RiskCheckResponse>
  calculatePositionSize(request: risk.PositionSizeRequest): Promise<risk.PositionSizeResponse>
}

export interface PortfolioApi {
  getCurrentPortfolio(request: portfolio.PortfolioRequest): Promise<portfolio.PortfolioResponse>
  streamPositionUpdates(request: portfolio.Empty, signal: AbortSignal): AsyncIterable<portfolio.PositionUpdate>
}

export interface OrderExecutionApi {
  listOrders(request: orders.ListOrdersRequest): Promise<orders.ListOrdersResponse>
  cancelOrder(request: orders.CancelOrderRequest): Promise<orders.CancelOrderResponse>
  halt(request: orders.HaltRequest): Promise<orders.HaltResponse>
  resume(request: orders.ResumeRequest): Promise<orders.HaltResponse>
  resumeStrategy(request: orders.ResumeStrategyRequest): Promise<orders.HaltResponse>
  getTradingState(request: orders.GetTradingStateRequest): Promise<orders.TradingState>
  adjustBalance(request: orders.AdjustBalanceRequest): Promise<orders.AdjustBalanceResponse>
}

export interface StrategyApi {
  listStrategies(request: strategy.ListStrategiesRequest): Promise<strategy.ListStrategiesResponse>
  startStrategy(request: strategy.StrategyRequest): Promise<strategy.StrategyView>
  stopStrategy(request: strategy.StrategyRequest): Promise<strategy.StrategyView>
}

export interface CollectionApi {
  collect(request: collection.CollectRequest): Promise<collection.ListCollectionsResponse>
  listCollections(request: collection.ListCollectionsRequest): Promise<collection.ListCollectionsResponse>
  cancelCollection(request: collection.CancelCollectionRequest): Promise<collection.ListCollectionsResponse>
  latestCandles(request: collection.LatestCandlesRequest): Promise<collection.LatestCandlesResponse>
}

/**
 * Which call may be repeated when its answer was lost: because it changes nothing, or because its handler answers a
 * repetition as it answered the first time. A new method has no place here until someone has decided.
 *
 * A call that may not be repeated is sent at most once; when it ends with UNAVAILABLE or DEADLINE_EXCEEDED its outcome is
 * unknown, and whoever asked looks (`listOrders`, `getTradingState`, `listStrategies`) before asking again.
 */
export const IDEMPOTENT = {
  // The answer is kept under `signalId` and said again; without an account nothing is reserved.
  risk: { checkTradingRisk: true, calculatePositionSize: true },
  // A broken stream of updates starts again with every position, so its reader decides when.
  portfolio: { getCurrentPortfolio: true, streamPositionUpdates: false },
  // A second cancel is answered «not accepted», and a second halt counts only what the first left over: the person would
  // read a failure that was none. A late second resume would lift a halt that came between.
  // What was booked by a question is no difference any more, and the question is of a moment that has passed: said again, it
  // books nothing.
  orders: {
    ...{ listOrders: true, cancelOrder: false, halt: false, resume: false, getTradingState: true },
    ...{ resumeStrategy: false, adjustBalance: true },
  },
  // A late repetition would undo the opposite command that came between.
  strategy: { listStrategies: true, startStrategy: false, stopStrategy: false },
  // Asked for once more while it runs, it is the same run. What was collected is not collected again.
  collection: { collect: true, listCollections: true, cancelCollection: false, latestCandles: true },
} as const satisfies {
  risk: Record<keyof RiskManagementApi, boolean>
  portfolio: Record<keyof PortfolioApi, boolean>
  orders: Record<keyof OrderExecutionApi, boolean>
  strategy: Record<keyof StrategyApi, boolean>
  collection: Record<keyof CollectionApi, boolean>
}

/** The standard gRPC status names used in JTS. */
export const RPC_CODES = [
  'CANCELLED',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  /** Nothing was done, and another process is to be asked: the one that owns what was asked about. */
  'ABORTED',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
] as const

export type RpcCode = (typeof RPC_CODES)[number]

export class RpcError extends Error {
  override readonly name = 'RpcError'
  readonly code: RpcCode
  constructor(code: RpcCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
