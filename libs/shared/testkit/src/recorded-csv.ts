/** Synthetic recorded markets from a seeded random walk with swings: bars whose averages cross often, and trades. */
import { writeFileSync } from 'node:fs'

/** A small seeded generator (mulberry32): the same seed gives the same market everywhere. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

export type SyntheticBars = {
  readonly bars: number
  readonly seed: number
  readonly priceStart?: number
  readonly intervalMs?: number
  readonly startMs?: number
  /** Largest gap between a close and the next open, as a share of the price; 0 when not given. */
  readonly gap?: number
}

/** CSV in the form of the recorded klines: `open_time_ms,open,high,low,close,volume,close_time_ms,quote_volume,trades`. */
export function syntheticBarsCsv(options: SyntheticBars): string {
  const random = seededRandom(options.seed)
  const interval = options.intervalMs ?? 60_000
  const start = options.startMs ?? Date.UTC(2024, 0, 1)
  const lines = ['open_time_ms,open,high,low,close,volume,close_time_ms,quote_volume,trades']
  let price = options.priceStart ?? 40_000
  for (let i = 0; i < options.bars; i++) {
    const open = options.gap === undefined ? price : price * (1 + (random() - 0.5) * 2 * options.gap)
    const swing = Math.sin(i / 7 + options.seed) * 0.0015
    const close = Math.max(1, open * (1 + swing + (random() - 0.5) * 0.002))
    const high = Math.max(open, close) * (1 + random() * 0.0005)
    const low = Math.min(open, close) * (1 - random() * 0.0005)
    const time = start + i * interval
    const cells = [open, high, low, close].map((value) => value.toFixed(2))
    lines.push([time, ...cells, (random() * 10).toFixed(4), time + interval - 1, '', ''].join(','))
    price = Number(close.toFixed(2))
  }
  return `${lines.join('\n')}\n`
}

export function writeSyntheticBars(file: string, options: SyntheticBars): string {
  writeFileSync(file, syntheticBarsCsv(options))
  return file
}

/** Ids of a busy market are above 32 bits. */
const FIRST_TRADE_ID = 5_000_000_000

export type SyntheticTrades = {
  readonly trades: number
  readonly seed: number
  readonly priceStart?: number
  readonly startMs?: number
  /** Mean time between two trades; a fifth of them come in the same millisecond as the one before. */
  readonly intervalMs?: number
}

/** CSV in the form of the recorded trades: `trade_id,price,qty,time_ms,is_buyer_maker`. */
export function syntheticTradesCsv(options: SyntheticTrades): string {
  const random = seededRandom(options.seed)
  const interval = options.intervalMs ?? 1000
  const lines = ['trade_id,price,qty,time_ms,is_buyer_maker']
  let price = options.priceStart ?? 40_000
  let time = options.startMs ?? Date.UTC(2024, 0, 1)
  for (let i = 0; i < options.trades; i++) {
    const swing = Math.sin(i / 7 + options.seed) * 0.0008
    price = Math.max(1, price * (1 + swing + (random() - 0.5) * 0.002))
    if (random() > 0.2) time += Math.ceil(random() * 2.5 * interval)
    const quantity = Math.max(0.00001, random() ** 4).toFixed(5)
    lines.push([FIRST_TRADE_ID + i, price.toFixed(2), quantity, time, random() < 0.5].join(','))
  }
  return `${lines.join('\n')}\n`
}

export function writeSyntheticTrades(file: string, options: SyntheticTrades): string {
  writeFileSync(file, syntheticTradesCsv(options))
  return file
}
