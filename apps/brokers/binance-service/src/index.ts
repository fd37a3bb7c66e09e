/** Binance Spot behind the broker port. */
export { createBinanceBroker, type BinanceBroker, type BinanceBrokerOptions } from './broker.ts'
export { createBinanceMarketData, type BinanceMarketData, type BinanceMarketDataOptions } from './market-data.ts'
export { endpointsOfVenue, parseBinanceEndpoints, PRODUCTION, TESTNET, type BinanceEndpoints } from './config.ts'
export { startBinanceService, type BinanceServiceOptions } from './service.ts'
export { BINANCE_LIMITS, type Limits } from './adapters/limits.ts'
export { RateBudget } from './adapters/rate-budget.ts'
export type { Credentials } from './adapters/auth.ts'
