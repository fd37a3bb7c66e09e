/**
 * One run over a list of instruments: asks for what is missing of each, publishes it once and in order, tries again what failed,
 * and tells how far it is. Which times are collected is on disk with the candles, so a run that is killed goes on.
 */
import type { MarketDataPort } from '@jts/broker-kit'
import { candlesTopic, deadLetterTopic } from '@jts/contracts'
import { instrumentVenue, KrxError, type Bar, type BarTimes, type InstrumentId } from '@jts/model'
import type { Logger, WallClock } from '@jts/runtime'
import type { Store } from '@jts/transport'
import { candleGaps, collectedCandles, collectedStretches } from '../adapters/tables.ts'
import { closeOf, sortOut, type CandleBatch } from '../domain/candle-batch.ts'
import { timesOfPast, type TimesOptions } from '../domain/times-of-past.ts'
import { firstMissing, grown, type Missing, type Stretch } from '../domain/stretches.ts'
import { candleEvent } from '../feed.ts'
import { pause, whenNotAway } from './away.ts'
import type { CollectionProgress, CollectionReport, CollectOptions } from './collector.ts'

export type CandleCollectionOptions = TimesOptions & {
  readonly source: Pick<MarketDataPort, 'candles'>
  readonly store: Store
  readonly wallClock: WallClock
  readonly log: Logger
  /** Asked at the same time; the source keeps its own rate limits. */
  readonly atOnce?: number
  readonly attempts?: number
  /** Pause before an instrument is tried again, doubled each time. */
  readonly retryMs?: number
}

export type CandleRange = {
  readonly timeframe: string
  readonly fromUs: number
  readonly untilUs: number
  /** A series that has something already is gone on with where it ends. */
  readonly goesOn: boolean
}

const PAGE = 500
const ATTEMPTS = 3
const RETRY_MS = 2000

export class CandleCollection {
  readonly #options: CandleCollectionOptions

  constructor(options: CandleCollectionOptions) {
    this.#options = options
    options.store.ensure([candleGaps, collectedCandles, collectedStretches] as never[])
  }

  async run(
    instruments: readonly InstrumentId[],
    range: CandleRange,
    options: CollectOptions = {},
  ): Promise<CollectionReport> {
    const stretches = new Map<string, Stretch[]>()
    for (const row of await this.#options.store.all(collectedStretches)) {
      if (row.timeframe !== range.timeframe) continue
      const known = stretches.get(row.instrument) ?? []
      known.push({
        ...{ fromUs: row.from_us, untilUs: row.until_us },
        ...{ firstOpenUs: row.first_open_us, lastCloseUs: row.last_close_us },
      })
      stretches.set(row.instrument, known)
    }
    return new Run(this.#options, range, options, stretches).over(instruments)
  }
}

class Run {
  readonly #options: CandleCollectionOptions
  readonly #range: CandleRange
  readonly #run: CollectOptions
  readonly #stretches: Map<string, Stretch[]>
  #candles = 0
  #gaps: CollectionReport['gaps'][number][] = []
  #failed: CollectionReport['failed'][number][] = []

  constructor(
    options: CandleCollectionOptions,
    range: CandleRange,
    run: CollectOptions,
    stretches: Map<string, Stretch[]>,
  ) {
    this.#options = options
    this.#range = range
    this.#run = run
    this.#stretches = stretches
  }

