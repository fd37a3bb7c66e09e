/** Candles of the KRX from Creon: the last trading day that has ended, for a whole market in one run. */
import type { MarketDataPort } from '@jts/broker-kit'
import { KrxCalendar, krxDayBar, kstDateOf, type InstrumentId } from '@jts/model'
import type { Logger, WallClock } from '@jts/runtime'
import type { Store } from '@jts/transport'
import { CandleCollection } from './candle-collection.ts'
import type { CollectionReport, CollectOptions, DataCollector } from './collector.ts'

export type CreonCollectorOptions = {
  readonly creonClient: Pick<MarketDataPort, 'candles'>
  readonly store: Store
  readonly wallClock: WallClock
  readonly log: Logger
  readonly calendar?: KrxCalendar
  /** Trading days asked for of an instrument that has none yet. */
  readonly days?: number
  readonly retryMs?: number
}

/** Creon answers one request after the other: more at once would only wait in its queue. */
const AT_ONCE = 2

export class CreonDataCollector implements DataCollector {
  readonly #collection: CandleCollection

  constructor({ creonClient, calendar = new KrxCalendar(), days = 1, ...options }: CreonCollectorOptions) {
    this.#collection = new CandleCollection({
      ...options,
      source: creonClient,
      timeframe: '1d',
      atOnce: AT_ONCE,
      // Yesterday is the last day of trading before today, whatever lies between.
      firstFromUs: () => {
        const today = kstDateOf(options.wallClock.nowUs())
        return krxDayBar(calendar.tradingDayAfter(today, -days)).openTimeUs
      },
    })
  }

  collectDailyCandles(instruments: readonly InstrumentId[], options?: CollectOptions): Promise<CollectionReport> {
    return this.#collection.run(instruments, options)
  }
}
