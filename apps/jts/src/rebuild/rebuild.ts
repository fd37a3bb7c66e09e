/** Folds the ledgers, fills and open orders of a folder anew, from the archive and the log, and holds them against its tables. */
import type { LedgerPlain } from '@jts/model'
import { Books } from './books.ts'
import {
  compareAdjustments,
  compareFills,
  compareLedger,
  compareNumbers,
  compareOpenOrders,
  type Difference,
} from './compare.ts'
import type { Folder, KeptLedger } from './kept.ts'

/** A ledger as the log says it, for the row of a service that keeps another. */
export type Mended = Pick<KeptLedger, 'service' | 'unit' | 'account'> & {
  readonly ledger: LedgerPlain
  readonly fillCount: number
}

export type Rebuilt = {
  readonly events: number
  readonly accounts: number
  readonly fills: number
  readonly openOrders: number
  readonly differences: readonly Difference[]
  readonly mended: readonly Mended[]
}

/** @throws Error when an event is missing: a fold over a gap would be a number that is not true */
export async function rebuild(folder: Folder): Promise<Rebuilt> {
  const { kept } = folder
  const all = new Books()
  // Each service has its tables from where it had read to.
  const upTo = kept.ledgers.map((one) => ({ kept: one, books: new Books() }))
  let events = 0
  for await (const event of folder.events()) {
    if (event.sequence > (kept.sequences.get(event.stream) ?? 0)) continue
    events++
    all.apply(event)
    for (const one of upTo) {
      if (event.stream === one.kept.account && event.offset < one.kept.next) one.books.apply(event)
    }
  }
  for (const [account, sequence] of kept.sequences) {
    const found = all.account(account).sequence
    if (found !== sequence) {
      throw new Error(`expected orders.events of ${account} up to sequence ${sequence}, found it up to ${found}`)
    }
  }
  const differences: Difference[] = []
  const mended: Mended[] = []
  for (const { kept: row, books } of upTo) {
    const { ledger, fills } = books.account(row.account)
    const where = `${row.service}, ${row.account}`
    const found = [
      ...compareLedger(where, ledger, row.ledger),
      ...(row.fillCount === undefined ? [] : compareNumbers(`${where}: fills counted`, fills.length, row.fillCount)),
    ]
    if (found.length === 0) continue
    differences.push(...found)
    const { service, unit, account } = row
    mended.push({ service, unit, account, ledger: ledger.toPlain(), fillCount: fills.length })
  }
  for (const [id, account] of all.accounts) {
    const where = `order-execution, ${id}`
    differences.push(
      ...compareNumbers(`${where}: fills counted`, account.fills.length, kept.fillCounts.get(id)),
      ...compareFills(where, account.fills, kept.fills.get(id) ?? []),
      ...compareAdjustments(where, account.adjustments, kept.adjustments.get(id) ?? []),
      ...compareOpenOrders(where, account, kept.openOrders.get(id) ?? []),
    )
  }
  const accounts = [...all.accounts.values()]
  return {
    events,
    accounts: accounts.length,
    fills: accounts.reduce((sum, { fills }) => sum + fills.length, 0),
    openOrders: accounts.reduce((sum, { open }) => sum + open.size, 0),
    differences,
    mended,
  }
}
