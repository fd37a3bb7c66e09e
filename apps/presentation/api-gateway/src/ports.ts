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
  HaltState,
  HaltView,
  OrderView,
  PortfolioView,
  StatusView,
  StrategyHaltView,
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
  halt(request: { reason: string; by: string; state: HaltState }): Promise<HaltView>
  resume(request: { by: string }): Promise<HaltView>
  /** The orders of one strategy instance alone. */
  haltStrategy(request: { instance: string; reason: string; by: string; state: HaltState }): Promise<HaltView>
  /** Lifts that, and starts the instance where it is stopped or barred. */
  resumeStrategy(request: { instance: string; by: string }): Promise<StrategyHaltView>
  /** Books what moved without a trade: exactly what differs now, or nothing. */
  adjust(request: AdjustRequestView & { readonly by: string }): Promise<AdjustmentView>
  /** Starts a strategy instance that is stopped or barred. */
  startStrategy(request: { instance: string }): Promise<StrategyView>
  /** Stops it: it is told nothing more and what waits for an opening is dropped; orders in the market stay. */
  stopStrategy(request: { instance: string }): Promise<StrategyView>
  collections(): Promise<readonly CollectionView[]>
  collect(request: CollectRequestView): Promise<readonly CollectionView[]>
  cancelCollection(request: { venue: string }): Promise<readonly CollectionView[]>
  /** Live updates; synchronous callbacks; returns unsubscribe. */
  subscribe(listener: (update: GatewayUpdate) => void): () => void
}
