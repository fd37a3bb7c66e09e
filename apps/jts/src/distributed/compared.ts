/** A comparison with the broker as a unit's host answers it. */
import { BrokerError } from '@jts/broker-kit'
import { RpcError } from '@jts/contracts'
import type { ReconcileRequest, ReconcileResponse } from '@jts/contracts/host-api'
import type { AccountId } from '@jts/model'
import type { Hosted } from './hosted.ts'

/** @throws RpcError UNAVAILABLE when the broker does not answer now, or has no room for the question: who compares asks again. */
export async function compared(
  { reconcile }: Pick<Hosted, 'reconcile'>,
  service: string,
  { account }: ReconcileRequest,
): Promise<ReconcileResponse> {
  if (reconcile === undefined) throw new RpcError('UNIMPLEMENTED', `${service} compares nothing with a broker`)
  try {
    return { settled: await reconcile(account as AccountId) }
  } catch (error) {
    if (error instanceof BrokerError)
      throw new RpcError('UNAVAILABLE', `${account}: ${error.message}`, { cause: error })
    throw error
  }
}
