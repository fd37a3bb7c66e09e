/** Which instrument a recording is of, by its file's name. */
import { basename } from 'node:path'
import { instrumentId, type InstrumentId } from '@jts/model/ids'
import { RecordedMarketError } from './recorded-market-error.ts'

/** `binance-spot-BTCUSDT-1m-2024-12.csv.gz` */
const NAMED_VENUE = /^([a-z]+)-(?:spot-)?([A-Z0-9]+(?:-[A-Z0-9]+)?)-/
/** `krx-005930-1d-2018to2026.csv.gz`, `krx-creon-005930-1m-2018.csv.gz`: a source may stand between. */
const KRX_SHARE = /^krx-(?:[a-z]+-)?([0-9A-Z]{6})-/
/** `BTCUSDT-1m-2024-12.csv`, as Binance publishes them. */
const BINANCE_PUBLIC = /^([A-Z0-9]{5,})-(\d+[smhdw]|trades|aggTrades)-/

export function instrumentOfFile(file: string, given?: string): InstrumentId {
  if (given !== undefined) return instrumentId(given)
  const name = basename(file)
  const published = BINANCE_PUBLIC.exec(name)
  if (published) return instrumentId(`BINANCE:${published[1]}`)
  const share = KRX_SHARE.exec(name)
  if (share) return instrumentId(`KRX:${share[1]}`)
  const named = NAMED_VENUE.exec(name)
  if (named) return instrumentId(`${named[1]!.toUpperCase()}:${named[2]}`)
  throw new RecordedMarketError(
    file,
    0,
    'a name such as binance-spot-BTCUSDT-1m-2024.csv.gz or BTCUSDT-1m-2024-12.csv, or the instrument to be given',
    name,
  )
}
