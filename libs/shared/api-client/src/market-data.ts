/** What is listed, and prices: asked for page by page, and streamed. */
import type * as api from '@jts/contracts/broker-api'
import {
  fromWireBar,
  fromWireBook,
  fromWireInstrument,
  fromWireQuote,
  fromWireTrade,
  toWireTimeframe,
  type BookScope,
  type CandleQuery,
  type MarketListener,
  type MarketSubscription,
  type OrderBookReport,
  type QuoteReport,
  type TradeQuery,
} from '@jts/broker-kit'
import type { Bar, Instrument, InstrumentId, Trade } from '@jts/model'
import { queryOf } from './http.ts'
import { READ } from './readers.ts'
import { LONG_TIMEOUT_MS, type ServiceLink } from './service-link.ts'

const CANDLES_MAX = 10_000
const TRADES_MAX = 10_000

export class MarketData {
  readonly #link: ServiceLink

  constructor(link: ServiceLink) {
    this.#link = link
  }

  async instruments(wanted?: readonly InstrumentId[]): Promise<readonly Instrument[]> {
    if (wanted?.length === 0) return []
    const path = `/instruments${queryOf({ instrument: wanted })}`
    return (await this.#link.ask({ method: 'GET', path, timeoutMs: LONG_TIMEOUT_MS }, READ.instruments)).map(
      fromWireInstrument,
    )
  }

  async candles({ instrument, timeframe, fromUs, toUs, limit }: CandleQuery): Promise<readonly Bar[]> {
    const found: Bar[] = []
    const wanted = limit ?? (fromUs === undefined ? undefined : Infinity)
    let next = fromUs
    for (;;) {
      const count = wanted === undefined ? undefined : Math.min(CANDLES_MAX, wanted - found.length)
      const range = { ...(next === undefined ? {} : { fromUs: next }), ...(toUs === undefined ? {} : { toUs }) }
      const page = await this.candlePage({
        symbol: instrument,
        timeframe: toWireTimeframe(timeframe),
        ...range,
        ...(count === undefined ? {} : { limit: count }),
      })
      found.push(...page.map(fromWireBar))
      const last = found.at(-1)
      const isWhole = next === undefined || count === undefined || page.length < count || found.length >= wanted!
      if (isWhole || last === undefined) return found
      next = last.openTimeUs + 1
    }
  }

  /** One answer of `POST /market-data/candles`, in the contract's own words. */
  candlePage(request: api.CandlesRequest): Promise<api.Candle[]> {
    return this.#link.ask(
      { method: 'POST', path: '/market-data/candles', body: request, timeoutMs: LONG_TIMEOUT_MS },
      READ.candles,
    )
  }

  async trades({ instrument, afterTradeId, limit }: TradeQuery): Promise<readonly Trade[]> {
    const found: Trade[] = []
    const wanted = limit ?? 500
    let after = afterTradeId
    for (;;) {
      const count = Math.min(TRADES_MAX, wanted - found.length)
      const path = `/market-data/trades${queryOf({ instrument, afterTradeId: after, limit: count })}`
      const page = await this.#link.ask({ method: 'GET', path, timeoutMs: LONG_TIMEOUT_MS }, READ.trades)
      found.push(...page.map(fromWireTrade))
      if (after === undefined || page.length < count || found.length >= wanted) return found
      after = page.at(-1)!.tradeId
    }
  }

  async quotes(instruments: readonly InstrumentId[]): Promise<readonly QuoteReport[]> {
    if (instruments.length === 0) return []
    const path = `/market-data/quotes${queryOf({ instrument: instruments })}`
    return (await this.#link.ask({ method: 'GET', path }, READ.quotes)).map(fromWireQuote)
  }

  async orderBook(query: { instrument: InstrumentId; depth?: number; book?: BookScope }): Promise<OrderBookReport> {
    const path = `/market-data/order-book${queryOf(query)}`
    return fromWireBook(await this.#link.ask({ method: 'GET', path }, READ.book))
  }

  subscribe(subscriptions: readonly MarketSubscription[], listener: MarketListener): { stop(): Promise<void> } {
    const wanted = subscriptions.map(toSubscription)
    return this.#link.stream(`market data ${this.#link.streamCount + 1}`, {
      subscriptions: () => wanted,
      onMessage: (message) => {
        if (message.type === 'candle') listener.onBar(fromWireBar(message.data))
        else if (message.type === 'trade') listener.onTrade(fromWireTrade(message.data))
        else if (message.type === 'quote') listener.onQuote?.(fromWireQuote(message.data))
        else if (message.type === 'orderBook') listener.onOrderBook?.(fromWireBook(message.data))
      },
      onState: (state, reason) => listener.onMarketStream(state, reason),
    })
  }
}

function toSubscription({ instrument, timeframe, channel }: MarketSubscription): api.Subscription {
  if (channel !== undefined) return { channel, instrument }
  if (timeframe === undefined) return { channel: 'trades', instrument }
  return { channel: 'candles', instrument, timeframe: toWireTimeframe(timeframe) }
}
