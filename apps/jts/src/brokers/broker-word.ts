/** What the service of a broker says of itself, as whoever asks it in this process last heard it: its light says it on. */
import type { Health } from '@jts/contracts/broker-api'
import type { Activity } from '@jts/runtime'

export type BrokerWord = {
  readonly says: readonly Readonly<Health['reasons'][number]>[]
  /** It has not answered since. */
  readonly isOld: boolean
}

/** By what a process is known by, as its breakers are. */
const words = new WeakMap<Activity, Map<string, BrokerWord>>()

/** @param health undefined: it did not answer; what it said last stands until it says otherwise, or is silent to everybody */
export function hear(activity: Activity, broker: string, health: Pick<Health, 'reasons'> | undefined): void {
  const own = words.get(activity) ?? new Map<string, BrokerWord>()
  words.set(activity, own)
  own.set(broker, { says: health?.reasons ?? own.get(broker)?.says ?? [], isOld: health === undefined })
}

export function wordOf(activity: Activity, broker: string): BrokerWord | undefined {
  return words.get(activity)?.get(broker)
}
