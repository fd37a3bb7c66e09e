/** A service that does not answer must not hold a request for ever. */
import { systemClock } from '@jts/runtime'
import { GatewayError } from './problems.ts'

export async function withDeadline<T>(what: string, timeoutMs: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = systemClock.after(timeoutMs, () => {
    const facts = { expected: `an answer within ${timeoutMs} ms`, found: 'none' }
    reject(new GatewayError('TIMEOUT', `${what} did not answer; whether it took effect is not known`, facts))
  })
  try {
    return await Promise.race([work, promise])
  } finally {
    timer.cancel()
  }
}
