/** Orders: place, test, cancel, and ask. */
import { isRefused, type Refusal } from '@jts/exchange'
import { errors, type BinanceError } from '../errors.ts'
import type { Params } from '../params.ts'
import { cancelledOrder, placedOrder, queriedOrder } from '../payloads.ts'
import type { Call, Endpoint } from './endpoint.ts'
import { instrumentOf } from './market-data.ts'
import { readOrder } from './order-request.ts'

const ORDER = ['symbol', 'side', 'type']

export const trading: readonly Endpoint[] = [
  { rest: 'POST /api/v3/order', socket: 'order.place', weight: 1, security: 'signed', mandatory: ORDER, run: place },
  { rest: 'POST /api/v3/order/test', socket: 'order.test', weight: 1, security: 'signed', mandatory: ORDER, run: test },
  {
    rest: 'GET /api/v3/order',
    socket: 'order.status',
    weight: 4,
    security: 'signed',
    mandatory: ['symbol'],
    run: query,
  },
  {
    rest: 'DELETE /api/v3/order',
    socket: 'order.cancel',
    weight: 1,
    security: 'signed',
    mandatory: ['symbol'],
    run: cancel,
  },
  { rest: 'GET /api/v3/openOrders', socket: 'openOrders.status', weight: openWeight, security: 'signed', run: open },
  {
    rest: 'DELETE /api/v3/openOrders',
    socket: 'openOrders.cancelAll',
    weight: 1,
    security: 'signed',
    mandatory: ['symbol'],
    run: cancelAll,
  },
]

function place(call: Call): unknown {
  const { venue, account, time } = call
  const { exchange, limits } = venue
  const { request, detail } = readOrder(call)
  limits.checkOrder(account)
  if (exchange.losesOrder(account)) {
    exchange.commit()
    throw errors.timeout()
  }
  const order = exchange.place(account, request)
  if (isRefused(order)) throw placeError(order.refused)
  call.events = exchange.commit()
  limits.countOrder(account, 1)
  if (order.status === 'filled') limits.countOrder(account, -1)
  call.countsOrders = true
  const fault = exchange.faults.afterAccept(order.id)
  if (fault) call.fault = fault
  const fills = call.events.flatMap(({ fill }) => (fill?.orderId === order.id ? [fill] : []))
  return placedOrder(order, fills, detail, time)
}

function placeError(refusal: Refusal): BinanceError {
  switch (refusal) {
    case 'insufficient-balance':
      return errors.rejected('Account has insufficient balance for requested action.')
    case 'would-take':
      return errors.rejected('Order would immediately match and take.')
    case 'duplicate-client-id':
      return errors.rejected('Duplicate order sent.')
    case 'too-many-orders':
      return errors.filter('MAX_NUM_ORDERS')
    case 'unknown-order':
      return errors.cancelRejected()
  }
}

/** Everything is checked, nothing is done. */
function test(call: Call): object {
  const isWithRates = call.params.boolean('computeCommissionRates')
  readOrder(call)
  if (!isWithRates) return {}
  const rate = (Number(call.venue.exchange.feeRate) / 1e8).toFixed(8)
  const rates = { maker: rate, taker: rate }
  const none = { maker: '0.00000000', taker: '0.00000000' }
  const discount = { enabledForAccount: false, enabledForSymbol: false, discountAsset: 'BNB', discount: '0.00000000' }
  return { standardCommissionForOrder: rates, taxCommissionForOrder: none, discount }
}

type OrderKey = { readonly id: number } | { readonly clientId: string }

/** When both ids are sent, the number leads and the client id has to fit. */
function orderKey(params: Params): { key: OrderKey; clientId: string | undefined } {
  const id = params.integer('orderId')
  const clientId = params.clientId('origClientOrderId')
  if (id !== undefined) return { key: { id }, clientId }
  if (clientId === undefined) throw errors.missingEither('origClientOrderId', 'orderId')
  return { key: { clientId }, clientId }
}

function query({ venue, params, account, time }: Call): object {
  const { symbol } = instrumentOf(venue, params.symbol())
  const { key, clientId } = orderKey(params)
  params.finish()
  const order = venue.exchange.order(account, symbol, key)
  if (!order || (clientId !== undefined && order.clientId !== clientId)) throw errors.noOrder()
  return queriedOrder(order, time)
}

function cancel(call: Call): object {
  const { venue, params, account, time } = call
  const { symbol } = instrumentOf(venue, params.symbol())
  const { key, clientId } = orderKey(params)
  const cancelId = params.clientId('newClientOrderId')
  const restrictions = ['ONLY_NEW', 'ONLY_PARTIALLY_FILLED'] as const
  const restriction = params.oneOf('cancelRestrictions', restrictions, errors.cancelRestrictions)
  params.finish()
  if ('id' in key && clientId !== undefined) {
    const found = venue.exchange.order(account, symbol, key)
    if (found && found.clientId !== clientId) throw errors.cancelRejected()
  }
  // Fills are whole, so no open order is ever partially filled.
  if (restriction === 'ONLY_PARTIALLY_FILLED') {
    const isOpen = venue.exchange.order(account, symbol, key)?.status === 'open'
    throw errors.cancelRejected(isOpen ? 'Order was not canceled due to cancel restrictions.' : undefined)
  }
  const result = venue.exchange.cancel(account, symbol, key, cancelId)
  if (isRefused(result)) throw errors.cancelRejected()
  call.events = venue.exchange.commit()
  return cancelledOrder(result.order, result.cancelId, time)
}

function cancelAll(call: Call): object[] {
  const { venue, params, account, time } = call
  const { symbol } = instrumentOf(venue, params.symbol())
  params.finish()
  const orders = venue.exchange.openOrders(account, symbol)
  if (orders.length === 0) throw errors.cancelRejected()
  const rows = orders.flatMap((order) => {
    const result = venue.exchange.cancel(account, symbol, { id: order.id })
    return isRefused(result) ? [] : [cancelledOrder(result.order, result.cancelId, time)]
  })
  call.events = venue.exchange.commit()
  return rows
}

function openWeight(params: Params): number {
  return params.values.has('symbol') ? 6 : 80
}

function open({ venue, params, account, time }: Call): object[] {
  const symbol = params.text('symbol')
  params.finish()
  if (symbol !== undefined) instrumentOf(venue, symbol)
  const orders = venue.exchange.openOrders(account, symbol)
  return orders.map((order) => queriedOrder(order, time))
}
