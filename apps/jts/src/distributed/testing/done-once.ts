/** Of a run that has come to rest: what its log says was done, each thing once, and what the venue has is exactly that. */
import assert from 'node:assert/strict'
import { createBinanceBroker } from '@jts/binance-service'
import { Activity, silentLogger, systemClock } from '@jts/runtime'
import { openLog } from '../../open-log.ts'
import type { RunSettings } from '../../services.ts'

/** Why a request whose intent was on disk was not written. */
const NOT_WRITTEN = new Set(['RATE_BUDGET', 'TRADING_HALTED', 'STALE_TRADING_STATE', 'STALE_LEASE'])

/** By account, those that were filled. */
export async function ordersAtVenue(settings: RunSettings): Promise<ReadonlySet<string>> {
  const atVenue = new Set<string>()
  for (const account of settings.accounts) {
    const { wallClock, log } = { wallClock: systemClock, log: silentLogger }
    const { endpoints } = settings
    const activity = new Activity()
    const broker = createBinanceBroker({
      account: account.account,
      credentials: account,
      endpoints,
      wallClock,
      activity,
      log,
    })
    await broker.start()
    for (const { id } of settings.instruments) {
      for (const fill of await broker.fills({ instrument: id })) atVenue.add(`${account.account} ${fill.venueOrderId}`)
    }
    await broker.stop()
  }
  return atVenue
}

/** Every order, fill, ending, decision and bar. @returns how many fills there are */
export async function assertDoneOnce(dir: string, atVenue: ReadonlySet<string>): Promise<number> {
  const venueOrders = new Map<string, string>()
  const fills: string[] = []
  const endings = new Map<string, Set<string>>()
  const end = (signalId: string, how: string): void => {
    endings.set(signalId, (endings.get(signalId) ?? new Set()).add(how))
  }
  const { log, close } = await openLog(dir)
  for await (const event of log.read('orders.events')) {
    assert.notEqual(event.type, 'ForeignFill', 'a fill of an order that nobody here has made')
    if (event.type === 'OrderSubmitting' || event.type === 'OrderDenied' || event.type === 'SignalExpired') {
      const signalId = event.payload.terms!.ref!.signalId
      // A request that was meant and never written (the budget was used up, the gate closed) is denied after all: one end.
      if (event.type === 'OrderDenied' && NOT_WRITTEN.has(event.payload.reasonCode)) endings.delete(signalId)
      end(signalId, event.type)
    }
    if (event.type !== 'OrderFilled') continue
    const { ref, venueOrderId, fillId } = event.payload
    const place = `${event.stream} ${venueOrderId}`
    // An order of ours that was placed twice would have two orders at the venue, or leave one there that nobody knows.
    assert.equal(venueOrders.get(ref!.orderId) ?? place, place, 'one order at the venue for each of ours')
    venueOrders.set(ref!.orderId, place)
    fills.push(fillId)
  }
  assert.ok(fills.length > 20, `expected trades, found ${fills.length} fills`)
  assert.equal(new Set(fills).size, fills.length, 'a fill was booked twice')
  assert.deepEqual([...atVenue].sort(), [...new Set(venueOrders.values())].sort())

  const decided: string[] = []
  for await (const event of log.read('strategy.signals')) {
    if (event.type === 'StrategySignal') decided.push(event.payload.signalId)
  }
  assert.equal(new Set(decided).size, decided.length, 'a signal was decided twice')
  for await (const event of log.read('orders.signals')) {
    if (event.type !== 'ApprovedSignal') continue
    const { signalId } = event.payload
    assert.equal(
      endings.get(signalId)?.size,
      1,
      `expected one end of ${signalId}, found ${[...(endings.get(signalId) ?? [])]}`,
    )
  }
  const last = new Map<string, number>()
  for await (const event of log.read('market-data.binance.candles')) {
    if (event.type !== 'Candle') continue
    const { instrument, openTimeUs } = event.payload
    assert.equal(openTimeUs - (last.get(instrument) ?? openTimeUs - 1_000_000), 1_000_000, `the bars of ${instrument}`)
    last.set(instrument, openTimeUs)
  }
  assert.equal(last.size, 2)
  await close()
  return fills.length
}
