import type { Side, Trade } from '@jts/model/bars'
import type { RecordedTrades } from '@jts/model/columns'
import type { InstrumentId } from '@jts/model/ids'

/** One trade object for a whole run, as `BarView`. */
export class TradeView implements Trade {
  readonly instrument: InstrumentId
  tradeId = ''
  timeUs = NaN
  price = NaN
  quantity = NaN
  aggressor: Side = 'buy'

  constructor(trades: RecordedTrades) {
    this.instrument = trades.instrument
  }

  show(trades: RecordedTrades, i: number): void {
    this.tradeId = trades.tradeId[i]!
    this.timeUs = trades.timeUs[i]!
    this.price = trades.price[i]!
    this.quantity = trades.quantity[i]!
    this.aggressor = trades.buyerMaker[i] === 1 ? 'sell' : 'buy'
  }
}
