/** Asks the venue for one order by our id. */
import type { QueryOutcome } from '@jts/broker-kit'
import type { OrderRecord } from '../domain/order-record.ts'
import type { AccountState } from './account-state.ts'

/** A venue that cannot be asked is an answer too: each asker has its own way to wait. */
export async function queryOrder({ options }: AccountState, record: OrderRecord): Promise<QueryOutcome> {
  try {
    return await options.broker.queryOrder({
      instrument: record.terms.instrument,
      clientOrderId: record.request!.clientOrderId,
    })
  } catch (error) {
    return { kind: 'failed', message: (error as Error).message }
  }
}
