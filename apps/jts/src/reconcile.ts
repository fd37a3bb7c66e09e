/** At the end of a replay: the venue's own account, open orders and trades against ours, in every balance and fill. */
import { formatUnits, type AccountId, type InstrumentId } from '@jts/model'
import type { System } from './system.ts'

/** What differs, in words; empty when everything is equal. */
export async function reconcileWithVenue(system: System, instruments: readonly InstrumentId[]): Promise<string[]> {
  const found: string[] = []
  for (const account of system.brokers.keys()) {
    // A difference counts when it stands in two comparisons.
    for (let i = 0; i < 2; i++) {
      if (!(await system.reconcile(account))) found.push(`${account}: fills kept coming in while comparing`)
      await system.rest.whenIdle({})
    }
    for (const one of await system.differences(account)) {
      found.push(`${account}: ${one.currency}: ledger ${one.ours}, venue ${one.venue}`)
    }
    found.push(...(await compareFills(system, account, instruments)), ...(await compareOpenOrders(system, account)))
  }
  return found
}

async function compareFills(
  system: System,
  account: AccountId,
  instruments: readonly InstrumentId[],
): Promise<string[]> {
  const ours = new Map(
    (await system.fills())
      .filter((row) => row.account === account)
      .map((row) => [
        `${row.instrument}/${row.trade_id}`,
        [row.side, row.quantity, row.price, row.fee, row.fee_currency, row.time_us].join(' '),
      ]),
  )
  const found: string[] = []
  const broker = system.brokers.get(account)!
  for (const instrument of instruments) {
    for (const fill of await broker.fills({ instrument })) {
      const key = `${instrument}/${fill.tradeId}`
      const theirs = [
        fill.side,
        formatUnits(fill.quantity),
        formatUnits(fill.price),
        formatUnits(fill.fee),
        fill.feeCurrency,
        fill.timeUs,
      ].join(' ')
      const mine = ours.get(key)
      if (mine !== theirs) found.push(`${account}: fill ${key}: ours ${mine ?? 'missing'}, venue ${theirs}`)
      ours.delete(key)
    }
  }
  for (const [key, mine] of ours) found.push(`${account}: fill ${key}: ours ${mine}, venue missing`)
  return found
}

async function compareOpenOrders(system: System, account: AccountId): Promise<string[]> {
  const theirs = new Set(
    (await system.brokers.get(account)!.openOrders()).map((order) => order.clientOrderId as string),
  )
  const { orders } = await system.orders.listOrders({ account, openOnly: true, limit: 0, orderId: '' })
  const found: string[] = []
  for (const order of orders) {
    if (!theirs.delete(order.clientOrderId))
      found.push(`${account}: order ${order.clientOrderId} is open here, not at the venue`)
  }
  for (const id of theirs) found.push(`${account}: order ${id} is open at the venue, not here`)
  return found
}
