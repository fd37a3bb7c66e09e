/** What every broker's collector does, and what it says at the end. */
import type { InstrumentId } from '@jts/model'

export interface DataCollector {
  /**
   * Brings the daily candles of these instruments up to the last day that has ended. One that fails does not stop the run: it
   * is tried again, and ends in the dead letters with its reason.
   */
  collectDailyCandles(instruments: readonly InstrumentId[], options?: CollectOptions): Promise<CollectionReport>
}

export type CollectOptions = {
  readonly onProgress?: (progress: CollectionProgress) => void
  readonly signal?: AbortSignal
}

export type CollectionProgress = {
  readonly total: number
  /** Ended, well or not. */
  readonly done: number
  readonly failed: number
  readonly candles: number
}

export type CollectionReport = {
  readonly instruments: number
  readonly candles: number
  /** Days on which the market was open and the source has no bar, asked for twice. */
  readonly gaps: readonly { readonly instrument: InstrumentId; readonly fromUs: number; readonly bars: number }[]
  readonly failed: readonly { readonly instrument: InstrumentId; readonly reason: string; readonly attempts: number }[]
  /** The run was ended before all of them were asked for. */
  readonly isCancelled: boolean
}
