/** An account at a broker: what opens it, and its port with its life. */
import type { BrokerPort } from '@jts/broker-kit'
import type { AccountId } from '@jts/model'

export type BrokerAccount = { readonly account: AccountId; readonly apiKey: string; readonly apiSecret: string }
export type ManagedBroker = BrokerPort & {
  start(): Promise<void>
  stop(): Promise<void>
  /** Where its service is a process of its own: what waits there and was decided under an older trading state is not sent any more. */
  refuseOlder?(tradingStateVersion: number): Promise<void>
}
