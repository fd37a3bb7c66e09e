/** One series on its way from the source to the bus: what bars and trades do not have in common. */
import type { MarketDataPort } from '@jts/broker-kit'
import { candlesTopic, tradesTopic, type NewEvent, type Topic } from '@jts/contracts'
import { instrumentVenue, type Bar, type InstrumentId, type KrxSessions, type Trade } from '@jts/model'
import type { Turn } from '@jts/transport'
import { progress, tradeProgress } from './adapters/tables.ts'
import { BarSeries, StreamedTradeSeries, TradeSeries, type SeriesDecision } from './domain/series.ts'

export type Item = Bar | Trade

export interface Feed<I extends Item = Item> {
  readonly series: {
    readonly isBegun: boolean
    readonly count: number
    gaps: number
    decide(item: I): SeriesDecision
    take(item: I): void
  }
  readonly topic: Topic
  /** Names the series and its last item published, for a person. */
  place(): Readonly<Record<string, string | number>>
  /** A series that has never been heard begins after what the source has now: no history is told as if it were live. */
  begin(source: MarketDataPort): Promise<void>
  /** What the source has after the last item published, oldest first. */
  missing(source: MarketDataPort, limit: number): Promise<readonly I[]>
  event(item: I): NewEvent
  /** How far the series has been published. */
  keep(turn: Turn): void
}

export function candleEvent(bar: Bar): NewEvent {
  return {
    type: 'Candle',
    stream: bar.instrument,
    correlationId: `candle/${bar.instrument}/${bar.timeframe}/${bar.closeTimeUs}`,
    causationId: '',
    timeEventUs: bar.closeTimeUs,
    payload: bar,
  }
}

export class BarFeed implements Feed<Bar> {
  readonly series: BarSeries
  readonly topic: Topic
  readonly #instrument: InstrumentId

  constructor(instrument: InstrumentId, timeframe: string, alwaysOpen: boolean, sessions?: KrxSessions) {
    this.series = new BarSeries(instrument, timeframe, alwaysOpen, sessions)
    this.topic = candlesTopic(instrumentVenue(instrument))
    this.#instrument = instrument
  }

  place(): Readonly<Record<string, string | number>> {
    const { timeframe, closeTimeUs } = this.series
    return { instrument: this.#instrument, timeframe, afterUs: closeTimeUs }
  }

  async begin(source: MarketDataPort): Promise<void> {
    const { timeframe } = this.series
    const latest = await source.candles({ instrument: this.#instrument, timeframe, limit: 1 })
    this.series.closeTimeUs = latest.at(-1)?.closeTimeUs ?? 0
    this.series.isBegun = true
  }

  missing(source: MarketDataPort, limit: number): Promise<readonly Bar[]> {
    const { timeframe, closeTimeUs } = this.series
    return source.candles({ instrument: this.#instrument, timeframe, fromUs: closeTimeUs + 1, limit })
  }

  event(bar: Bar): NewEvent {
    return candleEvent(bar)
  }

  keep(turn: Turn): void {
    const { timeframe, closeTimeUs, count, gaps } = this.series
    turn.put(progress, { instrument: this.#instrument, timeframe, close_time_us: closeTimeUs, bars: count, gaps })
  }
}

export class TradeFeed implements Feed<Trade> {
  readonly series: TradeSeries | StreamedTradeSeries
  readonly topic: Topic
  readonly #instrument: InstrumentId
  readonly #isListed: boolean

  /** @param isListed the source answers about past trades; otherwise what the stream does not bring is lost */
  constructor(instrument: InstrumentId, isListed: boolean) {
    this.#isListed = isListed
    this.series = isListed ? new TradeSeries() : new StreamedTradeSeries()
    this.topic = tradesTopic(instrumentVenue(instrument))
    this.#instrument = instrument
  }

  place(): Readonly<Record<string, string | number>> {
    return { instrument: this.#instrument, afterTradeId: this.series.tradeId }
  }

  async begin(source: MarketDataPort): Promise<void> {
    const latest = this.#isListed ? (await source.trades({ instrument: this.#instrument, limit: 1 })).at(-1) : undefined
    this.series.tradeId = latest?.tradeId ?? ''
    this.series.timeUs = latest?.timeUs ?? 0
    this.series.isBegun = true
  }

  missing(source: MarketDataPort, limit: number): Promise<readonly Trade[]> {
    if (!this.#isListed) return Promise.resolve([])
    return source.trades({ instrument: this.#instrument, afterTradeId: this.series.tradeId || '0', limit })
  }

  event(trade: Trade): NewEvent {
    return {
      type: 'PublicTrade',
      stream: trade.instrument,
      correlationId: `trade/${trade.instrument}/${trade.tradeId}`,
      causationId: '',
      timeEventUs: trade.timeUs,
      payload: trade,
    }
  }

  keep(turn: Turn): void {
    const { tradeId, timeUs, count, gaps } = this.series
    turn.put(tradeProgress, { instrument: this.#instrument, trade_id: tradeId, time_us: timeUs, trades: count, gaps })
  }
}