  async over(instruments: readonly InstrumentId[]): Promise<CollectionReport> {
    const { store, wallClock, attempts = ATTEMPTS, retryMs = RETRY_MS, atOnce = 1 } = this.#options
    const isCancelled = (): boolean => this.#run.signal?.aborted === true
    const total = instruments.length
    let waiting: readonly InstrumentId[] = instruments
    let done = 0
    const tell = (): void => {
      const state: CollectionProgress = { total, done, failed: this.#failed.length, candles: this.#candles }
      this.#run.onProgress?.(state)
    }
    for (let attempt = 1; waiting.length > 0 && !isCancelled(); attempt++) {
      if (attempt > 1) await pause(retryMs * 2 ** (attempt - 2), wallClock, this.#run.signal)
      const again: InstrumentId[] = []
      const queue = waiting[Symbol.iterator]()
      const work = async (): Promise<void> => {
        for (const instrument of queue) {
          if (isCancelled()) return
          const reason = await this.#collect(instrument)
          // What was interrupted has not failed.
          if (isCancelled() && reason !== undefined) return
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
    const { log, wallClock } = this.#options
    const { timeframe } = this.#range
    const { signal, onWaiting } = this.#run
    try {
      await whenNotAway(() => this.#bringUp(instrument), { wallClock, signal, onWaiting })
      return undefined
    } catch (error) {
      const reason = (error as Error).message
      log.warn({ instrument, timeframe, reason }, 'its candles could not be collected')
      return reason
    }
  }

  async #bringUp(instrument: InstrumentId): Promise<void> {
    const { wallClock } = this.#options
    const { timeframe, fromUs, untilUs, goesOn } = this.#range
    const times = timesOfPast(instrument, timeframe, this.#options)
    const last = this.#stretches.get(instrument)?.at(-1)
    const beginUs = goesOn && last !== undefined ? last.untilUs : fromUs
    for (;;) {
      if (this.#run.signal?.aborted === true) throw new Error('the run was ended')
      const missing = firstMissing(this.#stretches.get(instrument) ?? [], beginUs, untilUs)
      if (missing === undefined) return
      const known = whatTimesSay(missing, instrument, timeframe, times, wallClock.nowUs())
      if (known === 'nothing due') return
      const { batch, isWhole } =
        known === 'nothing between'
          ? { batch: { fresh: [], gaps: [] }, isWhole: true }
          : await this.#ask(instrument, missing, times)
      this.#publish(instrument, missing, batch, isWhole, times)
      if (isWhole && missing.after === undefined) return
      // A page without anything new would be asked for again and again.
      if (!isWhole && batch.fresh.length === 0) return
    }
  }

  async #ask(
    instrument: InstrumentId,
    missing: Missing,
    times: BarTimes,
  ): Promise<{ batch: CandleBatch; isWhole: boolean }> {
    const { source, wallClock } = this.#options
    const { timeframe } = this.#range
    const { fromUs, untilUs, before } = missing
    const ask = async (): Promise<{ batch: CandleBatch; isWhole: boolean }> => {
      const bars = await source.candles({ instrument, timeframe, fromUs, toUs: untilUs - 1, limit: PAGE })
      const within = bars.filter((bar) => bar.openTimeUs < untilUs)
      const batch = sortOut(within, before?.lastCloseUs ?? 0, wallClock.nowUs(), times)
      return { batch, isWhole: bars.length < PAGE || within.length < bars.length }
    }
    const answer = await ask()
    // A source that has lost a page for a moment is asked once more before the gap counts.
    return answer.batch.gaps.length > 0 ? ask() : answer
  }

  #publish(
    instrument: InstrumentId,
    missing: Missing,
    { fresh, gaps: within }: CandleBatch,
    isWhole: boolean,
    times: BarTimes,
  ): void {
    const { store, log } = this.#options
    const { timeframe } = this.#range
    const topic = candlesTopic(instrumentVenue(instrument))
    const answer = { firstOpenUs: fresh[0]?.openTimeUs ?? 0, lastCloseUs: fresh.at(-1)?.closeTimeUs ?? 0, isWhole }
    const stretch = grown(missing, answer)
    const leads = isWhole ? gapUpTo(missing, answer.lastCloseUs, times) : []
    const gaps = [...within, ...leads]
    if (fresh.length === 0 && gaps.length === 0 && missing.after === undefined) return
    store.transact((turn) => {
      for (const bar of fresh) {
        turn.put(collectedCandles, candleRow(bar))
        if (this.#run.isQuiet?.(instrument, timeframe, bar.closeTimeUs) !== true) turn.publish(topic, candleEvent(bar))
      }
      for (const { fromUs, bars } of gaps) {
        turn.put(candleGaps, { instrument, timeframe, from_us: fromUs, bars })
        log.info({ instrument, timeframe, fromUs, bars }, 'the source has a gap here')
      }
      for (const old of [missing.before, missing.after]) {
        const isTaken = old !== undefined && old.fromUs !== stretch.fromUs && old.untilUs <= stretch.untilUs
        if (isTaken) turn.remove(collectedStretches, { instrument, timeframe, from_us: old.fromUs })
      }
      turn.put(collectedStretches, {
        ...{ instrument, timeframe, from_us: stretch.fromUs, until_us: stretch.untilUs },
        ...{ first_open_us: stretch.firstOpenUs, last_close_us: stretch.lastCloseUs },
      })
      this.#run.onPublished?.(turn, { candles: fresh.length, gaps: gaps.length })
    })
    for (const { fromUs, bars } of gaps) this.#gaps.push({ instrument, fromUs, bars })
    this.#candles += fresh.length
    const apart = (this.#stretches.get(instrument) ?? []).filter(
      (one) => one.untilUs < stretch.fromUs || one.fromUs > stretch.untilUs,
    )
    this.#stretches.set(
      instrument,
      [...apart, stretch].sort((a, b) => a.fromUs - b.fromUs),
    )
  }

  /** Given up: said in the dead letters, where the next run or a person finds it. */
  #bury(instrument: InstrumentId, reason: string, attempts: number): void {
    const { store, wallClock } = this.#options
    const { timeframe } = this.#range
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
      this.#run.onFailed?.(turn, { instrument, reason, attempts })
    })
  }
}

/** What needs no question: a next bar that has not closed yet, and a next bar that the stretch after it has. */
function whatTimesSay(
  { before, after, fromUs, untilUs }: Missing,
  instrument: InstrumentId,
  timeframe: string,
  times: BarTimes,
  nowUs: number,
): 'nothing due' | 'nothing between' | 'ask' {
  if (before === undefined || before.lastCloseUs === 0 || before.untilUs !== fromUs) return 'ask'
  try {
    const nextUs = times.next(times.openOf(before.lastCloseUs))
    if (after !== undefined) return nextUs === after.firstOpenUs ? 'nothing between' : 'ask'
    return nextUs >= untilUs || closeOf(instrument, timeframe, nextUs) >= nowUs ? 'nothing due' : 'ask'
  } catch (error) {
    // Beyond the calendar only the source knows.
    if (error instanceof KrxError) return 'ask'
    throw error
  }
}

/** Bars that lack between the last one and the stretch that follows, where the source has no more. */
function gapUpTo(
  { before, after }: Missing,
  lastCloseUs: number,
  times: BarTimes,
): { readonly fromUs: number; readonly bars: number }[] {
  const closeUs = lastCloseUs > 0 ? lastCloseUs : (before?.lastCloseUs ?? 0)
  if (after === undefined || after.firstOpenUs === 0 || closeUs === 0) return []
  const openUs = times.openOf(closeUs)
  const missing = times.missing(openUs, after.firstOpenUs) ?? 0
  return missing > 0 ? [{ fromUs: times.next(openUs), bars: missing }] : []
}

function candleRow({ instrument, timeframe, openTimeUs, closeTimeUs, open, high, low, close, volume, source }: Bar) {
  return {
    ...{ instrument, timeframe, open_time_us: openTimeUs, close_time_us: closeTimeUs },
    ...{ open, high, low, close, volume, source },
  }
}
