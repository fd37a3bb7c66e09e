/** A halt when the process that trades is dead or was ended: the row is set on its folder, so that it starts halted. */
import type { Store } from '@jts/transport'
import { accounts, tradingStates } from './adapters/tables.ts'

/** The store's bus must be plugged in. Writes the halt of everything, and tells it on `orders.events` of each account that the folder knows. */
export async function haltOffline(
  store: Store,
  halt: { readonly reason: string; readonly by: string; readonly nowUs: number },
): Promise<void> {
  store.ensure([accounts, tradingStates] as never[])
  const before = (await store.all(tradingStates)).find((row) => row.account === '')
  const version = (before?.version ?? 0) + 1
  const known = await store.all(accounts)
  store.transact((turn) => {
    turn.put(tradingStates, { account: '', state: 'halted', version, reason: halt.reason, changed_by: halt.by })
    for (const { account } of known) {
      turn.publish('orders.events', {
        type: 'TradingStateChanged',
        stream: account,
        account,
        correlationId: `trading-state/whole/${version}`,
        causationId: '',
        timeEventUs: halt.nowUs,
        payload: {
          scope: 'whole',
          strategy: '',
          state: 'halted',
          version,
          reason: halt.reason,
          by: halt.by,
          reasonCode: '',
        },
      })
    }
  }, 'durable')
  await store.durable()
}
