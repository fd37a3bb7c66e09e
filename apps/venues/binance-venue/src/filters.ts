/** The filters of a symbol: what exchangeInfo publishes and what an order must pass, from the same numbers. */
import type { Instrument } from '@jts/model/instruments'
import { formatUnitsFixed, ONE, parseUnits, type Units } from '@jts/model/numbers'
import type { OrderRequest } from '@jts/exchange'
import { errors } from './errors.ts'

export const ORDERS_MAX = 200
const PRICE_MAX = parseUnits('1000000')
const MULTIPLIER_UP = 5n
/** 0.2, as a divisor. */
const MULTIPLIER_DOWN_DIVISOR = 5n

export function describeFilters(instrument: Instrument): object[] {
  const text = formatUnitsFixed
  return [
    {
      filterType: 'PRICE_FILTER',
      minPrice: text(instrument.tickSize),
      maxPrice: text(PRICE_MAX),
      tickSize: text(instrument.tickSize),
    },
    {
      filterType: 'LOT_SIZE',
      minQty: text(instrument.quantityMin),
      maxQty: text(instrument.quantityMax),
      stepSize: text(instrument.lotSize),
    },
    { filterType: 'MARKET_LOT_SIZE', minQty: text(0n), maxQty: text(marketMax(instrument)), stepSize: text(0n) },
    {
      filterType: 'PERCENT_PRICE_BY_SIDE',
      bidMultiplierUp: '5',
      bidMultiplierDown: '0.2',
      askMultiplierUp: '5',
      askMultiplierDown: '0.2',
      avgPriceMins: 0,
    },
    {
      filterType: 'NOTIONAL',
      minNotional: text(instrument.notionalMin),
      applyMinToMarket: true,
      maxNotional: text(instrument.notionalMax),
      applyMaxToMarket: false,
      avgPriceMins: 0,
    },
    { filterType: 'MAX_NUM_ORDERS', maxNumOrders: ORDERS_MAX },
  ]
}

/** `average` is the last price (avgPriceMins 0), or undefined before the first. @throws BinanceError −1013. */
export function checkFilters(order: OrderRequest, instrument: Instrument, average: Units | undefined): void {
  if (order.kind !== 'market') checkPrice(order.price, instrument, average)
  if (order.quantity > 0n || order.quoteQuantity === 0n) checkQuantity(order, instrument)
  checkNotional(order, instrument, average)
}

function checkPrice(price: Units, { tickSize }: Instrument, average: Units | undefined): void {
  if (price < tickSize || price > PRICE_MAX || price % tickSize !== 0n) throw errors.filter('PRICE_FILTER')
  if (average === undefined) return
  const isFar = price > average * MULTIPLIER_UP || price * MULTIPLIER_DOWN_DIVISOR < average
  if (isFar) throw errors.filter('PERCENT_PRICE_BY_SIDE')
}

function checkQuantity({ kind, quantity }: OrderRequest, instrument: Instrument): void {
  const { quantityMin, quantityMax, lotSize } = instrument
  const isOutside = quantity < quantityMin || (quantityMax > 0n && quantity > quantityMax)
  if (isOutside || quantity <= 0n || quantity % lotSize !== 0n) throw errors.filter('LOT_SIZE')
  if (kind === 'market' && quantity > marketMax(instrument)) throw errors.filter('MARKET_LOT_SIZE')
}

function checkNotional(order: OrderRequest, instrument: Instrument, average: Units | undefined): void {
  const isMarket = order.kind === 'market'
  const price = isMarket ? average : order.price
  if (price === undefined && order.quoteQuantity === 0n) return
  const notional = order.quoteQuantity > 0n ? order.quoteQuantity : (order.quantity * price!) / ONE
  const { notionalMin, notionalMax } = instrument
  if (notional < notionalMin) throw errors.filter('NOTIONAL')
  if (!isMarket && notionalMax > 0n && notional > notionalMax) throw errors.filter('NOTIONAL')
}

function marketMax({ marketQuantityMax, quantityMax }: Instrument): Units {
  return marketQuantityMax > 0n ? marketQuantityMax : quantityMax
}
