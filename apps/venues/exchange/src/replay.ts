/**
 * A recorded market, released phase by phase. Several instruments are merged by event time, ties in the order given; each
 * bar has three phases of its own (`open`, `match`, `close`), each recorded trade two (`match`, `trade`).
 */
import { createHash } from 'node:crypto'
import type { LockStepPhase } from '@jts/contracts/lock-step'
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

type Recorded = { readonly file: string; readonly sha256: string; readonly instrument: string; readonly length: number }
export type RecordedBars = Recorded & {
  readonly kind: 'bars'
  readonly timeframe: string
  readonly openTimeUs: Float64Array
  readonly closeTimeUs: Float64Array
  readonly open: Float64Array
  readonly high: Float64Array
  readonly low: Float64Array
  readonly close: Float64Array
  readonly volume: Float64Array
}
export type RecordedTrades = Recorded & {
  readonly kind: 'trades'
  readonly tradeId: readonly string[]
  readonly timeUs: Float64Array
  readonly price: Float64Array
  readonly quantity: Float64Array
  readonly buyerMaker: Uint8Array
}
export type RecordedMarket = RecordedBars | RecordedTrades

/** In the order in which they are released; orders meet their first price in the first, the last is told. */
const PHASES = { bars: ['open', 'match', 'close'], trades: ['match', 'trade'] } as const satisfies Record<
  RecordedMarket['kind'],
  readonly LockStepPhase[]
>

/** One instrument's record, as columns that bars and trades share, and how far it has been released. */
export type Track = {
  readonly symbol: string
  readonly recorded: RecordedMarket
  readonly openUs: Float64Array
  readonly open: Float64Array
  readonly high: Float64Array
  readonly low: Float64Array
  readonly close: Float64Array
  readonly volume: Float64Array
  /** Bars (trades) whose last phase has been released. */
  released: number
  /** Next phase of the bar (trade) at `released`. */
  phase: number
  /** Position right after the last bar's (trade's) first phase. */
  openedAt: number
}

/** Which phase of which track comes next. Reused: read it before the next `advance`. */
export type Step = { track: Track; index: number; phase: LockStepPhase; timeUs: number }

export class Replay implements Market {
  readonly tracks: readonly Track[]
  readonly inputsSha256: string
  readonly total: number
  readonly firstTimeUs: number
  position = 0
  released = 0
  /** Market time of the last released phase; 0 before the first. */
  timeUs = 0
  readonly #bySymbol = new Map<string, Track>()
  readonly #step: Step

  /** @throws Error when two files are of one instrument, or when a file is empty. */
  constructor(markets: readonly RecordedMarket[], position = 0) {
    this.tracks = markets.map(toTrack)
    for (const track of this.tracks) {
      if (this.#bySymbol.has(track.symbol)) throw new Error(`expected one file for ${track.symbol}, found two`)
      if (track.recorded.length === 0) throw new Error(`expected bars or trades in ${track.recorded.file}, found none`)
      this.#bySymbol.set(track.symbol, track)
    }
    this.inputsSha256 = inputsSha256(markets.map(inputOf))
    this.total = markets.reduce((sum, market) => sum + market.length, 0)
    this.firstTimeUs = Math.min(...this.tracks.map((track) => track.openUs[0]!))
    this.#step = { track: this.tracks[0]!, index: 0, phase: 'open', timeUs: 0 }
    while (this.position < position && this.advance());
  }

  get isDone(): boolean {
    return this.released === this.total
  }

  /** Market time of the next phase, or undefined at the end. */
  nextTimeUs(): number | undefined {
    const track = this.#next()
    return track && timeOf(track)
  }

  #next(): Track | undefined {
    let best: Track | undefined
    let bestTime = Infinity
    for (const track of this.tracks) {
      if (track.released === track.recorded.length) continue
      const time = timeOf(track)
      if (time < bestTime) {
        best = track
        bestTime = time
      }
    }
    return best
  }

