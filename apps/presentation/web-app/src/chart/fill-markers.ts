/** Fills as arrows on the candle in which they happened; fills of one side in one candle share an arrow. */
import { addText, formatPrice, formatQuantity } from '../format/numbers.ts'
import type { CandleView, FillView } from '../views.ts'

export type FillMarker = {
  readonly openTimeUs: number
  readonly side: FillView['side']
  readonly quantity: string
  readonly price: string
  readonly count: number
}

/** Fills before the first candle or without any candle are left out. */
export function fillMarkers(fills: readonly FillView[], candles: readonly CandleView[]): readonly FillMarker[] {
  const markers = new Map<string, FillMarker>()
  for (const fill of fills) {
    const candle = candleAt(candles, fill.timeUs)
    if (candle === undefined) continue
    const name = `${candle.openTimeUs} ${fill.side}`
    const same = markers.get(name)
    markers.set(name, {
      openTimeUs: candle.openTimeUs,
      side: fill.side,
      quantity: same === undefined ? fill.quantity : addText(same.quantity, fill.quantity),
      price: same === undefined || same.price === fill.price ? fill.price : '',
      count: (same?.count ?? 0) + 1,
    })
  }
  return [...markers.values()].sort((a, b) => a.openTimeUs - b.openTimeUs || a.side.localeCompare(b.side))
}

/** `0.15 @ 64,180`, or `0.3 ×2` when the fills had several prices. */
export function markerText({ quantity, price, count }: FillMarker): string {
  return price === '' ? `${formatQuantity(quantity)} ×${count}` : `${formatQuantity(quantity)} @ ${formatPrice(price)}`
}

/** The last candle that had opened by then, by binary search. */
export function candleAt(candles: readonly CandleView[], timeUs: number): CandleView | undefined {
  let low = 0
  let high = candles.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (candles[middle]!.openTimeUs <= timeUs) low = middle + 1
    else high = middle
  }
  return candles[low - 1]
}
