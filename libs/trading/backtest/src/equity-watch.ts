/**
 * Equity as seen at every close, in float64: it reports and books nothing. Its numbers live in one typed array, because a
 * double in an object's field may be boxed anew on every bar.
 */
const CASH = 0
const PEAK = 1
const DRAWDOWN_MAX = 2
/** The value of each market's position follows. */
const VALUES = 3

export class EquityWatch {
  readonly #numbers: Float64Array

  constructor(cash: number, marketCount: number) {
    this.#numbers = new Float64Array(VALUES + marketCount)
    this.#numbers[CASH] = this.#numbers[PEAK] = cash
  }

  /** Largest fall from the highest point so far, as a share of it. */
  get drawdownMax(): number {
    return this.#numbers[DRAWDOWN_MAX]!
  }

  setCash(cash: number): void {
    this.#numbers[CASH] = cash
  }

  setValue(market: number, quantity: number, price: number): void {
    this.#numbers[VALUES + market] = quantity * price
  }

  look(): void {
    const numbers = this.#numbers
    let equity = numbers[CASH]!
    for (let i = VALUES; i < numbers.length; i++) equity += numbers[i]!
    const peak = numbers[PEAK]!
    if (equity > peak) numbers[PEAK] = equity
    else if (peak - equity > numbers[DRAWDOWN_MAX]! * peak) numbers[DRAWDOWN_MAX] = (peak - equity) / peak
  }
}
