/** Cancels at a broker what a halt cancels, where order execution cannot: our own orders and, where the account says so, adopted ones. */
import { randomUUID } from 'node:crypto'
import type { BrokerPort } from '@jts/broker-kit'
import type { ClientOrderId } from '@jts/model'
import type { OpenOnDisk } from '@jts/order-execution/open-orders'
import { systemClock, type WallClock } from '@jts/runtime'

export type CancelCounts = { readonly cancelled: number; readonly open: number }

export type OpenOrders = {
  readonly broker: Pick<BrokerPort, 'openOrders' | 'cancelOrder' | 'clockOffsetUs'>
  /** Client order ids of our orders, as they are on disk. */
  readonly ours: ReadonlySet<string>
  /** Orders of others are treated as ours. */
  readonly adopts: boolean
}

const SEND_WINDOW_US = 5_000_000
/** Of a request that may still be sent. A row that nobody can read, or of a replay, may say any time. */
const SENT_WITHIN_MS = 2000
/** What the venue's clock may be behind what we believe of it. */
const CLOCK_ERROR_MS = 250

/** What was decided before a halt may wait at a broker service, or be on its way: nobody looks for what is open before its time is over. */
export async function untilSent(
  left: Pick<OpenOnDisk, 'sendBeforeUs'> | undefined,
  { broker, wallClock }: { readonly broker: Pick<BrokerPort, 'clockOffsetUs'>; readonly wallClock: WallClock },
): Promise<void> {
  const timeUs = (left?.sendBeforeUs ?? 0) - broker.clockOffsetUs()
  const ms = Math.min(SENT_WITHIN_MS, (timeUs - wallClock.nowUs()) / 1000) + CLOCK_ERROR_MS
  if (ms > 0) await new Promise<void>((resolve) => wallClock.after(Math.ceil(ms), resolve))
}

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
