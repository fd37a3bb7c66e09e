/**
 * Market-data collector: one stream of closed bars per (instrument, timeframe) from its elected source onto the bus, in
 * order, each once. What was missed while the stream was down is asked for before anything newer is published.
 */
import { candlesTopic } from '@jts/contracts'
import type { MarketDataPort } from '@jts/broker-kit'
import { instrumentVenue, type Bar, type InstrumentId } from '@jts/model'
import type { Activity, Logger, MarketClock, WallClock } from '@jts/runtime'
import type { Store, Turn } from '@jts/transport'
import { progress } from './adapters/tables.ts'
import { Series } from './domain/series.ts'

export type MarketDataCollectorOptions = {
  readonly store: Store
  readonly marketClock: MarketClock
  readonly wallClock: WallClock
  readonly activity: Activity
  readonly log: Logger
  readonly source: MarketDataPort
  readonly series: readonly { readonly instrument: InstrumentId; readonly timeframe: string }[]
  /** Real-time figure: a bar has arrived. */
  readonly onBar?: (correlationId: string) => void
}

export type MarketDataCollector = {
  /** Brings market time to the last bar published, before anyone asks what time it is. Part of `start` as well. */
  restore(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
  /** Bars published since the first start, of all series. */
  barCount(): number
  gapCount(): number
}

const NAME = 'market-data-collector'
const RETRY_MS = 500
/** Bars asked for in one go when filling back. */
const FILL_LIMIT = 1000

export function createMarketDataCollector(options: MarketDataCollectorOptions): MarketDataCollector {
  options.store.ensure([progress] as never[])
  return new Service(options)
}

class Service implements MarketDataCollector {
  readonly #options: MarketDataCollectorOptions
  readonly #series = new Map<string, Series>()
  /** Bars that arrived while an earlier one was being asked for. */
  #held: Bar[] = []
  #filling = false
  /** The stream has come up again while missing bars were being asked for: the answers may be older than that. */
  #fillAgain = false
  #stopped = false
  #stream: { stop(): Promise<void> } | undefined

  constructor(options: MarketDataCollectorOptions) {
    this.#options = options
    for (const { instrument, timeframe } of options.series) {
      this.#series.set(keyOf(instrument, timeframe), new Series(instrument, timeframe))
    }
  }

  async restore(): Promise<void> {
    for (const row of await this.#options.store.all(progress)) {
      const series = this.#series.get(keyOf(row.instrument, row.timeframe))
      if (series === undefined) continue
      series.closeTimeUs = row.close_time_us
      series.bars = row.bars
      series.gaps = row.gaps
      this.#options.marketClock.advanceTo(row.close_time_us)
    }
  }

  async start(): Promise<void> {
    await this.restore()
    this.#options.activity.absent(NAME)
    this.#stream = this.#options.source.subscribe(this.#options.series, {
      onBar: (bar) => this.#onBar(bar),
      onTrade: () => undefined,
      onMarketStream: (state, reason) => {
        if (state === 'up') void this.#fillBack()
        else {
          this.#options.activity.absent(NAME)
          this.#options.log.warn({ reason }, 'the market stream is down')
        }
      },
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#stream?.stop()
  }

  barCount(): number {
    return [...this.#series.values()].reduce((sum, series) => sum + series.bars, 0)
  }

  gapCount(): number {
    return [...this.#series.values()].reduce((sum, series) => sum + series.gaps, 0)
  }

  #onBar(bar: Bar): void {
    const series = this.#series.get(keyOf(bar.instrument, bar.timeframe))
    if (series === undefined) return
    if (this.#filling) this.#held.push(bar)
    else if (series.decide(bar) === 'gap') {
      this.#held.push(bar)
      void this.#fillBack()
    } else this.#publish(series, bar)
  }

  /** Asks for what is missing in every series, publishes it, then what arrived meanwhile. */
  async #fillBack(): Promise<void> {
    if (this.#filling) {
      this.#fillAgain = true
      return
    }
    const { activity, log, wallClock } = this.#options
    this.#filling = true
    await activity.during(NAME, async () => {
      try {
        do {
          this.#fillAgain = false
          const asked = new Set(this.#held)
          for (const series of this.#series.values()) await this.#fillSeries(series)
          if (this.#stopped) return
          this.#release(asked)
        } while (this.#fillAgain || this.#held.length > 0)
      } catch (error) {
        this.#filling = false
        if (this.#stopped) return
        log.warn({ err: error }, 'missing bars could not be asked for; trying again')
        activity.absent(NAME)
        wallClock.after(RETRY_MS, () => void this.#fillBack())
        return
      }
      this.#filling = false
      activity.present(NAME)
    })
  }

  async #fillSeries(series: Series): Promise<void> {
    // A series that has never been published begins with the stream: no history is told as if it were live.
    while (series.closeTimeUs !== 0) {
      const bars = await this.#options.source.candles({
        instrument: series.instrument as InstrumentId,
        timeframe: series.timeframe,
        fromUs: series.closeTimeUs + 1,
        limit: FILL_LIMIT,
      })
      if (this.#stopped) return
      for (const bar of bars) this.#publish(series, bar)
      if (bars.length < FILL_LIMIT) return
    }
  }

  /** Publishes what was held; a bar behind a gap that has not been asked for since it came stays, and all after it. */
  #release(asked: ReadonlySet<Bar>): void {
    const held = this.#held
    this.#held = []
    for (const bar of held) {
      const series = this.#series.get(keyOf(bar.instrument, bar.timeframe))!
      if (this.#held.length > 0 || (series.decide(bar) === 'gap' && !asked.has(bar))) this.#held.push(bar)
      else this.#publish(series, bar)
    }
  }

  #publish(series: Series, bar: Bar): void {
    const decision = series.decide(bar)
    if (decision === 'seen') return
    if (decision === 'gap') {
      // The source itself has no bars there: said, and gone on.
      series.gaps++
      this.#options.log.info(
        { instrument: bar.instrument, timeframe: bar.timeframe, afterUs: series.closeTimeUs },
        'the source has no bars here',
      )
    }
    const correlationId = `candle/${bar.instrument}/${bar.timeframe}/${bar.closeTimeUs}`
    this.#options.onBar?.(correlationId)
    this.#options.marketClock.advanceTo(bar.closeTimeUs)
    this.#options.store.transact((turn) => {
      turn.publish(candlesTopic(instrumentVenue(bar.instrument)), {
        type: 'Candle',
        stream: bar.instrument,
        correlationId,
        causationId: '',
        timeEventUs: bar.closeTimeUs,
        payload: bar,
      })
      series.take(bar)
      this.#keep(series, turn)
    })
  }

  #keep(series: Series, turn: Turn): void {
    turn.put(progress, {
      instrument: series.instrument,
      timeframe: series.timeframe,
      close_time_us: series.closeTimeUs,
      bars: series.bars,
      gaps: series.gaps,
    })
  }
}

function keyOf(instrument: string, timeframe: string): string {
  return `${instrument}/${timeframe}`
}
