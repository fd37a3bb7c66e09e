import { checkPeriod, type IndicatorPlain, type Plain } from './indicator.ts'

/** Relative strength index with Wilder's smoothing, seeded with the plain mean of the first `period` changes. */
export class Rsi {
  readonly period: number
  value = NaN
  previous = NaN
  count = 0
  #last = NaN
  #gain = 0
  #loss = 0

  constructor(period: number) {
    checkPeriod('rsi', period)
    this.period = period
  }

  update(x: number): number {
    const { period } = this
    const change = x - this.#last
    const gain = change > 0 ? change : 0
    const loss = change < 0 ? -change : 0
    this.#last = x
    this.previous = this.value
    const changes = this.count++
    if (changes === 0) return this.value
    if (changes <= period) {
      this.#gain += gain
      this.#loss += loss
      if (changes < period) return this.value
      this.#gain /= period
      this.#loss /= period
    } else {
      this.#gain = (this.#gain * (period - 1) + gain) / period
      this.#loss = (this.#loss * (period - 1) + loss) / period
    }
    return (this.value = this.#loss > 0 ? 100 - 100 / (1 + this.#gain / this.#loss) : 100)
  }

  toPlain(): IndicatorPlain {
    const { period, value, previous, count } = this
    return { indicator: 'rsi', period, value, previous, count, last: this.#last, gain: this.#gain, loss: this.#loss }
  }

  static fromPlain(plain: Readonly<Record<string, Plain>>): Rsi {
    const rsi = new Rsi(plain.period as number)
    rsi.value = plain.value as number
    rsi.previous = plain.previous as number
    rsi.count = plain.count as number
    rsi.#last = plain.last as number
    rsi.#gain = plain.gain as number
    rsi.#loss = plain.loss as number
    return rsi
  }
}

export function rsi(period: number): Rsi {
  return new Rsi(period)
}
