/** A halt when the process that trades is dead or was ended: the row is set on its folder, so that it starts halted. */
import type { TradingState } from '@jts/model'
import type { Store } from '@jts/transport'
import { accounts, strategyStates, tradingStates } from './adapters/tables.ts'
import { standsAfter, type Halted, type Scope } from './domain/account-states.ts'

export type OfflineHalt = {
  /** Everything, or one strategy instance of the account that it trades. */
  readonly scope: Scope
  readonly state: Halted
  readonly reason: string
  readonly by: string
  readonly nowUs: number
}

/**
 * The store's bus must be plugged in. Writes the halt, and tells it on `orders.events` of each account that it is about and the
 * folder knows. Returns what stands.
 */
export async function haltOffline(store: Store, { scope, state, reason, by, nowUs }: OfflineHalt): Promise<Halted> {
  store.ensure([accounts, tradingStates, strategyStates] as never[])
  const { account, strategy } = scope
  const isOfStrategy = strategy !== ''
  const states = isOfStrategy ? await store.all(strategyStates) : await store.all(tradingStates)
  const before = states.find((row) => row.account === account && (!('strategy' in row) || row.strategy === strategy))
  const stands = standsAfter((before?.state ?? 'active') as TradingState, state)
  if (stands !== state) return stands
  const version = (before?.version ?? 0) + 1
  const known = isOfStrategy ? [{ account }] : await store.all(accounts)
  store.transact((turn) => {
    const row = { account, state, version, reason, changed_by: by }
    if (isOfStrategy) turn.put(strategyStates, { ...row, strategy })
    else turn.put(tradingStates, row)
    for (const one of known) {
      turn.publish('orders.events', {
        type: 'TradingStateChanged',
        stream: one.account,
        account: one.account,
        correlationId: `trading-state/${isOfStrategy ? `${account}/${strategy}` : 'whole'}/${version}`,
        causationId: '',
        timeEventUs: nowUs,
        payload: {
          scope: isOfStrategy ? 'strategy' : 'whole',
          strategy,
          state,
          version,
          reason,
          by,
          reasonCode: '',
        },
      })
    }
  }, 'durable')
  await store.durable()
  return state
}
