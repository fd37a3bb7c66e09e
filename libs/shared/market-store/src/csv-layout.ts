/** Which columns a recording has, from its header or, without one, from the shape of Binance's public kline files. */
import { CsvCells } from './csv-cells.ts'

/** Binance stamps bars by both ends, Creon a minute by its end, the KRX a day by its date in Korea. */
export type BarStamps = 'open-and-close' | 'end' | 'date'

export type CsvLayout = {
  readonly kind: 'bars' | 'trades'
  readonly stamps: BarStamps
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

const PRICES = ['open', 'high', 'low', 'close', 'volume']
/** How rows of bars may tell their time; the first that fits holds. */
const BAR_TIMES: readonly { readonly stamps: BarStamps; readonly columns: readonly string[] }[] = [
  { stamps: 'open-and-close', columns: ['open_time_ms', 'close_time_ms'] },
  { stamps: 'end', columns: ['bar_end_ms'] },
  { stamps: 'date', columns: ['date'] },
]
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
    return { kind: 'bars', stamps: 'open-and-close', columns: PUBLIC_KLINES, headerLines: 0 }
  }
  const columns = first.map((name) => ALIASES[name.trim()] ?? name.trim())
  const kind = columns.includes('trade_id') ? 'trades' : 'bars'
  const times = BAR_TIMES.find((one) => one.columns.some((name) => columns.includes(name))) ?? BAR_TIMES[0]!
  const wanted = kind === 'bars' ? [...times.columns, ...PRICES] : TRADE_COLUMNS
  const missing = wanted.filter((name) => !columns.includes(name))
  if (missing.length > 0) {
    cells.line = 1
    cells.fail(`a header with ${missing.join(', ')}`, first.join(','))
  }
  return { kind, stamps: times.stamps, columns, headerLines: 1 }
}
