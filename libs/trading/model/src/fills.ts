/** Fills: executions of our orders, and the digest that makes two runs comparable. */
import { createHash } from 'node:crypto'
import { formatUnits, type Units } from './numbers.ts'
import type { AccountId, InstrumentId, OrderId, StrategyInstanceId } from './ids.ts'
import type { Side } from './bars.ts'

export type Fill = {
  /** Unique for ever: venue and venue trade id. */
  readonly fillId: string
  readonly account: AccountId
  readonly strategy: StrategyInstanceId
  readonly instrument: InstrumentId
  readonly side: Side
  readonly quantity: Units
  readonly price: Units
  readonly fee: Units
  readonly feeCurrency: string
  readonly liquidity: 'maker' | 'taker'
  readonly timeUs: number
  /** The venue's own number of the trade. */
  readonly tradeId: string
  readonly orderId: OrderId
}

/** What the digest and the exported lines are made of. */
export type FillFacts = Pick<
  Fill,
  'timeUs' | 'instrument' | 'side' | 'quantity' | 'price' | 'fee' | 'feeCurrency' | 'tradeId'
>

/** `timeMs,instrument,side,quantity,price,fee,feeCurrency` without the line's end. */
export function fillLine(fill: FillFacts): string {
  const timeMs = Math.floor(fill.timeUs / 1000)
  const amounts = `${formatUnits(fill.quantity)},${formatUnits(fill.price)},${formatUnits(fill.fee)}`
  return `${timeMs},${fill.instrument},${fill.side},${amounts},${fill.feeCurrency}`
}

const NUMERIC = /^\d+$/

function compareTradeIds(a: string, b: string): number {
  if (NUMERIC.test(a) && NUMERIC.test(b)) {
    const left = BigInt(a)
    const right = BigInt(b)
    return left < right ? -1 : left > right ? 1 : 0
  }
  return a < b ? -1 : a > b ? 1 : 0
}

/** By time in ms (as the line says it), instrument, venue trade id. */
export function compareFills(a: FillFacts, b: FillFacts): number {
  const time = Math.floor(a.timeUs / 1000) - Math.floor(b.timeUs / 1000)
  if (time !== 0) return time
  if (a.instrument !== b.instrument) return a.instrument < b.instrument ? -1 : 1
  return compareTradeIds(a.tradeId, b.tradeId)
}

/** The same fills in order, without copying when they are in order already. */
export function sortedFills<F extends FillFacts>(fills: readonly F[]): readonly F[] {
  for (let i = 1; i < fills.length; i++) {
    if (compareFills(fills[i - 1]!, fills[i]!) > 0) return [...fills].sort(compareFills)
  }
  return fills
}

/** Lines per piece handed to the hash: a call per line would cost more than the hashing. */
const LINES_PER_PIECE = 4096

/** SHA-256 in hex over the lines of the fills, each ended by a line feed, in the order of `compareFills`. */
export function fillsDigest(fills: readonly FillFacts[]): string {
  const hash = createHash('sha256')
  const ordered = sortedFills(fills)
  let piece = ''
  for (let i = 0; i < ordered.length; i++) {
    piece += fillLine(ordered[i]!) + '\n'
    if (i % LINES_PER_PIECE === LINES_PER_PIECE - 1) {
      hash.update(piece)
      piece = ''
    }
  }
  return hash.update(piece).digest('hex')
}
