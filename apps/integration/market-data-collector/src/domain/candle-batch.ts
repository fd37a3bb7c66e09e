/** What of an answer goes on: what is new, whole and in its place; and what is missing between. */
import {
  instrumentVenue,
  krxDayBar,
  kstDateOf,
  timeframeUs,
  type Bar,
  type BarTimes,
  type InstrumentId,
} from '@jts/model'

export type CandleBatch = {
  readonly fresh: readonly Bar[]
  readonly gaps: readonly { readonly fromUs: number; readonly bars: number }[]
}

export class CandleAnswerError extends Error {
  override readonly name = 'CandleAnswerError'
}

/**
 * @param afterUs close of the last bar published; 0 for none
 * @param nowUs a bar that has not closed by then is left out: its figures still change
 * @throws CandleAnswerError for an answer that cannot be true
 */
export function sortOut(bars: readonly Bar[], afterUs: number, nowUs: number, times: BarTimes): CandleBatch {
  const fresh: Bar[] = []
  const gaps: { fromUs: number; bars: number }[] = []
  let lastUs = afterUs
  let before: Bar | undefined
  for (const bar of bars) {
    checkBar(bar, before)
    before = bar
    if (bar.closeTimeUs <= afterUs || bar.closeTimeUs >= nowUs || !bar.final) continue
    if (lastUs !== 0) {
      const openUs = times.openOf(lastUs)
      const missing = times.missing(openUs, bar.openTimeUs)
      if (missing === undefined) throw new CandleAnswerError(`expected no bar at ${isoTime(bar.openTimeUs)}, found one`)
      if (missing > 0) gaps.push({ fromUs: times.next(openUs), bars: missing })
    }
    fresh.push(bar)
    lastUs = bar.closeTimeUs
  }
  return { fresh, gaps }
}

/** When the bar that opens then closes. */
export function closeOf(instrument: InstrumentId, timeframe: string, openTimeUs: number): number {
  const stepUs = timeframeUs(timeframe)
  const isKrxDay = instrumentVenue(instrument) === 'KRX' && stepUs >= timeframeUs('1d')
  return isKrxDay ? krxDayBar(kstDateOf(openTimeUs)).closeTimeUs : openTimeUs + stepUs - 1000
}

/** @throws CandleAnswerError for a bar that cannot be true, or not after that one */
export function checkBar(bar: Bar, before: Bar | undefined): void {
  const { open, high, low, close, volume, openTimeUs } = bar
  if (before !== undefined && openTimeUs <= before.openTimeUs) {
    throw new CandleAnswerError(
      `expected bars in order of time, none twice, found ${isoTime(openTimeUs)} after ${isoTime(before.openTimeUs)}`,
    )
  }
  const isWhole = low > 0 && low <= Math.min(open, close) && high >= Math.max(open, close) && high < Infinity
  if (!isWhole || !(volume >= 0)) {
    throw new CandleAnswerError(
      `expected low ≤ open, close ≤ high above 0 at ${isoTime(openTimeUs)}, found ${[open, high, low, close].join(', ')}, volume ${volume}`,
    )
  }
}

function isoTime(timeUs: number): string {
  return new Date(timeUs / 1000).toISOString()
}
