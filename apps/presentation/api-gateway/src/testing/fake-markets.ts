/** Made-up markets behind the fake ports: their candles, drawn by a seed, and how they go on. */
import type { CandleView, GatewayUpdate } from '../ports.ts'

export type Market = { id: string; timeframe: string; quoteCurrency: string; price: number; tick: number; lot: string }

export const MARKETS: readonly Market[] = [
  { id: 'BINANCE:BTCUSDT', timeframe: '1m', quoteCurrency: 'USDT', price: 64_180, tick: 0.01, lot: '0.15' },
  { id: 'KRX:005930', timeframe: '1m', quoteCurrency: 'KRW', price: 71_400, tick: 100, lot: '12' },
]
export const MINUTE_US = 60_000_000
export const START_US = Date.UTC(2025, 2, 14, 1, 0) * 1000
export const BARS = 240
export class FakeMarkets {
  readonly #candles = new Map<string, CandleView[]>()
  readonly #random: () => number
  readonly #emit: (update: GatewayUpdate) => void

  constructor(options: { seed: number; empty: boolean; emit: (update: GatewayUpdate) => void }) {
    this.#random = randomFrom(options.seed)
    this.#emit = options.emit
    for (const market of MARKETS) this.#candles.set(market.id, options.empty ? [] : this.#history(market))
  }

  candles(instrument: string): readonly CandleView[] {
    return this.#candles.get(instrument) ?? []
  }

  last(instrument: string): CandleView | undefined {
    return this.#candles.get(instrument)?.at(-1)
  }

  /** Moves the last candle; every few calls closes it and opens the next. */
  tick(instrument: string): void {
    const market = marketOf(instrument)
    const candles = this.#candles.get(instrument) ?? []
    const last = candles.at(-1)
    if (last === undefined || this.#random() < 0.2) {
      if (last !== undefined) this.#putCandle({ ...last, final: true })
      const open = last?.close ?? market.price
      const openTimeUs = last === undefined ? START_US : last.openTimeUs + MINUTE_US
      this.#putCandle(candle(market, openTimeUs, open, open, open, open, 0, false))
      return
    }
    const close = onTick(last.close * (1 + (this.#random() - 0.5) * 0.002), market.tick)
    const high = Math.max(last.high, close)
    const low = Math.min(last.low, close)
    const volume = Math.round((last.volume + this.#random() * 3) * 1000) / 1000
    this.#putCandle({ ...last, close, high, low, volume })
  }

  #putCandle(data: CandleView): void {
    const candles = this.#candles.get(data.instrument)!
    if (candles.at(-1)?.openTimeUs === data.openTimeUs) candles[candles.length - 1] = data
    else candles.push(data)
    this.#emit({ type: 'candle', data })
  }

  #history(market: Market): CandleView[] {
    const candles: CandleView[] = []
    let open = market.price
    let drift = 0
    for (let index = 0; index < BARS; index++) {
      drift = drift * 0.92 + (this.#random() - 0.5) * 0.0007
      const close = onTick(open * (1 + drift + (this.#random() - 0.5) * 0.0016), market.tick)
      const high = onTick(Math.max(open, close) * (1 + this.#random() * 0.0008), market.tick)
      const low = onTick(Math.min(open, close) * (1 - this.#random() * 0.0008), market.tick)
      const volume = Math.round((4 + this.#random() * 20 + Math.abs(close / open - 1) * 9000) * 1000) / 1000
      const top = Math.max(high, open, close)
      const bottom = Math.min(low, open, close)
      candles.push(candle(market, START_US + index * MINUTE_US, open, top, bottom, close, volume, index < BARS - 1))
      open = close
    }
    return candles
  }
}

function candle(
  market: Market,
  openTimeUs: number,
  open: number,
  high: number,
  low: number,
  close: number,
  volume: number,
  final: boolean,
): CandleView {
  return { instrument: market.id, timeframe: market.timeframe, openTimeUs, open, high, low, close, volume, final }
}

export function marketOf(instrument: string): Market {
  const market = MARKETS.find(({ id }) => id === instrument)
  if (market === undefined)
    throw new Error(`expected one of ${MARKETS.map(({ id }) => id).join(', ')}, found ${instrument}`)
  return market
}

function onTick(price: number, tick: number): number {
  return Number((Math.round(price / tick) * tick).toFixed(8))
}

/** A small generator with a seed (mulberry32), so that a picture can be drawn twice. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
