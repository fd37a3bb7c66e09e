/** Cancels at a broker what a halt cancels, where order execution cannot: our own orders and, where the account says so, adopted ones. */
import { randomUUID } from 'node:crypto'
import type { BrokerPort } from '@jts/broker-kit'
import type { ClientOrderId } from '@jts/model'
import { systemClock } from '@jts/runtime'

export type CancelCounts = { readonly cancelled: number; readonly open: number }

export type OpenOrders = {
  readonly broker: Pick<BrokerPort, 'openOrders' | 'cancelOrder' | 'clockOffsetUs'>
  /** Client order ids of our orders, as they are on disk. */
  readonly ours: ReadonlySet<string>
  /** Orders of others are treated as ours. */
  readonly adopts: boolean
}

const SEND_WINDOW_US = 5_000_000

/** @throws Error when the broker does not say what is open */
export async function cancelOpen({ broker, ours, adopts }: OpenOrders): Promise<CancelCounts> {
  const counts = { cancelled: 0, open: 0 }
  for (const { instrument, clientOrderId } of await broker.openOrders()) {
    if (!adopts && !ours.has(clientOrderId)) continue
    const intentTimeUs = systemClock.nowUs() + broker.clockOffsetUs()
    const cancelId = randomUUID() as string as ClientOrderId
    const sendBeforeUs = intentTimeUs + SEND_WINDOW_US
    const isCancelled = await broker
      .cancelOrder({ instrument, clientOrderId, cancelId, intentTimeUs, sendBeforeUs })
      .then(({ kind }) => kind === 'cancelled')
      .catch(() => false)
    if (isCancelled) counts.cancelled++
    else counts.open++
  }
  return counts
}
