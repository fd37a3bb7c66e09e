import { checkPeriod, type IndicatorPlain, type Plain } from './indicator.ts'

/** `sma`: starts from the mean of the first `period` values. `first`: from the first value, with no warm-up. */
export type EmaSeed = 'sma' | 'first'

/** Exponential moving average: `value += 2 / (period + 1) × (x − value)`. */
export class Ema {
  readonly period: number
  readonly seed: EmaSeed
  value = NaN
  previous = NaN
  count = 0
  #sum = 0
  readonly #weight: number
  /** Values that go into the start. */
  readonly #seedCount: number

  constructor(period: number, seed: EmaSeed = 'sma') {
    checkPeriod('ema', period)
    this.period = period
    this.seed = seed
    this.#weight = 2 / (period + 1)
    this.#seedCount = seed === 'first' ? 1 : period
  }

  update(x: number): number {
    const value = this.value
    this.previous = value
    if (++this.count > this.#seedCount) return (this.value = value + this.#weight * (x - value))
    this.#sum += x
    if (this.count === this.#seedCount) this.value = this.#sum / this.#seedCount
    return this.value
  }

  toPlain(): IndicatorPlain {
    const { period, seed, value, previous, count } = this
    return { indicator: 'ema', period, seed, value, previous, count, sum: this.#sum }
  }

  static fromPlain(plain: Readonly<Record<string, Plain>>): Ema {
    const ema = new Ema(plain.period as number, plain.seed as EmaSeed)
    ema.value = plain.value as number
    ema.previous = plain.previous as number
    ema.count = plain.count as number
    ema.#sum = plain.sum as number
    return ema
  }
}

export function ema(period: number, options: { readonly seed?: EmaSeed } = {}): Ema {
  return new Ema(period, options.seed)
}
