import { useEffect, useMemo, useRef, useState, type ReactNode } from 'react'
import { formatPrice, textOfNumber } from '../format/numbers.ts'
import { useLanguage } from '../i18n/language-context.tsx'
import { useCandles, useFills, useLive } from '../live/live-context.tsx'
import type { InstrumentView } from '../views.ts'
import { ChartLegend } from './chart-legend.tsx'
import { candleAt, fillMarkers } from './fill-markers.ts'
import { PriceChart } from './price-chart.ts'
import { useTheme } from './use-theme.ts'

export function CandleChart({ instrument }: { instrument: InstrumentView }): ReactNode {
  const { messages, language } = useLanguage()
  const theme = useTheme()
  const { candles, loading } = useCandles(instrument.id, instrument.timeframe)
  const fills = useFills(instrument.id)
  const average = useAveragePrice(instrument.id)
  const container = useRef<HTMLDivElement>(null)
  const chart = useRef<PriceChart>(undefined)
  const [hoveredUs, setHoveredUs] = useState<number>()
  // Arrows move only when a fill or a candle is added, not with every price.
  const markers = useMemo(() => fillMarkers(fills, candles), [fills, candles.length, candles[0]?.openTimeUs])

  useEffect(() => {
    chart.current = new PriceChart(container.current!, setHoveredUs)
    return () => chart.current?.destroy()
  }, [])
  useEffect(() => chart.current?.restyle(), [theme, language])
  useEffect(() => {
    chart.current?.setCandles(`${instrument.id} ${instrument.timeframe}`, candles)
  }, [instrument.id, instrument.timeframe, candles])
  useEffect(() => chart.current?.setFills(markers), [markers])
  useEffect(() => chart.current?.setAverage(average, messages.averagePriceLine), [average, messages])

  const last = candles.at(-1)
  const shown = hoveredUs === undefined ? last : candleAt(candles, hoveredUs)
  const summary = messages.chartSummary(instrument.id, last ? formatPrice(textOfNumber(last.close)) : '–')
  return (
    <div className="chart">
      <div ref={container} className="chart-canvas" role="img" aria-label={summary} data-testid="chart" />
      {shown && (
        <ChartLegend candle={shown} markers={markers.filter((marker) => marker.openTimeUs === shown.openTimeUs)} />
      )}
      {last === undefined && <p className="empty over">{loading ? messages.loading : messages.empty.candles}</p>}
    </div>
  )
}

/** Of the position when one strategy holds the instrument; of several there is no one line to draw. */
function useAveragePrice(instrument: string): number | undefined {
  const held = (useLive().portfolio?.accounts ?? [])
    .flatMap((account) => account.positions)
    .filter((position) => position.instrument === instrument)
  const price = Number(held[0]?.averagePrice ?? 0)
  return held.length === 1 && price > 0 ? price : undefined
}
