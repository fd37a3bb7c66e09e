/** Our orders, fills and klines in Binance's words. Amounts are texts of eight decimals. */
import type { Instrument } from '@jts/model/instruments'
import { formatUnitsFixed as text, unitsFromFloat, type Units } from '@jts/model/numbers'
import type { Balance, Fill, Kline, Order, OrderEvent, PublicTrade } from '@jts/exchange'
import { describeFilters } from './filters.ts'

/** Milliseconds, or microseconds for those who asked for them. */
export type TimeOf = (timeUs: number) => number
export const milliseconds: TimeOf = (timeUs) => Math.floor(timeUs / 1000)
export const microseconds: TimeOf = (timeUs) => timeUs

const STATUS = { open: 'NEW', filled: 'FILLED', cancelled: 'CANCELED', expired: 'EXPIRED' } as const
const EXECUTION = { accepted: 'NEW', filled: 'TRADE', cancelled: 'CANCELED', expired: 'EXPIRED' } as const
const TYPE = { limit: 'LIMIT', market: 'MARKET', 'post-only': 'LIMIT_MAKER' } as const
export const SELF_TRADE_MODES = ['NONE', 'EXPIRE_TAKER', 'EXPIRE_MAKER', 'EXPIRE_BOTH', 'DECREMENT'] as const
const SELF_TRADE_DEFAULT = 'EXPIRE_MAKER'
const EXACT_FLOAT_MAX = 1e7

/** What Binance keeps with an order and the exchange does not look at. */
export type Tag = { readonly stp?: string; readonly strategyId?: number; readonly strategyType?: number }

function tagOf(order: Order): Tag {
  return order.tag === '' ? {} : (JSON.parse(order.tag) as Tag)
}

/** Text of a recorded price or volume. */
export function float(value: number): string {
  return value < EXACT_FLOAT_MAX ? value.toFixed(8) : text(unitsFromFloat(value))
}

export function symbolInfo(instrument: Instrument): object {
  return {
    symbol: instrument.symbol,
    status: instrument.tradable ? 'TRADING' : 'BREAK',
    baseAsset: instrument.baseCurrency,
    baseAssetPrecision: 8,
    quoteAsset: instrument.quoteCurrency,
    quotePrecision: 8,
    quoteAssetPrecision: 8,
    baseCommissionPrecision: 8,
    quoteCommissionPrecision: 8,
    orderTypes: ['LIMIT', 'LIMIT_MAKER', 'MARKET'],
    icebergAllowed: false,
    ocoAllowed: false,
    otoAllowed: false,
    opoAllowed: false,
    quoteOrderQtyMarketAllowed: true,
    allowTrailingStop: false,
    cancelReplaceAllowed: false,
    amendAllowed: false,
    pegInstructionsAllowed: false,
    isSpotTradingAllowed: true,
    isMarginTradingAllowed: false,
    filters: describeFilters(instrument),
    permissions: [],
    permissionSets: [['SPOT']],
    defaultSelfTradePreventionMode: SELF_TRADE_DEFAULT,
    allowedSelfTradePreventionModes: SELF_TRADE_MODES,
  }
}

function identity(order: Order): object {
  return { symbol: order.symbol, orderId: order.id, orderListId: -1, clientOrderId: order.clientId }
}

/** The fields that every answer about an order shares. */
function standing(order: Order): object {
  const tag = tagOf(order)
  return {
    price: text(order.price),
    origQty: text(order.quantity),
    executedQty: text(order.executed),
    origQuoteOrderQty: text(order.quoteQuantity),
    cummulativeQuoteQty: text(order.cumulativeQuote),
    status: STATUS[order.status],
    timeInForce: order.timeInForce.toUpperCase(),
    type: TYPE[order.kind],
    side: order.side.toUpperCase(),
    ...(tag.strategyId === undefined ? {} : { strategyId: tag.strategyId }),
    ...(tag.strategyType === undefined ? {} : { strategyType: tag.strategyType }),
    selfTradePreventionMode: tag.stp ?? SELF_TRADE_DEFAULT,
  }
}

export function placedOrder(
  order: Order,
  fills: readonly Fill[],
  detail: 'ACK' | 'RESULT' | 'FULL',
  time: TimeOf,
): object {
  const acknowledged = { ...identity(order), transactTime: time(order.updatedUs) }
  if (detail === 'ACK') return acknowledged
  const result = { ...acknowledged, ...standing(order), workingTime: time(order.createdUs) }
  if (detail === 'RESULT') return result
  return { ...result, fills: fills.map(fillOfOrder) }
}

function fillOfOrder(fill: Fill): object {
  const { price, quantity, commission, commissionAsset, id } = fill
  return { price: text(price), qty: text(quantity), commission: text(commission), commissionAsset, tradeId: id }
}

export function queriedOrder(order: Order, time: TimeOf): object {
  return {
    ...identity(order),
    ...standing(order),
    stopPrice: text(0n),
    icebergQty: text(0n),
    time: time(order.createdUs),
    updateTime: time(order.updatedUs),
    isWorking: true,
    workingTime: time(order.createdUs),
  }
}

/** `clientOrderId` is the id of the cancel here, `origClientOrderId` the order's. */
export function cancelledOrder(order: Order, cancelId: string, time: TimeOf): object {
  const ids = { ...identity(order), origClientOrderId: order.clientId, clientOrderId: cancelId }
  return { ...ids, transactTime: time(order.updatedUs), ...standing(order) }
}

