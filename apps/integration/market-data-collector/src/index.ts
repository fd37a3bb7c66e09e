export { createMarketDataCollector, type MarketDataCollector, type MarketDataCollectorOptions } from './service.ts'
export * from './collectors/collector.ts'
export { CreonDataCollector, type CreonCollectorOptions } from './collectors/creon.collector.ts'
export { BinanceDataCollector, type BinanceCollectorOptions } from './collectors/binance.collector.ts'
export {
  createCollections,
  type Collections,
  type CollectionsOptions,
  type CollectionVenue,
  type ScheduledCollection,
} from './collections.ts'
