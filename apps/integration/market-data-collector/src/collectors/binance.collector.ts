/** Candles from Binance, whose days are UTC's. */
import type { MarketDataPort } from '@jts/broker-kit'
import { timeframeUs, type InstrumentId } from '@jts/model'
import type { Logger, WallClock } from '@jts/runtime'
import type { Store } from '@jts/transport'
import { rangeOfDays } from '../domain/collection-days.ts'
import { CandleCollection } from './candle-collection.ts'
import type { CollectionReport, CollectOptions, DataCollector, WantedCandles } from './collector.ts'

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
  readonly #options: BinanceCollectorOptions
  readonly #collection: CandleCollection

  constructor(options: BinanceCollectorOptions) {
    this.#options = options
    this.#collection = new CandleCollection({ ...options, atOnce: AT_ONCE })
  }

  collectDailyCandles(instruments: readonly InstrumentId[], options?: CollectOptions): Promise<CollectionReport> {
    const { wallClock, days = 1 } = this.#options
    const nowUs = wallClock.nowUs()
    const fromUs = (Math.floor(nowUs / DAY_US) - days) * DAY_US
    return this.#collection.run(instruments, { timeframe: '1d', fromUs, untilUs: nowUs, goesOn: true }, options)
  }

  async collectCandles(
    instruments: readonly InstrumentId[],
    wanted: WantedCandles,
    options?: CollectOptions,
  ): Promise<CollectionReport> {
    const range = rangeOfDays('BINANCE', wanted, this.#options.wallClock.nowUs())
    const { timeframe, fromDay } = wanted
    return await this.#collection.run(instruments, { timeframe, ...range, goesOn: fromDay === '' }, options)
  }
}
