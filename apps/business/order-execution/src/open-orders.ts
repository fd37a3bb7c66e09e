/** What order execution has open, as its rows say it: for a halt while nobody can be asked. */
import { isStoppedIn } from './domain/account-states.ts'
import { OrderRecord } from './domain/order-record.ts'

export { ordersOpen, strategyStates, tradingStates } from './adapters/tables.ts'

/** Which orders are asked about: those that a halt of everything, of an account or of one strategy stops. */
export type Halt = { readonly strategy: string; readonly state: 'halted' | 'reducing' }

export const HALT_OF_ALL: Halt = { strategy: '', state: 'halted' }

/** Only then adopted orders of others are cancelled, too: they belong to no strategy, and a person has made them. */
export function isOfAll({ strategy, state }: Halt): boolean {
  return strategy === '' && state === 'halted'
}

export type OpenOnDisk = {
  /** Every client order id under which one of them was, or may have been, sent. */
  readonly clientOrderIds: ReadonlySet<string>
  readonly open: number
  /** Of these, without an answer of the venue. */
  readonly unknown: number
  /** The last moment at which one of these may be written to the wire, by the clock of its broker; 0 without any. */
  readonly sendBeforeUs: number
  /** The newest trading state that one of these was decided under. */
  readonly decidedUnder: number | undefined
}

export function openOnDisk(
  rows: readonly { readonly record: string }[],
  { strategy, state }: Halt = HALT_OF_ALL,
): OpenOnDisk {
  const isMeant = (record: OrderRecord | undefined): boolean =>
    record === undefined ||
    ((strategy === '' || record.terms.strategy === strategy) && isStoppedIn(state, record.terms.side))
  const records = rows.map(({ record }) => read(record)).filter(isMeant)
  const unsettled = records.filter((record) => record?.isUnsettled ?? true)
  const versions = unsettled.flatMap((record) => record?.request?.tradingStateVersion ?? [])
  return {
    clientOrderIds: new Set(records.flatMap((record) => record?.clientOrderIds() ?? [])),
    open: records.length,
    unknown: unsettled.length,
    sendBeforeUs: Math.max(0, ...unsettled.map(sendBeforeUsOf)),
    decidedUnder: versions.length === 0 ? undefined : Math.max(...versions),
  }
}

function sendBeforeUsOf(record: OrderRecord | undefined): number {
  return record === undefined ? Infinity : (record.request?.sendBeforeUs ?? 0)
}

/** A halt is not to fail at a row that this version cannot read: its order counts as open and unknown. */
function read(record: string): OrderRecord | undefined {
  try {
    return OrderRecord.fromText(record)
  } catch {
    return undefined
  }
}