  /** Moves on by one phase; undefined at the end. */
  advance(): Step | undefined {
    const track = this.#next()
    if (!track) return undefined
    const step = this.#step
    step.track = track
    step.index = track.released
    step.timeUs = timeOf(track)
    const phases = PHASES[track.recorded.kind]
    step.phase = phases[track.phase]!
    this.position++
    if (track.phase === 0) track.openedAt = this.position
    if (++track.phase === phases.length) {
      track.released++
      track.phase = 0
      this.released++
    }
    this.timeUs = step.timeUs
    return step
  }

  /** The price that was last released, or undefined before the first. */
  lastPrice(symbol: string): number | undefined {
    const track = this.#bySymbol.get(symbol)
    if (!track) return undefined
    return track.phase > 0 ? track.open[track.released] : track.close[track.released - 1]
  }

  supports(symbol: string, interval: string): boolean {
    const track = this.#bySymbol.get(symbol)
    if (!track) return false
    if (track.recorded.kind === 'trades') return true
    const own = INTERVALS[track.recorded.timeframe] ?? 0
    const asked = INTERVALS[interval]!
    if (interval === track.recorded.timeframe) return true
    return own > 0 && (asked === 0 ? 86_400e6 % own === 0 : asked > own && asked % own === 0)
  }

  klines(symbol: string, interval: string, { fromUs, toUs = Infinity, limit }: KlineQuery): Kline[] {
    const track = this.#bySymbol.get(symbol)
    if (!track || !this.supports(symbol, interval)) return []
    const rows: Kline[] = []
    if (fromUs !== undefined) {
      let index = lowerBound(track.openUs, fromUs, track.released)
      // A bar that opened before `fromUs` takes its remaining parts with it.
      while (index > 0 && index < track.released && isSameInterval(track, interval, index - 1, index)) index++
      while (index < track.released && rows.length < limit) {
        const end = endOf(track, interval, index)
        const row = combine(track, interval, index, end)
        if (row.openUs > toUs) break
        rows.push(row)
        index = end
      }
      return rows
    }
    let end = track.released
    while (end > 0 && rows.length < limit) {
      let start = end - 1
      while (start > 0 && isSameInterval(track, interval, start - 1, end - 1)) start--
      const row = combine(track, interval, start, end)
      if (row.openUs <= toUs) rows.push(row)
      end = start
    }
    return rows.reverse()
  }

  /** The kline that the release of this bar has completed, or undefined when its interval goes on. */
  closedBy(track: Track, index: number, interval: string): Kline | undefined {
    const isLast = index + 1 === track.recorded.length
    if (interval === timeframeOf(track)) return combine(track, interval, index, index + 1)
    if (!isLast && isSameInterval(track, interval, index, index + 1)) return undefined
    const kline = combine(track, interval, startOf(track, interval, index), index + 1)
    const isComplete =
      !isLast || (track.recorded.kind === 'bars' && track.recorded.closeTimeUs[index]! >= kline.closeUs)
    return isComplete ? { ...kline, isClosed: true } : undefined
  }

  /** In a record of trades: the kline that ends because this trade belongs to a later one. */
  closedBefore(track: Track, index: number, interval: string): Kline | undefined {
    if (index === 0 || isSameInterval(track, interval, index - 1, index)) return undefined
    return { ...combine(track, interval, startOf(track, interval, index - 1), index), isClosed: true }
  }

  trades(symbol: string, { fromId, limit }: TradeQuery): PublicTrade[] {
    const track = this.#bySymbol.get(symbol)
    if (track?.recorded.kind !== 'trades') return []
    const { released } = track
    const first = fromId === undefined ? Math.max(0, released - limit) : firstTrade(track, fromId)
    const length = Math.min(limit, released - first)
    return Array.from({ length }, (_, index) => tradeAt(track, first + index))
  }
}

