import { checkPeriod, type IndicatorPlain, type Plain } from './indicator.ts'

/** Average true range with Wilder's smoothing, seeded with the plain mean of the first `period` true ranges. */
export class Atr {
  readonly period: number
  value = NaN
  previous = NaN
  count = 0
  #lastClose = NaN
  #sum = 0

  constructor(period: number) {
    checkPeriod('atr', period)
    this.period = period
  }

  update(bar: { readonly high: number; readonly low: number; readonly close: number }): number {
    const { period } = this
    const { high, low, close } = bar
    const before = this.#lastClose
    this.#lastClose = close
    this.previous = this.value
    // The first bar has no close before it, hence no true range.
    const ranges = this.count++
    if (ranges === 0) return this.value
    const range = Math.max(high - low, Math.abs(high - before), Math.abs(low - before))
    if (ranges > period) return (this.value = (this.value * (period - 1) + range) / period)
    this.#sum += range
    if (ranges === period) this.value = this.#sum / period
    return this.value
  }

  toPlain(): IndicatorPlain {
    const { period, value, previous, count } = this
    return { indicator: 'atr', period, value, previous, count, lastClose: this.#lastClose, sum: this.#sum }
  }

  static fromPlain(plain: Readonly<Record<string, Plain>>): Atr {
    const atr = new Atr(plain.period as number)
    atr.value = plain.value as number
    atr.previous = plain.previous as number
    atr.count = plain.count as number
    atr.#lastClose = plain.lastClose as number
    atr.#sum = plain.sum as number
    return atr
  }
}

export function atr(period: number): Atr {
  return new Atr(period)
}
