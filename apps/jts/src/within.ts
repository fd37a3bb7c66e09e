/** A bound on how long somebody waits for an answer. The work itself goes on. */
import { RpcError } from '@jts/contracts'

/** @throws RpcError UNAVAILABLE when the answer comes later */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new RpcError('UNAVAILABLE', `no answer within ${ms / 1000} s`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
