/** Binance Spot's public market data behind the market data port. */
import {
  BrokerError,
  messageOf,
  type Capabilities,
  type CandleQuery,
  type MarketDataPort,
  type MarketListener,
  type MarketSubscription,
  type OrderBookReport,
  type QuoteReport,
  type StreamTimings,
  type TradeQuery,
} from '@jts/broker-kit'
import { IdError, timeframeUs, type Bar, type Instrument, type InstrumentId, type Trade } from '@jts/model'
import type { Activity, Logger, WallClock } from '@jts/runtime'
import type { SharedBudget } from '@jts/transport/cache/port'
import { tracked } from './activity.ts'
import type { Param } from './adapters/auth.ts'
import { BinanceHttp } from './adapters/http.ts'
import { BINANCE_LIMITS, toLimitWindows, WEIGHT, type Limits } from './adapters/limits.ts'
import {
  readBookTickers,
  readDepth,
  readExchangeInfo,
  readKlines,
  readPublicTrades,
  type ExchangeSymbolPayload,
} from './adapters/messages.ts'
import { rateLimiterOf } from './adapters/shared-rate-budget.ts'
import { toSymbol } from './adapters/symbols.ts'
import { tradeIdAfter } from './adapters/trade-ids.ts'
import { toBar, toInstrument, toOrderBook, toQuote, toTrade } from './adapters/translate.ts'
import { CAPABILITIES } from './broker.ts'
import type { BinanceEndpoints } from './config.ts'
import { openMarketStream } from './market-stream.ts'
import { VenueClock } from './venue-clock.ts'

const KLINES_LIMIT = 1000
const KLINES_DEFAULT = 500
const TRADES_LIMIT = 1000
const TRADES_DEFAULT = 500
const DEPTH_DEFAULT = 10
/** Of /trades and /historicalTrades. */
const TRADES_WEIGHT = 25
/** exchangeInfo of the whole exchange is several megabytes. */
const TIMEOUT_MS = 30_000

export type BinanceMarketDataOptions = {
  readonly endpoints: BinanceEndpoints
  readonly wallClock: WallClock
  readonly activity?: Activity
  readonly log: Logger
  readonly limits?: Limits
  /** As for the broker. */
  readonly shared?: SharedBudget | undefined
  /** How long an answer may wait for room in the rate budget, all its pages together; each of them more than a minute where nothing is said. */
  readonly questionWaitMs?: { readonly short: number; readonly long: number }
  readonly streamTimings?: Partial<StreamTimings>
  readonly random?: () => number
}

export type BinanceMarketData = MarketDataPort & { start(): Promise<void>; stop(): Promise<void> }

