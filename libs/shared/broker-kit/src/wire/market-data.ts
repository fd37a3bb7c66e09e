/** Market data and balances: the port's words ↔ the Broker API's. Pure, and the same for the server and the client. */
import type * as api from '@jts/contracts/broker-api'
import { instrumentVenue, type Bar, type Instrument, type InstrumentId, type Trade } from '@jts/model'
import type { AdjustmentReport, Balance, Capabilities, OrderBookReport, PositionReport, QuoteReport } from '../port.ts'
import { fromWireListing, toWireListing } from './krx-listing.ts'
import { floatToText, fromWireTimeframe, present, textToFloat, toText, toUnits, toWireTimeframe } from './amounts.ts'

export function toWireBar(bar: Bar): api.Candle {
  const { instrument, openTimeUs, closeTimeUs, final, revision, source } = bar
  const { open, high, low, close, volume } = bar
  return {
    instrument,
    timeframe: toWireTimeframe(bar.timeframe),
    ...{ openTimeUs, closeTimeUs, open: floatToText(open), high: floatToText(high), low: floatToText(low) },
    ...{ close: floatToText(close), volume: floatToText(volume), final, revision, source },
  }
}

export function fromWireBar(candle: api.Candle): Bar {
  const { instrument, openTimeUs, closeTimeUs, final, revision, source } = candle
  const [open, high, low, close, volume] = [candle.open, candle.high, candle.low, candle.close, candle.volume]
  return {
    instrument: instrument as InstrumentId,
    timeframe: fromWireTimeframe(candle.timeframe),
    ...{ openTimeUs, closeTimeUs, open: textToFloat(open), high: textToFloat(high), low: textToFloat(low) },
    ...{ close: textToFloat(close), volume: textToFloat(volume), final, revision, source },
  }
}

export function toWireTrade({ instrument, tradeId, timeUs, price, quantity, aggressor }: Trade): api.PublicTrade {
  return { instrument, tradeId, timeUs, price: floatToText(price), quantity: floatToText(quantity), aggressor }
}

export function fromWireTrade({ instrument, tradeId, timeUs, price, quantity, aggressor }: api.PublicTrade): Trade {
  const id = instrument as InstrumentId
  return { instrument: id, tradeId, timeUs, price: textToFloat(price), quantity: textToFloat(quantity), aggressor }
}

const INSTRUMENT_AMOUNTS = [
  'tickSize',
  'lotSize',
  'quantityMin',
  'quantityMax',
  'marketQuantityMax',
  'notionalMin',
  'notionalMax',
] as const

export function toWireInstrument(instrument: Instrument): api.InstrumentListing {
  const { id, symbol, baseCurrency, quoteCurrency, tradable } = instrument
  const amounts = present(instrument, INSTRUMENT_AMOUNTS, toText) as Record<(typeof INSTRUMENT_AMOUNTS)[number], string>
  return { instrument: id, symbol, baseCurrency, quoteCurrency, ...amounts, tradable, ...toWireListing(instrument) }
}

export function fromWireInstrument(listing: api.InstrumentListing): Instrument {
  if (instrumentVenue(listing.instrument as InstrumentId) === 'KRX') return fromWireListing(listing)
  const { instrument, symbol, baseCurrency, quoteCurrency, tradable } = listing
  const amounts = present(listing, INSTRUMENT_AMOUNTS, toUnits) as Record<(typeof INSTRUMENT_AMOUNTS)[number], bigint>
  return { id: instrument as InstrumentId, symbol, baseCurrency, quoteCurrency, ...amounts, tradable }
}

const QUOTE_AMOUNTS = [
  'lastPrice',
  'lastQuantity',
  'bidPrice',
  'bidQuantity',
  'askPrice',
  'askQuantity',
  'volume',
  'previousClose',
  'upperLimit',
  'lowerLimit',
  'expectedPrice',
] as const

export function toWireQuote(quote: QuoteReport): api.Quote {
  const { instrument, timeUs, session } = quote
  const amounts = present(quote, QUOTE_AMOUNTS, floatToText)
  return { instrument, timeUs, ...amounts, ...(session === undefined ? {} : { session: session as never }) }
}

