/**
 * One run over a list of instruments: asks for what is new of each, publishes it once and in order, tries again what failed,
 * and tells how far it is. How far each series is published is on disk with the events, so a run that is killed goes on.
 */
import type { MarketDataPort } from '@jts/broker-kit'
import { candlesTopic, deadLetterTopic } from '@jts/contracts'
import { barTimesOf, instrumentVenue, type Bar, type InstrumentId } from '@jts/model'
import type { Logger, WallClock } from '@jts/runtime'
import type { Store } from '@jts/transport'
import { candleGaps, progress } from '../adapters/tables.ts'
import { sortOut, type CandleBatch } from '../domain/candle-batch.ts'
import { candleEvent } from '../feed.ts'
import type { CollectionProgress, CollectionReport, CollectOptions } from './collector.ts'

export type CandleCollectionOptions = {
  readonly source: Pick<MarketDataPort, 'candles'>
  readonly store: Store
  readonly wallClock: WallClock
  readonly log: Logger
  readonly timeframe: string
  /** Open time of the first bar wanted of an instrument that has none yet, µs. */
  readonly firstFromUs: () => number
  /** Asked at the same time; the source keeps its own rate limits. */
  readonly atOnce?: number
  readonly attempts?: number
  /** Pause before an instrument is tried again, doubled each time. */
  readonly retryMs?: number
}

/** How far a series is, and what has been published of it since its beginning. */
type Published = { closeTimeUs: number; bars: number; gaps: number }

const PAGE = 500
const ATTEMPTS = 3
const RETRY_MS = 2000

export class CandleCollection {
  readonly #options: CandleCollectionOptions
  readonly #series = new Map<InstrumentId, Published>()
  #candles = 0
  #gaps: CollectionReport['gaps'][number][] = []
  #failed: CollectionReport['failed'][number][] = []

  constructor(options: CandleCollectionOptions) {
    this.#options = options
    options.store.ensure([progress, candleGaps] as never[])
  }

  async run(instruments: readonly InstrumentId[], options: CollectOptions = {}): Promise<CollectionReport> {
    const { store, timeframe, attempts = ATTEMPTS, retryMs = RETRY_MS, atOnce = 1 } = this.#options
    for (const row of await store.all(progress)) {
      if (row.timeframe !== timeframe) continue
      this.#series.set(row.instrument as InstrumentId, {
        closeTimeUs: row.close_time_us,
        bars: row.bars,
        gaps: row.gaps,
      })
    }
    this.#candles = 0
    this.#gaps = []
    this.#failed = []
    const isCancelled = (): boolean => options.signal?.aborted === true
    const total = instruments.length
    let waiting: readonly InstrumentId[] = instruments
    let done = 0
    const tell = (): void => {
      const state: CollectionProgress = { total, done, failed: this.#failed.length, candles: this.#candles }
      options.onProgress?.(state)
    }
    for (let attempt = 1; waiting.length > 0 && !isCancelled(); attempt++) {
      if (attempt > 1) await this.#pause(retryMs * 2 ** (attempt - 2), options.signal)
      const again: InstrumentId[] = []
      const queue = waiting[Symbol.iterator]()
      const work = async (): Promise<void> => {
        for (const instrument of queue) {
          if (isCancelled()) return
          const reason = await this.#collect(instrument)
          if (reason !== undefined && attempt < attempts) again.push(instrument)
          else {
            if (reason !== undefined) this.#bury(instrument, reason, attempt)
            done++
            tell()
          }
        }
      }
      await Promise.all(Array.from({ length: atOnce }, work))
      waiting = again
    }
    await store.durable()
    return {
      instruments: total,
      candles: this.#candles,
      gaps: this.#gaps,
      failed: this.#failed,
      isCancelled: isCancelled(),
    }
  }

  /** Why it failed; undefined when the instrument is up to date. */
  async #collect(instrument: InstrumentId): Promise<string | undefined> {
    const { source, timeframe, wallClock, firstFromUs, log } = this.#options
    const times = barTimesOf(instrument, timeframe)
    try {
      for (;;) {
        const afterUs = this.#series.get(instrument)?.closeTimeUs ?? 0
        const fromUs = afterUs === 0 ? firstFromUs() : afterUs + 1
        const ask = (): Promise<readonly Bar[]> => source.candles({ instrument, timeframe, fromUs, limit: PAGE })
        let bars = await ask()
        let batch = sortOut(bars, afterUs, wallClock.nowUs(), times)
        // A source that has lost a page for a moment is asked once more before the gap counts.
        if (batch.gaps.length > 0) {
          bars = await ask()
          batch = sortOut(bars, afterUs, wallClock.nowUs(), times)
        }
        this.#publish(instrument, batch)
        if (bars.length < PAGE || batch.fresh.length === 0) return undefined
      }
    } catch (error) {
      const reason = (error as Error).message
      log.warn({ instrument, timeframe, reason }, 'its candles could not be collected')
      return reason
    }
  }

  #publish(instrument: InstrumentId, { fresh, gaps }: CandleBatch): void {
    const { store, timeframe, log } = this.#options
    if (fresh.length === 0) return
    const topic = candlesTopic(instrumentVenue(instrument))
    const before = this.#series.get(instrument)
    const after: Published = {
      closeTimeUs: fresh.at(-1)!.closeTimeUs,
      bars: (before?.bars ?? 0) + fresh.length,
      gaps: (before?.gaps ?? 0) + gaps.length,
    }
    store.transact((turn) => {
      for (const bar of fresh) turn.publish(topic, candleEvent(bar))
      for (const { fromUs, bars } of gaps) {
        turn.put(candleGaps, { instrument, timeframe, from_us: fromUs, bars })
        this.#gaps.push({ instrument, fromUs, bars })
        log.info({ instrument, timeframe, fromUs, bars }, 'the source has a gap here')
      }
      turn.put(progress, {
        instrument,
        timeframe,
        close_time_us: after.closeTimeUs,
        bars: after.bars,
        gaps: after.gaps,
      })
    })
    this.#series.set(instrument, after)
    this.#candles += fresh.length
  }

  /** Given up: said in the dead letters, where the next run or a person finds it. */
  #bury(instrument: InstrumentId, reason: string, attempts: number): void {
    const { store, timeframe, wallClock } = this.#options
    const topic = candlesTopic(instrumentVenue(instrument))
    const nowUs = wallClock.nowUs()
    this.#failed.push({ instrument, reason, attempts })
    store.transact((turn) => {
      turn.publish(deadLetterTopic(topic), {
        type: 'CollectionFailed',
        stream: instrument,
        correlationId: `collection/${instrument}/${timeframe}/${nowUs}`,
        causationId: '',
        timeEventUs: nowUs,
        payload: { topic, instrument, timeframe, reason, attempts },
      })
    })
  }

  #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.wallClock.after(ms, resolve)
      signal?.addEventListener('abort', () => {
        timer.cancel()
        resolve()
      })
    })
  }
}
