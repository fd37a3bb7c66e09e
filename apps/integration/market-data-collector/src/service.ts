/**
 * Market-data collector: one stream of closed bars per (instrument, timeframe), and one of public trades per instrument,
 * from its elected source onto the bus, in order, each once. What was missed while the stream was down is asked for before
 * anything newer is published.
 */
import type { MarketDataPort, MarketSubscription } from '@jts/broker-kit'
import type { KrxSessions } from '@jts/model'
import type { Activity, HeartbeatTimes, Logger, MarketClock, WallClock } from '@jts/runtime'
import { Heartbeats, placeOf, type Store } from '@jts/transport'
import { progress, tradeProgress } from './adapters/tables.ts'
import { BarFeed, TradeFeed, type Feed, type Item } from './feed.ts'
import { ListingWatch } from './listing-watch.ts'

export type MarketDataCollectorOptions = {
  readonly store: Store
  readonly marketClock: MarketClock
  readonly wallClock: WallClock
  readonly activity: Activity
  readonly log: Logger
  readonly source: MarketDataPort
  /** Under which it is waited for, where each venue has a collector of its own. */
  readonly participant?: string
  /** A market that never closes, whatever its calendar says: a simulated one. */
  readonly alwaysOpen?: boolean
  /** The hours of the KRX as they are configured; without them the shipped ones. */
  readonly sessions?: KrxSessions | undefined
  /** Asks the source what is listed and tells what it says: for a venue whose listings change while it trades. */
  readonly watchListings?: boolean
  readonly series: readonly MarketSubscription[]
  /** Its sign of life while its streams stand; a replay needs none. */
  readonly heartbeats?: HeartbeatTimes
  /** Real-time figure: a bar or trade has arrived. */
  readonly onItem?: (correlationId: string) => void
}

