/** Daily candles from Binance, whose days are UTC's. */
import type { MarketDataPort } from '@jts/broker-kit'
import { timeframeUs, type InstrumentId } from '@jts/model'
import type { Logger, WallClock } from '@jts/runtime'
import type { Store } from '@jts/transport'
import { CandleCollection } from './candle-collection.ts'
import type { CollectionReport, CollectOptions, DataCollector } from './collector.ts'

export type BinanceCollectorOptions = {
  readonly source: Pick<MarketDataPort, 'candles'>
  readonly store: Store
  readonly wallClock: WallClock
  readonly log: Logger
  readonly days?: number
  readonly retryMs?: number
}

const AT_ONCE = 4
const DAY_US = timeframeUs('1d')

export class BinanceDataCollector implements DataCollector {
  readonly #collection: CandleCollection

  constructor({ days = 1, ...options }: BinanceCollectorOptions) {
    this.#collection = new CandleCollection({
      ...options,
      timeframe: '1d',
      atOnce: AT_ONCE,
      firstFromUs: () => (Math.floor(options.wallClock.nowUs() / DAY_US) - days) * DAY_US,
    })
  }

  collectDailyCandles(instruments: readonly InstrumentId[], options?: CollectOptions): Promise<CollectionReport> {
    return this.#collection.run(instruments, options)
  }
}
