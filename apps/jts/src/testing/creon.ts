/** A JTS that trades at Creon's service and at Binance, as a test sees it: through its gateway, the broker's own word, and its log. */
import assert from 'node:assert/strict'
import type { CreonApiClient } from '@jts/api-client'
import { formatUnits, parseUnits } from '@jts/model'
import { sleep } from '@jts/testkit'
import { openLog } from '../open-log.ts'

/** Generous: the first start installs the service's libraries, and the machine may be slow. */
const WITHIN_MS = 180_000
export const CREON_ACCOUNT = 'sim.creon.krx'

/** Of `jts.yaml`, so that money of a year's last days is dated: beyond the shipped list the simulated COM, too, is open on weekdays. */
export const KRX_KNOWN = { knownTo: `${new Date().getFullYear() + 1}-12-31` }

/** Buys and sells again, at every trade that it hears of. */
export const IN_AND_OUT = `
import { defineStrategy } from '@jts/strategy-kit'
export default defineStrategy({
  name: 'in-and-out', parameters: {}, state: () => ({}),
  onTrade(_trade, { position, buy, sell }) {
    if (position.isFlat) buy('3')
    else if (position.isLong) sell(position.sellable)
  },
})
`

export type Light = { name: string; state: string; reason?: string }
export type Fill = {
  instrument: string
  fillId: string
  account: string
  side: string
  quantity: string
  price: string
  fee: string
}
type Account = {
  account: string
  equityCurrency: string
  cash: Record<string, string>
  positions: { quantity: string }[]
  settlement?: { settled: string; undated?: string; orderable?: { amount: string } }
}

async function get<T>(url: string, path: string): Promise<T> {
  const response = await fetch(`${url}/api/v1/${path}`)
  return ((await response.json()) as { data: T }).data
}

export async function until<T>(what: string, look: () => Promise<T | undefined>, everyMs = 200): Promise<T> {
  for (const deadline = Date.now() + WITHIN_MS; ; await sleep(everyMs)) {
    const found = await look()
    if (found !== undefined) return found
    assert.ok(Date.now() < deadline, `waited in vain: ${what}`)
  }
}

export const fillsOf = async (url: string, venue: string): Promise<Fill[]> =>
  (await get<Fill[]>(url, 'fills?limit=500')).filter(({ instrument }) => instrument.startsWith(venue))

export const lightsOf = async (url: string): Promise<Light[]> =>
  (await get<{ services: Light[] }>(url, 'status')).services

export const creonLight = async (url: string): Promise<Light> =>
  (await lightsOf(url)).find(({ name }) => name === 'creon-service')!

/** The newest first: of many fills only so many are told, and their number no longer grows. */
async function newestFill(url: string, venue: string): Promise<string | undefined> {
  const [newest] = await fillsOf(url, venue)
  return newest && `${newest.instrument} ${newest.fillId}`
}

export async function untilItTradesOn(url: string, venue: string): Promise<void> {
  const before = await newestFill(url, venue)
  await until(`${venue} trades on`, async () => {
    const newest = await newestFill(url, venue)
    return newest === undefined || newest === before ? undefined : true
  })
}

/** One light, and no other. @param again does, before each look, what takes the light away */
export async function untilCreonAloneIsNotGreen(url: string, again: () => void = () => undefined): Promise<void> {
  await until('the light of Creon is not green and says why, and every other is', async () => {
    again()
    const out = (await lightsOf(url)).filter(({ state }) => state !== 'up')
    return out.length === 1 && out[0]!.name === 'creon-service' && (out[0]!.reason ?? '') !== '' ? true : undefined
  })
}

/** Nothing moves any more: what the broker's own service says must be what we have. */
export async function haltAndCompare(url: string, broker: CreonApiClient): Promise<void> {
  await fetch(`${url}/api/v1/halt`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })
  await broker.start()
  await until('its account equals the broker’s', async () => {
    const { accounts } = await get<{ accounts: Account[] }>(url, 'portfolio')
    const account = accounts.find((one) => one.account === CREON_ACCOUNT)!
    assert.equal(account.equityCurrency, 'KRW')
    const held = account.positions.reduce((sum, one) => sum + parseUnits(one.quantity), 0n)
    const theirs = (await broker.positions()).reduce((sum, one) => sum + one.quantity, 0n)
    const [won] = (await broker.balances()).filter(({ currency }) => currency === 'KRW')
    const isEqual = held === theirs && parseUnits(account.cash['KRW']!) === won!.free + won!.locked
    if (!isEqual) return undefined
    // By our fills alone we know what has been settled; what an order may use is the broker's own word.
    assert.equal(account.settlement?.undated, undefined)
    assert.equal(parseUnits(account.settlement!.settled), won!.settled)
    return account.settlement!.orderable?.amount === formatUnits(won!.free) ? true : undefined
  })
  await broker.stop()
}

/** By the log of a run that has ended: every request, venue order and fill at Creon once, and none that nobody here has made. */
export async function assertNothingTwice(dir: string): Promise<void> {
  const requests: string[] = []
  const venueOrders: string[] = []
  const fills: string[] = []
  const { log, close } = await openLog(dir)
  for await (const event of log.read('orders.events')) {
    if (event.account !== CREON_ACCOUNT) continue
    assert.notEqual(event.type, 'ForeignFill', 'a fill of an order that nobody here has made')
    if (event.type === 'OrderSubmitting') requests.push(event.payload.clientOrderId)
    if (event.type === 'OrderAccepted') venueOrders.push(event.payload.venueOrderId)
    if (event.type === 'OrderFilled') fills.push(event.payload.fillId)
  }
  await close()
  for (const [what, ids] of Object.entries({ requests, venueOrders, fills })) {
    assert.equal(new Set(ids).size, ids.length, `${what}: one was made twice`)
    assert.ok(ids.length >= 3, `${what}: found ${ids.length}`)
  }
}
