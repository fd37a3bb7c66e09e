/**
 * The books of one account: cash by currency, positions by (strategy instance, instrument), fees as the venue took them.
 *
 * What always holds for an instrument whose fees were in base or quote: the change of quote cash, less what was adjusted,
 * equals the realised PnL less the cost of what is held.
 */
import { formatUnits, multiplyUnits, parseUnits, unitsFromFloat, type Units } from './numbers.ts'
import type { AccountId, InstrumentId, StrategyInstanceId } from './ids.ts'
import type { Instrument } from './instruments.ts'
import type { Fill } from './fills.ts'
import { Position, type PositionPlain } from './position.ts'

/** Owner of what no strategy opened. */
export const EXTERNAL = 'external' as StrategyInstanceId

/** Last prices by instrument, as exact units or as recorded floats. */
export type Marks = ReadonlyMap<InstrumentId, Units | number>

export type LedgerPlain = {
  readonly account: string
  readonly cash: Readonly<Record<string, string>>
  readonly fees: Readonly<Record<string, string>>
  /** Absent where nothing was adjusted. */
  readonly adjusted?: Readonly<Record<string, string>>
  readonly instruments: Readonly<Record<string, { readonly base: string; readonly quote: string }>>
  readonly positions: readonly (PositionPlain & { readonly strategy: string; readonly instrument: string })[]
}

type Currencies = { readonly base: string; readonly quote: string }

export class Ledger {
  readonly account: AccountId
  readonly cash = new Map<string, Units>()
  readonly fees = new Map<string, Units>()
  /** What came in without a trade since the opening, less what went out. */
  readonly adjusted = new Map<string, Units>()
  readonly #positions = new Map<StrategyInstanceId, Map<InstrumentId, Position>>()
  readonly #currencies = new Map<InstrumentId, Currencies>()

  constructor(account: AccountId) {
    this.account = account
  }

  /** First contact: the balances that were there before us. */
  open(balances: Readonly<Record<string, Units>>): void {
    for (const currency of Object.keys(balances)) this.cash.set(currency, balances[currency]!)
  }

  /** Money, or what was bought, that came in (or, negative, went out) without a trade: no PnL moves. */
  adjust(currency: string, amount: Units): void {
    this.cash.set(currency, this.cashOf(currency) + amount)
    this.adjusted.set(currency, (this.adjusted.get(currency) ?? 0n) + amount)
  }

  cashOf(currency: string): Units {
    return this.cash.get(currency) ?? 0n
  }

  /** The live position, made empty when there is none: it changes with later fills. */
  position(strategy: StrategyInstanceId, instrument: InstrumentId): Position {
    let ofStrategy = this.#positions.get(strategy)
    if (ofStrategy === undefined) this.#positions.set(strategy, (ofStrategy = new Map()))
    let position = ofStrategy.get(instrument)
    if (position === undefined) ofStrategy.set(instrument, (position = new Position()))
    return position
  }

  *positions(): Generator<{ strategy: StrategyInstanceId; instrument: InstrumentId; position: Position }> {
    for (const [strategy, ofStrategy] of this.#positions) {
      for (const [instrument, position] of ofStrategy) yield { strategy, instrument, position }
    }
  }

