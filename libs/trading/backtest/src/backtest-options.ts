/** What a backtest is given and what it gives back. */
import type { Fill, Instrument, InstrumentId, Ledger, RecordedMarket, RiskLimits, Units } from '@jts/model'
import type { AnyStrategy, ParametersGiven } from '@jts/strategy-kit'

export type BacktestOptions = {
  readonly strategy: AnyStrategy
  readonly parameters?: ParametersGiven
  /** One strategy instance runs on each; all share the account. */
  readonly markets: readonly RecordedMarket[]
  /** A stopwatch in ms, such as `performance.now`; it decides nothing. */
  readonly nowMs: () => number
  /** Opening cash in the quote currency, decimal text; 100000 when not given. */
  readonly cash?: string
  /** Decimal text: the share of what is received (0.001), or a Korean broker's commission (0.00015), taxes apart. */
  readonly feeRate?: string
  readonly slippageBps?: number
  readonly limits?: RiskLimits
  /** Filters other than the shipped ones. */
  readonly instruments?: readonly Instrument[]
  readonly log?: (message: string) => void
  /** Called now and then with the events released so far and their total (for bars: bars). */
  readonly onProgress?: (done: number, total: number) => void
}

export type BacktestCounts = {
  bars: number
  trades: number
  signals: number
  approved: number
  denied: number
  orders: number
  fills: number
  expired: number
  rejected: number
  cancelled: number
}

export type BacktestResult = {
  readonly strategy: string
  readonly parameters: Readonly<Record<string, string>>
  readonly instruments: readonly Instrument[]
  readonly inputs: readonly { readonly file: string; readonly sha256: string; readonly gaps: number }[]
  readonly counts: Readonly<BacktestCounts>
  /** The first bars of each recording, on which nothing could be ordered. */
  readonly warmUpBars: number
  /** Denials by their code, with the first reason given. */
  readonly denials: ReadonlyMap<string, { readonly count: number; readonly firstReason: string }>
  readonly fills: readonly Fill[]
  readonly ledger: Ledger
  readonly quoteCurrency: string
  readonly openingCash: Units
  readonly lastPrices: ReadonlyMap<InstrumentId, number>
  /** Largest fall of equity from its highest point so far, as a share; float64, seen at each close. */
  readonly drawdownMax: number
  readonly slippageBps: number
  readonly feeRate: string
  readonly durationMs: number
}
