/** Money on the screen. It arrives as exact decimal text and is grouped and rounded as text, never through a float. */

const DECIMAL = /^-?\d+(?:\.\d+)?$/
const MINUS = '\u2212'
const PLACES_MAX = 8
const PLACES: Readonly<Record<string, number>> = { KRW: 0, JPY: 0, USD: 2, USDT: 2, USDC: 2 }

export function signOf(text: string): -1 | 0 | 1 {
  if (/^-?[0.]*$/.test(text)) return 0
  return text.startsWith('-') ? -1 : 1
}

/** `1234567.5` → `1,234,567.5`. Anything that is not a decimal is shown as it came. */
export function groupDigits(text: string): string {
  if (!DECIMAL.test(text)) return text
  const negative = text.startsWith('-')
  const [whole = '', fraction] = (negative ? text.slice(1) : text).split('.')
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  return `${negative ? MINUS : ''}${grouped}${fraction === undefined ? '' : `.${fraction}`}`
}

/** Rounds half to even at so many decimals, and keeps exactly that many. */
export function roundText(text: string, places: number): string {
  if (!DECIMAL.test(text)) return text
  const negative = text.startsWith('-')
  const [whole = '0', fraction = ''] = (negative ? text.slice(1) : text).split('.')
  const kept = BigInt(whole + fraction.slice(0, places).padEnd(places, '0'))
  const rest = fraction.slice(places)
  const rounded = kept + (roundsUp(rest, kept) ? 1n : 0n)
  const digits = rounded.toString().padStart(places + 1, '0')
  const cut = digits.length - places
  const value = places === 0 ? digits : `${digits.slice(0, cut)}.${digits.slice(cut)}`
  return negative && rounded !== 0n ? `-${value}` : value
}

function roundsUp(rest: string, kept: bigint): boolean {
  if (rest === '' || rest[0]! < '5') return false
  const isHalf = /^50*$/.test(rest)
  return isHalf ? kept % 2n === 1n : true
}

/** The decimals that the currency is spoken in; an amount too small for them keeps all it has. */
export function formatMoney(text: string, currency: string): string {
  const places = PLACES[currency]
  if (places === undefined) return groupDigits(trimZeros(roundText(text, PLACES_MAX)))
  const rounded = roundText(text, places)
  return groupDigits(signOf(rounded) === 0 && signOf(text) !== 0 ? text : rounded)
}

export function formatSignedMoney(text: string, currency: string): string {
  return signOf(text) > 0 ? `+${formatMoney(text, currency)}` : formatMoney(text, currency)
}

/** A price keeps as many decimals as its size calls for: an average of several fills has eight, and nobody reads them. */
export function formatPrice(text: string): string {
  if (!DECIMAL.test(text)) return text
  const whole = text.replace('-', '').split('.', 1)[0]!
  const places = whole.length >= 4 ? 2 : whole !== '0' ? 4 : PLACES_MAX
  return groupDigits(trimZeros(roundText(text, places)))
}

export function formatQuantity(text: string): string {
  return groupDigits(text)
}

/** Decimal text of a market-data number, without an exponent. */
export function textOfNumber(value: number): string {
  return Number.isFinite(value) ? trimZeros(value.toFixed(PLACES_MAX)) : '–'
}

/** Candle volumes: a few digits say enough. */
export function formatVolume(value: number): string {
  return groupDigits(trimZeros(value.toFixed(value >= 1000 ? 0 : 3)))
}

/** How many decimals the numbers of a series need, for a price axis. */
export function decimalsOf(values: readonly number[]): number {
  let places = 0
  for (const value of values) places = Math.max(places, textOfNumber(value).split('.')[1]?.length ?? 0)
  return places
}

/** Exact sum of two decimal texts. */
export function addText(a: string, b: string): string {
  const places = Math.max(a.split('.')[1]?.length ?? 0, b.split('.')[1]?.length ?? 0)
  const units = (text: string): bigint => BigInt(roundText(text, places).replace('.', ''))
  const sum = units(a) + units(b)
  const digits = (sum < 0n ? -sum : sum).toString().padStart(places + 1, '0')
  const cut = digits.length - places
  const value = places === 0 ? digits : trimZeros(`${digits.slice(0, cut)}.${digits.slice(cut)}`)
  return sum < 0n ? `-${value}` : value
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}
