import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { accountId, instrumentId, parseUnits, type ClientOrderId } from '@jts/model'
import { silentLogger, systemClock } from '@jts/runtime'
import { BrokerApiClient } from './index.ts'

test('the span of an order is a header of its call, and of no other', async () => {
  const seen: (string | undefined)[] = []
  const server = createServer((request, response) => {
    if (request.url === '/api/v1/orders') seen.push(request.headers['traceparent'] as string | undefined)
    response.writeHead(503).end()
  })
  after(() => {
    server.close()
    server.closeAllConnections()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = new BrokerApiClient({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    key: { id: 'test', secret: 'a-secret-that-is-long-enough-for-hmac' },
    account: accountId('sim.binance.main'),
    broker: 'binance',
    wallClock: systemClock,
    log: silentLogger,
  })
  const nowUs = systemClock.nowUs()
  const intent = {
    clientOrderId: 'one' as ClientOrderId,
    instrument: instrumentId('BINANCE:BTCUSDT'),
    side: 'buy',
    type: 'market',
    quantity: parseUnits('1'),
    intentTimeUs: nowUs,
    sendBeforeUs: nowUs + 60_000_000,
  } as const
  await client.placeOrder({ ...intent, traceparent: '00-aa-bb-01' })
  await client.placeOrder(intent)
  assert.deepEqual(seen, ['00-aa-bb-01', undefined])
  await client.stop()
})
