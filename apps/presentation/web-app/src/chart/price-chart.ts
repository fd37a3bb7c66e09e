/** Drives lightweight-charts: candles, volume, fills as arrows, the position's average price. */
import {
  CandlestickSeries,
  ColorType,
  createChart,
  createSeriesMarkers,
  CrosshairMode,
  HistogramSeries,
  LineStyle,
  type CandlestickData,
  type HistogramData,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  type SeriesMarker,
  type Time,
  type UTCTimestamp,
} from 'lightweight-charts'
import { decimalsOf, groupDigits } from '../format/numbers.ts'
import { KST_OFFSET_SECONDS } from '../format/times.ts'
import { tailChange } from '../live/candles.ts'
import type { CandleView } from '../views.ts'
import { markerText, type FillMarker } from './fill-markers.ts'

const BAR_PX = 7.5
/** Room that the words beside an arrow need; with less, only the arrow stays. */
const MARKER_TEXT_PX = 105
const SAMPLE = 200

type Palette = { up: string; down: string; text: string; line: string; grid: string; panel: string; accent: string }

export class PriceChart {
  readonly #chart: IChartApi
  readonly #container: HTMLElement
  readonly #price: ISeriesApi<'Candlestick'>
  readonly #volume: ISeriesApi<'Histogram'>
  readonly #markers: ISeriesMarkersPluginApi<Time>
  #palette: Palette
  #series = ''
  #drawn: readonly CandleView[] = []
  #fills: readonly FillMarker[] = []
  #withText: boolean | undefined
  #average: { line: IPriceLine; price: number; title: string } | undefined