export function accountTrade(fill: Fill, time: TimeOf): object {
  return {
    symbol: fill.symbol,
    id: fill.id,
    orderId: fill.orderId,
    orderListId: -1,
    price: text(fill.price),
    qty: text(fill.quantity),
    quoteQty: text(fill.quote),
    commission: text(fill.commission),
    commissionAsset: fill.commissionAsset,
    time: time(fill.timeUs),
    isBuyer: fill.side === 'buy',
    isMaker: fill.maker,
    isBestMatch: true,
  }
}

export function balance({ asset, free, locked }: Balance): object {
  return { asset, free: text(free), locked: text(locked) }
}

export function executionReport(event: OrderEvent, time: TimeOf): object {
  const { order, fill, cancelId } = event
  const tag = tagOf(order)
  return {
    e: 'executionReport',
    E: time(event.timeUs),
    s: order.symbol,
    c: cancelId ?? order.clientId,
    S: order.side.toUpperCase(),
    o: TYPE[order.kind],
    f: order.timeInForce.toUpperCase(),
    q: text(order.quantity),
    p: text(order.price),
    P: text(0n),
    F: text(0n),
    g: -1,
    C: cancelId === undefined ? '' : order.clientId,
    x: EXECUTION[event.what],
    X: STATUS[order.status],
    r: 'NONE',
    i: order.id,
    l: text(fill?.quantity ?? 0n),
    z: text(order.executed),
    L: text(fill?.price ?? 0n),
    n: fill ? text(fill.commission) : '0',
    N: fill?.commissionAsset ?? null,
    T: time(event.timeUs),
    t: fill?.id ?? -1,
    I: event.executionId,
    w: order.status === 'open',
    m: fill?.maker ?? false,
    M: fill !== undefined,
    O: time(order.createdUs),
    Z: text(order.cumulativeQuote),
    Y: text(fill?.quote ?? 0n),
    Q: text(order.quoteQuantity),
    W: time(order.createdUs),
    V: tag.stp ?? SELF_TRADE_DEFAULT,
    ...(tag.strategyId === undefined ? {} : { j: tag.strategyId }),
    ...(tag.strategyType === undefined ? {} : { J: tag.strategyType }),
    ...(event.what === 'expired' ? { eR: 'INSUFFICIENT_LIQUIDITY' } : {}),
  }
}

export function accountPosition(event: Pick<OrderEvent, 'balances' | 'timeUs'>, time: TimeOf): object {
  const balances = event.balances.map(({ asset, free, locked }) => ({ a: asset, f: text(free), l: text(locked) }))
  return { e: 'outboundAccountPosition', E: time(event.timeUs), u: time(event.timeUs), B: balances }
}

/** A deposit, a withdrawal or a transfer. */
export function balanceUpdate(asset: string, delta: Units, timeUs: number, time: TimeOf): object {
  return { e: 'balanceUpdate', E: time(timeUs), a: asset, d: text(delta), T: time(timeUs) }
}

/** A recorded kline has one volume; the amounts in quote are estimated by its close, those of takers are not known. */
export function klineRow(kline: Kline, time: TimeOf): unknown[] {
  const { openUs, closeUs, open, high, low, close, volume, trades } = kline
  const prices = [float(open), float(high), float(low), float(close), float(volume)]
  return [time(openUs), ...prices, time(closeUs), float(volume * close), trades, float(0), float(0), '0']
}

/** Written by hand: this is the message that a replay sends a million times. */
export function klineEvent(symbol: string, interval: string, kline: Kline, timeUs: number, time: TimeOf): string {
  const { openUs, closeUs, open, high, low, close, volume, trades, isClosed } = kline
  return (
    `{"e":"kline","E":${time(timeUs)},"s":"${symbol}","k":{"t":${time(openUs)},"T":${time(closeUs)},"s":"${symbol}","i":"${interval}",` +
    `"f":-1,"L":-1,"o":"${float(open)}","c":"${float(close)}","h":"${float(high)}","l":"${float(low)}","v":"${float(volume)}",` +
    `"n":${trades},"x":${isClosed},"q":"${float(volume * close)}","V":"0.00000000","Q":"0.00000000","B":"0"}}`
  )
}

export function tradeRow({ id, timeUs, price, quantity, buyerMaker }: PublicTrade, time: TimeOf): object {
  const amounts = { price: float(price), qty: float(quantity), quoteQty: float(price * quantity) }
  return { id, ...amounts, time: time(timeUs), isBuyerMaker: buyerMaker, isBestMatch: true }
}

export function tradeEvent(symbol: string, trade: PublicTrade, time: TimeOf): string {
  const { id, timeUs, price, quantity, buyerMaker } = trade
  const at = time(timeUs)
  return JSON.stringify({
    e: 'trade',
    E: at,
    s: symbol,
    t: id,
    p: float(price),
    q: float(quantity),
    T: at,
    m: buyerMaker,
    M: true,
  })
}

export function aggregateTradeEvent(symbol: string, trade: PublicTrade, time: TimeOf): string {
  return JSON.stringify({ e: 'aggTrade', E: time(trade.timeUs), s: symbol, ...aggregateTrade(trade, time) })
}

export function aggregateTrade({ id, timeUs, price, quantity, buyerMaker }: PublicTrade, time: TimeOf): object {
  return { a: id, p: float(price), q: float(quantity), f: id, l: id, T: time(timeUs), m: buyerMaker, M: true }
}
