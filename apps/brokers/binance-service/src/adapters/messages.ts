/**
 * Payload schemas, only the fields that are read; the venue may add others at any time. What does not fit is a
 * `PayloadError` that names path, expected and found.
 */
import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'

export class PayloadError extends Error {
  override readonly name = 'PayloadError'
}

/** Checks compiled to straight code: notices and klines pass here at the speed of the market. */
export function reader<Schema extends TSchema>(what: string, schema: Schema): (value: unknown) => Static<Schema> {
  const check = TypeCompiler.Compile(schema)
  return (value) => {
    if (check.Check(value)) return value
    const error = check.Errors(value).First()
    const found = (JSON.stringify(error?.value) ?? 'nothing').slice(0, 80)
    throw new PayloadError(`${what}${error?.path ?? ''}: ${error?.message ?? 'unexpected payload'}, found ${found}`)
  }
}

/** @throws PayloadError instead of SyntaxError, with the beginning of what was found. */
export function parseJson(what: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new PayloadError(`${what}: expected JSON, found ${JSON.stringify(text.slice(0, 80))}`)
  }
}

const Amount = Type.String({ pattern: '^-?\\d+(\\.\\d+)?$' })
const Milliseconds = Type.Integer({ minimum: 0 })
const Id = Type.Integer({ minimum: 0 })
const OrderSide = Type.Union([Type.Literal('BUY'), Type.Literal('SELL')])
const Status = Type.Union([
  Type.Literal('NEW'),
  Type.Literal('PENDING_NEW'),
  Type.Literal('PARTIALLY_FILLED'),
  Type.Literal('FILLED'),
  Type.Literal('CANCELED'),
  Type.Literal('PENDING_CANCEL'),
  Type.Literal('REJECTED'),
  Type.Literal('EXPIRED'),
  /** Ended by self-trade prevention. */
  Type.Literal('EXPIRED_IN_MATCH'),
])
export type StatusPayload = Static<typeof Status>

// https://developers.binance.com/docs/binance-spot-api-docs/errors
const Refusal = Type.Object({ code: Type.Integer(), msg: Type.String() })
export type Refusal = Static<typeof Refusal>
export const readRefusal = reader('error', Refusal)

// https://developers.binance.com/docs/binance-spot-api-docs/rest-api/general-endpoints#check-server-time
const ServerTime = Type.Object({ serverTime: Milliseconds })
export const readServerTime = reader('time', ServerTime)

// https://developers.binance.com/docs/binance-spot-api-docs/rest-api/trading-endpoints#new-order-trade
const orderFields = {
  symbol: Type.String(),
  orderId: Id,
  clientOrderId: Type.String(),
  origQty: Amount,
  executedQty: Amount,
  status: Status,
  side: OrderSide,
  expiryReason: Type.Optional(Type.String()),
}
const NewOrder = Type.Object({
  ...orderFields,
  transactTime: Milliseconds,
  fills: Type.Array(
    Type.Object({ price: Amount, qty: Amount, commission: Amount, commissionAsset: Type.String(), tradeId: Id }),
  ),
})
export type NewOrderPayload = Static<typeof NewOrder>
export const readNewOrder = reader('new order', NewOrder)

// https://developers.binance.com/docs/binance-spot-api-docs/rest-api/trading-endpoints#cancel-order-trade
// `clientOrderId` is the id of the cancel, `origClientOrderId` the order's.
const CancelledOrder = Type.Object({ ...orderFields, origClientOrderId: Type.String(), transactTime: Milliseconds })
export type CancelledOrderPayload = Static<typeof CancelledOrder>
export const readCancelledOrder = reader('cancel order', CancelledOrder)

// https://developers.binance.com/docs/binance-spot-api-docs/rest-api/trading-endpoints#query-order-user_data
const QueriedOrder = Type.Object({ ...orderFields, updateTime: Milliseconds })
export type QueriedOrderPayload = Static<typeof QueriedOrder>
export const readQueriedOrder = reader('query order', QueriedOrder)
export const readOpenOrders = reader('open orders', Type.Array(QueriedOrder))

// https://developers.binance.com/docs/binance-spot-api-docs/rest-api/account-endpoints#account-trade-list-user_data
const MyTrade = Type.Object({
  symbol: Type.String(),
  id: Id,
  orderId: Id,
  price: Amount,
  qty: Amount,
  commission: Amount,
  commissionAsset: Type.String(),
  time: Milliseconds,
  isBuyer: Type.Boolean(),
  isMaker: Type.Boolean(),
})
export type MyTradePayload = Static<typeof MyTrade>
export const readMyTrades = reader('my trades', Type.Array(MyTrade))

// https://developers.binance.com/docs/binance-spot-api-docs/rest-api/account-endpoints#account-information-user_data
export const readAccount = reader(
  'account',
  Type.Object({ balances: Type.Array(Type.Object({ asset: Type.String(), free: Amount, locked: Amount })) }),
)

// https://developers.binance.com/docs/binance-spot-api-docs/rest-api/general-endpoints#exchange-information
// Each filter type has fields of its own, read below.
const ExchangeSymbol = Type.Object({
  symbol: Type.String(),
  status: Type.String(),
  baseAsset: Type.String(),
  quoteAsset: Type.String(),
  filters: Type.Array(Type.Object({ filterType: Type.String() })),
})
export type ExchangeSymbolPayload = Static<typeof ExchangeSymbol>
const RateLimit = Type.Object({
  rateLimitType: Type.String(),
  interval: Type.String(),
  intervalNum: Type.Integer({ minimum: 1 }),
  limit: Type.Integer({ minimum: 1 }),
})
export type RateLimitPayload = Static<typeof RateLimit>
export const readExchangeInfo = reader(
  'exchange info',
  Type.Object({ rateLimits: Type.Array(RateLimit), symbols: Type.Array(ExchangeSymbol) }),
)

