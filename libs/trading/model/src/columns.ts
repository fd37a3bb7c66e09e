/** A recorded market in memory: typed columns, so that a million bars cost no objects. */
import type { InstrumentId } from './ids.ts'

export type RecordedBars = {
  readonly kind: 'bars'
  readonly file: string
  /** SHA-256 of the decompressed bytes: names the input of a run. */
  readonly sha256: string
  readonly instrument: InstrumentId
  readonly timeframe: string
  readonly length: number
  /** Places where bars are missing, and how many bars that makes; 0 unless gaps were allowed. */
  readonly gaps: number
  readonly missingBars: number
  readonly openTimeUs: Float64Array
  readonly closeTimeUs: Float64Array
  readonly open: Float64Array
  readonly high: Float64Array
  readonly low: Float64Array
  readonly close: Float64Array
  readonly volume: Float64Array
}

export type RecordedTrades = {
  readonly kind: 'trades'
  readonly file: string
  readonly sha256: string
  readonly instrument: InstrumentId
  readonly length: number
  readonly tradeId: readonly string[]
  readonly timeUs: Float64Array
  readonly price: Float64Array
  readonly quantity: Float64Array
  /** 1 where the buyer was the resting side, that is, the aggressor sold. */
  readonly buyerMaker: Uint8Array
}

export type RecordedMarket = RecordedBars | RecordedTrades