export function tradeAt(track: Track, index: number): PublicTrade {
  if (track.recorded.kind !== 'trades') throw new Error(`${track.symbol} is a record of bars`)
  const { tradeId, timeUs, price, quantity, buyerMaker } = track.recorded
  const text = tradeId[index]!
  return {
    id: /^\d{1,15}$/.test(text) ? Number(text) : index + 1,
    timeUs: timeUs[index]!,
    price: price[index]!,
    quantity: quantity[index]!,
    buyerMaker: buyerMaker[index] === 1,
  }
}

/** One recorded market as an input: `timeframe` is `trades` for recorded trades. */
export type ReplayInput = { readonly instrument: string; readonly timeframe: string; readonly sha256: string }

/** Names the inputs of a replay: what is in the files, and in which order they were given. */
export function inputsSha256(inputs: readonly ReplayInput[]): string {
  const hash = createHash('sha256')
  for (const { instrument, timeframe, sha256 } of inputs) hash.update(`${instrument} ${timeframe} ${sha256}\n`)
  return hash.digest('hex')
}

function inputOf(market: RecordedMarket): ReplayInput {
  const { instrument, sha256 } = market
  return { instrument, sha256, timeframe: market.kind === 'bars' ? market.timeframe : 'trades' }
}

function toTrack(recorded: RecordedMarket): Track {
  const symbol = recorded.instrument.slice(recorded.instrument.indexOf(':') + 1)
  const progress = { symbol, recorded, released: 0, phase: 0, openedAt: 0 }
  if (recorded.kind === 'bars') {
    const { openTimeUs: openUs, open, high, low, close, volume } = recorded
    return { ...progress, openUs, open, high, low, close, volume }
  }
  const { timeUs: openUs, price, quantity: volume } = recorded
  return { ...progress, openUs, open: price, high: price, low: price, close: price, volume }
}

function timeOf(track: Track): number {
  const { recorded } = track
  if (recorded.kind === 'trades' || track.phase === 0) return track.openUs[track.released]!
  return recorded.closeTimeUs[track.released]!
}

function timeframeOf(track: Track): string {
  return track.recorded.kind === 'bars' ? track.recorded.timeframe : ''
}

function isSameInterval(track: Track, interval: string, a: number, b: number): boolean {
  if (interval === timeframeOf(track)) return a === b
  return intervalOpen(interval, track.openUs[a]!) === intervalOpen(interval, track.openUs[b]!)
}

function startOf(track: Track, interval: string, index: number): number {
  let start = index
  while (start > 0 && isSameInterval(track, interval, start - 1, index)) start--
  return start
}

function endOf(track: Track, interval: string, index: number): number {
  let end = index + 1
  while (end < track.released && isSameInterval(track, interval, index, end)) end++
  return end
}

/** One kline from the bars or trades `start`..`end` − 1. */
function combine(track: Track, interval: string, start: number, end: number): Kline {
  let high = -Infinity
  let low = Infinity
  let volume = 0
  for (let index = start; index < end; index++) {
    if (track.high[index]! > high) high = track.high[index]!
    if (track.low[index]! < low) low = track.low[index]!
    volume += track.volume[index]!
  }
  const isOwn = track.recorded.kind === 'bars' && interval === track.recorded.timeframe
  const openUs = isOwn ? track.openUs[start]! : intervalOpen(interval, track.openUs[start]!)
  const closeUs = isOwn ? track.recorded.closeTimeUs[start]! : intervalNext(interval, openUs) - 1000
  const trades = track.recorded.kind === 'trades' ? end - start : 0
  return {
    openUs,
    closeUs,
    open: track.open[start]!,
    high,
    low,
    close: track.close[end - 1]!,
    volume,
    trades,
    isClosed: isOwn,
  }
}

/** First released trade whose id is at least this; the ids of a record rise. */
function firstTrade(track: Track, id: number): number {
  let low = 0
  let high = track.released
  while (low < high) {
    const middle = (low + high) >> 1
    if (tradeAt(track, middle).id < id) low = middle + 1
    else high = middle
  }
  return low
}

/** First index below `length` whose value is at least `value`. */
function lowerBound(values: Float64Array, value: number, length: number): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >> 1
    if (values[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}
