import type { Balance } from '@jts/broker-kit'
import { formatUnits } from '@jts/model'

/** What an account holds of each currency, free or not, as an event says it. */
export function totals(balances: readonly Balance[]): { currency: string; amount: string }[] {
  return balances
    .map(({ currency, free, locked }) => ({ currency, units: free + locked }))
    .filter(({ units }) => units !== 0n)
    .sort((a, b) => (a.currency < b.currency ? -1 : 1))
    .map(({ currency, units }) => ({ currency, amount: formatUnits(units) }))
}
