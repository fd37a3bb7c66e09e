/** Which columns a recording has, from its header or, without one, from the shape of Binance's public kline files. */
import { CsvCells } from './csv-cells.ts'

export type CsvLayout = {
  readonly kind: 'bars' | 'trades'
  readonly columns: readonly string[]
  readonly headerLines: number
}

/** Binance's own names, and ours with the unit; the unit of a column without one is told by its size. */
const ALIASES: Readonly<Record<string, string>> = {
  open_time: 'open_time_ms',
  close_time: 'close_time_ms',
  agg_trade_id: 'trade_id',
  quantity: 'qty',
  time: 'time_ms',
}
/** https://github.com/binance/binance-public-data: klines, twelve columns, no header. */
const PUBLIC_KLINES =
  'open_time_ms,open,high,low,close,volume,close_time_ms,quote_volume,count,taker_buy_base,taker_buy_quote,ignore'.split(
    ',',
  )

const BAR_COLUMNS = ['open_time_ms', 'open', 'high', 'low', 'close', 'volume', 'close_time_ms']
const TRADE_COLUMNS = ['trade_id', 'price', 'qty', 'time_ms', 'is_buyer_maker']

/** Leaves the cells at the first row. */
export function readLayout(cells: CsvCells): CsvLayout {
  const first = cells.lineOfText()
  if (/^\d/.test(first[0] ?? '')) {
    cells.at = 0
    cells.line = 1
    if (first.length !== PUBLIC_KLINES.length) {
      cells.fail(
        `a header, or the ${PUBLIC_KLINES.length} columns of Binance's klines`,
        `${first.length} columns and no header`,
      )
    }
    return { kind: 'bars', columns: PUBLIC_KLINES, headerLines: 0 }
  }
  const columns = first.map((name) => ALIASES[name.trim()] ?? name.trim())
  const kind = columns.includes('trade_id') ? 'trades' : 'bars'
  const missing = (kind === 'bars' ? BAR_COLUMNS : TRADE_COLUMNS).filter((name) => !columns.includes(name))
  if (missing.length > 0) {
    cells.line = 1
    cells.fail(`a header with ${missing.join(', ')}`, first.join(','))
  }
  return { kind, columns, headerLines: 1 }
}
