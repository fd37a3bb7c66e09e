/** What the gateway asks of the system. The composition fills `GatewayPorts`; the gateway knows no service. */
import type {
  AdjustmentView,
  AdjustRequestView,
  CandleView,
  CollectionView,
  CollectRequestView,
  DecisionView,
  FillView,
  GatewayUpdate,
  HaltView,
  OrderView,
  PortfolioView,
  StatusView,
  StrategyView,
} from '@jts/contracts/gateway'

export type * from '@jts/contracts/gateway'

export interface GatewayPorts {
  status(): Promise<StatusView>
  portfolio(): Promise<PortfolioView>
  candles(query: { instrument: string; timeframe: string; limit: number }): Promise<readonly CandleView[]>
  orders(query: { limit: number }): Promise<readonly OrderView[]>
  fills(query: { instrument?: string; limit: number }): Promise<readonly FillView[]>
  decisions(query: { limit: number }): Promise<readonly DecisionView[]>
  halt(request: { reason: string; by: string }): Promise<HaltView>
  resume(request: { by: string }): Promise<HaltView>
  /** Books what moved without a trade: exactly what differs now, or nothing. */
  adjust(request: AdjustRequestView & { readonly by: string }): Promise<AdjustmentView>
  /** Starts a strategy instance that is stopped or barred. */
  startStrategy(request: { instance: string }): Promise<StrategyView>
  collections(): Promise<readonly CollectionView[]>
  collect(request: CollectRequestView): Promise<readonly CollectionView[]>
  cancelCollection(request: { venue: string }): Promise<readonly CollectionView[]>
  /** Live updates; synchronous callbacks; returns unsubscribe. */
  subscribe(listener: (update: GatewayUpdate) => void): () => void
}