// https://developers.binance.com/docs/binance-spot-api-docs/filters
export const readPriceFilter = reader('PRICE_FILTER', Type.Object({ tickSize: Amount }))
export const readLotSize = reader('LOT_SIZE', Type.Object({ minQty: Amount, maxQty: Amount, stepSize: Amount }))
export const readMarketLotSize = reader('MARKET_LOT_SIZE', Type.Object({ maxQty: Amount }))
export const readNotional = reader('NOTIONAL', Type.Object({ minNotional: Amount, maxNotional: Type.Optional(Amount) }))

// https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints#klinecandlestick-data
// open time, open, high, low, close, volume, close time, and five more that are not read
const Unread = Type.Unknown()
const KlineRow = Type.Tuple([
  Milliseconds,
  Amount,
  Amount,
  Amount,
  Amount,
  Amount,
  Milliseconds,
  Unread,
  Unread,
  Unread,
  Unread,
  Unread,
])
export type KlineRowPayload = Static<typeof KlineRow>
export const readKlines = reader('klines', Type.Array(KlineRow))

// https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#klinecandlestick-streams-for-utc
const KlineEvent = Type.Object({
  e: Type.Literal('kline'),
  s: Type.String(),
  k: Type.Object({
    t: Milliseconds,
    T: Milliseconds,
    i: Type.String(),
    o: Amount,
    c: Amount,
    h: Amount,
    l: Amount,
    v: Amount,
    x: Type.Boolean(),
  }),
})
export type KlineEventPayload = Static<typeof KlineEvent>
export const readKlineEvent = reader('kline', KlineEvent)

// https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints#old-trade-lookup
const PublicTrade = Type.Object({
  id: Id,
  price: Amount,
  qty: Amount,
  time: Milliseconds,
  isBuyerMaker: Type.Boolean(),
})
export type PublicTradePayload = Static<typeof PublicTrade>
export const readPublicTrades = reader('trades', Type.Array(PublicTrade))

// https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints#symbol-order-book-ticker
const BookTicker = Type.Object({
  symbol: Type.String(),
  bidPrice: Amount,
  bidQty: Amount,
  askPrice: Amount,
  askQty: Amount,
})
export type BookTickerPayload = Static<typeof BookTicker>
export const readBookTickers = reader('bookTicker', Type.Array(BookTicker))

// https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints#order-book
const Level = Type.Tuple([Amount, Amount])
const Depth = Type.Object({ bids: Type.Array(Level), asks: Type.Array(Level) })
export type DepthPayload = Static<typeof Depth>
export const readDepth = reader('depth', Depth)

// https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#trade-streams
const TradeEvent = Type.Object({
  e: Type.Literal('trade'),
  s: Type.String(),
  t: Id,
  p: Amount,
  q: Amount,
  T: Milliseconds,
  /** The buyer was the maker, so the aggressor sold. */
  m: Type.Boolean(),
})
export type TradeEventPayload = Static<typeof TradeEvent>
export const readTradeEvent = reader('trade', TradeEvent)

// https://developers.binance.com/docs/binance-spot-api-docs/user-data-stream#order-update
const ExecutionReport = Type.Object({
  e: Type.Literal('executionReport'),
  s: Type.String(),
  /** Client id; of the cancel when the order was cancelled, and then `C` is the order's. */
  c: Type.String(),
  C: Type.String(),
  S: OrderSide,
  q: Amount,
  /** What happened (NEW, TRADE, …), and the state it led to. */
  x: Type.String(),
  X: Status,
  r: Type.String(),
  i: Id,
  /** Quantity and price of this execution; quantity so far. */
  l: Amount,
  L: Amount,
  z: Amount,
  /** Commission; its asset is null where there is none. */
  n: Amount,
  N: Type.Union([Type.String(), Type.Null()]),
  T: Milliseconds,
  /** Trade id, -1 when this is no trade. */
  t: Type.Integer(),
  m: Type.Boolean(),
  eR: Type.Optional(Type.Union([Type.String(), Type.Number()])),
})
export type ExecutionReportPayload = Static<typeof ExecutionReport>
export const readExecutionReport = reader('executionReport', ExecutionReport)

// https://developers.binance.com/docs/binance-spot-api-docs/user-data-stream#account-update
const AccountPosition = Type.Object({
  e: Type.Literal('outboundAccountPosition'),
  E: Milliseconds,
  B: Type.Array(Type.Object({ a: Type.String(), f: Amount, l: Amount })),
})
export type AccountPositionPayload = Static<typeof AccountPosition>
export const readAccountPosition = reader('outboundAccountPosition', AccountPosition)

// https://developers.binance.com/docs/binance-spot-api-docs/user-data-stream#balance-update
const BalanceUpdate = Type.Object({
  e: Type.Literal('balanceUpdate'),
  E: Milliseconds,
  a: Type.String(),
  /** Signed. */
  d: Amount,
  /** When it was cleared. */
  T: Milliseconds,
})
export type BalanceUpdatePayload = Static<typeof BalanceUpdate>
export const readBalanceUpdate = reader('balanceUpdate', BalanceUpdate)

// https://developers.binance.com/docs/binance-spot-api-docs/websocket-api/response-format
export const readReply = reader(
  'reply',
  Type.Object({ id: Type.Unknown(), status: Type.Integer(), error: Type.Optional(Refusal) }),
)
