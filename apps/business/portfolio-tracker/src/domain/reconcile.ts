/** Our ledger against the broker's balances: every currency, without tolerance. */
import { formatUnits, parseUnits, type Instrument, type Ledger, type Units } from '@jts/model'

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

/** What a person reads: both figures, and how to book the difference where money has moved without a trade. */
export function differenceText(account: string, { currency, ours, venue }: Difference): string {
  const amount = formatUnits(parseUnits(venue) - parseUnits(ours))
  return `${account} ${currency}: ledger ${ours}, broker ${venue}; if it moved without a trade: ./jts adjust ${account} ${currency} ${amount}`
}
