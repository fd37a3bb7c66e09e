/**
 * A broker that is away, or whose rate limit is used up, is waited for: what it was asked for has not failed. After so many waits
 * it may have all the same.
 */
import { BrokerError } from '@jts/broker-kit'
import type { WallClock } from '@jts/runtime'

export type Waiting = {
  readonly wallClock: WallClock
  readonly signal?: AbortSignal | undefined
  /** Why it is waited; empty when the broker is back. */
  readonly onWaiting?: ((reason: string) => void) | undefined
}

/** Doubled up to the second: a service that is being started again is soon back. In all some ten minutes. */
const AWAY_MS = { first: 1000, most: 10_000 }
const AWAY_WAITS = 60
/** In process, over the Broker API, and the venue's own word. */
const PASSING: ReadonlySet<string> = new Set(['BROKER_UNAVAILABLE', 'RATE_BUDGET', 'RATE_LIMITED', 'RATE_LIMIT'])
/** Longer than the longest window that an answer is refused for, a minute; what is stated beyond that is asked for in between. */
const RETRY_AFTER_MAX_MS = 70_000

/** Asks again until the broker is there. @throws what it answered, or that it is away still, or that the run has ended */
export async function whenNotAway<T>(ask: () => Promise<T>, { wallClock, signal, onWaiting }: Waiting): Promise<T> {
  for (let waits = 0; ; waits++) {
    try {
      const answer = await ask()
      if (waits > 0) onWaiting?.('')
      return answer
    } catch (error) {
      const isAway = error instanceof BrokerError && PASSING.has(error.code)
      if (!isAway || waits >= AWAY_WAITS || signal?.aborted === true) throw error
      onWaiting?.(error.message)
      const pauseMs = Math.min(AWAY_MS.first * 2 ** waits, AWAY_MS.most)
      await pause(Math.max(pauseMs, Math.min(error.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS)), wallClock, signal)
    }
  }
}

/** Ends at once when the run does. */
export function pause(ms: number, wallClock: WallClock, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = wallClock.after(ms, resolve)
    signal?.addEventListener('abort', () => {
      timer.cancel()
      resolve()
    })
  })
}
