/**
 * When everything that an event has caused has come to rest, on both sides of every connection to the venue. One process
 * knows it of itself; several are asked, twice.
 */
import type { SentCounters } from '@jts/contracts/lock-step'
import type { Activity, MarketClock } from '@jts/runtime'

export type Rest = {
  /** Resolves when nothing is under way and everything that the venue says it has sent has been read and handled. */
  whenIdle(sent: SentCounters): Promise<void>
  /** Messages read on each connection to the venue, as of the last rest. */
  received(): SentCounters
  /** Market time moves on, before the next rest. */
  advanceTo(timeUs: number): void
}

export function restOf({ activity, marketClock }: { activity: Activity; marketClock: MarketClock }): Rest {
  return {
    whenIdle: (sent) => activity.whenIdle(sent),
    received: () => activity.received(),
    advanceTo: (timeUs) => marketClock.advanceTo(timeUs),
  }
}
