/** What an account has and has done; and the few pages outside `/api/v3` that clients ask for before they trade. */
import { formatUnitsFixed } from '@jts/model/numbers'
import { errors } from '../errors.ts'
import { ORDER_LIMITS } from '../limits.ts'
import type { Params } from '../params.ts'
import { accountTrade, balance, queriedOrder } from '../payloads.ts'
import type { Call, Endpoint } from './endpoint.ts'
import { instrumentOf } from './market-data.ts'

const ROWS = 500
const ROWS_MAX = 1000
const HOURS_MAX = 24
const HOUR_US = 3600e6
const FIRST_UID = 354_937_868

export const account: readonly Endpoint[] = [
  { rest: 'GET /api/v3/account', socket: 'account.status', weight: 20, security: 'signed', run: status },
  {
    rest: 'GET /api/v3/account/commission',
    socket: 'account.commission',
    weight: 20,
    security: 'signed',
    mandatory: ['symbol'],
    run: commission,
  },
  {
    rest: 'GET /api/v3/allOrders',
    socket: 'allOrders',
    weight: 20,
    security: 'signed',
    mandatory: ['symbol'],
    run: allOrders,
  },
  {
    rest: 'GET /api/v3/myTrades',
    socket: 'myTrades',
    weight: tradesWeight,
    security: 'signed',
    mandatory: ['symbol'],
    run: myTrades,
  },
  {
    rest: 'GET /api/v3/rateLimit/order',
    socket: 'account.rateLimits.orders',
    weight: 40,
    security: 'signed',
    run: orderLimits,
  },
  { rest: 'GET /sapi/v1/capital/config/getall', weight: 10, security: 'signed', run: coins },
  { rest: 'GET /sapi/v1/asset/tradeFee', weight: 1, security: 'signed', run: tradeFee },
  { rest: 'GET /sapi/v1/margin/allPairs', weight: 1, security: 'key', run: () => [] },
  { rest: 'GET /sapi/v1/margin/isolated/allPairs', weight: 1, security: 'signed', run: () => [] },
  { rest: 'GET /fapi/v1/exchangeInfo', weight: 1, security: 'none', run: noSymbols },
  { rest: 'GET /dapi/v1/exchangeInfo', weight: 1, security: 'none', run: noSymbols },
]

function feeText({ venue }: Call): string {
  return formatUnitsFixed(venue.exchange.feeRate)
}

function status(call: Call): object {
  const { venue, params, time } = call
  const omitsZero = params.boolean('omitZeroBalances')
  params.finish()
  const fee = feeText(call)
  const points = Math.round(Number(fee) * 10_000)
  const zero = formatUnitsFixed(0n)
  return {
    makerCommission: points,
    takerCommission: points,
    buyerCommission: 0,
    sellerCommission: 0,
    commissionRates: { maker: fee, taker: fee, buyer: zero, seller: zero },
    canTrade: true,
    canWithdraw: false,
    canDeposit: false,
    brokered: false,
    requireSelfTradePrevention: false,
    preventSor: false,
    updateTime: time(venue.clock.nowUs()),
    accountType: 'SPOT',
    balances: venue.exchange
      .balances(call.account)
      .filter(({ free, locked }) => !omitsZero || free + locked > 0n)
      .map(balance),
    permissions: ['SPOT'],
    uid: FIRST_UID + call.account,
  }
}

function commission(call: Call): object {
  const { symbol } = instrumentOf(call.venue, call.params.symbol())
  call.params.finish()
  const rate = feeText(call)
  const zero = formatUnitsFixed(0n)
  const none = { maker: zero, taker: zero, buyer: zero, seller: zero }
  return {
    symbol,
    standardCommission: { maker: rate, taker: rate, buyer: zero, seller: zero },
    specialCommission: none,
    taxCommission: none,
    discount: { enabledForAccount: false, enabledForSymbol: false, discountAsset: 'BNB', discount: zero },
  }
}

/** @throws −1127 when the window is longer than a day. */
function window(params: Params): { fromUs?: number; toUs?: number } {
  const fromUs = params.timeUs('startTime')
  const toUs = params.timeUs('endTime')
  if (fromUs !== undefined && toUs !== undefined && toUs - fromUs > HOURS_MAX * HOUR_US) {
    throw errors.tooManyHours(HOURS_MAX)
  }
  return { ...(fromUs === undefined ? {} : { fromUs }), ...(toUs === undefined ? {} : { toUs }) }
}

function allOrders({ venue, params, account, time }: Call): object[] {
  const { symbol } = instrumentOf(venue, params.symbol())
  const fromId = params.integer('orderId')
  const page = { ...window(params), ...(fromId === undefined ? {} : { fromId }), limit: params.limit(ROWS, ROWS_MAX) }
  params.finish()
  return venue.exchange.orders(account, symbol, page).map((order) => queriedOrder(order, time))
}

function tradesWeight(params: Params): number {
  return params.values.has('orderId') ? 5 : 20
}

function myTrades({ venue, params, account, time }: Call): object[] {
  const { symbol } = instrumentOf(venue, params.symbol())
  const orderId = params.integer('orderId')
  const fromId = params.integer('fromId')
  const times = window(params)
  const limit = params.limit(ROWS, ROWS_MAX)
  params.finish()
  const hasTimes = times.fromUs !== undefined || times.toUs !== undefined
  if (hasTimes && (orderId !== undefined || fromId !== undefined)) throw errors.combination()
  const page = {
    ...times,
    ...(orderId === undefined ? {} : { orderId }),
    ...(fromId === undefined ? {} : { fromId }),
    limit,
  }
  return venue.exchange.fills(account, symbol, page).map((fill) => accountTrade(fill, time))
}

function orderLimits({ venue, params, account }: Call): object[] {
  params.finish()
  const counts = venue.limits.orderCounts(account)
  return ORDER_LIMITS.map(({ interval, intervalNum, limit }, index) => {
    return { rateLimitType: 'ORDERS', interval, intervalNum, limit, count: counts[index] }
  })
}

function coins({ venue, account }: Call): object[] {
  return venue.exchange.balances(account).map(({ asset, free, locked }) => ({
    coin: asset,
    name: asset,
    free: formatUnitsFixed(free),
    locked: formatUnitsFixed(locked),
    depositAllEnable: false,
    withdrawAllEnable: false,
    trading: true,
    isLegalMoney: false,
    networkList: [],
  }))
}

function tradeFee(call: Call): object[] {
  const symbol = call.params.text('symbol')
  const rate = feeText(call)
  const instruments = symbol === undefined ? call.venue.exchange.instruments : [instrumentOf(call.venue, symbol)]
  return instruments.map((one) => ({ symbol: one.symbol, makerCommission: rate, takerCommission: rate }))
}

function noSymbols({ time }: Call): object {
  return {
    timezone: 'UTC',
    serverTime: time(Date.now() * 1000),
    rateLimits: [],
    exchangeFilters: [],
    assets: [],
    symbols: [],
  }
}
