import { checkPeriod, type IndicatorPlain, type Plain } from './indicator.ts'

/** Simple moving average. The running sum carries its rounding error along (Neumaier), so it does not drift. */
export class Sma {
  readonly period: number
  value = NaN
  previous = NaN
  count = 0
  #sum = 0
  #lost = 0
  #next = 0
  readonly #window: Float64Array

  constructor(period: number) {
    checkPeriod('sma', period)
    this.period = period
    this.#window = new Float64Array(period)
  }

  update(x: number): number {
    const window = this.#window
    const next = this.#next
    this.#add(x)
    if (this.count >= this.period) this.#add(-window[next]!)
    window[next] = x
    this.#next = next + 1 === this.period ? 0 : next + 1
    this.count++
    this.previous = this.value
    if (this.count >= this.period) this.value = (this.#sum + this.#lost) / this.period
    return this.value
  }

  #add(x: number): void {
    const sum = this.#sum + x
    this.#lost += Math.abs(this.#sum) >= Math.abs(x) ? this.#sum - sum + x : x - sum + this.#sum
    this.#sum = sum
  }

  toPlain(): IndicatorPlain {
    const { period, value, previous, count } = this
    const window = [...this.#window]
    return {
      indicator: 'sma',
      period,
      value,
      previous,
      count,
      sum: this.#sum,
      lost: this.#lost,
      next: this.#next,
      window,
    }
  }

  static fromPlain(plain: Readonly<Record<string, Plain>>): Sma {
    const sma = new Sma(plain.period as number)
    sma.value = plain.value as number
    sma.previous = plain.previous as number
    sma.count = plain.count as number
    sma.#sum = plain.sum as number
    sma.#lost = plain.lost as number
    sma.#next = plain.next as number
    sma.#window.set(plain.window as number[])
    return sma
  }
}

export function sma(period: number): Sma {
  return new Sma(period)
}
