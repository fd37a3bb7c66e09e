/** Reads a recorded market (klines or trades, CSV, plain or gzip) into typed columns. Nothing doubtful passes silently. */
import { createHash } from 'node:crypto'
import type { RecordedMarket } from '@jts/model/columns'
import { CsvCells } from './csv-cells.ts'
import { readLayout } from './csv-layout.ts'
import { instrumentOfFile } from './instrument-of-file.ts'
import { checkSpacing, parseBars } from './parse-bars.ts'
import { parseTrades } from './parse-trades.ts'
import { readBytes } from './read-bytes.ts'

export type { RecordedBars, RecordedMarket, RecordedTrades } from '@jts/model/columns'
export { RecordedMarketError } from './recorded-market-error.ts'

export type RecordedMarketOptions = {
  /** Such as `BINANCE:BTCUSDT`; by the file's name when not given. */
  readonly instrument?: string
  /** Accepts missing bars and counts them. */
  readonly allowGaps?: boolean
  /** Such as `1m`; the smallest spacing of the rows when not given. */
  readonly timeframe?: string
}

/** @throws RecordedMarketError naming file, line, what was expected and what was found. */
export async function readRecordedMarket(file: string, options: RecordedMarketOptions = {}): Promise<RecordedMarket> {
  const instrument = instrumentOfFile(file, options.instrument)
  const bytes = await readBytes(file)
  return parseRecordedMarket(bytes, file, { ...options, instrument })
}

/** The same for bytes that are in memory already. */
export function parseRecordedMarket(bytes: Buffer, file: string, options: RecordedMarketOptions = {}): RecordedMarket {
  const instrument = instrumentOfFile(file, options.instrument)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const cells = new CsvCells(bytes, file)
  const layout = readLayout(cells)
  if (cells.done) cells.fail('at least one row', 'only a header')
  if (layout.kind === 'trades') return { kind: 'trades', file, sha256, instrument, ...parseTrades(cells, layout) }
  const rows = parseBars(cells, layout)
  const timeframe = layout.stamps === 'date' ? '1d' : options.timeframe
  const spacing = checkSpacing(file, rows, layout.headerLines, {
    ...options,
    ...(timeframe === undefined ? {} : { timeframe }),
    instrument,
  })
  return { kind: 'bars', file, sha256, instrument, ...spacing, ...rows }
}
