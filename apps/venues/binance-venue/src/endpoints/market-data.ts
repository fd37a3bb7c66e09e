/** Market data: no key needed. A replay shows nothing that has not been released. */
import type { Instrument } from '@jts/model/instruments'
import { formatUnitsFixed } from '@jts/model/numbers'
import { isInterval, type Kline } from '@jts/exchange'
import { errors } from '../errors.ts'
import { RATE_LIMITS } from '../limits.ts'
import type { Params } from '../params.ts'
import { aggregateTrade, float, klineRow, symbolInfo, tradeRow } from '../payloads.ts'
import type { Venue } from '../venue.ts'
import type { Call, Endpoint } from './endpoint.ts'

const ROWS_MAX = 1000
const DAY_US = 86_400e6
const MINUTES_OF_DAY = 1440
/** Quantity shown on each level of the made-up book. */
const LEVEL_QUANTITY = 1

export const marketData: readonly Endpoint[] = [
  { rest: 'GET /api/v3/ping', socket: 'ping', weight: 1, security: 'none', run: finish(() => ({})) },
  { rest: 'GET /api/v3/time', socket: 'time', weight: 1, security: 'none', run: finish(serverTime) },
  { rest: 'GET /api/v3/exchangeInfo', socket: 'exchangeInfo', weight: 20, security: 'none', run: exchangeInfo },
  {
    rest: 'GET /api/v3/klines',
    socket: 'klines',
    weight: 2,
    security: 'none',
    mandatory: ['symbol', 'interval'],
    run: klines,
  },
  {
    rest: 'GET /api/v3/uiKlines',
    socket: 'uiKlines',
    weight: 2,
    security: 'none',
    mandatory: ['symbol', 'interval'],
    run: klines,
  },
  {
    rest: 'GET /api/v3/trades',
    socket: 'trades.recent',
    weight: 25,
    security: 'none',
    mandatory: ['symbol'],
    run: trades,
  },
  {
    rest: 'GET /api/v3/historicalTrades',
    socket: 'trades.historical',
    weight: 25,
    security: 'none',
    mandatory: ['symbol'],
    run: historicalTrades,
  },
  {
    rest: 'GET /api/v3/aggTrades',
    socket: 'trades.aggregate',
    weight: 4,
    security: 'none',
    mandatory: ['symbol'],
    run: aggTrades,
  },
  {
    rest: 'GET /api/v3/avgPrice',
    socket: 'avgPrice',
    weight: 2,
    security: 'none',
    mandatory: ['symbol'],
    run: avgPrice,
  },
  {
    rest: 'GET /api/v3/depth',
    socket: 'depth',
    weight: depthWeight,
    security: 'none',
    mandatory: ['symbol'],
    run: depth,
  },
  {
    rest: 'GET /api/v3/ticker/price',
    socket: 'ticker.price',
    weight: tickerWeight(2, 4),
    security: 'none',
    run: tickers(price),
  },
  {
    rest: 'GET /api/v3/ticker/bookTicker',
    socket: 'ticker.book',
    weight: tickerWeight(2, 4),
    security: 'none',
    run: tickers(book),
  },
  {
    rest: 'GET /api/v3/ticker/24hr',
    socket: 'ticker.24hr',
    weight: tickerWeight(2, 80),
    security: 'none',
    run: tickers(day),
  },
]

function finish(answer: (call: Call) => unknown): (call: Call) => unknown {
  return (call) => {
    call.params.finish()
    return answer(call)
  }
}

/** Wall time, in a replay too: signatures go by it. */
function serverTime({ time }: Call): object {
  return { serverTime: time(Date.now() * 1000) }
}

/** @throws BinanceError −1121. */
export function instrumentOf(venue: Venue, symbol: string): Instrument {
  const instrument = venue.exchange.instrument(symbol)
  if (!instrument) throw errors.symbol()
  return instrument
}

function exchangeInfo({ venue, params, time }: Call): object {
  params.text('permissions')
  params.text('showPermissionSets')
  const status = params.text('symbolStatus')
  const instruments = asked(venue, params) ?? venue.exchange.instruments
  params.finish()
  return {
    timezone: 'UTC',
    serverTime: time(Date.now() * 1000),
    rateLimits: RATE_LIMITS,
    exchangeFilters: [],
    symbols: status === undefined || status === 'TRADING' ? instruments.map(symbolInfo) : [],
    sors: [],
  }
}

/** `symbol` or `symbols`; undefined when neither was sent. */
function asked(venue: Venue, params: Params): Instrument[] | undefined {
  const symbol = params.text('symbol')
  const symbols = params.text('symbols')
  if (symbol !== undefined && symbols !== undefined) throw errors.combination()
  if (symbol !== undefined) return [instrumentOf(venue, symbol)]
  if (symbols === undefined) return undefined
  if (!/^\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}")*\]$/.test(symbols)) {
    throw errors.illegal('symbols', '^\\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\\]$')
  }
  return (JSON.parse(symbols) as string[]).map((name) => instrumentOf(venue, name))
}

function klines({ venue, params, time }: Call): unknown {
  const { symbol } = instrumentOf(venue, params.symbol())
  const interval = params.required('interval')
  const fromUs = params.timeUs('startTime')
  const toUs = params.timeUs('endTime')
  const limit = params.limit(500, ROWS_MAX)
  const zone = params.text('timeZone') ?? '0'
  params.finish()
  if (!isInterval(interval)) throw errors.interval()
  if (Number(zone) !== 0 || !venue.market.supports(symbol, interval)) throw errors.unsupported()
  const query = { ...(fromUs === undefined ? {} : { fromUs }), ...(toUs === undefined ? {} : { toUs }), limit }
  return venue.market.klines(symbol, interval, query).map((kline) => klineRow(kline, time))
}

