/** The service's own bounds: what has no room in the rate budget within what its asker waits is refused at once, and says until when. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { BrokerApiClient } from '@jts/api-client'
import { parseKeys } from '@jts/broker-kit/server'
import { accountId } from '@jts/model'
import { silentLogger, systemClock, type WallClock } from '@jts/runtime'
import { startBinanceService } from './service.ts'
import { BTCUSDT } from './testing/broker.ts'
import { fixture } from './testing/fixtures.ts'
import { ScriptedVenue } from './testing/scripted-venue.ts'

/** 12 s into a minute, and for ever: there is room again in 48 s. */
const NOW_US = 1_767_600_012_000_000
const clock: WallClock = { nowUs: () => NOW_US, after: (delayMs, callback) => systemClock.after(delayMs, callback) }
const venue = await ScriptedVenue.start()
const listed = fixture('exchange-info') as { symbols: { symbol: string }[] }
const BODIES: Readonly<Record<string, unknown>> = {
  '/api/v3/time': { serverTime: NOW_US / 1000 },
  '/api/v3/exchangeInfo': { ...listed, symbols: listed.symbols.filter(({ symbol }) => symbol === 'BTCUSDT') },
}
let usedWeight = '1'
venue.script = ({ path }) => ({ headers: { 'x-mbx-used-weight-1m': usedWeight }, body: BODIES[path] ?? [] })

const account = accountId('sim.binance.main')
const key = { id: 'test', secret: 'a-secret-of-the-tests-0123456789abcdef' }
const common = { wallClock: clock, log: silentLogger }
const service = await startBinanceService({
  ...{ ...common, endpoints: venue.endpoints, port: 0, journalFile: undefined },
  accounts: [{ account, credentials: { apiKey: 'key', apiSecret: 'secret' }, instruments: [BTCUSDT] }],
  keys: parseKeys({ keys: [{ ...key, right: 'trade' }] }),
})
const client = new BrokerApiClient({ ...common, baseUrl: service.url, key, account, broker: 'binance' })
after(async () => {
  await client.stop()
  await service.stop()
  await venue.stop()
})

test('a question that finds the minute used up is refused before its asker gives up, and not put to the venue', async () => {
  const wanted = [BTCUSDT]
  usedWeight = '6000'
  // By its answers the venue says that there is no room left: to the market data, asked what is listed, and to the account.
  await client.openOrders(BTCUSDT)
  const before = venue.asked.length
  for (const ask of [
    () => client.openOrders(BTCUSDT),
    () => client.candles({ instrument: BTCUSDT, timeframe: '1m', limit: 5 }),
    () => client.trades({ instrument: BTCUSDT, limit: 5 }),
    () => client.instruments(wanted),
    () => client.instruments(),
    () => client.quotes(wanted),
    () => client.orderBook({ instrument: BTCUSDT }),
  ]) {
    await assert.rejects(ask(), {
      ...{ name: 'BrokerError', code: 'RATE_LIMITED', retryable: true, retryAfterMs: 48_000 },
      message: /: no room in the rate budget for another 48 s$/,
    })
  }
  assert.equal(venue.asked.length, before)
})
