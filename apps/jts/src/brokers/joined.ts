/** Several brokers' markets, each with its collector: they start and fall by themselves. */
import type { CandleQuery, MarketDataPort } from '@jts/broker-kit'
import type { MarketDataCollector } from '@jts/market-data-collector'
import { instrumentVenue, type Bar } from '@jts/model'

export type MarketData = MarketDataPort & { start(): Promise<void>; stop(): Promise<void> }
/** By venue. */
export type Markets = ReadonlyMap<string, MarketData>

/** Answers about past candles, each from the broker of its venue. */
export function candlesOf(markets: Markets): { candles(query: CandleQuery): Promise<readonly Bar[]> } {
  return {
    candles: (query) => {
      const market = markets.get(instrumentVenue(query.instrument))
      if (market !== undefined) return market.candles(query)
      const known = [...markets.keys()].join(', ')
      return Promise.reject(new Error(`expected an instrument of ${known}, found ${query.instrument}`))
    },
  }
}

export function joinCollectors(collectors: readonly MarketDataCollector[]): MarketDataCollector {
  const [only] = collectors
  if (only !== undefined && collectors.length === 1) return only
  const each = async (work: (one: MarketDataCollector) => Promise<void>): Promise<void> => {
    await Promise.all(collectors.map(work))
  }
  const sum = (count: (one: MarketDataCollector) => number): number =>
    collectors.reduce((total, one) => total + count(one), 0)
  return {
    restore: () => each((one) => one.restore()),
    start: () => each((one) => one.start()),
    stop: () => each((one) => one.stop()),
    barCount: () => sum((one) => one.barCount()),
    tradeCount: () => sum((one) => one.tradeCount()),
    gapCount: () => sum((one) => one.gapCount()),
  }
}
