/** Candles, oldest first, kept up to date. */
import type { CandleView } from '../views.ts'

export const CANDLES_MAX = 3000
/** Cutting many at once lets the chart append most of the time. */
const CUT = 500

/** One more word on a candle: it takes its place by open time; a closed candle is not reopened. */
export function withCandles(known: readonly CandleView[], news: readonly CandleView[]): readonly CandleView[] {
  if (news.length === 0) return known
  const candles = [...known]
  for (const candle of news) {
    let index = candles.length
    while (index > 0 && candles[index - 1]!.openTimeUs > candle.openTimeUs) index--
    const same = candles[index - 1]
    if (same?.openTimeUs !== candle.openTimeUs) candles.splice(index, 0, candle)
    else if (candle.final || !same.final) candles[index - 1] = candle
  }
  return candles.length > CANDLES_MAX ? candles.slice(CUT) : candles
}

/** A fetched list together with what the stream said meanwhile: of two words on an open candle, the larger volume is later. */
export function mergeCandles(fetched: readonly CandleView[], heard: readonly CandleView[]): readonly CandleView[] {
  const firstUs = fetched[0]?.openTimeUs ?? 0
  const byTime = new Map(fetched.map((candle) => [candle.openTimeUs, candle]))
  const later = heard.filter((candle) => {
    const same = byTime.get(candle.openTimeUs)
    return candle.openTimeUs >= firstUs && (same === undefined || candle.final || candle.volume >= same.volume)
  })
  return withCandles(fetched, later)
}

/** The candles from the first that differs, when the rest is the same; undefined when the series must be drawn anew. */
export function tailChange(
  drawn: readonly CandleView[],
  next: readonly CandleView[],
): readonly CandleView[] | undefined {
  if (drawn.length === 0 || next.length < drawn.length) return undefined
  if (drawn[0] !== next[0]) return undefined
  let index = drawn.length
  while (index > 0 && drawn[index - 1] !== next[index - 1]) index--
  if (drawn.length - index > 1) return undefined
  if (index < drawn.length && drawn[index]!.openTimeUs !== next[index]!.openTimeUs) return undefined
  return next.slice(index)
}