export type MarketDataCollector = {
  /** Brings market time to the last bar or trade published, before anyone asks what time it is. Part of `start` as well. */
  restore(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
  /** Bars published since the first start, of all series. */
  barCount(): number
  /** Public trades, as `barCount`. */
  tradeCount(): number
  gapCount(): number
}

/** A bar or trade that waits until what was missed before it has been asked for. */
type Held = { readonly feed: Feed; readonly item: Item }

const NAME = 'market-data-collector'
const RETRY_MS = 500
/** Bars or trades asked for in one go when filling back. */
const FILL_LIMIT = 1000

export function createMarketDataCollector(options: MarketDataCollectorOptions): MarketDataCollector {
  options.store.ensure([progress, tradeProgress] as never[])
  return new Service(options)
}

class Service implements MarketDataCollector {
  readonly #options: MarketDataCollectorOptions
  /** By instrument and timeframe. */
  readonly #bars = new Map<string, BarFeed>()
  /** By instrument. */
  readonly #trades = new Map<string, TradeFeed>()
  /** What arrived while something earlier was being asked for. */
  #held: Held[] = []
  #filling = false
  /** The stream has come up again while what is missing was being asked for: the answers may be older than that. */
  #fillAgain = false
  #streamUp = false
  #stopped = false
  readonly #heartbeats: Heartbeats | undefined
  readonly #listings: ListingWatch | undefined
  #stream: { stop(): Promise<void> } | undefined

  constructor(options: MarketDataCollectorOptions) {
    this.#options = options
    const { heartbeats: times, store, wallClock, log } = options
    const places = [...new Set(options.series.map(({ instrument }) => placeOf(instrument)))]
    if (times !== undefined) {
      // Silent while the stream is down or something missed has not come yet: the prices of others are older than they look.
      const says = () => (this.#streamUp && !this.#filling ? { places } : undefined)
      this.#heartbeats = new Heartbeats({ service: NAME, store, wallClock, log, times, says })
    }
    if (options.watchListings === true) {
      const instruments = [...new Set(options.series.map(({ instrument }) => instrument))]
      this.#listings = new ListingWatch({ ...options, instruments, mayBeAlwaysOpen: options.alwaysOpen === true })
    }
    for (const { instrument, timeframe } of options.series) {
      if (timeframe === undefined)
        this.#trades.set(instrument, new TradeFeed(instrument, options.source.capabilities.trades !== false))
      else {
        const { alwaysOpen = false, sessions } = options
        this.#bars.set(keyOf(instrument, timeframe), new BarFeed(instrument, timeframe, alwaysOpen, sessions))
      }
    }
  }

  get #name(): string {
    return this.#options.participant ?? NAME
  }

  async restore(): Promise<void> {
    const { store, marketClock } = this.#options
    for (const row of await store.all(progress)) {
      const series = this.#bars.get(keyOf(row.instrument, row.timeframe))?.series
      if (series === undefined) continue
      series.isBegun = true
      series.closeTimeUs = row.close_time_us
      series.count = row.bars
      series.gaps = row.gaps
      marketClock.advanceTo(row.close_time_us)
    }
    for (const row of await store.all(tradeProgress)) {
      const series = this.#trades.get(row.instrument)?.series
      if (series === undefined) continue
      series.isBegun = true
      series.tradeId = row.trade_id
      series.timeUs = row.time_us
      series.count = row.trades
      series.gaps = row.gaps
      marketClock.advanceTo(row.time_us)
    }
  }

  async start(): Promise<void> {
    await this.restore()
    this.#options.activity.absent(this.#name)
    this.#heartbeats?.start()
    await this.#listings?.start()
    if (this.#stopped) return
    this.#stream = this.#options.source.subscribe(this.#options.series, {
      onBar: (bar) => this.#hear(this.#bars.get(keyOf(bar.instrument, bar.timeframe)), bar),
      onTrade: (trade) => this.#hear(this.#trades.get(trade.instrument), trade),
      onMarketStream: (state, reason) => {
        this.#streamUp = state === 'up'
        if (state === 'up') void this.#fillBack()
        else {
          this.#options.activity.absent(this.#name)
          this.#options.log.warn({ reason }, 'the market stream is down')
        }
      },
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#listings?.stop()
    this.#heartbeats?.stop()
    await this.#stream?.stop()
  }

  barCount(): number {
    return sum(this.#bars, ({ series }) => series.count)
  }

  tradeCount(): number {
    return sum(this.#trades, ({ series }) => series.count)
  }

  gapCount(): number {
    return sum(this.#bars, ({ series }) => series.gaps) + sum(this.#trades, ({ series }) => series.gaps)
  }

  #hear(feed: Feed | undefined, item: Item): void {
    if (feed === undefined) return
    if (this.#filling) this.#held.push({ feed, item })
    else if (feed.series.decide(item) === 'gap') {
      this.#held.push({ feed, item })
      void this.#fillBack()
    } else this.#publish(feed, item)
  }

  /** Asks for what is missing in every series, publishes it, then what arrived meanwhile. */
  async #fillBack(): Promise<void> {
    if (this.#filling) {
      this.#fillAgain = true
      return
    }
    const { activity, log, wallClock } = this.#options
    this.#filling = true
    await activity.during(this.#name, async () => {
      try {
        do {
          this.#fillAgain = false
          const asked = new Set(this.#held)
          for (const feed of [...this.#bars.values(), ...this.#trades.values()]) await this.#fill(feed)
          if (this.#stopped) return
          this.#release(asked)
        } while (this.#fillAgain || this.#held.length > 0)
      } catch (error) {
        this.#filling = false
        if (this.#stopped) return
        log.warn({ err: error }, 'what is missing could not be asked for; trying again')
        activity.absent(this.#name)
        wallClock.after(RETRY_MS, () => void this.#fillBack())
        return
      }
      this.#filling = false
      activity.present(this.#name)
    })
  }

  async #fill(feed: Feed): Promise<void> {
    const { source, store } = this.#options
    if (!feed.series.isBegun) {
      await feed.begin(source)
      store.transact((turn) => feed.keep(turn))
    }
    for (;;) {
      const items = await feed.missing(source, FILL_LIMIT)
      if (this.#stopped) return
      for (const item of items) this.#publish(feed, item)
      if (items.length < FILL_LIMIT) return
    }
  }

  /** Publishes what was held; what is behind a gap that has not been asked for since it came stays, and all after it. */
  #release(asked: ReadonlySet<Held>): void {
    const held = this.#held
    this.#held = []
    for (const one of held) {
      const { feed, item } = one
      if (this.#held.length > 0 || (feed.series.decide(item) === 'gap' && !asked.has(one))) this.#held.push(one)
      else this.#publish(feed, item)
    }
  }

  #publish(feed: Feed, item: Item): void {
    const { series } = feed
    const decision = series.decide(item)
    if (decision === 'seen') return
    if (decision === 'gap') {
      // The source itself has nothing there: said, and gone on.
      series.gaps++
      this.#options.log.info(feed.place(), 'the source has a gap here')
    }
    const event = feed.event(item)
    this.#options.onItem?.(event.correlationId)
    this.#options.marketClock.advanceTo(event.timeEventUs)
    this.#options.store.transact((turn) => {
      turn.publish(feed.topic, event)
      series.take(item)
      feed.keep(turn)
    })
  }
}

function keyOf(instrument: string, timeframe: string): string {
  return `${instrument}/${timeframe}`
}

function sum<T>(feeds: ReadonlyMap<string, T>, count: (feed: T) => number): number {
  return [...feeds.values()].reduce((total, feed) => total + count(feed), 0)
}
