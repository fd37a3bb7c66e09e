/** What the venue itself says, asked past every proxy and without any code of ours: orders, trades and balances. */
import { createHmac } from 'node:crypto'

export type VenueKeys = { readonly restUrl: string; readonly apiKey: string; readonly apiSecret: string }
export type VenueOrder = { readonly orderId: number; readonly clientOrderId: string }
export type VenueTrade = { readonly id: number; readonly symbol: string }
export type VenueTruth = {
  readonly orders: readonly VenueOrder[]
  readonly trades: readonly VenueTrade[]
  readonly balances: ReadonlyMap<string, string>
}

const PAGE = 1000

export function ordersOf(venue: VenueKeys, symbols: readonly string[]): Promise<VenueOrder[]> {
  return paged<VenueOrder>(venue, symbols, 'allOrders', 'orderId', (order) => order.orderId)
}

export function tradesOf(venue: VenueKeys, symbols: readonly string[]): Promise<VenueTrade[]> {
  return paged<VenueTrade>(venue, symbols, 'myTrades', 'fromId', (trade) => trade.id)
}

export async function balancesOf(venue: VenueKeys): Promise<ReadonlyMap<string, string>> {
  const { balances } = await ask<{ balances: { asset: string; free: string; locked: string }[] }>(venue, 'account', '')
  return new Map(balances.map(({ asset, free, locked }) => [asset, sum(free, locked)]))
}

async function paged<T>(
  venue: VenueKeys,
  symbols: readonly string[],
  path: string,
  from: string,
  idOf: (row: T) => number,
): Promise<T[]> {
  const all: T[] = []
  for (const symbol of symbols) {
    for (let next = 0; ;) {
      const page = await ask<T[]>(venue, path, `symbol=${symbol}&${from}=${next}&limit=${PAGE}`)
      all.push(...page)
      if (page.length < PAGE) break
      next = idOf(page.at(-1)!) + 1
    }
  }
  return all
}

async function ask<T>({ restUrl, apiKey, apiSecret }: VenueKeys, path: string, query: string): Promise<T> {
  const signed = `${query}${query === '' ? '' : '&'}recvWindow=60000&timestamp=${Date.now()}`
  const signature = createHmac('sha256', apiSecret).update(signed).digest('hex')
  const answer = await fetch(`${restUrl}/api/v3/${path}?${signed}&signature=${signature}`, {
    headers: { 'x-mbx-apikey': apiKey },
  })
  const body = await answer.text()
  if (answer.status !== 200) throw new Error(`expected ${path} from the venue, found ${answer.status} ${body}`)
  return JSON.parse(body) as T
}

/** Of two amounts with eight decimals, in shortest form. */
function sum(a: string, b: string): string {
  const units = [a, b].reduce((total, text) => total + BigInt(text.replace('.', '')), 0n)
  const digits = String(units).padStart(9, '0')
  return `${digits.slice(0, -8)}.${digits.slice(-8)}`.replace(/\.?0+$/, '')
}
