/** Compares with the venue: orders, fills, then balances, which count only when no fill came in between. */
import type { Turn } from '@jts/transport'
import type { AccountState } from './account-state.ts'
import type { FillSearch } from './fill-search.ts'
import type { OrderInquiry } from './order-inquiry.ts'
import { holdingsOf, type Holdings } from './totals.ts'

export const ATTEMPTS = 5

/**
 * The balances go on `orders.events` with the fill count, behind everything booked by then, and the portfolio tracker compares them with the ledger.
 * False when the account would not hold still.
 */
export async function reconcile(state: AccountState, inquiry: OrderInquiry, fillSearch: FillSearch): Promise<boolean> {
  const { activity, broker, store } = state.options
  // Without an opening balance every old trade would look like a foreign one.
  if (!state.opened) return false
  return activity.during(state.activityName, async () => {
    const missing = await inquiry.missingAtVenue()
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await fillSearch.everywhere()
      const before = state.bookings
      const holdings = await holdingsOf(broker)
      const readToTheEnd = await fillSearch.everywhere()
      if (!readToTheEnd || before !== state.bookings) continue
      store.transact((turn) => {
        for (const record of missing) inquiry.missed(record, turn)
        reportBalances(state, holdings, turn)
      })
      return true
    }
    return false
  })
}

/** For the portfolio tracker to compare, behind everything that is booked. */
export function reportBalances(state: AccountState, { totals, cash }: Holdings, turn: Turn): void {
  const { account, options, fillCount } = state
  const timeEventUs = options.marketClock.nowUs()
  turn.publish('orders.events', {
    type: 'BalancesReported',
    stream: account,
    account,
    correlationId: `reconciliation/${account}/${timeEventUs}`,
    causationId: '',
    timeEventUs,
    payload: { balances: totals, fillCount, cash },
  })
}
