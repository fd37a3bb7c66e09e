/** The account of a backtest: its books, its risk, what was counted, and the equity watch. Shared by all markets of a run. */
import {
  Ledger,
  RiskEngine,
  unitsToFloat,
  type AccountId,
  type Fill,
  type Instrument,
  type RiskLimits,
  type Units,
} from '@jts/model'
import type { BacktestCounts } from './backtest-options.ts'

export const BACKTEST_ACCOUNT = 'sim.backtest.main' as AccountId

export class AccountRun {
  readonly ledger = new Ledger(BACKTEST_ACCOUNT)
  readonly risk: RiskEngine
  readonly quoteCurrency: string
  readonly feeRate: Units
  readonly fills: Fill[] = []
  /** The value of each market's position at its last close. */
  readonly markets: { readonly value: number }[] = []
  readonly denials = new Map<string, { count: number; firstReason: string }>()
  readonly counts: BacktestCounts = {
    bars: 0,
    trades: 0,
    signals: 0,
    approved: 0,
    denied: 0,
    orders: 0,
    fills: 0,
    expired: 0,
    rejected: 0,
    cancelled: 0,
  }
  drawdownMax = 0
  #equityPeak: number
  #cash: number

  constructor(quoteCurrency: string, openingCash: Units, feeRate: Units, limits: RiskLimits) {
    this.quoteCurrency = quoteCurrency
    this.feeRate = feeRate
    this.ledger.open({ [quoteCurrency]: openingCash })
    this.risk = new RiskEngine(limits, { answersKept: 0 })
    this.risk.useLedger(this.ledger)
    this.#cash = this.#equityPeak = unitsToFloat(openingCash)
  }

  book(fill: Fill, instrument: Instrument): void {
    this.ledger.applyFill(fill, instrument)
    this.#cash = unitsToFloat(this.ledger.cashOf(this.quoteCurrency))
    this.fills.push(fill)
    this.counts.fills++
  }

  denied(code: string, reason: string): void {
    this.counts.denied++
    const known = this.denials.get(code)
    if (known === undefined) this.denials.set(code, { count: 1, firstReason: reason })
    else known.count++
  }

  /** The watch that runs on every bar, in float64: it reports and books nothing. */
  watchEquity(): void {
    const { markets } = this
    let equity = this.#cash
    for (let i = 0; i < markets.length; i++) equity += markets[i]!.value
    if (equity > this.#equityPeak) this.#equityPeak = equity
    else {
      const drawdown = (this.#equityPeak - equity) / this.#equityPeak
      if (drawdown > this.drawdownMax) this.drawdownMax = drawdown
    }
  }
}
