/** Symbol ↔ InstrumentId. Binance writes symbols in capitals, and in stream names in small letters. */
import { BrokerError } from '@jts/broker-kit'
import { instrumentId, instrumentSymbol, instrumentVenue, type InstrumentId } from '@jts/model'

export const VENUE = 'BINANCE'

/** @throws BrokerError when the instrument is listed elsewhere. */
export function toSymbol(instrument: InstrumentId): string {
  if (instrumentVenue(instrument) !== VENUE) {
    throw new BrokerError('INVALID', `expected an instrument such as BINANCE:BTCUSDT, found ${instrument}`)
  }
  return instrumentSymbol(instrument)
}

const known = new Map<string, InstrumentId>()

/** @throws IdError for the few listings whose symbol is not of letters and digits. */
export function toInstrumentId(symbol: string): InstrumentId {
  let instrument = known.get(symbol)
  if (instrument === undefined) {
    instrument = instrumentId(`${VENUE}:${symbol}`)
    known.set(symbol, instrument)
  }
  return instrument
}

/** https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams */
export function toKlineStream(instrument: InstrumentId, timeframe: string): string {
  return `${toSymbol(instrument).toLowerCase()}@kline_${timeframe}`
}

export function toTradeStream(instrument: InstrumentId): string {
  return `${toSymbol(instrument).toLowerCase()}@trade`
}
