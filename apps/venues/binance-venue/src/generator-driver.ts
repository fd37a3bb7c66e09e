/** Lets the made-up market happen in real time, or faster: trades, the orders they fill, and the streams. */
import { INTERVALS, intervalOpen, QUARTER_US, type Generator, type OrderEvent, type PublicTrade } from '@jts/exchange'
import { book } from './endpoints/market-data.ts'
import { aggregateTradeEvent, float, klineEvent, tradeEvent } from './payloads.ts'
import type { Venue } from './venue.ts'

const TICK_MS = 250
const TICK_MIN_MS = 5
/** Quarters carried out in one go before others get a turn. */
const BATCH = 400
/** Unfinished klines are shown each second for 1s and every two for longer ones. */
const UPDATE_QUARTERS = 8

export class GeneratorDriver {
  readonly #venue: Venue
  readonly #generator: Generator
  #timer: NodeJS.Timeout | undefined

  constructor(venue: Venue, generator: Generator) {
    this.#venue = venue
    this.#generator = generator
  }

  play(speed: number): void {
    const go = () => {
      const target = Math.floor(this.#venue.clock.nowUs() / QUARTER_US)
      for (let count = 0; count < BATCH && this.#generator.quarter < target; count++) this.#advance()
      const isBehind = this.#generator.quarter < target
      this.#timer = setTimeout(go, isBehind ? 0 : Math.max(TICK_MS / speed, TICK_MIN_MS))
    }
    go()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #advance(): void {
    const { exchange, userStream } = this.#venue
    const quarter = ++this.#generator.quarter
    const timeUs = quarter * QUARTER_US
    const trades = exchange.instruments.map(({ symbol }) => ({ symbol, trade: this.#generator.trade(symbol, quarter) }))
    for (const { symbol, trade } of trades) exchange.onTrade(symbol, trade.price, timeUs)
    const isSecond = quarter % 4 === 3
    const events: readonly OrderEvent[] = exchange.commit(isSecond ? { position: 0, timeUs } : undefined)
    for (const { order, what } of events) if (what === 'filled') this.#venue.limits.countOrder(order.account, -1)
    userStream.send(events)
    for (const { symbol, trade } of trades) this.#publish(symbol, trade, quarter)
  }

  #publish(symbol: string, trade: PublicTrade, quarter: number): void {
    const { connections, exchange } = this.#venue
    const name = symbol.toLowerCase()
    connections.publish(`${name}@trade`, (time) => tradeEvent(symbol, trade, time))
    connections.publish(`${name}@aggTrade`, (time) => aggregateTradeEvent(symbol, trade, time))
    connections.publish(`${name}@bookTicker`, () =>
      bookTicker(book(this.#venue, exchange.instrument(symbol)!), quarter),
    )
    if (quarter % 4 === 3) connections.publish(`${name}@miniTicker`, (time) => this.#miniTicker(symbol, trade, time))
    for (const interval of Object.keys(INTERVALS)) this.#publishKline(symbol, interval, quarter)
  }

  #publishKline(symbol: string, interval: string, quarter: number): void {
    const stream = `${symbol.toLowerCase()}@kline_${interval}`
    if (!this.#venue.connections.hasListeners(stream)) return
    const timeUs = quarter * QUARTER_US
    const openUs = intervalOpen(interval, timeUs)
    // A kline is closed when its last moment is over, which the first trade of the next one shows.
    const isFirst = openUs === timeUs
    if (!isFirst && (interval === '1s' || quarter % UPDATE_QUARTERS !== 0)) return
    const kline = this.#generator.kline(symbol, interval, isFirst ? intervalOpen(interval, timeUs - 1000) : openUs)
    this.#venue.connections.publish(stream, (time) => klineEvent(symbol, interval, kline, timeUs, time))
  }

  #miniTicker(symbol: string, trade: PublicTrade, time: (timeUs: number) => number): string {
    const kline = this.#generator.kline(symbol, '1d', intervalOpen('1d', trade.timeUs))
    const { open, high, low, close, volume } = kline
    const prices = {
      c: float(close),
      o: float(open),
      h: float(high),
      l: float(low),
      v: float(volume),
      q: float(volume * close),
    }
    return JSON.stringify({ e: '24hrMiniTicker', E: time(trade.timeUs), s: symbol, ...prices })
  }
}

function bookTicker(level: object, updateId: number): string {
  const { symbol, bidPrice, bidQty, askPrice, askQty } = level as Record<string, string>
  return JSON.stringify({ u: updateId, s: symbol, b: bidPrice, B: bidQty, a: askPrice, A: askQty })
}
