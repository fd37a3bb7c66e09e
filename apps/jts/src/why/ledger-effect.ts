/** What a fill did to its account: cash, the position and the realised PnL before and after it. */
import { fillOfEvent, type BusEvent, type BusEventOf } from '@jts/contracts'
import { formatUnits } from '@jts/model'
import type { Books } from '../rebuild/books.ts'

type Change = { readonly before: string; readonly after: string }
export type LedgerEffect = {
  readonly cash: Readonly<Record<string, Change>>
  readonly position: Change
  readonly totalCost: Change
  readonly realisedPnl: Change
}

/** Books the fill. */
export function ledgerEffect(
  books: Books,
  event: BusEvent & (BusEventOf<'OrderFilled'> | BusEventOf<'ForeignFill'>),
): LedgerEffect {
  const { strategy, instrument } = fillOfEvent(event)
  const { ledger } = books.account(event.stream)
  const look = () => {
    const { quantity, totalCost, realisedPnl } = ledger.position(strategy, instrument)
    return { cash: new Map(ledger.cash), quantity, totalCost, realisedPnl }
  }
  const before = look()
  books.apply(event)
  const after = look()
  const change = (a: bigint, b: bigint): Change => ({ before: formatUnits(a), after: formatUnits(b) })
  const currencies = [...after.cash.keys()].filter((one) => after.cash.get(one) !== before.cash.get(one))
  return {
    cash: Object.fromEntries(
      currencies.map((one) => [one, change(before.cash.get(one) ?? 0n, after.cash.get(one) ?? 0n)]),
    ),
    position: change(before.quantity, after.quantity),
    totalCost: change(before.totalCost, after.totalCost),
    realisedPnl: change(before.realisedPnl, after.realisedPnl),
  }
}
