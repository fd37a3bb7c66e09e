/** The lock-step account of requests. */
import type { Activity } from '@jts/runtime'

export const PARTICIPANT = 'binance-service'

/**
 * Runs a request as activity. It ends in a turn of its own, after every consumer of the promise has run and entered the
 * work that follows from the answer; otherwise the process would look idle between the two.
 */
export function tracked<T>(activity: Activity | undefined, work: () => Promise<T>): Promise<T> {
  if (activity === undefined) return work()
  activity.enter(PARTICIPANT)
  const answer = work()
  const leave = (): void => void setImmediate(() => activity.leave(PARTICIPANT))
  answer.then(leave, leave)
  return answer
}
