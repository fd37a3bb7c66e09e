/** Our ledger against the broker's balances: every currency, without tolerance. */
import { formatUnits, type Instrument, type Ledger, type Units } from '@jts/model'

export type Difference = { readonly currency: string; readonly ours: string; readonly venue: string }

/** What our ledger says the account holds of each currency: its cash, and the base of its positions. */
export function holdings(ledger: Ledger, instruments: ReadonlyMap<string, Instrument>): Map<string, Units> {
  const held = new Map(ledger.cash)
  for (const { instrument, position } of ledger.positions()) {
    if (position.quantity === 0n) continue
    const base = instruments.get(instrument)?.baseCurrency
    if (base === undefined) throw new Error(`expected the instrument of a position to be known, found ${instrument}`)
    held.set(base, (held.get(base) ?? 0n) + position.quantity)
  }
  return held
}

export function compareBalances(
  ours: ReadonlyMap<string, Units>,
  venue: ReadonlyMap<string, Units>,
): readonly Difference[] {
  const differences: Difference[] = []
  for (const currency of [...new Set([...ours.keys(), ...venue.keys()])].sort()) {
    const mine = ours.get(currency) ?? 0n
    const theirs = venue.get(currency) ?? 0n
    if (mine !== theirs) differences.push({ currency, ours: formatUnits(mine), venue: formatUnits(theirs) })
  }
  return differences
}
