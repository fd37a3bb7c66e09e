/**
 * A made-up market that never ends: four trades a second and symbol. The price is a pure function of seed, symbol and time
 * (smooth noise of many wave lengths, so that it trends, turns and trends again), so a restart needs nothing stored and
 * history reaches back as far as anyone asks.
 */
import {
  INTERVALS,
  intervalNext,
  intervalOpen,
  type Kline,
  type KlineQuery,
  type Market,
  type PublicTrade,
  type TradeQuery,
} from './market.ts'

/** Trades are a quarter of a second apart. */
export const QUARTER_US = 250_000
const START_PRICES: Readonly<Record<string, number>> = { BTCUSDT: 65_000, ETHUSDT: 3_200, BNBUSDT: 600, SOLUSDT: 150 }
const HISTORY_START_US = Date.UTC(2020, 0, 1) * 1000
/** Wave lengths in seconds; the height of each grows with the root of its length, as a random walk's does. */
const WAVES = [0.5, 2, 8, 30, 120, 600, 3600, 21_600, 86_400, 604_800, 2_592_000]
const HEIGHT = 1.5e-4
/** How busy the market is changes over these many seconds, each time by up to this factor's power of e. */
const ACTIVITY_WAVES = [5, 40, 300, 3600]
const ACTIVITY_HEIGHT = 0.6
const QUANTITY_USUAL = 0.012
/** A kline longer than a minute is made from this many of its trades, evenly spread. */
const SAMPLES = 240

export class Generator implements Market {
  /** The last trade that has happened. */
  quarter: number
  readonly #symbols = new Map<string, { seed: number; start: number }>()

  constructor(symbols: readonly string[], seed: number, timeUs: number) {
    this.quarter = Math.floor(timeUs / QUARTER_US)
    for (const symbol of symbols) {
      let hash = seed | 0
      for (const letter of symbol) hash = mix(hash ^ letter.charCodeAt(0))
      this.#symbols.set(symbol, { seed: hash, start: START_PRICES[symbol] ?? 100 })
    }
  }

  supports(symbol: string): boolean {
    return this.#symbols.has(symbol)
  }

  price(symbol: string, quarter: number): number {
    const { seed, start } = this.#symbols.get(symbol)!
    const seconds = quarter / 4
    let logarithm = 0
    for (let wave = 0; wave < WAVES.length; wave++) {
      const length = WAVES[wave]!
      logarithm += HEIGHT * Math.sqrt(length) * smoothNoise(seed + wave * 7919, seconds / length)
    }
    return Math.round(start * Math.exp(logarithm) * 100) / 100
  }

  trade(symbol: string, quarter: number): PublicTrade {
    const { seed } = this.#symbols.get(symbol)!
    return {
      id: quarter,
      timeUs: quarter * QUARTER_US,
      price: this.price(symbol, quarter),
      quantity: this.#quantity(symbol, quarter),
      buyerMaker: hashOf(seed ^ 0x2545f491, quarter) % 2 === 0,
    }
  }

  /** Many small trades and a few large ones, more of them when the market is busy. */
  #quantity(symbol: string, quarter: number): number {
    const { seed } = this.#symbols.get(symbol)!
    let activity = 0
    for (let wave = 0; wave < ACTIVITY_WAVES.length; wave++) {
      activity += smoothNoise(seed ^ (0x3c6ef372 + wave * 104_729), quarter / 4 / ACTIVITY_WAVES[wave]!)
    }
    const size = -Math.log(1 - unit(hashOf(seed ^ 0x5bd1e995, quarter)))
    return Math.max(1, Math.round(QUANTITY_USUAL * Math.exp(ACTIVITY_HEIGHT * activity) * size * 100_000)) / 100_000
  }

  /** A trade's id is its quarter. */
  trades(symbol: string, { fromId, limit }: TradeQuery): PublicTrade[] {
    const first = fromId === undefined ? this.quarter - limit + 1 : Math.max(fromId, HISTORY_START_US / QUARTER_US)
    const length = Math.max(0, Math.min(limit, this.quarter - first + 1))
    return Array.from({ length }, (_, index) => this.trade(symbol, first + index))
  }

  klines(symbol: string, interval: string, { fromUs, toUs = Infinity, limit }: KlineQuery): Kline[] {
    const nowUs = this.quarter * QUARTER_US
    const lastUs = intervalOpen(interval, Math.min(toUs, nowUs))
    const rows: Kline[] = []
    if (fromUs !== undefined) {
      let openUs = intervalOpen(interval, Math.max(fromUs, HISTORY_START_US))
      if (openUs < fromUs) openUs = intervalNext(interval, openUs)
      for (; openUs <= lastUs && rows.length < limit; openUs = intervalNext(interval, openUs)) {
        rows.push(this.kline(symbol, interval, openUs))
      }
      return rows
    }
    for (
      let openUs = lastUs;
      openUs >= HISTORY_START_US && rows.length < limit;
      openUs = intervalOpen(interval, openUs - 1000)
    ) {
      rows.push(this.kline(symbol, interval, openUs))
    }
    return rows.reverse()
  }

  /** The kline that opens here, as far as it has happened. */
  kline(symbol: string, interval: string, openUs: number): Kline {
    const nextUs = intervalNext(interval, openUs)
    const first = Math.ceil(openUs / QUARTER_US)
    const end = nextUs / QUARTER_US - 1
    const last = Math.min(end, this.quarter)
    const isShort = (INTERVALS[interval] ?? 0) > 0 && nextUs - openUs <= 60e6
    const stride = isShort ? 1 : Math.max(1, Math.floor((end - first + 1) / SAMPLES))
    const open = this.price(symbol, first)
    const close = this.price(symbol, last)
    let high = Math.max(open, close)
    let low = Math.min(open, close)
    let sum = 0
    for (let quarter = first; quarter <= last; quarter += stride) {
      const price = this.price(symbol, quarter)
      if (price > high) high = price
      if (price < low) low = price
      sum += this.#quantity(symbol, quarter) * Math.min(stride, last - quarter + 1)
    }
    const trades = last - first + 1
    const volume = Math.round(sum * 100_000) / 100_000
    return { openUs, closeUs: nextUs - 1000, open, high, low, close, volume, trades, isClosed: last === end }
  }
}

/** Between −1 and 1: random at whole numbers, smooth in between. */
function smoothNoise(seed: number, at: number): number {
  const left = Math.floor(at)
  const share = at - left
  const weight = share * share * (3 - 2 * share)
  const a = unit(hashOf(seed, left))
  const b = unit(hashOf(seed, left + 1))
  return 2 * (a + (b - a) * weight) - 1
}

function hashOf(seed: number, index: number): number {
  return mix(mix(seed ^ (index | 0)) ^ Math.floor(index / 4294967296))
}

function mix(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) | 0
}

function unit(hash: number): number {
  return (hash >>> 0) / 4294967296
}