export function fromWireQuote(quote: api.Quote): QuoteReport {
  const { instrument, timeUs, session } = quote
  const amounts = present(quote, QUOTE_AMOUNTS, textToFloat)
  return { instrument: instrument as InstrumentId, timeUs, ...amounts, ...(session === undefined ? {} : { session }) }
}

export function toWireBook(report: OrderBookReport): api.OrderBook {
  const { instrument, timeUs, book, bids, asks } = report
  const levels = (side: OrderBookReport['bids']) =>
    side.map(({ price, quantity }) => ({ price: floatToText(price), quantity: floatToText(quantity) }))
  return { instrument, timeUs, ...(book === undefined ? {} : { book }), bids: levels(bids), asks: levels(asks) }
}

export function fromWireBook(report: api.OrderBook): OrderBookReport {
  const { instrument, timeUs, book, bids, asks } = report
  const levels = (side: api.OrderBook['bids']) =>
    side.map(({ price, quantity }) => ({ price: textToFloat(price), quantity: textToFloat(quantity) }))
  const id = instrument as InstrumentId
  return { instrument: id, timeUs, ...(book === undefined ? {} : { book }), bids: levels(bids), asks: levels(asks) }
}

export function toWireBalance({ currency, free, locked, settled, unsettled }: Balance): api.Balance {
  const days = unsettled?.map(({ date, amount }) => ({ date, amount: toText(amount) }))
  return {
    ...{ currency, free: toText(free), locked: toText(locked) },
    ...(settled === undefined ? {} : { settled: toText(settled) }),
    ...(days === undefined ? {} : { unsettled: days }),
  }
}

export function fromWireBalance({ currency, free, locked, settled, unsettled }: api.Balance): Balance {
  const days = unsettled?.map(({ date, amount }) => ({ date, amount: toUnits(amount) }))
  return {
    ...{ currency, free: toUnits(free), locked: toUnits(locked) },
    ...(settled === undefined ? {} : { settled: toUnits(settled) }),
    ...(days === undefined ? {} : { unsettled: days }),
  }
}

export function toWireAdjustment({ amount, ...rest }: AdjustmentReport): api.BalanceAdjustment {
  return { ...rest, amount: toText(amount) }
}

export function fromWireAdjustment({ amount, ...rest }: api.BalanceAdjustment): AdjustmentReport {
  return { ...rest, amount: toUnits(amount) }
}

export function toWirePosition(position: PositionReport): api.Position {
  const { instrument, quantity, timeUs } = position
  return { instrument, quantity: toText(quantity), timeUs, ...present(position, ['sellable', 'totalCost'], toText) }
}

export function fromWirePosition(position: api.Position): PositionReport {
  const { instrument, quantity, timeUs } = position
  return {
    instrument: instrument as InstrumentId,
    ...{ quantity: toUnits(quantity), timeUs },
    ...present(position, ['sellable', 'totalCost'], toUnits),
  }
}

/** What an adapter leaves out is not there. */
export function toWireCapabilities(
  capabilities: Capabilities,
  accounts: readonly string[],
  contractVersion: string,
): api.Capabilities {
  const { broker, clientOrderIds, absenceProof, amend, amendment } = capabilities
  return {
    contractVersion,
    broker,
    accounts: [...accounts],
    orderTypes: [...capabilities.orderTypes],
    timeInForce: [...capabilities.timeInForce],
    marketBuySizes: [...capabilities.marketBuySizes],
    marketSellSizes: [...capabilities.marketSellSizes],
    ...{ clientOrderIds, absenceProof, amend },
    ...(amendment === undefined ? {} : { amendment }),
    routes: [...(capabilities.routes ?? [])],
    streams: [...capabilities.streams],
    timeframes: (capabilities.timeframes ?? []).map(toWireTimeframe),
    trades: capabilities.trades ?? false,
    quotes: capabilities.quotes ?? false,
    orderBook: capabilities.orderBook ?? false,
    positions: capabilities.positions ?? false,
    adjustments: capabilities.adjustments ?? false,
    fills: capabilities.fills ?? { idSource: 'venue', feeSource: 'venue' },
    limits: [...(capabilities.limits ?? [])],
  }
}

export function fromWireCapabilities(capabilities: api.Capabilities): Capabilities {
  const { contractVersion: _, accounts: __, timeframes, ...rest } = capabilities
  return { ...rest, timeframes: timeframes.map(fromWireTimeframe) } as Capabilities
}
