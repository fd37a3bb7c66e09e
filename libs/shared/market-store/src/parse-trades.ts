/** Rows of public trades (single or aggregated) into columns. */
import type { CsvCells } from './csv-cells.ts'
import type { CsvLayout } from './csv-layout.ts'

export type TradeRows = {
  readonly length: number
  readonly tradeId: string[]
  readonly timeUs: Float64Array
  readonly price: Float64Array
  readonly quantity: Float64Array
  readonly buyerMaker: Uint8Array
}

const MICROSECONDS_FROM = 1e14

export function parseTrades(cells: CsvCells, layout: CsvLayout): TradeRows {
  const { columns } = layout
  const tradeId: string[] = []
  const times: number[] = []
  const prices: number[] = []
  const quantities: number[] = []
  const makers: number[] = []
  while (!cells.done) {
    for (let i = 0; i < columns.length; i++) {
      if (i > 0) cells.comma(i, columns.length)
      const name = columns[i]!
      if (name === 'trade_id') tradeId.push(readTradeId(cells, tradeId.at(-1)))
      else if (name === 'price') prices.push(above0(cells, cells.number(name), name))
      else if (name === 'qty') quantities.push(above0(cells, cells.number(name), name))
      else if (name === 'time_ms') times.push(readTime(cells, times.at(-1)))
      else if (name === 'is_buyer_maker') makers.push(readFlag(cells))
      else cells.skip()
    }
    cells.endOfLine(columns.length)
  }
  return {
    length: times.length,
    tradeId,
    timeUs: Float64Array.from(times),
    price: Float64Array.from(prices),
    quantity: Float64Array.from(quantities),
    buyerMaker: Uint8Array.from(makers),
  }
}

function readTradeId(cells: CsvCells, previous: string | undefined): string {
  const text = cells.text()
  if (!/^\d+$/.test(text)) cells.fail('a trade id of digits', JSON.stringify(text))
  if (previous !== undefined && !isLater(text, previous)) {
    cells.fail('trades in order of id, none twice', `${text} after ${previous}`)
  }
  return text
}

function isLater(id: string, previous: string): boolean {
  return id.length === previous.length ? id > previous : BigInt(id) > BigInt(previous)
}

function readTime(cells: CsvCells, previousUs: number | undefined): number {
  const time = cells.integer('time_ms')
  const timeUs = time >= MICROSECONDS_FROM ? time : time * 1000
  if (previousUs !== undefined && timeUs < previousUs) {
    cells.fail('trades in order of time', `${timeUs / 1000} ms after ${previousUs / 1000} ms`)
  }
  return timeUs
}

function readFlag(cells: CsvCells): number {
  const text = cells.text().toLowerCase()
  if (text !== 'true' && text !== 'false') cells.fail('true or false in is_buyer_maker', JSON.stringify(text))
  return text === 'true' ? 1 : 0
}

function above0(cells: CsvCells, value: number, name: string): number {
  if (!(value > 0)) cells.fail(`${name} above 0`, String(value))
  return value
}
