/** The figures of a backtest as they are printed: counts as numbers, amounts as text in their shortest form. */
import { fillsDigest, formatUnits, type Units } from '@jts/model'
import { FILL_MODEL } from '@jts/matching'
import type { BacktestResult } from './backtest-options.ts'

export type BacktestSummary = {
  readonly strategy: string
  readonly parameters: Readonly<Record<string, string>>
  readonly bars: number
  /** The first bars of each recording, on which nothing could be ordered; absent where there are none. */
  readonly warmUpBars?: number
  readonly trades: number
  readonly signals: number
  readonly approved: number
  readonly denied: number
  readonly orders: number
  readonly fills: number
  readonly expired: number
  readonly cash: string
  /** Quantity held: of the one instrument, or of the first where there are several (`positions` has all). */
  readonly position: string
  readonly positions: Readonly<Record<string, string>>
  readonly equity: string
  /** Net of every fee. */
  readonly realisedPnl: string
  readonly fees: Readonly<Record<string, string>>
  readonly quoteCurrency: string
  readonly drawdownMax: number
  readonly fillModel: string
  readonly slippageBps: number
  readonly durationMs: number
  readonly fillsSha256: string
}

export function summarise(result: BacktestResult): BacktestSummary {
  const { ledger, counts, quoteCurrency } = result
  const positions = Object.fromEntries(result.instruments.map(({ id }) => [id, formatUnits(ledger.quantityOf(id))]))
  return {
    strategy: result.strategy,
    parameters: result.parameters,
    bars: counts.bars,
    ...(result.warmUpBars === 0 ? {} : { warmUpBars: result.warmUpBars }),
    trades: counts.trades,
    signals: counts.signals,
    approved: counts.approved,
    denied: counts.denied,
    orders: counts.orders,
    fills: counts.fills,
    expired: counts.expired,
    cash: formatUnits(ledger.cashOf(quoteCurrency)),
    position: positions[result.instruments[0]!.id]!,
    positions,
    equity: formatUnits(ledger.equity(quoteCurrency, result.lastPrices)),
    realisedPnl: formatUnits(ledger.realisedPnl(quoteCurrency)),
    fees: plainAmounts(ledger.fees),
    quoteCurrency,
    drawdownMax: result.drawdownMax,
    fillModel: FILL_MODEL,
    slippageBps: result.slippageBps,
    durationMs: result.durationMs,
    fillsSha256: fillsDigest(result.fills),
  }
}

function plainAmounts(amounts: ReadonlyMap<string, Units>): Record<string, string> {
  return Object.fromEntries([...amounts].map(([currency, units]) => [currency, formatUnits(units)]))
}
