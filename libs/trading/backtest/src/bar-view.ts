import type { Bar } from '@jts/model/bars'
import type { RecordedBars } from '@jts/model/columns'
import type { InstrumentId } from '@jts/model/ids'

/** One bar object for a whole run: its fields are set from the columns before each event. */
export class BarView implements Bar {
  readonly instrument: InstrumentId
  readonly timeframe: string
  openTimeUs = NaN
  closeTimeUs = NaN
  open = NaN
  high = NaN
  low = NaN
  close = NaN
  volume = NaN
  readonly final = true
  readonly revision = 0
  readonly source = 'recorded'

  constructor(bars: RecordedBars) {
    this.instrument = bars.instrument
    this.timeframe = bars.timeframe
  }

  show(bars: RecordedBars, i: number): void {
    this.openTimeUs = bars.openTimeUs[i]!
    this.closeTimeUs = bars.closeTimeUs[i]!
    this.open = bars.open[i]!
    this.high = bars.high[i]!
    this.low = bars.low[i]!
    this.close = bars.close[i]!
    this.volume = bars.volume[i]!
  }
}
