/** One series of bars: which bar is next, which was seen before, where one is missing. */
import { timeframeUs, type Bar } from '@jts/model'

export type SeriesDecision = 'publish' | 'seen' | 'gap'

export class Series {
  readonly instrument: string
  readonly timeframe: string
  /** Close of the last bar published, µs; 0 before the first. */
  closeTimeUs = 0
  bars = 0
  gaps = 0
  readonly #lengthUs: number

  constructor(instrument: string, timeframe: string) {
    this.instrument = instrument
    this.timeframe = timeframe
    this.#lengthUs = timeframeUs(timeframe)
  }

  decide(bar: Bar): SeriesDecision {
    if (this.closeTimeUs === 0) return 'publish'
    if (bar.closeTimeUs <= this.closeTimeUs) return 'seen'
    return bar.openTimeUs - this.closeTimeUs >= this.#lengthUs ? 'gap' : 'publish'
  }

  take(bar: Bar): void {
    this.closeTimeUs = bar.closeTimeUs
    this.bars++
  }
}