  /** What all strategies and `external` hold of an instrument together. */
  quantityOf(instrument: InstrumentId): Units {
    let sum = 0n
    for (const ofStrategy of this.#positions.values()) sum += ofStrategy.get(instrument)?.quantity ?? 0n
    return sum
  }

  applyFill(fill: Fill, instrument: Instrument): void {
    const { baseCurrency, quoteCurrency } = instrument
    if (!this.#currencies.has(fill.instrument)) {
      this.#currencies.set(fill.instrument, { base: baseCurrency, quote: quoteCurrency })
    }
    const position = this.position(fill.strategy, fill.instrument)
    const notional = multiplyUnits(fill.quantity, fill.price, 'half-even')
    let cash = this.cashOf(quoteCurrency)
    if (fill.side === 'buy') {
      cash -= notional
      position.buy(fill.quantity, notional)
    } else {
      cash += notional
      position.sell(fill.quantity, notional)
    }
    if (fill.fee !== 0n) {
      if (fill.feeCurrency === baseCurrency) position.takeBaseFee(fill.fee)
      else if (fill.feeCurrency === quoteCurrency) {
        cash -= fill.fee
        position.realisedPnl -= fill.fee
      } else this.cash.set(fill.feeCurrency, this.cashOf(fill.feeCurrency) - fill.fee)
      this.fees.set(fill.feeCurrency, (this.fees.get(fill.feeCurrency) ?? 0n) + fill.fee)
    }
    this.cash.set(quoteCurrency, cash)
  }

  /** Value at the mark less the cost of what is held. */
  unrealisedPnl(strategy: StrategyInstanceId, instrument: InstrumentId, mark: Units | number): Units {
    const { quantity, totalCost } = this.position(strategy, instrument)
    return multiplyUnits(quantity, toUnits(mark), 'half-even') - totalCost
  }

  realisedPnl(quoteCurrency: string): Units {
    let sum = 0n
    for (const { instrument, position } of this.positions()) {
      if (this.#currencies.get(instrument)?.quote === quoteCurrency) sum += position.realisedPnl
    }
    return sum
  }

  /** Cash plus positions at their marks, for the instruments quoted in this currency. @throws Error without a mark. */
  equity(quoteCurrency: string, marks: Marks): Units {
    let equity = this.cashOf(quoteCurrency)
    for (const { instrument, position } of this.positions()) {
      if (position.quantity === 0n || this.#currencies.get(instrument)?.quote !== quoteCurrency) continue
      const mark = marks.get(instrument)
      if (mark === undefined) throw new Error(`expected a mark price for ${instrument}, found none`)
      equity += multiplyUnits(position.quantity, toUnits(mark), 'half-even')
    }
    return equity
  }

  toPlain(): LedgerPlain {
    return {
      account: this.account,
      cash: amountsToPlain(this.cash),
      fees: amountsToPlain(this.fees),
      ...(this.adjusted.size === 0 ? {} : { adjusted: amountsToPlain(this.adjusted) }),
      instruments: Object.fromEntries(this.#currencies),
      positions: [...this.positions()].map(({ strategy, instrument, position }) => ({
        strategy,
        instrument,
        ...position.toPlain(),
      })),
    }
  }

  static fromPlain(plain: LedgerPlain): Ledger {
    const ledger = new Ledger(plain.account as AccountId)
    for (const [currency, amount] of Object.entries(plain.cash)) ledger.cash.set(currency, parseUnits(amount))
    for (const [currency, amount] of Object.entries(plain.fees)) ledger.fees.set(currency, parseUnits(amount))
    for (const [currency, amount] of Object.entries(plain.adjusted ?? {})) {
      ledger.adjusted.set(currency, parseUnits(amount))
    }
    for (const [instrument, currencies] of Object.entries(plain.instruments)) {
      ledger.#currencies.set(instrument as InstrumentId, { ...currencies })
    }
    for (const { strategy, instrument, ...position } of plain.positions) {
      ledger.position(strategy as StrategyInstanceId, instrument as InstrumentId)
      ledger.#positions
        .get(strategy as StrategyInstanceId)!
        .set(instrument as InstrumentId, Position.fromPlain(position))
    }
    return ledger
  }
}

function toUnits(price: Units | number): Units {
  return typeof price === 'bigint' ? price : unitsFromFloat(price)
}

function amountsToPlain(amounts: ReadonlyMap<string, Units>): Record<string, string> {
  return Object.fromEntries([...amounts].map(([currency, units]) => [currency, formatUnits(units)]))
}

/** How a fill changes the base quantity held: a fee in base is taken off. Positive for a buy. */
export function netBaseQuantity(fill: Fill, instrument: Instrument): Units {
  const signed = fill.side === 'buy' ? fill.quantity : -fill.quantity
  return fill.feeCurrency === instrument.baseCurrency ? signed - fill.fee : signed
}
