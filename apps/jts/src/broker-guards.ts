/** One circuit breaker a broker in each process: its account's calls and its market data fall and rise together. */
import { BrokerGuard } from '@jts/broker-kit'
import type { Activity, Logger, WallClock } from '@jts/runtime'

type Parts = { readonly activity: Activity; readonly wallClock: WallClock; readonly log: Logger }

/** By what a process is known by: its activity. */
const guards = new WeakMap<Activity, Map<string, BrokerGuard>>()

export function guardOf(broker: string, { activity, wallClock: clock, log }: Parts): BrokerGuard {
  const own = guards.get(activity) ?? new Map<string, BrokerGuard>()
  guards.set(activity, own)
  const known = own.get(broker)
  if (known !== undefined) return known
  const participant = breakerOf(broker)
  const guard = new BrokerGuard({
    broker,
    clock,
    onChange({ state, reason }) {
      if (state === 'closed') activity.present(participant)
      else activity.absent(participant)
      log.warn({ broker, state, reason }, 'the breaker of a broker has changed')
    },
  })
  own.set(broker, guard)
  return guard
}

const SUFFIX = ' breaker'
/** Its name among what a process waits for, while it is not closed. */
export const breakerOf = (broker: string): string => `${broker}${SUFFIX}`

/** The brokers whose breaker is not closed, of what a process says it waits for. */
export function openBreakers(absent: readonly string[]): string[] {
  return [...new Set(absent.filter((one) => one.endsWith(SUFFIX)).map((one) => one.slice(0, -SUFFIX.length)))]
}

export const breakerReason = (broker: string): string =>
  `the breaker is open: ${broker} does not answer; no order is sent to it`
