/** From the parameters of `order` to an order of the exchange, checked in the order in which Binance complains. */
import type { Instrument } from '@jts/model/instruments'
import type { OrderRequest, TimeInForce } from '@jts/exchange'
import { errors } from '../errors.ts'
import { checkFilters } from '../filters.ts'
import type { Params } from '../params.ts'
import { SELF_TRADE_MODES, type Tag } from '../payloads.ts'
import type { Call } from './endpoint.ts'
import { instrumentOf } from './market-data.ts'

export type Detail = 'ACK' | 'RESULT' | 'FULL'

/** Types that Binance has and this venue leaves out, with its words for it. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  STOP_LOSS: 'Stop loss orders are not supported for this symbol.',
  STOP_LOSS_LIMIT: 'Stop loss limit orders are not supported for this symbol.',
  TAKE_PROFIT: 'Take profit orders are not supported for this symbol.',
  TAKE_PROFIT_LIMIT: 'Take profit limit orders are not supported for this symbol.',
}
const KINDS = { LIMIT: 'limit', MARKET: 'market', LIMIT_MAKER: 'post-only' } as const
const LEFT_OUT_PARAMS = ['stopPrice', 'trailingDelta', 'pegPriceType', 'pegOffsetValue', 'pegOffsetType'] as const

/** @throws BinanceError for whatever the exchange would refuse before it looks at balances. */
export function readOrder({ venue, params }: Call): { request: OrderRequest; detail: Detail; instrument: Instrument } {
  const instrument = instrumentOf(venue, params.symbol())
  const side = params.oneOf('side', ['BUY', 'SELL'], errors.side)
  const type = params.required('type')
  if (Object.hasOwn(LEFT_OUT, type)) throw errors.rejected(LEFT_OUT[type]!)
  if (!Object.hasOwn(KINDS, type)) throw errors.orderType()
  const kind = KINDS[type as keyof typeof KINDS]
  const sizes = readSizes(params, kind)
  const clientId = params.clientId('newClientOrderId')
  const detail = params.oneOf('newOrderRespType', ['ACK', 'RESULT', 'FULL'], () => errors.invalid('newOrderRespType'))
  const tag = readTag(params)
  if (params.amount('icebergQty')) throw errors.rejected('Iceberg orders are not supported for this symbol.')
  for (const name of LEFT_OUT_PARAMS) if (params.text(name) !== undefined) throw errors.notRequired(name)
  params.finish()
  const request: OrderRequest = {
    symbol: instrument.symbol,
    side: side === 'BUY' ? 'buy' : 'sell',
    kind,
    ...sizes,
    ...(clientId === undefined ? {} : { clientId }),
    ...(Object.keys(tag).length === 0 ? {} : { tag: JSON.stringify(tag) }),
  }
  checkFilters(request, instrument, venue.exchange.lastPrice(instrument.symbol))
  return { request, instrument, detail: detail ?? (kind === 'post-only' ? 'ACK' : 'FULL') }
}

type Sizes = Pick<OrderRequest, 'timeInForce' | 'price' | 'quantity' | 'quoteQuantity'>

function readSizes(params: Params, kind: OrderRequest['kind']): Sizes {
  const text = params.oneOf('timeInForce', ['GTC', 'IOC', 'FOK'], errors.timeInForce)
  const price = params.amount('price')
  const quantity = params.amount('quantity')
  const quoteQuantity = params.amount('quoteOrderQty')
  if (kind !== 'limit' && text !== undefined) throw errors.notRequired('timeInForce')
  if (kind === 'limit' && text === undefined) throw errors.missing('timeInForce')
  if (kind === 'market') {
    if (price !== undefined) throw errors.notRequired('price')
    if (quantity === undefined && quoteQuantity === undefined) throw errors.missingEither('quantity', 'quoteOrderQty')
    if (quantity !== undefined && quoteQuantity !== undefined) throw errors.notRequired('quoteOrderQty')
  } else {
    if (quantity === undefined) throw errors.missing('quantity')
    if (price === undefined) throw errors.missing('price')
    if (quoteQuantity !== undefined) throw errors.notRequired('quoteOrderQty')
  }
  return {
    timeInForce: (text?.toLowerCase() ?? 'gtc') as TimeInForce,
    price: price ?? 0n,
    quantity: quantity ?? 0n,
    quoteQuantity: quoteQuantity ?? 0n,
  }
}

function readTag(params: Params): Tag {
  const stp = params.oneOf('selfTradePreventionMode', SELF_TRADE_MODES, () => errors.invalid('selfTradePreventionMode'))
  const strategyId = params.integer('strategyId')
  const strategyType = params.integer('strategyType')
  if (strategyType !== undefined && strategyType < 1_000_000) throw errors.invalid('strategyType')
  return {
    ...(stp === undefined ? {} : { stp }),
    ...(strategyId === undefined ? {} : { strategyId }),
    ...(strategyType === undefined ? {} : { strategyType }),
  }
}
