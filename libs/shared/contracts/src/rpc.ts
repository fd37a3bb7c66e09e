/** The synchronous conversations as typed calls; the same interface stands before a direct call and before gRPC. */
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
  getTradingState(request: orders.GetTradingStateRequest): Promise<orders.TradingState>
}

export interface StrategyApi {
  listStrategies(request: strategy.ListStrategiesRequest): Promise<strategy.ListStrategiesResponse>
  startStrategy(request: strategy.StrategyRequest): Promise<strategy.StrategyView>
  stopStrategy(request: strategy.StrategyRequest): Promise<strategy.StrategyView>
}

/** The standard gRPC status names used in JTS. */
export type RpcCode =
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'FAILED_PRECONDITION'
  | 'UNAVAILABLE'
  | 'DEADLINE_EXCEEDED'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'PERMISSION_DENIED'

export class RpcError extends Error {
  override readonly name = 'RpcError'
  readonly code: RpcCode
  constructor(code: RpcCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