  constructor(container: HTMLElement, onHover: (openTimeUs: number | undefined) => void) {
    this.#container = container
    this.#palette = readPalette()
    this.#chart = createChart(container, {
      autoSize: true,
      layout: { attributionLogo: false, fontFamily: getComputedStyle(container).fontFamily, fontSize: 11 },
      crosshair: { mode: CrosshairMode.Normal },
      rightPriceScale: { scaleMargins: { top: 0.12, bottom: 0.22 } },
      timeScale: { timeVisible: true, secondsVisible: false, rightOffset: 6, minBarSpacing: 1 },
    })
    this.#price = this.#chart.addSeries(CandlestickSeries, {})
    this.#volume = this.#chart.addSeries(HistogramSeries, {
      priceScaleId: 'volume',
      priceFormat: { type: 'volume' },
      lastValueVisible: false,
      priceLineVisible: false,
    })
    this.#volume.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } })
    this.#markers = createSeriesMarkers(this.#price, [])
    this.#chart.subscribeCrosshairMove(({ time }) => onHover(time === undefined ? undefined : toTimeUs(time)))
    this.#chart.timeScale().subscribeVisibleLogicalRangeChange(() => this.#drawFills(false))
    this.restyle()
  }

  /** Takes the colours from the page again, after a change of theme or language. */
  restyle(): void {
    this.#palette = readPalette()
    const { up, down, text, line, grid, panel, accent } = this.#palette
    this.#chart.applyOptions({
      layout: { background: { type: ColorType.Solid, color: panel }, textColor: text },
      grid: { vertLines: { color: grid }, horzLines: { color: grid } },
      rightPriceScale: { borderColor: line },
      timeScale: { borderColor: line },
    })
    this.#price.applyOptions({
      upColor: up,
      downColor: down,
      borderUpColor: up,
      borderDownColor: down,
      wickUpColor: up,
      wickDownColor: down,
    })
    this.#average?.line.applyOptions({ color: accent })
    this.#volume.setData(this.#drawn.map((candle) => this.#toVolume(candle)))
    this.#drawFills(true)
  }

  /** Appends where only the end changed; another series, or a changed past, is drawn anew. */
  setCandles(series: string, candles: readonly CandleView[]): void {
    const tail = series === this.#series ? tailChange(this.#drawn, candles) : undefined
    const isFirst = this.#drawn.length === 0 || series !== this.#series
    this.#drawn = candles
    this.#series = series
    if (tail !== undefined) {
      for (const candle of tail) {
        this.#price.update(toBar(candle))
        this.#volume.update(this.#toVolume(candle))
      }
      return
    }
    const precision = decimalsOf(candles.slice(-SAMPLE).flatMap(({ open, close }) => [open, close]))
    this.#price.applyOptions({
      priceFormat: {
        type: 'custom',
        minMove: 10 ** -precision,
        formatter: (price: number) => groupDigits(price.toFixed(precision)),
      },
    })
    this.#price.setData(candles.map(toBar))
    this.#volume.setData(candles.map((candle) => this.#toVolume(candle)))
    if (isFirst && candles.length > 0) {
      this.#chart.priceScale('right').applyOptions({ autoScale: true })
      const shown = Math.max(40, Math.round(this.#container.clientWidth / BAR_PX))
      this.#chart.timeScale().setVisibleLogicalRange({ from: candles.length - shown, to: candles.length + 6 })
    }
  }

  setFills(fills: readonly FillMarker[]): void {
    this.#fills = fills
    this.#drawFills(true)
  }

  /** The position's average price as a dashed line; none without a position. */
  setAverage(price: number | undefined, title: string): void {
    if (this.#average?.price === price && this.#average?.title === title) return
    if (this.#average !== undefined) this.#price.removePriceLine(this.#average.line)
    this.#average = undefined
    if (price === undefined) return
    const line = this.#price.createPriceLine({
      price,
      title,
      color: this.#palette.accent,
      lineWidth: 1,
      lineStyle: LineStyle.Dashed,
      axisLabelVisible: true,
    })
    this.#average = { line, price, title }
  }

  destroy(): void {
    this.#chart.remove()
  }

  #drawFills(always: boolean): void {
    const range = this.#chart.timeScale().getVisibleRange()
    const shown = this.#fills.filter(
      ({ openTimeUs }) =>
        range !== null && toTime(openTimeUs) >= Number(range.from) && toTime(openTimeUs) <= Number(range.to),
    )
    const withText = shown.length * MARKER_TEXT_PX <= this.#container.clientWidth
    if (!always && withText === this.#withText) return
    this.#withText = withText
    this.#markers.setMarkers(this.#fills.map((fill) => this.#toMarker(fill, withText)))
  }

  #toMarker(fill: FillMarker, withText: boolean): SeriesMarker<Time> {
    const isBuy = fill.side === 'buy'
    return {
      time: toTime(fill.openTimeUs),
      position: isBuy ? 'belowBar' : 'aboveBar',
      shape: isBuy ? 'arrowUp' : 'arrowDown',
      color: isBuy ? this.#palette.up : this.#palette.down,
      size: 1.4,
      ...(withText ? { text: markerText(fill) } : {}),
    }
  }

  #toVolume({ openTimeUs, volume, open, close }: CandleView): HistogramData<Time> {
    const { up, down } = this.#palette
    return { time: toTime(openTimeUs), value: volume, color: `${close >= open ? up : down}55` }
  }
}

/** The library knows no time zones: it is given KST as if it were UTC, so that days begin at a Korean midnight. */
function toTime(timeUs: number): UTCTimestamp {
  return (timeUs / 1_000_000 + KST_OFFSET_SECONDS) as UTCTimestamp
}

function toTimeUs(time: Time): number {
  return (Number(time) - KST_OFFSET_SECONDS) * 1_000_000
}

function toBar({ openTimeUs, open, high, low, close }: CandleView): CandlestickData<Time> {
  return { time: toTime(openTimeUs), open, high, low, close }
}

function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement)
  const read = (name: string): string => style.getPropertyValue(`--${name}`).trim()
  return {
    up: read('up'),
    down: read('down'),
    text: read('muted'),
    line: read('line'),
    grid: read('grid'),
    panel: read('panel'),
    accent: read('accent'),
  }
}
