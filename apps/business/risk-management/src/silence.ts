/** Whom risk management listens for: each account's order execution, and the prices of its instruments. */
import type { Payload } from '@jts/contracts'
import type { AccountId, Hold, InstrumentId, RiskEngine } from '@jts/model'
import type { HeartbeatTimes, Logger, WallClock } from '@jts/runtime'
import { executionOf, Heartbeats, marketDataOf, placeOf, type Store } from '@jts/transport'

export type Listening = {
  readonly times: HeartbeatTimes
  readonly wallClock: WallClock
  readonly accounts: readonly { readonly account: AccountId; readonly instruments: readonly InstrumentId[] }[]
}

type Parts = {
  readonly store: Store
  readonly log: Logger
  /** As it is now: a restart reads another one. */
  readonly engine: () => RiskEngine
}

export function heartbeatsOf({ wallClock, times, accounts }: Listening, { store, log, engine }: Parts): Heartbeats {
  const dependants = new Map<string, AccountId[]>()
  for (const { account, instruments } of accounts) {
    const places = new Set(instruments.map(placeOf))
    for (const peer of [executionOf(account), ...[...places].map(marketDataOf)]) {
      dependants.set(peer, [...(dependants.get(peer) ?? []), account])
    }
  }
  return new Heartbeats({
    service: 'risk-management',
    store,
    wallClock,
    log,
    times,
    peers: [...dependants.keys()],
    says: () => ({ holds: holdsSaid(engine()) }),
    onMissing: (peer, reason) => {
      for (const account of dependants.get(peer)!) engine().holds.set({ ...silenceHold(account, peer), reason })
    },
    onBack: (peer) => {
      for (const account of dependants.get(peer)!) engine().holds.lift(silenceHold(account, peer))
    },
  })
}

/** For order execution, which says the trading state of its accounts. */
function holdsSaid({ holds }: RiskEngine): Payload<'Heartbeat'>['holds'] {
  return holds
    .list()
    .map(({ account, instrument = '', code, reason }) => ({ account, instrument, reasonCode: code, reason }))
}

/** What the silence has set, the first word after it lifts. */
function silenceHold(account: AccountId, peer: string): Omit<Hold, 'reason'> {
  return { account, cause: `silence of ${peer}`, code: 'HEARTBEAT_MISSING', liftedBy: 'machine' }
}
