import type { ReactNode } from 'react'
import { formatPrice, formatVolume, textOfNumber } from '../format/numbers.ts'
import { kstDateTime } from '../format/times.ts'
import { useMessages } from '../i18n/language-context.tsx'
import type { CandleView } from '../views.ts'
import { markerText, type FillMarker } from './fill-markers.ts'

/** The candle under the pointer, else the last one, in words. */
export function ChartLegend({ candle, markers }: { candle: CandleView; markers: readonly FillMarker[] }): ReactNode {
  const { ohlcv, side } = useMessages()
  const change = ((candle.close - candle.open) / candle.open) * 100
  const tone = change > 0 ? 'up' : change < 0 ? 'down' : ''
  const values: [string, string][] = [
    [ohlcv.open, formatPrice(textOfNumber(candle.open))],
    [ohlcv.high, formatPrice(textOfNumber(candle.high))],
    [ohlcv.low, formatPrice(textOfNumber(candle.low))],
    [ohlcv.close, formatPrice(textOfNumber(candle.close))],
  ]
  return (
    <div className="legend">
      <span className="muted">{kstDateTime(candle.openTimeUs).slice(0, 16)}</span>
      {values.map(([name, value]) => (
        <span key={name}>
          <i>{name}</i> <b className={tone}>{value}</b>
        </span>
      ))}
      <span className={tone}>
        {change > 0 ? '+' : change < 0 ? '\u2212' : ''}
        {Math.abs(change).toFixed(2)}%
      </span>
      <span>
        <i>{ohlcv.volume}</i> {formatVolume(candle.volume)}
      </span>
      {markers.map((marker) => (
        <span key={marker.side} className={`tag ${marker.side}`}>
          {side[marker.side]} {markerText(marker)}
        </span>
      ))}
    </div>
  )
}
