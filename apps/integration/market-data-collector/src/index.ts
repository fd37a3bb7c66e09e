export { createMarketDataCollector, type MarketDataCollector, type MarketDataCollectorOptions } from './service.ts'
