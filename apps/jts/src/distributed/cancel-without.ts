/**
 * Cancels what a halt cancels for an order execution that does not answer. What that one has decided may still wait at the broker
 * service: it is refused there, and its time to be sent is over, before anybody looks for what is open.
 */
import { isOfAll, type Halt, type OpenOnDisk } from '@jts/order-execution/open-orders'
import type { Logger, WallClock } from '@jts/runtime'
import type { ManagedBroker } from '../brokers/managed-broker.ts'
import { cancelOpen, untilSent, type CancelCounts } from '../cancel-open.ts'
import { within } from '../within.ts'

export type CancelledWithout = CancelCounts & {
  /** Without an answer of the venue, as the rows say it. */
  readonly unknown: number
  /** Why the broker could not be asked, and the counts are what the rows say. */
  readonly unasked?: string
}

/** With what stands: a halt that only reduces opens nothing that its unit has as halted. */
export type HaltedWithout = CancelledWithout & { readonly state: string }

export type CancelWithoutOptions = {
  readonly broker: Pick<ManagedBroker, 'openOrders' | 'cancelOrder' | 'clockOffsetUs' | 'refuseOlder'>
  readonly halt: Halt
  /** What the account has open of what the halt is about, as its rows say it now. */
  readonly openInRows: () => Promise<OpenOnDisk>
  /** Orders of others are treated as ours. */
  readonly adopts: boolean
  readonly wallClock: WallClock
  readonly log: Logger
}

/** With the wait, inside the time that a person waits for the answer. */
const BROKER_WITHIN_MS = 3000

/** @throws Error when the rows could not be read */
export async function cancelWithout(options: CancelWithoutOptions): Promise<CancelledWithout> {
  const { broker, halt, openInRows, adopts, wallClock } = options
  const before = await openInRows()
  // A halt of less is said by no gate: what else waits may be sent.
  if (isOfAll(halt) && before.decidedUnder !== undefined) void refuse(options, before.decidedUnder)
  await untilSent(before, { broker, wallClock })
  // It may have heard of the halt meanwhile, and gone on.
  const { clientOrderIds: ours, open, unknown } = await openInRows()
  try {
    return { ...(await within(BROKER_WITHIN_MS, cancelOpen({ broker, ours, adopts }))), unknown }
  } catch (error) {
    return { cancelled: 0, open, unknown, unasked: (error as Error).message }
  }
}

/** Its time is waited for as well: whether this was heard changes nothing but how soon nothing is sent. */
async function refuse({ broker, log }: CancelWithoutOptions, decidedUnder: number): Promise<void> {
  try {
    await broker.refuseOlder?.(decidedUnder + 1)
  } catch (error) {
    log.warn({ err: error }, 'the broker service does not hear that what waits there is not to be sent')
  }
}
