/** An account as people see it: equity, PnL and positions at the last prices. */
import type { AccountView, SettlementView } from '@jts/contracts/portfolio-api'
import { formatUnits, unitsFromFloat, type Instrument, type Ledger } from '@jts/model'

export type AccountFacts = {
  readonly ledger: Ledger
  readonly fillCount: number
  readonly reconciled: string
  readonly differences: readonly { readonly currency: string; readonly ours: string; readonly venue: string }[]
  readonly marks: ReadonlyMap<string, number>
  readonly instruments: ReadonlyMap<string, Instrument>
  /** The currency that equity is told in. */
  readonly equityCurrency: string
  readonly settlement: SettlementView | undefined
}

/** A position without a mark counts at its cost, so that equity is never told too high by a price that nobody has seen. */
export function accountView(facts: AccountFacts): AccountView {
  const { ledger, marks, equityCurrency } = facts
  let equity = ledger.cashOf(equityCurrency)
  let realised = 0n
  let unrealised = 0n
  const positions: AccountView['positions'] = []
  for (const { strategy, instrument, position } of ledger.positions()) {
    const mark = marks.get(instrument)
    const open = mark === undefined ? 0n : ledger.unrealisedPnl(strategy, instrument, unitsFromFloat(mark))
    if (facts.instruments.get(instrument)?.quoteCurrency === equityCurrency) {
      equity += position.totalCost + open
      realised += position.realisedPnl
      unrealised += open
    }
    positions.push({
      account: ledger.account,
      strategy,
      instrument,
      quantity: formatUnits(position.quantity),
      totalCost: formatUnits(position.totalCost),
      markPrice: mark === undefined ? '' : formatUnits(unitsFromFloat(mark)),
      unrealisedPnl: formatUnits(open),
      realisedPnl: formatUnits(position.realisedPnl),
    })
  }
  const amounts = (map: ReadonlyMap<string, bigint>) =>
    [...map].map(([currency, units]) => ({ currency, amount: formatUnits(units) }))
  return {
    account: ledger.account,
    cash: amounts(ledger.cash),
    fees: amounts(ledger.fees),
    positions,
    equity: formatUnits(equity),
    equityCurrency,
    realisedPnl: formatUnits(realised),
    unrealisedPnl: formatUnits(unrealised),
    reconciled: facts.reconciled,
    fillCount: facts.fillCount,
    differences: facts.differences.map((one) => ({ ...one })),
    settlements: facts.settlement === undefined ? [] : [facts.settlement],
  }
}
