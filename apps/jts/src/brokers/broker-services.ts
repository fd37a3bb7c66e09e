/** A broker whose service is a process of its own, behind the ports: its client, which follows the service where it goes. */
import { CAPABILITY_TABLE, type Capabilities } from '@jts/broker-kit'
import { BrokerApiClient } from '@jts/api-client'
import type { AccountId } from '@jts/model'
import type { Activity, Logger, Metrics, WallClock } from '@jts/runtime'
import { guardOf } from '../broker-guards.ts'
import type { MarketData } from './joined.ts'
import type { ManagedBroker } from './managed-broker.ts'

/** The broker services of a distributed run. */
export type BrokerServices = {
  /** What signs the calls to them. */
  readonly key: { readonly id: string; readonly secret: string }
  /** Where an account's service answers now; without an account, the market data. @throws BrokerError while it is nowhere */
  locate(account: AccountId | undefined): Promise<string>
}

type Parts = {
  readonly activity: Activity
  readonly wallClock: WallClock
  readonly log: Logger
  readonly services: BrokerServices
  readonly leaseEpoch?: (() => number) | undefined
  readonly metrics?: Metrics
  readonly unit?: string
  /** A replay waits for its venue by the conductor; a breaker would only make two runs differ. */
  readonly isGuarded: boolean
}

/** Nobody's address: the service is asked for before the first call. */
const NOWHERE = 'http://127.0.0.1:9'
/** The service says this often that it is there (`HEARTBEAT_MS`), and after three silent times it is looked for elsewhere. */
export const HEARTBEAT_MS = 1000
const STREAM_TIMINGS = { silenceMs: 3 * HEARTBEAT_MS, backoffMinMs: 50, backoffMaxMs: 1000 }

export function createApartBroker(broker: string, account: AccountId, parts: Parts): ManagedBroker {
  const client = clientOf(broker, account, parts)
  const own = {
    start: () => client.start(),
    stop: () => client.stop(),
    refuseOlder: (version: number) => client.refuseOlder(version),
  }
  return parts.isGuarded ? { ...guardOf(broker, parts).guardBroker(client), ...own } : client
}

export function createApartMarketData(broker: string, parts: Parts): MarketData {
  const client = clientOf(broker, undefined, parts)
  const life = { start: () => client.start(), stop: () => client.stop() }
  return parts.isGuarded ? { ...guardOf(broker, parts).guardMarket(client), ...life } : client
}

/** Until a service has said what it can: the broker's documentation. */
export function documentedCapabilities(broker: string): Capabilities {
  const { asOf: _asOf, leftOut: _leftOut, ...documented } = CAPABILITY_TABLE[broker]!
  return { broker, ...documented }
}

function clientOf(broker: string, account: AccountId | undefined, parts: Parts): BrokerApiClient {
  const { activity, wallClock, log, services, leaseEpoch } = parts
  return new BrokerApiClient({
    baseUrl: NOWHERE,
    locate: () => services.locate(account),
    key: services.key,
    broker,
    capabilities: documentedCapabilities(broker),
    ...(account === undefined ? {} : { account }),
    ...(leaseEpoch === undefined ? {} : { leaseEpoch }),
    wallClock,
    activity,
    log: log.child({ service: `${broker}-service`, ...(account === undefined ? {} : { account }) }),
    streamTimings: STREAM_TIMINGS,
  })
}

/** What waits for Binance, of what a process says it waits for: the light of its service is red because of it, and no other. */
export function isOfBinance(participant: string): boolean {
  return participant.startsWith('binance')
}
