/** One circuit breaker a broker in each process: its account's calls and its market data fall and rise together. */
import { BrokerGuard } from '@jts/broker-kit'
import { noMetrics, type Activity, type Logger, type Metrics, type WallClock } from '@jts/runtime'
import { showBreaker } from './observe.ts'

type Parts = {
  readonly activity: Activity
  readonly wallClock: WallClock
  readonly log: Logger
  readonly metrics?: Metrics
  /** Of a process that may own several units: the one whose breaker it is. */
  readonly unit?: string
}

/** By what a process is known by: its activity. */
const guards = new WeakMap<Activity, Map<string, BrokerGuard>>()

export function guardOf(
  broker: string,
  { activity, wallClock: clock, log, metrics = noMetrics, unit }: Parts,
): BrokerGuard {
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
  showBreaker(metrics, unit === undefined ? broker : `${broker} ${unit}`, () => guard.view().state)
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

/** @param why as the broker's own service says; that it does not answer, where it says nothing */
export const breakerReason = (broker: string, why = `${broker} does not answer`): string =>
  `the breaker is open: ${why}; no order is sent to it`
