/** The promise, held against the venue's own records: what must be true after any fault, in a running system. */
import assert from 'node:assert/strict'
import type { BusEvent } from '@jts/contracts'
import type { AccountView } from '@jts/contracts/portfolio-api'
import { formatUnits, instrumentSymbol, parseUnits, shippedInstrument } from '@jts/model'
import type { VenueTrade, VenueTruth } from './venue-truth.ts'

export type Booked = {
  /** Client order id → our order. */
  readonly requests: ReadonlyMap<string, string>
  /** `symbol/trade` of every fill, in the order of the log. */
  readonly fills: readonly string[]
  readonly foreign: readonly string[]
}

/** What the event log says of orders and fills; an event that the log holds twice is one. */
export function bookedIn(events: Iterable<BusEvent>): Booked {
  const seen = new Set<string>()
  const booked = { requests: new Map<string, string>(), fills: [] as string[], foreign: [] as string[] }
  for (const event of events) {
    if (seen.has(event.eventId)) continue
    seen.add(event.eventId)
    if (event.type === 'OrderSubmitting') {
      const { clientOrderId, terms } = event.payload
      assert.ok(!booked.requests.has(clientOrderId), `${clientOrderId} was written for the wire twice`)
      booked.requests.set(clientOrderId, terms!.ref!.orderId)
    }
    if (event.type === 'OrderFilled') booked.fills.push(placeOf(event.payload.fillId))
    if (event.type === 'ForeignFill') booked.foreign.push(event.payload.fillId)
  }
  return booked
}

/** What is wrong for ever, whenever it is seen. */
export function assertNeverTwice({ fills, foreign, requests }: Booked, { orders }: VenueTruth): void {
  assert.deepEqual(repeated(fills), [], 'a fill was booked twice')
  assert.deepEqual(foreign, [], 'a fill of an order that nobody here has made')
  assert.deepEqual(repeated(orders.map(({ clientOrderId }) => clientOrderId)), [], 'a request reached the venue twice')
  const placed = orders.flatMap(({ clientOrderId }) => requests.get(clientOrderId) ?? [])
  assert.deepEqual(repeated(placed), [], 'an order of ours has two orders at the venue')
}

/**
 * What is not true yet while news is on its way; empty when all is.
 * @param later the venue's trades after our records were read, where trading goes on meanwhile
 */
export function differences(
  booked: Booked,
  venue: VenueTruth,
  account: AccountView,
  later: readonly VenueTrade[] = venue.trades,
): string[] {
  const ours = new Set(booked.fills)
  const known = new Set(later.map(tradeName))
  return [
    ...venue.trades
      .map(tradeName)
      .filter((trade) => !ours.has(trade))
      .map((trade) => `a fill is not booked: ${trade}`),
    ...booked.fills.filter((fill) => !known.has(fill)).map((fill) => `the venue knows nothing of fill ${fill}`),
    ...venue.orders
      .filter(({ clientOrderId }) => !booked.requests.has(clientOrderId))
      .map(({ clientOrderId }) => `the venue has an order that we do not know: ${clientOrderId}`),
    ...balanceDifferences(holdingsOf(account), venue.balances),
  ]
}

function balanceDifferences(ours: ReadonlyMap<string, string>, venue: ReadonlyMap<string, string>): string[] {
  const currencies = new Set([...ours.keys(), ...venue.keys()])
  return [...currencies].flatMap((currency) => {
    const [mine, theirs] = [ours.get(currency) ?? '0', venue.get(currency) ?? '0']
    return mine === theirs ? [] : [`${currency}: ledger ${mine}, venue ${theirs}`]
  })
}

/** Cash, and what the positions hold of each currency. */
function holdingsOf({ cash, positions }: AccountView): Map<string, string> {
  const held = new Map(cash.map(({ currency, amount }) => [currency, parseUnits(amount)]))
  for (const { instrument, quantity } of positions) {
    const { baseCurrency } = shippedInstrument(instrument)
    held.set(baseCurrency, (held.get(baseCurrency) ?? 0n) + parseUnits(quantity))
  }
  return new Map([...held].map(([currency, units]) => [currency, formatUnits(units)]))
}

function tradeName({ symbol, id }: VenueTrade): string {
  return `${symbol}/${id}`
}

/** A fill's id is venue:account:symbol:trade. */
function placeOf(fillId: string): string {
  const parts = fillId.split(':')
  return `${instrumentSymbol(`${parts[0]}:${parts.at(-2)}` as never)}/${parts.at(-1)}`
}

function repeated(list: readonly string[]): string[] {
  const seen = new Set<string>()
  return list.filter((one) => seen.size === seen.add(one).size)
}
