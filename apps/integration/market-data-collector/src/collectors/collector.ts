/** What every broker's collector does, and what it says at the end. */
import type { InstrumentId } from '@jts/model'
import type { Turn } from '@jts/transport'

export interface DataCollector {
  /**
   * Brings the daily candles of these instruments up to the last day that has ended. One that fails does not stop the run: it
   * is tried again, and ends in the dead letters with its reason.
   */
  collectDailyCandles(instruments: readonly InstrumentId[], options?: CollectOptions): Promise<CollectionReport>
  /** The same for any timeframe and days of the venue's own. @throws DayError for days that are none */
  collectCandles(
    instruments: readonly InstrumentId[],
    wanted: WantedCandles,
    options?: CollectOptions,
  ): Promise<CollectionReport>
}

export type WantedCandles = {
  readonly timeframe: string
  /** Both included. Empty: from where each series ends, else the last trading day; up to now. */
  readonly fromDay: string
  readonly toDay: string
}

export type CollectOptions = {
  readonly onProgress?: (progress: CollectionProgress) => void
  /** The broker is away, and waited for; empty when it is back. */
  readonly onWaiting?: (reason: string) => void
  /** In the transaction that brings them. */
  readonly onPublished?: (turn: Turn, brought: { readonly candles: number; readonly gaps: number }) => void
  readonly onFailed?: (turn: Turn, failure: CollectionFailure) => void
  /** Collected for what comes later, and not told: somebody else tells it, or has told it. */
  readonly isQuiet?: (instrument: InstrumentId, timeframe: string, closeTimeUs: number) => boolean
  readonly signal?: AbortSignal
}

export type CollectionProgress = {
  readonly total: number
  /** Ended, well or not. */
  readonly done: number
  readonly failed: number
  readonly candles: number
}

export type CollectionFailure = {
  readonly instrument: InstrumentId
  readonly reason: string
  readonly attempts: number
}

export type CollectionReport = {
  readonly instruments: number
  readonly candles: number
  /** Days on which the market was open and the source has no bar, asked for twice. */
  readonly gaps: readonly { readonly instrument: InstrumentId; readonly fromUs: number; readonly bars: number }[]
  readonly failed: readonly CollectionFailure[]
  /** The run was ended before all of them were asked for. */
  readonly isCancelled: boolean
}
