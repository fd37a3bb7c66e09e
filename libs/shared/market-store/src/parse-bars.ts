/** Rows of klines into columns; every row is checked by itself, the spacing of the rows afterwards. */
import { barTimesOf } from '@jts/model/bar-times'
import { TIMEFRAMES, timeframeOfLength, timeframeUs } from '@jts/model/bars'
import type { InstrumentId } from '@jts/model/ids'
import { krxDayBar } from '@jts/model/krx'
import type { CsvCells } from './csv-cells.ts'
import type { CsvLayout } from './csv-layout.ts'
import { GrowingColumn } from './growing-column.ts'
import { RecordedMarketError } from './recorded-market-error.ts'

export type BarRows = {
  readonly length: number
  readonly openTimeUs: Float64Array
  readonly closeTimeUs: Float64Array
  readonly open: Float64Array
  readonly high: Float64Array
  readonly low: Float64Array
  readonly close: Float64Array
  readonly volume: Float64Array
}

/** Times above this are microseconds: in milliseconds it would be the year 5138. */
const MICROSECONDS_FROM = 1e14

/** Role of each column while a row is read; `skip` is not looked at. */
const ROLES: Readonly<Record<string, number>> = {
  open_time_ms: 0,
  open: 1,
  high: 2,
  low: 3,
  close: 4,
  volume: 5,
  close_time_ms: 6,
  bar_end_ms: 8,
  date: 9,
}
const ROLE_OPEN_TIME = 0
const ROLE_CLOSE_TIME = 6
const ROLE_SKIP = 7
const ROLE_BAR_END = 8
const ROLE_DATE = 9
const BYTES_PER_ROW_GUESS = 64

export function parseBars(cells: CsvCells, layout: CsvLayout): BarRows {
  const roles = Uint8Array.from(layout.columns, (name) => ROLES[name] ?? ROLE_SKIP)
  const names = layout.columns
  const count = roles.length
  let capacity = Math.max(16, Math.ceil(cells.bytes.length / BYTES_PER_ROW_GUESS))
  const columns = Array.from({ length: 7 }, () => new GrowingColumn(capacity))
  const [openTime, open, high, low, close, volume, closeTime] = columns as [
    GrowingColumn,
    GrowingColumn,
    GrowingColumn,
    GrowingColumn,
    GrowingColumn,
    GrowingColumn,
    GrowingColumn,
  ]
  const row = new Float64Array(ROLE_SKIP)
  let n = 0
  while (!cells.done) {
    if (n === capacity) {
      capacity *= 2
      for (const column of columns) column.grow(capacity)
    }
    for (let i = 0; i < count; i++) {
      if (i > 0) cells.comma(i, count)
      const role = roles[i]!
      if (role === ROLE_SKIP) cells.skip()
      else if (role === ROLE_OPEN_TIME || role === ROLE_CLOSE_TIME) row[role] = cells.integer(names[i]!)
      else if (role === ROLE_BAR_END) {
        // Where the bar begins shows from the spacing of all rows; until then it begins just before its end.
        const end = cells.integer(names[i]!)
        row[ROLE_OPEN_TIME] = end - 1
        row[ROLE_CLOSE_TIME] = end
      } else if (role === ROLE_DATE) {
        const { openTimeUs, closeTimeUs } = krxDayBar(cells.date(names[i]!))
        row[ROLE_OPEN_TIME] = openTimeUs / 1000
        row[ROLE_CLOSE_TIME] = closeTimeUs / 1000
      } else row[role] = cells.number(names[i]!)
    }
    checkRow(cells, row)
    cells.endOfLine(count)
    const scale = row[0]! >= MICROSECONDS_FROM ? 1 : 1000
    openTime.values[n] = row[0]! * scale
    open.values[n] = row[1]!
    high.values[n] = row[2]!
    low.values[n] = row[3]!
    close.values[n] = row[4]!
    volume.values[n] = row[5]!
    closeTime.values[n] = row[6]! * scale
    n++
  }
  const openTimeUs = openTime.cut(n)
  const closeTimeUs = closeTime.cut(n)
  if (layout.stamps === 'end') beginAndEndMinutes(openTimeUs, closeTimeUs)
  return {
    length: n,
    openTimeUs,
    closeTimeUs,
    open: open.cut(n),
    high: high.cut(n),
    low: low.cut(n),
    close: close.cut(n),
    volume: volume.cut(n),
  }
}

