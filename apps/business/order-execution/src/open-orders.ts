/** What order execution has open, as its rows say it: for a halt while nobody can be asked. */
import { OrderRecord } from './domain/order-record.ts'

export { ordersOpen } from './adapters/tables.ts'

export type OpenOnDisk = {
  /** Every client order id under which one of them was, or may have been, sent. */
  readonly clientOrderIds: ReadonlySet<string>
  readonly open: number
  /** Of these, without an answer of the venue. */
  readonly unknown: number
}

export function openOnDisk(rows: readonly { readonly record: string }[]): OpenOnDisk {
  const records = rows.map(({ record }) => read(record))
  return {
    clientOrderIds: new Set(records.flatMap((record) => record?.clientOrderIds() ?? [])),
    open: records.length,
    unknown: records.filter((record) => record?.isUnsettled ?? true).length,
  }
}

/** A halt is not to fail at a row that this version cannot read: its order counts as open and unknown. */
function read(record: string): OrderRecord | undefined {
  try {
    return OrderRecord.fromText(record)
  } catch {
    return undefined
  }
}