export function createBinanceMarketData(options: BinanceMarketDataOptions): BinanceMarketData {
  const { endpoints, wallClock: clock, activity, log } = options
  const venueClock = new VenueClock(clock)
  const budget = rateLimiterOf({
    clock,
    nowUs: () => venueClock.nowUs(),
    limits: options.limits ?? BINANCE_LIMITS,
    shared: options.shared,
    name: endpoints.rest,
  })
  const http = new BinanceHttp({ origin: endpoints.rest, clock, venueClock, budget, log, timeoutMs: TIMEOUT_MS })
  const streams = new Set<{ stop(): Promise<void> }>()
  const capabilities: Capabilities = CAPABILITIES
  const deadlineOf = (kind: 'short' | 'long'): number | undefined =>
    options.questionWaitMs && venueClock.nowUs() + options.questionWaitMs[kind] * 1000
  const during = <T>(work: () => Promise<T>): Promise<T> => tracked(activity, work)

  async function instruments(wanted?: readonly InstrumentId[]): Promise<readonly Instrument[]> {
    if (wanted?.length === 0) return []
    const params: Param[] = wanted === undefined ? [] : [['symbols', JSON.stringify(wanted.map(toSymbol))]]
    // One by one they are asked about in front of other questions.
    const deadlineUs = deadlineOf(wanted === undefined ? 'long' : 'short')
    const call = {
      method: 'GET',
      path: '/api/v3/exchangeInfo',
      params,
      weight: WEIGHT.exchangeInfo,
      deadlineUs,
    } as const
    return http.ask({ ...call, priority: 'quotes', security: 'none' }, (body) => {
      const info = readExchangeInfo(body)
      budget.adopt(toLimitWindows(info.rateLimits))
      return info.symbols.flatMap((symbol) => readInstrument(symbol, wanted !== undefined))
    })
  }

  /** A listing that our ids cannot name is left out of the whole exchange's list, but not when it was asked for. */
  function readInstrument(payload: ExchangeSymbolPayload, wanted: boolean): Instrument[] {
    try {
      return [toInstrument(payload)]
    } catch (error) {
      if (wanted || !(error instanceof IdError)) throw error
      log.debug({ symbol: payload.symbol, error: messageOf(error) }, 'binance: instrument left out')
      return []
    }
  }

  /** One page of rows, oldest first, the open bar among them. */
  function klines(query: CandleQuery, params: readonly Param[], deadlineUs: number | undefined): Promise<Bar[]> {
    const { instrument, timeframe } = query
    const all: Param[] = [['symbol', toSymbol(instrument)], ['interval', timeframe], ...params]
    return http.ask(
      {
        method: 'GET',
        path: '/api/v3/klines',
        params: all,
        weight: WEIGHT.klines,
        priority: 'history',
        security: 'none',
        deadlineUs,
      },
      (body) => readKlines(body).map((row) => toBar(instrument, timeframe, row)),
    )
  }

  async function candles(query: CandleQuery): Promise<readonly Bar[]> {
    checkTimeframe(query.timeframe)
    return query.fromUs === undefined ? latest(query) : since(query, query.fromUs)
  }

  async function since(query: CandleQuery, fromUs: number): Promise<Bar[]> {
    const limit = query.limit ?? Infinity
    const deadlineUs = deadlineOf('long')
    const found: Bar[] = []
    let startMs = Math.ceil(fromUs / 1000)
    while (found.length < limit) {
      const count = Math.min(KLINES_LIMIT, limit - found.length)
      const params: Param[] = [['startTime', String(startMs)], ...until(query.toUs), ['limit', String(count)]]
      const page = await klines(query, params, deadlineUs)
      const closed = page.filter(isClosed)
      found.push(...closed)
      const last = page.at(-1)
      if (last === undefined || page.length < count || closed.length < page.length) break
      startMs = last.openTimeUs / 1000 + 1
    }
    return found
  }

  /** Backwards from the newest, since only the venue knows how far its market has come. */
  async function latest(query: CandleQuery): Promise<Bar[]> {
    const limit = query.limit ?? KLINES_DEFAULT
    const deadlineUs = deadlineOf('long')
    let found: Bar[] = []
    let toUs = query.toUs
    while (found.length < limit) {
      // One more, because the newest row is usually the open bar.
      const count = Math.min(KLINES_LIMIT, limit - found.length + 1)
      const page = await klines(query, [...until(toUs), ['limit', String(count)]], deadlineUs)
      found = [...page.filter(isClosed), ...found]
      const first = page[0]
      if (first === undefined || page.length < count) break
      toUs = first.openTimeUs - 1000
    }
    return found.slice(Math.max(0, found.length - limit))
  }

  /** By its time, or because a later bar has begun: a local market may run ahead of the wall clock. */
  const isClosed = (bar: Bar, index: number, page: readonly Bar[]): boolean =>
    bar.closeTimeUs < venueClock.nowUs() || index < page.length - 1

  async function trades(query: TradeQuery): Promise<readonly Trade[]> {
    const limit = query.limit ?? TRADES_DEFAULT
    const deadlineUs = deadlineOf('long')
    if (query.afterTradeId === undefined) {
      const newest: Param[] = [['limit', String(Math.min(limit, TRADES_LIMIT))]]
      return tradePage('/api/v3/trades', query.instrument, newest, deadlineUs)
    }
    const found: Trade[] = []
    let fromId = tradeIdAfter(query.afterTradeId)
    while (found.length < limit) {
      const count = Math.min(TRADES_LIMIT, limit - found.length)
      const params: Param[] = [
        ['fromId', String(fromId)],
        ['limit', String(count)],
      ]
      const page = await tradePage('/api/v3/historicalTrades', query.instrument, params, deadlineUs)
      found.push(...page)
      const last = page.at(-1)
      if (last === undefined || page.length < count) break
      fromId = tradeIdAfter(last.tradeId)
    }
    return found
  }

  /** One page of trades, oldest first. */
  function tradePage(
    path: string,
    instrument: InstrumentId,
    params: readonly Param[],
    deadlineUs: number | undefined,
  ): Promise<Trade[]> {
    const all: Param[] = [['symbol', toSymbol(instrument)], ...params]
    return http.ask(
      { method: 'GET', path, params: all, weight: TRADES_WEIGHT, priority: 'history', security: 'none', deadlineUs },
      (body) => readPublicTrades(body).map((payload) => toTrade(instrument, payload)),
    )
  }

  async function quotes(wanted: readonly InstrumentId[]): Promise<readonly QuoteReport[]> {
    if (wanted.length === 0) return []
    const nowUs = venueClock.nowUs()
    const params: Param[] = [['symbols', JSON.stringify(wanted.map(toSymbol))]]
    return http.ask(
      {
        method: 'GET',
        path: '/api/v3/ticker/bookTicker',
        params,
        weight: WEIGHT.bookTickers,
        priority: 'quotes',
        security: 'none',
        deadlineUs: deadlineOf('short'),
      },
      (body) => readBookTickers(body).map((payload) => toQuote(payload, nowUs)),
    )
  }

  async function orderBook(query: { instrument: InstrumentId; depth?: number }): Promise<OrderBookReport> {
    const nowUs = venueClock.nowUs()
    const { instrument, depth = DEPTH_DEFAULT } = query
    const params: Param[] = [
      ['symbol', toSymbol(instrument)],
      ['limit', String(depth)],
    ]
    return http.ask(
      {
        method: 'GET',
        path: '/api/v3/depth',
        params,
        weight: depth <= 100 ? 5 : depth <= 500 ? 25 : 50,
        priority: 'quotes',
        security: 'none',
        deadlineUs: deadlineOf('short'),
      },
      (body) => toOrderBook(instrument, readDepth(body), nowUs),
    )
  }

  return {
    capabilities,
    quotes: (wanted) => during(() => quotes(wanted)),
    orderBook: (query) => during(() => orderBook(query)),
    instruments: (wanted) => during(() => instruments(wanted)),
    candles: (query) => during(() => candles(query)),
    trades: (query) => during(() => trades(query)),
    subscribe(subscriptions: readonly MarketSubscription[], listener: MarketListener) {
      for (const { timeframe } of subscriptions) if (timeframe !== undefined) checkTimeframe(timeframe)
      const participant = streams.size === 0 ? 'binance market stream' : `binance market stream ${streams.size + 1}`
      const stream = openMarketStream(
        {
          url: `${endpoints.streams}/ws`,
          participant,
          clock,
          activity,
          log,
          timings: options.streamTimings,
          random: options.random,
        },
        subscriptions,
        listener,
      )
      streams.add(stream)
      return stream
    },
    start: () => during(() => http.start(during)),
    async stop() {
      await Promise.all([...streams].map((stream) => stream.stop()))
      await http.stop()
    },
  }
}

const until = (toUs: number | undefined): Param[] =>
  toUs === undefined ? [] : [['endTime', String(Math.floor(toUs / 1000))]]

function checkTimeframe(timeframe: string): void {
  try {
    timeframeUs(timeframe)
  } catch (error) {
    throw new BrokerError('INVALID', messageOf(error), { cause: error })
  }
}
