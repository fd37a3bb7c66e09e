/** What each answer must be; anything else is unreadable. */
import * as api from '@jts/contracts/broker-api'
import { Type } from '@sinclair/typebox'
import { dataReader, reader } from './answers.ts'

export const READ = {
  capabilities: dataReader('capabilities', api.Capabilities),
  health: dataReader('health', api.Health),
  venueTime: dataReader('venue-time', api.VenueTime),
  instruments: dataReader('instruments', Type.Array(api.InstrumentListing)),
  candles: dataReader('candles', Type.Array(api.Candle)),
  trades: dataReader('trades', Type.Array(api.PublicTrade)),
  quotes: dataReader('quotes', Type.Array(api.Quote)),
  book: dataReader('order book', api.OrderBook),
  balances: dataReader('balances', Type.Array(api.Balance)),
  positions: dataReader('positions', Type.Array(api.Position)),
  orders: dataReader('orders', Type.Array(api.OrderReport)),
  order: dataReader('order', api.OrderReport),
  account: dataReader('account', api.AccountState),
  placed: dataReader('outcome', api.PlaceOutcome),
  cancelled: dataReader('outcome', api.CancelOutcome),
  amended: dataReader('outcome', api.AmendOutcome),
  fills: reader(
    'fills',
    Type.Object({
      success: Type.Literal(true),
      data: Type.Array(api.FillRecord),
      cursor: api.Cursor,
      more: Type.Boolean(),
    }),
  ),
}