function trades({ venue, params, time }: Call): unknown {
  const { symbol } = instrumentOf(venue, params.symbol())
  const limit = params.limit(500, ROWS_MAX)
  params.finish()
  return venue.market.trades(symbol, { limit }).map((trade) => tradeRow(trade, time))
}

function historicalTrades({ venue, params, time }: Call): unknown {
  const { symbol } = instrumentOf(venue, params.symbol())
  const fromId = params.integer('fromId')
  const limit = params.limit(500, ROWS_MAX)
  params.finish()
  const query = { limit, ...(fromId === undefined ? {} : { fromId }) }
  return venue.market.trades(symbol, query).map((trade) => tradeRow(trade, time))
}

function aggTrades({ venue, params, time }: Call): unknown {
  const { symbol } = instrumentOf(venue, params.symbol())
  const limit = params.limit(500, ROWS_MAX)
  params.finish()
  return venue.market.trades(symbol, { limit }).map((trade) => aggregateTrade(trade, time))
}

function avgPrice({ venue, params, time }: Call): object {
  const { symbol } = instrumentOf(venue, params.symbol())
  params.finish()
  return { mins: 0, price: lastText(venue, symbol), closeTime: time(venue.clock.nowUs()) }
}

function lastText(venue: Venue, symbol: string): string {
  return formatUnitsFixed(venue.exchange.lastPrice(symbol) ?? 0n)
}

function depthWeight(params: Params): number {
  const limit = Number(params.values.get('limit') ?? 100)
  return limit <= 100 ? 5 : limit <= 500 ? 25 : limit <= 1000 ? 50 : 250
}

/** A shallow book around the last price; a record has none to show. */
function depth({ venue, params }: Call): object {
  const { symbol, tickSize } = instrumentOf(venue, params.symbol())
  const limit = Math.min(params.limit(100, 5000), 100)
  params.finish()
  if (!venue.generator) throw errors.unsupported()
  const last = venue.exchange.lastPrice(symbol) ?? 0n
  const level = (ticks: number) => [formatUnitsFixed(last + tickSize * BigInt(ticks)), float(LEVEL_QUANTITY)]
  return {
    lastUpdateId: venue.generator.quarter,
    bids: Array.from({ length: limit }, (_, index) => level(-index)),
    asks: Array.from({ length: limit }, (_, index) => level(index + 1)),
  }
}

function tickerWeight(one: number, all: number): (params: Params) => number {
  return (params) => (params.values.has('symbol') ? one : all)
}

function tickers(describe: (venue: Venue, instrument: Instrument, call: Call) => object): (call: Call) => unknown {
  return (call) => {
    const { venue, params } = call
    params.text('type')
    const isOne = params.values.has('symbol')
    const instruments = asked(venue, params) ?? venue.exchange.instruments
    params.finish()
    const rows = instruments.map((instrument) => describe(venue, instrument, call))
    return isOne ? rows[0] : rows
  }
}

function price(venue: Venue, { symbol }: Instrument): object {
  return { symbol, price: lastText(venue, symbol) }
}

/** The last price and one tick above it. */
export function book(venue: Venue, { symbol, tickSize }: Instrument): object {
  const last = venue.exchange.lastPrice(symbol) ?? 0n
  const quantity = float(LEVEL_QUANTITY)
  const askPrice = formatUnitsFixed(last + tickSize)
  return { symbol, bidPrice: formatUnitsFixed(last), bidQty: quantity, askPrice, askQty: quantity }
}

/** The last 24 hours in the smallest klines that cover them in 1440 rows. */
export function dayKline(venue: Venue, symbol: string): Kline | undefined {
  const { market, clock } = venue
  const interval = ['1m', '5m', '15m', '1h', '1d'].find((name) => market.supports(symbol, name))
  if (interval === undefined) return undefined
  const rows = market.klines(symbol, venue.generator ? '15m' : interval, { limit: MINUTES_OF_DAY })
  const recent = rows.filter((row) => row.openUs > clock.nowUs() - DAY_US)
  const first = recent[0]
  const last = recent.at(-1)
  if (!first || !last) return undefined
  return {
    ...last,
    openUs: first.openUs,
    open: first.open,
    high: Math.max(...recent.map(({ high }) => high)),
    low: Math.min(...recent.map(({ low }) => low)),
    volume: recent.reduce((sum, { volume }) => sum + volume, 0),
    trades: recent.reduce((sum, row) => sum + row.trades, 0),
  }
}

function day(venue: Venue, instrument: Instrument, { time }: Call): object {
  const { symbol } = instrument
  const now = venue.clock.nowUs()
  const kline = dayKline(venue, symbol)
  const { open = 0, high = 0, low = 0, close = 0, volume = 0 } = kline ?? {}
  const change = open === 0 ? 0 : ((close - open) / open) * 100
  return {
    symbol,
    priceChange: (close - open).toFixed(8),
    priceChangePercent: change.toFixed(3),
    weightedAvgPrice: float((high + low + close) / 3),
    prevClosePrice: float(open),
    lastPrice: lastText(venue, symbol),
    lastQty: float(0),
    ...book(venue, instrument),
    openPrice: float(open),
    highPrice: float(high),
    lowPrice: float(low),
    volume: float(volume),
    quoteVolume: float(volume * close),
    openTime: time(now - DAY_US),
    closeTime: time(now),
    firstId: -1,
    lastId: -1,
    count: kline?.trades ?? 0,
  }
}