/** A row stamped by its end is the bar from one spacing before; like all bars it ends 1 ms before the next begins. */
function beginAndEndMinutes(openTimeUs: Float64Array, closeTimeUs: Float64Array): void {
  let step = Infinity
  for (let i = 1; i < closeTimeUs.length; i++) {
    const spacing = closeTimeUs[i]! - closeTimeUs[i - 1]!
    if (spacing > 0 && spacing < step) step = spacing
  }
  if (step === Infinity) step = timeframeUs('1m')
  for (let i = 0; i < closeTimeUs.length; i++) {
    openTimeUs[i] = closeTimeUs[i]! - step
    closeTimeUs[i] = closeTimeUs[i]! - 1000
  }
}

function checkRow(cells: CsvCells, row: Float64Array): void {
  const open = row[1]!
  const high = row[2]!
  const low = row[3]!
  const close = row[4]!
  if (low > high) cells.fail('high not below low', `high ${high}, low ${low}`)
  if (open > high || open < low) cells.fail(`open within ${low} to ${high}`, String(open))
  if (close > high || close < low) cells.fail(`close within ${low} to ${high}`, String(close))
  if (low === 0) cells.fail('prices above 0', `low ${low}`)
  if (row[6]! <= row[0]!) cells.fail('close time after open time', `open ${row[0]}, close ${row[6]}`)
}

export type Spacing = { readonly timeframe: string; readonly gaps: number; readonly missingBars: number }

/** The timeframe of the rows and their gaps. @throws RecordedMarketError at a row out of order, and at a gap not allowed. */
export function checkSpacing(
  file: string,
  rows: BarRows,
  headerLines: number,
  options: { readonly timeframe?: string; readonly allowGaps?: boolean; readonly instrument: InstrumentId },
): Spacing {
  const { openTimeUs, length } = rows
  const lineOf = (i: number): number => i + 1 + headerLines
  const smallest = smallestSpacing(file, rows, lineOf)
  const timeframe = options.timeframe ?? timeframeOfLength(smallest)
  if (timeframe === undefined) {
    const known = Object.keys(TIMEFRAMES).join(', ')
    throw new RecordedMarketError(
      file,
      0,
      `rows spaced by one of ${known}`,
      `a smallest spacing of ${smallest / 1e6} s`,
    )
  }
  const barTimes = barTimesOf(options.instrument, timeframe)
  let gaps = 0
  let missingBars = 0
  for (let i = 1; i < length; i++) {
    const before = openTimeUs[i - 1]!
    const missing = barTimes.missing(before, openTimeUs[i]!)
    if (missing === 0) continue
    const expected = `the bar of ${isoTime(barTimes.next(before))} (${timeframe} bars)`
    const found = isoTime(openTimeUs[i]!)
    if (missing === undefined) throw new RecordedMarketError(file, lineOf(i), expected, found)
    if (options.allowGaps !== true) {
      throw new RecordedMarketError(file, lineOf(i), expected, `a gap up to ${found} (gaps can be allowed)`)
    }
    gaps++
    missingBars += missing
  }
  return { timeframe, gaps, missingBars }
}

function smallestSpacing(file: string, rows: BarRows, lineOf: (i: number) => number): number {
  const { openTimeUs, closeTimeUs, length } = rows
  // A single row has no neighbour: its own length tells.
  if (length === 1) return Math.ceil((closeTimeUs[0]! - openTimeUs[0]!) / 1e6) * 1e6
  let smallest = Infinity
  for (let i = 1; i < length; i++) {
    const spacing = openTimeUs[i]! - openTimeUs[i - 1]!
    if (spacing <= 0) {
      const found = `${isoTime(openTimeUs[i]!)} after ${isoTime(openTimeUs[i - 1]!)}`
      throw new RecordedMarketError(file, lineOf(i), 'bars in order of time, none twice', found)
    }
    if (spacing < smallest) smallest = spacing
  }
  return smallest
}

function isoTime(timeUs: number): string {
  return new Date(timeUs / 1000).toISOString()
}
