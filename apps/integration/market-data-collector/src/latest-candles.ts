/**
 * The newest settled candles of a series, for a strategy that warms up: what has been collected and, where that does not reach,
 * what the source has. A series that is told live is answered only once it is: then whatever is younger than the answer is told.
 */
import type { MarketDataPort } from '@jts/broker-kit'
import { BrokerError } from '@jts/broker-kit'
import { RpcError } from '@jts/contracts'
import type { LatestCandlesRequest, LatestCandlesResponse } from '@jts/contracts/collection-api'
import { timeframeUs, type Bar, type BarTimes, type InstrumentId } from '@jts/model'
import type { Store } from '@jts/transport'
import { collectedCandles, collectedStretches, progress } from './adapters/tables.ts'
import { checkBar } from './domain/candle-batch.ts'
import type { Stretch } from './domain/stretches.ts'
import { timesOfPast, type TimesOptions } from './domain/times-of-past.ts'

export type LatestCandlesOptions = TimesOptions & {
  readonly store: Store
  readonly source: Pick<MarketDataPort, 'candles'>
  readonly isLive: (instrument: InstrumentId, timeframe: string) => boolean
}

type Series = { readonly instrument: InstrumentId; readonly timeframe: string }

export const CANDLES_MAX = 10_000
const PAGE = 500

export class LatestCandles {
  readonly #options: LatestCandlesOptions

  constructor(options: LatestCandlesOptions) {
    options.store.ensure([collectedCandles, collectedStretches, progress] as never[])
    this.#options = options
  }

  async answer(instrument: InstrumentId, request: LatestCandlesRequest): Promise<LatestCandlesResponse> {
    const series = { instrument, timeframe: timeframeOf(request.timeframe) }
    const { count } = request
    if (!Number.isInteger(count) || count < 1 || count > CANDLES_MAX)
      throw new RpcError('INVALID_ARGUMENT', `count: expected a whole number from 1 to ${CANDLES_MAX}, found ${count}`)
    await this.#checkTold(series)
    try {
      const candles = await this.#latest(series, count)
      return {
        candles,
        missing: missingIn(candles, timesOfPast(instrument, series.timeframe, this.#options)),
      }
    } catch (error) {
      throw error instanceof BrokerError ? new RpcError('UNAVAILABLE', error.message, { cause: error }) : error
    }
  }

  async #checkTold({ instrument, timeframe }: Series): Promise<void> {
    if (!this.#options.isLive(instrument, timeframe)) return
    const begun = await this.#options.store.all(progress)
    if (begun.some((row) => row.instrument === instrument && row.timeframe === timeframe)) return
    throw new RpcError('UNAVAILABLE', `${instrument} ${timeframe} is not told yet: its source has not answered`)
  }

  /** Backwards from the newest, which only the source knows. */
  async #latest(series: Series, count: number): Promise<Bar[]> {
    const { source } = this.#options
    const collected = await this.#collected(series, count)
    let found: Bar[] = []
    let toUs: number | undefined
    // The store may have what the source has forgotten since.
    let isExhausted = false
    while (found.length < count) {
      const kept = toUs === undefined ? undefined : collected.endingAt(toUs)
      if (kept === undefined && isExhausted) break
      const limit = Math.min(PAGE, count - found.length)
      const page = kept ?? (await source.candles({ ...series, limit, ...(toUs === undefined ? {} : { toUs }) }))
      isExhausted ||= kept === undefined && page.length < limit
      found = [...page.slice(-(count - found.length)), ...found]
      if (page[0] === undefined) break
      toUs = page[0].openTimeUs - 1000
    }
    return found
  }

  async #collected(
    { instrument, timeframe }: Series,
    count: number,
  ): Promise<{ endingAt(openTimeUs: number): readonly Bar[] | undefined }> {
    const { store } = this.#options
    const where = { instrument, timeframe }
    const rows = await store.last(collectedCandles, { by: 'open_time_us', count, where })
    const stretches: Pick<Stretch, 'fromUs' | 'untilUs'>[] = (await store.all(collectedStretches))
      .filter((row) => row.instrument === instrument && row.timeframe === timeframe)
      .map((row) => ({ fromUs: row.from_us, untilUs: row.until_us }))
    const bars = rows.map((row): Bar => {
      const { open_time_us: openTimeUs, close_time_us: closeTimeUs, open, high, low, close, volume, source } = row
      return {
        ...{ instrument, timeframe, openTimeUs, closeTimeUs, open, high, low, close, volume },
        ...{ final: true, revision: 0, source: source as Bar['source'] },
      }
    })
    return {
      // Only where all that the source has is collected: a hole of ours is none of the market's.
      endingAt(openTimeUs) {
        const stretch = stretches.find(({ fromUs, untilUs }) => fromUs <= openTimeUs && openTimeUs < untilUs)
        if (stretch === undefined) return undefined
        const within = bars.filter((bar) => bar.openTimeUs >= stretch.fromUs && bar.openTimeUs <= openTimeUs)
        return within.length === 0 ? undefined : within
      },
    }
  }
}

function timeframeOf(text: string): string {
  try {
    timeframeUs(text)
    return text
  } catch (cause) {
    throw new RpcError('INVALID_ARGUMENT', `timeframe: ${(cause as Error).message}`, { cause })
  }
}

/** @throws CandleAnswerError for candles that cannot be true */
function missingIn(candles: readonly Bar[], times: BarTimes): number {
  let missing = 0
  for (const [i, candle] of candles.entries()) {
    const before = candles[i - 1]
    checkBar(candle, before)
    if (before !== undefined) missing += times.missing(before.openTimeUs, candle.openTimeUs) ?? 0
  }
  return missing
}
