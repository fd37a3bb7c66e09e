/**
 * Exact numbers. A `Decimal` is `units / 10^scale`; prices, quantities and money are Decimals, never binary floats.
 *
 * The trading core (ledger, risk, matching) works on bare `bigint` units at scale 8 (`Units`), because it runs millions of
 * bars a second; Decimals and text are for the edges. Market data and indicators are float64.
 */

/** Scale of prices, quantities and money inside the core: eight decimals, the precision of Binance and Upbit. */
export const SCALE = 8
/** A bigint counted in 1e-8: `1n` is 0.00000001. */
export type Units = bigint
export const ONE: Units = 100_000_000n
const ONE_NUMBER = 1e8
/** Below this, the error of `value × 1e8` stays under half a unit, so that rounding finds the decimal that was meant. */
const EXACT_FLOAT_MAX = 2 ** 25

export type Rounding = 'down' | 'up' | 'half-even'

export class NumberError extends Error {
  override readonly name = 'NumberError'
}

const DECIMAL_TEXT = /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,4}))?$/

function pow10(exponent: number): bigint {
  return 10n ** BigInt(exponent)
}

/** Integer division with the stated rounding; `down` is towards zero, `up` away from zero. */
export function divide(numerator: bigint, denominator: bigint, rounding: Rounding): bigint {
  if (denominator === 0n) throw new NumberError('division by zero')
  const quotient = numerator / denominator
  const remainder = numerator % denominator
  if (remainder === 0n) return quotient
  const away = numerator < 0n === denominator < 0n ? quotient + 1n : quotient - 1n
  if (rounding === 'down') return quotient
  if (rounding === 'up') return away
  const twice = remainder < 0n ? -2n * remainder : 2n * remainder
  const whole = denominator < 0n ? -denominator : denominator
  if (twice < whole) return quotient
  if (twice > whole) return away
  return quotient % 2n === 0n ? quotient : away
}

/**
 * Units from decimal text such as `0.00001` or `1e-5`. Text finer than 1e-8 is refused unless a rounding is given.
 * @throws NumberError that says what was expected and found.
 */
export function parseUnits(text: string, rounding?: Rounding): Units {
  const match = DECIMAL_TEXT.exec(text)
  if (!match) throw new NumberError(`expected a decimal number such as 0.01, found ${JSON.stringify(text)}`)
  const fraction = match[3] ?? ''
  const exponent = match[4] === undefined ? 0 : Number(match[4])
  const digits = BigInt(match[2]! + fraction)
  const shift = SCALE + exponent - fraction.length
  let units: bigint
  if (shift >= 0) units = digits * pow10(shift)
  else {
    const factor = pow10(-shift)
    if (rounding === undefined && digits % factor !== 0n) {
      throw new NumberError(`expected at most ${SCALE} decimals, found ${JSON.stringify(text)}`)
    }
    units = divide(digits, factor, rounding ?? 'down')
  }
  return match[1] === '-' ? -units : units
}

/** Canonical text: shortest form, no exponent, no trailing zeros, never `-0`. */
export function formatUnits(units: Units): string {
  const negative = units < 0n
  const digits = (negative ? -units : units).toString().padStart(SCALE + 1, '0')
  const cut = digits.length - SCALE
  let end = digits.length
  while (end > cut && digits.charCodeAt(end - 1) === 48) end--
  const text = end === cut ? digits.slice(0, cut) : `${digits.slice(0, cut)}.${digits.slice(cut, end)}`
  return negative ? `-${text}` : text
}

/** Text with exactly eight decimals, as Binance writes amounts. */
export function formatUnitsFixed(units: Units): string {
  const negative = units < 0n
  const digits = (negative ? -units : units).toString().padStart(SCALE + 1, '0')
  const text = `${digits.slice(0, -SCALE)}.${digits.slice(-SCALE)}`
  return negative ? `-${text}` : text
}

/**
 * Units of a float64 that stands for a decimal of at most eight places (a recorded price).
 * Rounds to the nearest 1e-8; larger values go through their shortest text.
 */
export function unitsFromFloat(value: number): Units {
  if (value < EXACT_FLOAT_MAX && value > -EXACT_FLOAT_MAX) return BigInt(Math.round(value * ONE_NUMBER))
  if (!Number.isFinite(value)) throw new NumberError(`expected a finite number, found ${value}`)
  if (Number.isSafeInteger(value)) return BigInt(value) * ONE
  return parseUnits(String(value), 'half-even')
}

/** The float64 nearest to the units: for screens, ratios and float watches, never for booking. */
export function unitsToFloat(units: Units): number {
  return Number(units) / ONE_NUMBER
}

/** a × b at scale 8. */
export function multiplyUnits(a: Units, b: Units, rounding: Rounding): Units {
  return divide(a * b, ONE, rounding)
}

/** Rounds a non-negative amount towards zero to a whole number of steps (lot size, tick size). */
export function floorToStep(units: Units, step: Units): Units {
  return units - (units % step)
}

/** Rounds a non-negative amount away from zero to a whole number of steps. */
export function ceilToStep(units: Units, step: Units): Units {
  const rest = units % step
  return rest === 0n ? units : units + step - rest
}

export function minUnits(a: Units, b: Units): Units {
  return a < b ? a : b
}

export function maxUnits(a: Units, b: Units): Units {
  return a > b ? a : b
}

/** Decimal text from a double, by its shortest text form (a double carries a decimal of up to 15 digits). */
export function decimalTextFromDouble(value: number): string {
  if (!Number.isFinite(value)) throw new NumberError(`expected a finite number, found ${value}`)
  return formatUnits(parseUnits(String(value), 'half-even'))
}
