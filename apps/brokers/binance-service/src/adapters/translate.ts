/** Pure: Binance's payloads ↔ our types. Times come in ms and leave in µs; amounts come as text and leave as units. */
import type {
  AdjustmentReport,
  Balance,
  FillReport,
  OrderBookReport,
  OrderReport,
  PlaceOrderIntent,
  QuoteReport,
} from '@jts/broker-kit'
import {
  formatUnits,
  parseUnits,
  splitSymbol,
  type Bar,
  type ClientOrderId,
  type Instrument,
  type InstrumentId,
  type Side,
  type Trade,
  type VenueOrderId,
} from '@jts/model'
import type { Param } from './auth.ts'
import {
  readLotSize,
  readMarketLotSize,
  readNotional,
  readPriceFilter,
  type AccountPositionPayload,
  type BalanceUpdatePayload,
  type BookTickerPayload,
  type CancelledOrderPayload,
  type DepthPayload,
  type ExchangeSymbolPayload,
  type ExecutionReportPayload,
  type KlineEventPayload,
  type KlineRowPayload,
  type MyTradePayload,
  type NewOrderPayload,
  type PublicTradePayload,
  type QueriedOrderPayload,
  type StatusPayload,
  type TradeEventPayload,
} from './messages.ts'
import { toInstrumentId, toSymbol } from './symbols.ts'

export const SOURCE = 'binance'

const STATUS: Readonly<Record<StatusPayload, OrderReport['status']>> = {
  NEW: 'accepted',
  PENDING_NEW: 'accepted',
  PARTIALLY_FILLED: 'partially_filled',
  FILLED: 'filled',
  CANCELED: 'cancelled',
  // Documented as unused: the order is still open.
  PENDING_CANCEL: 'accepted',
  REJECTED: 'rejected',
  EXPIRED: 'expired',
  EXPIRED_IN_MATCH: 'expired',
}

const toUs = (timeMs: number): number => timeMs * 1000
const toSide = (side: 'BUY' | 'SELL'): Side => (side === 'BUY' ? 'buy' : 'sell')
const reasonOf = (reason: string | number | undefined): { reason?: string } =>
  reason === undefined || reason === 'NONE' ? {} : { reason: String(reason) }

/** The parameters of POST /order, without the ones that sign it. @throws BrokerError for a foreign instrument. */
export function toNewOrderParams(intent: PlaceOrderIntent): Param[] {
  const params: Param[] = [
    ['symbol', toSymbol(intent.instrument)],
    ['side', intent.side === 'buy' ? 'BUY' : 'SELL'],
    ['type', intent.type.toUpperCase()],
  ]
  if (intent.type === 'limit') params.push(['timeInForce', (intent.timeInForce ?? 'gtc').toUpperCase()])
  if (intent.quantity !== undefined) params.push(['quantity', formatUnits(intent.quantity)])
  if (intent.quoteQuantity !== undefined) params.push(['quoteOrderQty', formatUnits(intent.quoteQuantity)])
  if (intent.limitPrice !== undefined) params.push(['price', formatUnits(intent.limitPrice)])
  params.push(['newClientOrderId', intent.clientOrderId], ['newOrderRespType', 'FULL'])
  return params
}

type OrderPayload = NewOrderPayload | CancelledOrderPayload | QueriedOrderPayload

function toOrderReport(payload: OrderPayload, clientOrderId: string, timeMs: number): OrderReport {
  return {
    clientOrderId: clientOrderId as ClientOrderId,
    venueOrderId: String(payload.orderId) as VenueOrderId,
    instrument: toInstrumentId(payload.symbol),
    side: toSide(payload.side),
    status: STATUS[payload.status],
    quantity: parseUnits(payload.origQty),
    cumulativeQuantity: parseUnits(payload.executedQty),
    timeUs: toUs(timeMs),
    ...reasonOf(payload.expiryReason),
  }
}

