/** The summary of a replay, from what is on disk: the event log's counts, the ledger's figures, the fills' digest. */
import { writeFileSync } from 'node:fs'
import {
  fillLine,
  fillsDigest,
  formatUnits,
  instrumentId,
  parseUnits,
  sortedFills,
  type FillFacts,
  type Side,
  type Units,
} from '@jts/model'
import type { FillRow } from '@jts/order-execution/service'
import type { System } from './system.ts'

export type ReplaySummary = {
  readonly bars: number
  readonly signals: number
  readonly approved: number
  readonly denied: number
  readonly orders: number
  readonly fills: number
  readonly cash: string
  readonly position: string
  readonly equity: string
  readonly realisedPnl: string
  readonly fees: Readonly<Record<string, string>>
  readonly positions: Readonly<Record<string, string>>
  readonly fillsSha256: string
}

/** Money of several accounts is added up in the quote currency; `position` is the first instrument's, `positions` has all. */
export async function summarise(system: System, instruments: readonly string[], quote: string): Promise<ReplaySummary> {
  const counts = { signals: 0, approved: 0, denied: 0 }
  const orders = new Set<string>()
  for await (const event of system.log.read('strategy.signals')) {
    if (event.type !== 'StrategySignal') continue
    counts.signals++
    if (event.payload.approved) counts.approved++
    else counts.denied++
  }
  for await (const event of system.log.read('orders.events')) {
    // An order cancelled before its turn on the wire was an order all the same; one that was never allowed was not.
    const isOrder =
      event.type === 'OrderSubmitting' ||
      (event.type === 'OrderDenied' && event.payload.reasonCode === 'CANCELLED_BEFORE_SENDING')
    if (isOrder) orders.add(event.payload.terms?.ref?.orderId ?? '')
  }
  const { bars } = await system.counts()
  const facts = (await system.fills()).map(toFacts)
  const { accounts } = await system.portfolio.getCurrentPortfolio({ account: '' })
  const sum = (texts: readonly string[]): string =>
    formatUnits(texts.reduce((total, text) => total + parseUnits(text), 0n))
  const fees = new Map<string, Units>()
  for (const { currency, amount } of accounts.flatMap((account) => account.fees)) {
    fees.set(currency, (fees.get(currency) ?? 0n) + parseUnits(amount))
  }
  const positions = Object.fromEntries(
    instruments.map((id) => [
      id,
      sum(
        accounts.flatMap((account) =>
          account.positions.filter((one) => one.instrument === id).map((one) => one.quantity),
        ),
      ),
    ]),
  )
  return {
    bars,
    ...counts,
    orders: orders.size,
    fills: facts.length,
    cash: sum(
      accounts.flatMap((account) => account.cash.filter((one) => one.currency === quote).map((one) => one.amount)),
    ),
    position: positions[instruments[0]!] ?? '0',
    equity: sum(accounts.map((account) => account.equity)),
    realisedPnl: sum(accounts.map((account) => account.realisedPnl)),
    fees: Object.fromEntries(
      [...fees].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, units]) => [id, formatUnits(units)]),
    ),
    positions,
    fillsSha256: fillsDigest(facts),
  }
}

export function toFacts(row: FillRow): FillFacts {
  return {
    timeUs: row.time_us,
    instrument: instrumentId(row.instrument),
    side: row.side as Side,
    quantity: parseUnits(row.quantity),
    price: parseUnits(row.price),
    fee: parseUnits(row.fee),
    feeCurrency: row.fee_currency,
    tradeId: row.trade_id,
  }
}

/** `timeMs,instrument,side,quantity,price,fee,feeCurrency` a line, in the order of the digest, without a header. */
export function writeFills(file: string, rows: readonly FillRow[]): void {
  const lines = sortedFills(rows.map(toFacts)).map(fillLine)
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''))
}
