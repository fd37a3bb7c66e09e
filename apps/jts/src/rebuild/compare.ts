/** Holds what the services keep against what the log says. */
import { formatUnits, type Fill, type Ledger, type LedgerPlain } from '@jts/model'
import type { AccountBooks } from './books.ts'

export type Difference = {
  /** The table and the row, as a person would look them up. */
  readonly where: string
  readonly log: string
  readonly kept: string
}

export type KeptFill = {
  readonly instrument: string
  readonly trade_id: string
  readonly order_id: string
  readonly side: string
  readonly quantity: string
  readonly price: string
  readonly fee: string
  readonly fee_currency: string
  readonly time_us: number
}
export type KeptAdjustment = { readonly adjustment_id: string; readonly currency: string; readonly amount: string }
export type KeptOrder = { readonly orderId: string; readonly status: string; readonly filled: string }

const NOTHING = 'nothing'

export function compareLedger(where: string, ledger: Ledger, kept: LedgerPlain | undefined): Difference[] {
  const [log, other] = [amountsOf(ledger.toPlain()), kept === undefined ? new Map() : amountsOf(kept)]
  return compareMaps(where, log, other)
}

export function compareFills(where: string, fills: readonly Fill[], kept: readonly KeptFill[]): Difference[] {
  const log = new Map(
    fills.map((fill) => [
      `${fill.instrument} trade ${fill.tradeId}`,
      `${fill.side} ${formatUnits(fill.quantity)} at ${formatUnits(fill.price)}, fee ${formatUnits(fill.fee)} ${fill.feeCurrency}, order ${fill.orderId}, ${fill.timeUs}`,
    ]),
  )
  const rows = new Map(
    kept.map((row) => [
      `${row.instrument} trade ${row.trade_id}`,
      `${row.side} ${row.quantity} at ${row.price}, fee ${row.fee} ${row.fee_currency}, order ${row.order_id}, ${row.time_us}`,
    ]),
  )
  return compareMaps(where, log, rows)
}

/** An approval that has not been sent is an open order to its service, and not yet one on `orders.events`. */
export function compareOpenOrders(where: string, books: AccountBooks, kept: readonly KeptOrder[]): Difference[] {
  const log = new Map([...books.open].map(([id, { status, filled }]) => [`order ${id}`, `${status}, filled ${filled}`]))
  const sent = kept.filter(({ status }) => status !== 'approved' && status !== 'initialized')
  const rows = new Map(sent.map(({ orderId, status, filled }) => [`order ${orderId}`, `${status}, filled ${filled}`]))
  return compareMaps(where, log, rows)
}

export function compareNumbers(where: string, log: number, kept: number | undefined): Difference[] {
  return log === kept ? [] : [{ where, log: String(log), kept: kept === undefined ? NOTHING : String(kept) }]
}

/** A zero says the same as nothing. */
function amountsOf(plain: LedgerPlain): Map<string, string> {
  const amounts: [string, string][] = [
    ...Object.entries(plain.cash).map(([currency, amount]): [string, string] => [`cash ${currency}`, amount]),
    ...Object.entries(plain.fees).map(([currency, amount]): [string, string] => [`fees ${currency}`, amount]),
    ...Object.entries(plain.adjusted ?? {}).map(([currency, amount]): [string, string] => [
      `adjusted ${currency}`,
      amount,
    ]),
    ...plain.positions.flatMap(({ strategy, instrument, quantity, totalCost, realisedPnl }): [string, string][] => {
      const name = `${strategy} ${instrument}`
      return [
        [`${name} quantity`, quantity],
        [`${name} total cost`, totalCost],
        [`${name} realised PnL`, realisedPnl],
      ]
    }),
  ]
  return new Map(amounts.filter(([, amount]) => amount !== '0'))
}

export function compareAdjustments(
  where: string,
  adjustments: ReadonlyMap<string, string>,
  kept: readonly KeptAdjustment[],
): Difference[] {
  const named = (entries: Iterable<readonly [string, string]>) =>
    new Map([...entries].map(([id, text]) => [`adjustment ${id}`, text]))
  const rows = kept.map((row) => [row.adjustment_id, `${row.amount} ${row.currency}`] as const)
  return compareMaps(where, named(adjustments), named(rows))
}

function compareMaps(where: string, log: ReadonlyMap<string, string>, kept: ReadonlyMap<string, string>): Difference[] {
  return [...new Set([...log.keys(), ...kept.keys()])].sort().flatMap((key) => {
    const [a, b] = [log.get(key), kept.get(key)]
    return a === b ? [] : [{ where: `${where}: ${key}`, log: a ?? NOTHING, kept: b ?? NOTHING }]
  })
}
