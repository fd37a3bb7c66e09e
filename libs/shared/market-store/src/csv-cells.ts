/** Reads the cells of a CSV one after the other, straight from the bytes: no string is made for a plain number. */
import { RecordedMarketError } from './recorded-market-error.ts'

const COMMA = 44
const LINE_FEED = 10
const RETURN = 13
const DOT = 46
const ZERO = 48

const POW10 = Float64Array.of(1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8)
/** Digits that 32 bits hold before and after the point. */
const WHOLE_DIGITS = 9
const DECIMALS = 8
/** Digits that a double holds exactly, so that one division gives the nearest double: the same as parsing the text. */
const DIGITS = 15
/** Microseconds have sixteen; all of these are below 2^53. */
const INTEGER_DIGITS = 16

function endsCell(byte: number): boolean {
  return byte === COMMA || byte === LINE_FEED || byte === RETURN
}

export class CsvCells {
  readonly bytes: Buffer
  readonly file: string
  /** Start of the next cell. */
  at = 0
  line = 1

  constructor(bytes: Buffer, file: string) {
    // A last line without its end is given one, so that no read goes past the bytes.
    this.bytes = bytes.at(-1) === LINE_FEED ? bytes : Buffer.concat([bytes, Buffer.of(LINE_FEED)])
    this.file = file
  }

  get done(): boolean {
    return this.at >= this.bytes.length
  }

  /** The cells of the present line, as text; moves to the next line. */
  lineOfText(): string[] {
    let end = this.bytes.indexOf(LINE_FEED, this.at)
    if (end === -1) end = this.bytes.length
    const text = this.bytes
      .toString('utf8', this.at, end)
      .replace(/\r$/, '')
      .replace(/^\uFEFF/, '')
    this.at = end + 1
    this.line++
    return text.split(',')
  }

  /** A number of at most eight decimals; finer ones are rounded to the nearest 1e-8. */
  number(name: string): number {
    const { bytes } = this
    const start = this.at
    let at = start
    let digit = bytes[at]! - ZERO
    // Both parts stay within 32 bits (`| 0` says so), which makes this twice as fast as a double.
    let whole = 0
    while (digit >= 0 && digit <= 9) {
      whole = (whole * 10 + digit) | 0
      digit = bytes[++at]! - ZERO
    }
    const wholeDigits = at - start
    let fraction = 0
    let decimals = 0
    if (digit === DOT - ZERO) {
      const from = ++at
      digit = bytes[at]! - ZERO
      while (digit >= 0 && digit <= 9) {
        fraction = (fraction * 10 + digit) | 0
        digit = bytes[++at]! - ZERO
      }
      decimals = at - from
    }
    const digits = wholeDigits + decimals
    if (
      wholeDigits > WHOLE_DIGITS ||
      decimals > DECIMALS ||
      digits > DIGITS ||
      digits === 0 ||
      !endsCell(digit + ZERO)
    ) {
      return this.#numberFromText(name)
    }
    this.at = at
    return decimals === 0 ? whole : (whole * POW10[decimals]! + fraction) / POW10[decimals]!
  }

  /** A whole number such as a time: more digits than `number` reads quickly. */
  integer(name: string): number {
    const { bytes } = this
    const start = this.at
    let at = start
    let value = 0
    let digit = bytes[at]! - ZERO
    while (digit >= 0 && digit <= 9) {
      value = value * 10 + digit
      digit = bytes[++at]! - ZERO
    }
    const digits = at - start
    if (digits === 0 || digits > INTEGER_DIGITS || !endsCell(digit + ZERO)) {
      const text = this.#peekCell()
      this.fail(`a whole number in ${name}`, text === '' ? 'an empty cell' : JSON.stringify(text))
    }
    this.at = at
    return value
  }

  /** What the quick way does not take: long, signed, exponential, or no number at all. */
  #numberFromText(name: string): number {
    const text = this.#peekCell()
    const value = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : NaN
    if (!Number.isFinite(value)) this.fail(`a number in ${name}`, text === '' ? 'an empty cell' : JSON.stringify(text))
    if (value < 0) this.fail(`${name} not to be negative`, text)
    this.at += Buffer.byteLength(text)
    // Above 2^26 a double is coarser than 1e-8 and there is nothing to round.
    return value < 2 ** 26 ? Math.round(value * 1e8) / 1e8 : value
  }

  /** `2026-01-05` */
  date(name: string): string {
    const text = this.#peekCell()
    if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || Number.isNaN(Date.parse(text))) {
      this.fail(`a date such as 2026-01-05 in ${name}`, text === '' ? 'an empty cell' : JSON.stringify(text))
    }
    this.at += text.length
    return text
  }

  text(): string {
    const text = this.#peekCell()
    this.at += Buffer.byteLength(text)
    return text
  }

  skip(): void {
    const { bytes } = this
    let at = this.at
    let byte = bytes[at]!
    while (byte !== COMMA && byte !== LINE_FEED) byte = bytes[++at]!
    if (byte === LINE_FEED && at > this.at && bytes[at - 1] === RETURN) at--
    this.at = at
  }

  /** Between two cells of a row. */
  comma(index: number, count: number): void {
    if (this.bytes[this.at] !== COMMA) this.#failCount(index, count)
    this.at++
  }

  /** After the last cell of a row. */
  endOfLine(count: number): void {
    let byte = this.bytes[this.at]
    if (byte === RETURN) byte = this.bytes[++this.at]
    if (byte !== LINE_FEED) this.fail(`${count} cells`, 'more')
    this.at++
    this.line++
  }

  fail(expected: string, found: string): never {
    throw new RecordedMarketError(this.file, this.line, expected, found)
  }

  #failCount(index: number, count: number): never {
    return this.fail(`${count} cells`, String(index))
  }

  #peekCell(): string {
    let end = this.at
    const { bytes } = this
    while (end < bytes.length && bytes[end] !== COMMA && bytes[end] !== LINE_FEED && bytes[end] !== RETURN) end++
    return bytes.toString('utf8', this.at, end)
  }
}
