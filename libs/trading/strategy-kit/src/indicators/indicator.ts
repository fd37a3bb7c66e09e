/** What all indicators share: a present and a previous value, and a plain form that restores them bit for bit. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain }

/** Anything that has a value now and had one before; NaN while it warms up. */
export type Series = { readonly value: number; readonly previous: number }

export type IndicatorPlain = { readonly indicator: string; readonly [key: string]: Plain }

export type Indicator = Series & {
  readonly count: number
  toPlain(): IndicatorPlain
}

/** From ≤ to >. False while either is warming up, because NaN compares as false. */
export function crossedAbove(a: Series, b: Series): boolean {
  return a.previous <= b.previous && a.value > b.value
}

/** From ≥ to <. */
export function crossedBelow(a: Series, b: Series): boolean {
  return a.previous >= b.previous && a.value < b.value
}

export function checkPeriod(name: string, period: number): void {
  if (!Number.isSafeInteger(period) || period < 1) {
    throw new Error(`${name}: expected a period of at least 1 bar, found ${period}`)
  }
}
