/** Creon behind the ports: the client of its broker service, which runs on Windows or, in sim, beside us with a simulated COM. */
import { CreonApiClient } from '@jts/api-client'
import type { AccountId } from '@jts/model'
import type { Health } from '@jts/contracts/broker-api'
import { noMetrics, type Activity, type Logger, type Metrics, type WallClock } from '@jts/runtime'
import { guardOf } from '../broker-guards.ts'
import { showRateBudgets } from '../observe.ts'
import { hear } from './broker-word.ts'
import { documentedCapabilities } from './broker-services.ts'
import type { MarketData } from './joined.ts'
import type { BrokerAccount, ManagedBroker } from './managed-broker.ts'

/** Its light, and the beginning of what is waited for there. */
export const CREON_LIGHT = 'creon-service'

export type CreonAddress = { readonly host: string; readonly port: number }

type Parts = {
  readonly activity: Activity
  readonly wallClock: WallClock
  readonly log: Logger
  readonly leaseEpoch?: (() => number) | undefined
  readonly metrics?: Metrics
  readonly unit?: string
}

export function createCreonMarketData(address: CreonAddress, key: BrokerAccount, parts: Parts): MarketData {
  const client = clientOf(address, key, parts)
  return { ...guardOf('creon', parts).guardMarket(client), start: () => client.start(), stop: () => client.stop() }
}

export function createCreonBroker(address: CreonAddress, key: BrokerAccount, parts: Parts): ManagedBroker {
  let limits: Health['limits'] = []
  const client = clientOf(address, key, parts, { account: key.account, onLimits: (told) => (limits = told) })
  // Two of them are of 15 s and count requests: their names tell them apart.
  const windowOf = ({ name, windowUs }: Health['limits'][number]): string => `${name}/${windowUs / 1_000_000}s`
  showRateBudgets(parts.metrics ?? noMetrics, key.account, () => limits, windowOf)
  return {
    ...guardOf('creon', parts).guardBroker(client),
    start: () => client.start(),
    stop: () => client.stop(),
    refuseOlder: (version) => client.refuseOlder(version),
  }
}

function clientOf(
  { host, port }: CreonAddress,
  { apiKey, apiSecret }: BrokerAccount,
  { activity, wallClock, log, leaseEpoch }: Parts,
  of: { readonly account?: AccountId; readonly onLimits?: (limits: Health['limits']) => void } = {},
): CreonApiClient {
  const { account, onLimits } = of
  return new CreonApiClient({
    windowsHost: host,
    port,
    key: { id: apiKey, secret: apiSecret },
    ...(account === undefined ? {} : { account }),
    capabilities: documentedCapabilities('creon'),
    ...(leaseEpoch === undefined ? {} : { leaseEpoch }),
    wallClock,
    activity,
    onHealth(health) {
      hear(activity, 'creon', health)
      onLimits?.(health?.limits ?? [])
    },
    log: log.child({ service: 'creon-service', ...(account === undefined ? {} : { account }) }),
  })
}

/** What waits for Creon, of what a process says it waits for: no other light is red because of it. */
export function isOfCreon(participant: string): boolean {
  return participant.startsWith('creon') || participant.includes('.creon.')
}