/** The FULL answer to a new order: what it matched at once, as taker whatever its type. */
export function toPlaced(payload: NewOrderPayload): { report: OrderReport; fills: FillReport[] } {
  const report = toOrderReport(payload, payload.clientOrderId, payload.transactTime)
  let cumulativeQuantity = 0n
  const fills = payload.fills.map((fill): FillReport => {
    const quantity = parseUnits(fill.qty)
    cumulativeQuantity += quantity
    return {
      venueOrderId: report.venueOrderId,
      clientOrderId: report.clientOrderId,
      instrument: report.instrument,
      tradeId: String(fill.tradeId),
      side: report.side,
      quantity,
      price: parseUnits(fill.price),
      fee: parseUnits(fill.commission),
      feeCurrency: fill.commissionAsset,
      liquidity: 'taker',
      timeUs: report.timeUs,
      cumulativeQuantity,
    }
  })
  return { report, fills }
}

export function toCancelled(payload: CancelledOrderPayload): OrderReport {
  return toOrderReport(payload, payload.origClientOrderId, payload.transactTime)
}

export function toQueried(payload: QueriedOrderPayload): OrderReport {
  return toOrderReport(payload, payload.clientOrderId, payload.updateTime)
}

export function toFill(payload: MyTradePayload): FillReport {
  return {
    venueOrderId: String(payload.orderId) as VenueOrderId,
    instrument: toInstrumentId(payload.symbol),
    tradeId: String(payload.id),
    side: payload.isBuyer ? 'buy' : 'sell',
    quantity: parseUnits(payload.qty),
    price: parseUnits(payload.price),
    fee: parseUnits(payload.commission),
    feeCurrency: payload.commissionAsset,
    liquidity: payload.isMaker ? 'maker' : 'taker',
    timeUs: toUs(payload.time),
  }
}

/** One notice of the order stream: the order's new state, and the fill when it is one. */
export function toNotice(event: ExecutionReportPayload): { report: OrderReport; fill: FillReport | undefined } {
  const report: OrderReport = {
    // A cancel speaks under its own id; `C` is then the id of the order that it ended.
    clientOrderId: (event.C === '' ? event.c : event.C) as ClientOrderId,
    venueOrderId: String(event.i) as VenueOrderId,
    instrument: toInstrumentId(event.s),
    side: toSide(event.S),
    status: STATUS[event.X],
    quantity: parseUnits(event.q),
    cumulativeQuantity: parseUnits(event.z),
    timeUs: toUs(event.T),
    ...reasonOf(event.eR ?? event.r),
  }
  if (event.x !== 'TRADE') return { report, fill: undefined }
  const fill: FillReport = {
    venueOrderId: report.venueOrderId,
    clientOrderId: report.clientOrderId,
    instrument: report.instrument,
    tradeId: String(event.t),
    side: report.side,
    quantity: parseUnits(event.l),
    price: parseUnits(event.L),
    fee: parseUnits(event.n),
    feeCurrency: event.N ?? receivedCurrency(report.instrument, report.side),
    liquidity: event.m ? 'maker' : 'taker',
    timeUs: report.timeUs,
    cumulativeQuantity: report.cumulativeQuantity,
  }
  return { report, fill }
}

/** Where no commission was charged the notice names no asset; it would have come out of what was received. */
function receivedCurrency(instrument: InstrumentId, side: Side): string {
  const { base, quote } = splitSymbol(instrument)
  return side === 'buy' ? base : quote
}

export function toBalances(event: AccountPositionPayload): { balances: Balance[]; timeUs: number } {
  const balances = event.B.map(({ a, f, l }) => ({ currency: a, free: parseUnits(f), locked: parseUnits(l) }))
  return { balances, timeUs: toUs(event.E) }
}

/** The notice has no id: asset, moment and amount tell it apart from every other. */
export function toAdjustment({ a, d, T }: BalanceUpdatePayload): AdjustmentReport {
  const amount = parseUnits(d)
  return {
    noticeId: `${a}:${T}:${formatUnits(amount)}`,
    currency: a,
    amount,
    reason: amount < 0n ? 'withdrawal' : 'deposit',
    timeUs: toUs(T),
  }
}

