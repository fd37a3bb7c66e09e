/** An account as people see it: equity, PnL and positions at the last prices. */
import type { AccountView, SettlementView } from '@jts/contracts/portfolio-api'
import { divide, formatUnits, multiplyUnits, ONE, unitsFromFloat, type Instrument, type Ledger } from '@jts/model'
import { holdings } from './reconcile.ts'

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
  equity += takenFromPositions(facts)
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
    holdings: amounts(holdings(ledger, facts.instruments)),
    adjusted: amounts(ledger.adjusted),
  }
}

/**
 * What has left the account without a trade although a position still counts it: less than nothing of its base is unassigned.
 * Told at the position's mark or, without one, at its cost.
 */
function takenFromPositions({ ledger, marks, instruments, equityCurrency }: AccountFacts): bigint {
  const bases = new Set<string>()
  let taken = 0n
  for (const { instrument, position } of ledger.positions()) {
    const { baseCurrency, quoteCurrency } = instruments.get(instrument)!
    const missing = ledger.cashOf(baseCurrency)
    if (quoteCurrency !== equityCurrency || position.quantity <= 0n || missing >= 0n || bases.has(baseCurrency))
      continue
    bases.add(baseCurrency)
    const mark = marks.get(instrument)
    const price =
      mark === undefined ? divide(position.totalCost * ONE, position.quantity, 'half-even') : unitsFromFloat(mark)
    taken += multiplyUnits(missing, price, 'half-even')
  }
  return taken
}
