/** The account of a backtest: its books, its risk, what was counted, and the equity watch. Shared by all markets of a run. */
import {
  Ledger,
  RiskEngine,
  type KrxSessions,
  unitsToFloat,
  type AccountId,
  type Fill,
  type Instrument,
  type RiskLimits,
  type Units,
} from '@jts/model'
import { EquityWatch } from './equity-watch.ts'
import { FillLog } from './fill-log.ts'
import type { BacktestCounts } from './backtest-options.ts'

export const BACKTEST_ACCOUNT = 'sim.backtest.main' as AccountId

export class AccountRun {
  readonly ledger = new Ledger(BACKTEST_ACCOUNT)
  readonly risk: RiskEngine
  readonly quoteCurrency: string
  readonly fills = new FillLog()
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
  readonly watch: EquityWatch
  /** Cash that the venue holds back for open orders; the rest of it is free. */
  locked: Units = 0n

  constructor(
    quoteCurrency: string,
    openingCash: Units,
    limits: RiskLimits,
    marketCount: number,
    sessions: KrxSessions | undefined,
  ) {
    this.quoteCurrency = quoteCurrency
    this.ledger.open({ [quoteCurrency]: openingCash })
    this.risk = new RiskEngine(limits, { answersKept: 0, ...(sessions === undefined ? {} : { sessions }) })
    this.risk.useLedger(this.ledger)
    this.watch = new EquityWatch(unitsToFloat(openingCash), marketCount)
  }

  book(fill: Fill, instrument: Instrument, owner: number, order: number): void {
    this.ledger.applyFill(fill, instrument)
    this.watch.setCash(unitsToFloat(this.ledger.cashOf(this.quoteCurrency)))
    this.fills.add(owner, order, fill)
    this.counts.fills++
  }

  denied(code: string, reason: string): void {
    this.counts.denied++
    const known = this.denials.get(code)
    if (known === undefined) this.denials.set(code, { count: 1, firstReason: reason })
    else known.count++
  }
}
