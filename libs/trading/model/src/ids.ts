/** A type per identity: branded strings that the compiler keeps apart. */
declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** A listing: `BINANCE:BTCUSDT`, `KRX:005930`. */
export type InstrumentId = Branded<'InstrumentId'>
/** `<mode>.<broker>.<alias>`, for example `sim.binance.main`; never a real account number. */
export type AccountId = Branded<'AccountId'>
/** Name of one running strategy, unique within a run. */
export type StrategyInstanceId = Branded<'StrategyInstanceId'>
export type SignalId = Branded<'SignalId'>
export type OrderId = Branded<'OrderId'>
/** The id of one request to a venue: at most 36 of `[A-Za-z0-9-_]`. */
export type ClientOrderId = Branded<'ClientOrderId'>
export type VenueOrderId = Branded<'VenueOrderId'>

export type Mode = 'sim' | 'paper' | 'live'
export const MODES: readonly Mode[] = ['sim', 'paper', 'live']

export class IdError extends Error {
  override readonly name = 'IdError'
}

const INSTRUMENT = /^[A-Z][A-Z0-9]*:[A-Z0-9][A-Z0-9._-]*$/
const ACCOUNT = /^(sim|paper|live)\.[a-z][a-z0-9]*\.[a-z0-9][a-z0-9_-]*$/
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

export function instrumentId(text: string): InstrumentId {
  if (!INSTRUMENT.test(text)) {
    throw new IdError(`expected an instrument such as BINANCE:BTCUSDT, found ${JSON.stringify(text)}`)
  }
  return text as InstrumentId
}

export function accountId(text: string): AccountId {
  if (!ACCOUNT.test(text)) {
    throw new IdError(`expected an account such as sim.binance.main, found ${JSON.stringify(text)}`)
  }
  return text as AccountId
}

export function strategyInstanceId(text: string): StrategyInstanceId {
  if (!NAME.test(text)) {
    throw new IdError(`expected a name of letters, digits, dot, dash, at most 64, found ${JSON.stringify(text)}`)
  }
  return text as StrategyInstanceId
}

export function accountMode(account: AccountId): Mode {
  return account.slice(0, account.indexOf('.')) as Mode
}

export function accountBroker(account: AccountId): string {
  return account.split('.')[1]!
}

/** `BINANCE` of `BINANCE:BTCUSDT`. */
export function instrumentVenue(instrument: InstrumentId): string {
  return instrument.slice(0, instrument.indexOf(':'))
}

/** `BTCUSDT` of `BINANCE:BTCUSDT`. */
export function instrumentSymbol(instrument: InstrumentId): string {
  return instrument.slice(instrument.indexOf(':') + 1)
}

/** For switches over unions: the compiler proves that no case is left, and a broken invariant stops loudly. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value ${JSON.stringify(value)}`)
}
