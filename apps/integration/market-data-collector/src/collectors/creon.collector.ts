/** Candles of the KRX from Creon: the last trading day that has ended, for a whole market in one run. */
import type { MarketDataPort } from '@jts/broker-kit'
import { krxDayBar, KrxSessions, kstDateOf, type InstrumentId } from '@jts/model'
import type { Logger, WallClock } from '@jts/runtime'
import type { Store } from '@jts/transport'
import { rangeOfDays } from '../domain/collection-days.ts'
import { CandleCollection } from './candle-collection.ts'
import type { CollectionReport, CollectOptions, DataCollector, WantedCandles } from './collector.ts'

export type CreonCollectorOptions = {
  readonly creonClient: Pick<MarketDataPort, 'candles'>
  readonly store: Store
  readonly wallClock: WallClock
  readonly log: Logger
  /** The hours of the KRX as they are configured; without them the shipped ones. */
  readonly sessions?: KrxSessions | undefined
  /** Trading days asked for of an instrument that has none yet. */
  readonly days?: number
  readonly retryMs?: number
  /** A simulated market that never closes. */
  readonly alwaysOpen?: boolean
}

/** Creon answers one request after the other: more at once would only wait in its queue. */
const AT_ONCE = 2

export class CreonDataCollector implements DataCollector {
  readonly #options: CreonCollectorOptions
  readonly #collection: CandleCollection

  constructor(options: CreonCollectorOptions) {
    this.#options = options
    const { creonClient, ...rest } = options
    this.#collection = new CandleCollection({ ...rest, source: creonClient, atOnce: AT_ONCE })
  }

  collectDailyCandles(instruments: readonly InstrumentId[], options?: CollectOptions): Promise<CollectionReport> {
    const { wallClock, sessions = new KrxSessions(), days = 1 } = this.#options
    const nowUs = wallClock.nowUs()
    // Yesterday is the last day of trading before today, whatever lies between.
    const fromUs = krxDayBar(sessions.calendar.tradingDayAfter(kstDateOf(nowUs), -days)).openTimeUs
    return this.#collection.run(instruments, { timeframe: '1d', fromUs, untilUs: nowUs, goesOn: true }, options)
  }

  async collectCandles(
    instruments: readonly InstrumentId[],
    wanted: WantedCandles,
    options?: CollectOptions,
  ): Promise<CollectionReport> {
    const { timeframe, fromDay } = wanted
    const range = rangeOfDays('KRX', wanted, this.#options.wallClock.nowUs(), this.#options.sessions?.calendar)
    return await this.#collection.run(instruments, { timeframe, ...range, goesOn: fromDay === '' }, options)
  }
}
