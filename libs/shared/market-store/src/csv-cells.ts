/** Reads the cells of a CSV one after the other, straight from the bytes: no string is made for a plain number. */
import { RecordedMarketError } from './recorded-market-error.ts'

const COMMA = 44
const LINE_FEED = 10
const RETURN = 13
const DOT = 46
const ZERO = 48
const NINE = 57

/** 10^d for the decimals that a double divides by exactly. */
const POW10 = Float64Array.from({ length: 23 }, (_, d) => Number(`1e${d}`))
/** Digits that a double holds exactly, so that one division gives the nearest double: the same as parsing the text. */
const DIGITS_EXACT = 15
const DECIMALS_MAX = 8

export class CsvCells {
  readonly bytes: Buffer
  readonly file: string
  /** Start of the next cell. */
  at = 0
  line = 1

  constructor(bytes: Buffer, file: string) {
    this.bytes = bytes
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
    let mantissa = 0
    let digits = 0
    let dotAt = -1
    let byte = bytes[at]!
    while ((byte >= ZERO && byte <= NINE) || (byte === DOT && dotAt === -1)) {
      if (byte === DOT) dotAt = at
      else {
        mantissa = mantissa * 10 + (byte - ZERO)
        if (mantissa !== 0) digits++
      }
      byte = bytes[++at]!
    }
    const decimals = dotAt === -1 ? 0 : at - dotAt - 1
    const ended = byte === COMMA || byte === LINE_FEED || byte === RETURN || at >= bytes.length
    if (!ended || digits > DIGITS_EXACT || decimals > DECIMALS_MAX || at - start === (dotAt === -1 ? 0 : 1)) {
      return this.#numberFromText(name)
    }
    this.at = at
    return decimals === 0 ? mantissa : mantissa / POW10[decimals]!
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

  text(): string {
    const text = this.#peekCell()
    this.at += Buffer.byteLength(text)
    return text
  }

  skip(): void {
    const { bytes } = this
    let at = this.at
    let byte = bytes[at]
    while (byte !== COMMA && byte !== LINE_FEED && byte !== undefined) byte = bytes[++at]
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
    if (byte !== LINE_FEED && byte !== undefined) this.fail(`${count} cells`, 'more')
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
