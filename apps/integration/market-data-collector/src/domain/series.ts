/** One series from its source: which item is next, which was seen before, where one is missing. */
import {
  barTimesOf,
  everyStep,
  type Bar,
  type BarTimes,
  type InstrumentId,
  type KrxSessions,
  type Trade,
} from '@jts/model'

export type SeriesDecision = 'publish' | 'seen' | 'gap'

export class BarSeries {
  readonly timeframe: string
  /** Its beginning is known: what follows is told, and asked for when it was missed. */
  isBegun = false
  /** Close of the bar after which it goes on, µs; 0 for the first that the source ever has. */
  closeTimeUs = 0
  count = 0
  gaps = 0
  readonly #times: BarTimes

  constructor(instrument: InstrumentId, timeframe: string, alwaysOpen = false, sessions?: KrxSessions) {
    this.timeframe = timeframe
    this.#times = alwaysOpen ? everyStep(timeframe) : barTimesOf(instrument, timeframe, sessions)
  }

  decide(bar: Bar): SeriesDecision {
    if (this.closeTimeUs === 0) return 'publish'
    if (bar.closeTimeUs <= this.closeTimeUs) return 'seen'
    return this.#times.missing(this.#times.openOf(this.closeTimeUs), bar.openTimeUs) === 0 ? 'publish' : 'gap'
  }

  take(bar: Bar): void {
    this.closeTimeUs = bar.closeTimeUs
    this.count++
  }
}

/** Trades that their source numbers one by one and lists. */
export class TradeSeries {
  isBegun = false
  /** Of the trade after which it goes on; empty for the first that the source ever has. */
  tradeId = ''
  timeUs = 0
  count = 0
  gaps = 0

  /** A source numbers the trades of an instrument one by one. */
  decide({ tradeId }: Trade): SeriesDecision {
    if (this.tradeId === '') return 'publish'
    const ahead = BigInt(tradeId) - BigInt(this.tradeId)
    if (ahead <= 0n) return 'seen'
    return ahead === 1n ? 'publish' : 'gap'
  }

  take({ tradeId, timeUs }: Trade): void {
    this.tradeId = tradeId
    this.timeUs = timeUs
    this.count++
  }
}

/**
 * Trades of a source that streams them and lists none: what was missed cannot be asked for, and ids only rise. Of an id at or below
 * the last one of its time nothing is told again.
 */
export class StreamedTradeSeries {
  isBegun = false
  tradeId = ''
  timeUs = 0
  count = 0
  gaps = 0

  decide({ tradeId, timeUs }: Trade): SeriesDecision {
    return timeUs < this.timeUs || tradeId === this.tradeId ? 'seen' : 'publish'
  }

  take({ tradeId, timeUs }: Trade): void {
    this.tradeId = tradeId
    this.timeUs = timeUs
    this.count++
  }
}