export function toBar(instrument: InstrumentId, timeframe: string, row: KlineRowPayload): Bar {
  const [open, high, low, close, volume] = [row[1], row[2], row[3], row[4], row[5]].map(Number)
  return bar(instrument, timeframe, row[0], row[6], [open!, high!, low!, close!, volume!])
}

export function toStreamedBar(instrument: InstrumentId, { k }: KlineEventPayload): Bar {
  return bar(instrument, k.i, k.t, k.T, [Number(k.o), Number(k.h), Number(k.l), Number(k.c), Number(k.v)])
}

type Ohlcv = readonly [open: number, high: number, low: number, close: number, volume: number]

function bar(instrument: InstrumentId, timeframe: string, openMs: number, closeMs: number, ohlcv: Ohlcv): Bar {
  const [open, high, low, close, volume] = ohlcv
  const times = { openTimeUs: toUs(openMs), closeTimeUs: toUs(closeMs) }
  return { instrument, timeframe, ...times, open, high, low, close, volume, final: true, revision: 0, source: SOURCE }
}

export function toTrade(instrument: InstrumentId, payload: PublicTradePayload): Trade {
  const { id, price, qty, time, isBuyerMaker } = payload
  const aggressor = toAggressor(isBuyerMaker)
  return { instrument, tradeId: String(id), timeUs: toUs(time), price: Number(price), quantity: Number(qty), aggressor }
}

export function toStreamedTrade(instrument: InstrumentId, { t, T, p, q, m }: TradeEventPayload): Trade {
  const aggressor = toAggressor(m)
  return { instrument, tradeId: String(t), timeUs: toUs(T), price: Number(p), quantity: Number(q), aggressor }
}

/** An empty side is said as zeros. */
export function toQuote(payload: BookTickerPayload, timeUs: number): QuoteReport {
  const [bidPrice, bidQuantity] = [Number(payload.bidPrice), Number(payload.bidQty)]
  const [askPrice, askQuantity] = [Number(payload.askPrice), Number(payload.askQty)]
  return {
    instrument: toInstrumentId(payload.symbol),
    timeUs,
    ...(bidQuantity > 0 ? { bidPrice, bidQuantity } : {}),
    ...(askQuantity > 0 ? { askPrice, askQuantity } : {}),
  }
}

export function toOrderBook(instrument: InstrumentId, payload: DepthPayload, timeUs: number): OrderBookReport {
  const levels = (side: DepthPayload['bids']) =>
    side.map(([price, quantity]) => ({ price: Number(price), quantity: Number(quantity) }))
  return { instrument, timeUs, bids: levels(payload.bids), asks: levels(payload.asks) }
}

function toAggressor(buyerMaker: boolean): Side {
  return buyerMaker ? 'sell' : 'buy'
}

/** @throws IdError when the symbol cannot be said as an InstrumentId, PayloadError when a filter is missing a field. */
export function toInstrument(payload: ExchangeSymbolPayload): Instrument {
  const filter = (...types: string[]): unknown => payload.filters.find(({ filterType }) => types.includes(filterType))
  const price = filter('PRICE_FILTER')
  const marketLot = filter('MARKET_LOT_SIZE')
  const notionalFilter = filter('NOTIONAL', 'MIN_NOTIONAL')
  const lot = readLotSize(filter('LOT_SIZE'))
  const notional = notionalFilter === undefined ? undefined : readNotional(notionalFilter)
  return {
    id: toInstrumentId(payload.symbol),
    symbol: payload.symbol,
    baseCurrency: payload.baseAsset,
    quoteCurrency: payload.quoteAsset,
    tickSize: price === undefined ? 0n : parseUnits(readPriceFilter(price).tickSize),
    lotSize: parseUnits(lot.stepSize),
    quantityMin: parseUnits(lot.minQty),
    quantityMax: parseUnits(lot.maxQty),
    marketQuantityMax: marketLot === undefined ? 0n : parseUnits(readMarketLotSize(marketLot).maxQty),
    notionalMin: notional === undefined ? 0n : parseUnits(notional.minNotional),
    notionalMax: notional?.maxNotional === undefined ? 0n : parseUnits(notional.maxNotional),
    tradable: payload.status === 'TRADING',
  }
}
