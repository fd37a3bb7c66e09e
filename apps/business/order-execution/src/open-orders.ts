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
  const records = rows.map(({ record }) => OrderRecord.fromText(record))
  return {
    clientOrderIds: new Set(records.flatMap((record) => record.clientOrderIds())),
    open: records.length,
    unknown: records.filter((record) => record.isUnsettled).length,
  }
}
