import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { RunningVenue } from './index.ts'
import { sign } from './signature.ts'
import {
  recordTrades,
  recordWalk,
  START_MS,
  startVenue,
  type Conductor,
  type VenueClient,
} from './testing/venue-client.ts'

let running: RunningVenue
let client: VenueClient
let conductor: Conductor
type Order = Record<string, string | number | object[]>

before(async () => {
  ;({ running, client } = await startVenue('--replay', recordWalk('BTCUSDT', 400), '--accounts', '2'))
  conductor = await client.conductor()
  for (let bar = 0; bar < 3; bar++) await conductor.release()
})
after(() => running.stop())

const BUY = { side: 'BUY', type: 'MARKET', quantity: '1' }
const LIMIT = { side: 'BUY', type: 'LIMIT', timeInForce: 'GTC', quantity: '1', price: '50' }

test('the public pages answer in shape', async () => {
  assert.deepEqual((await client.get('/api/v3/ping')).body, {})
  const { serverTime } = (await client.get('/api/v3/time')).body as { serverTime: number }
  assert.ok(Math.abs(serverTime - Date.now()) < 5000)
  const inMicroseconds = (await client.get('/api/v3/time', { 'X-MBX-TIME-UNIT': 'MICROSECOND' })).body
  assert.ok((inMicroseconds as { serverTime: number }).serverTime > 1e15)
  const info = (await client.get('/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22%5D')).body as {
    symbols: { symbol: string; filters: { filterType: string }[] }[]
  }
  assert.equal(info.symbols[0]!.symbol, 'BTCUSDT')
  assert.ok(info.symbols[0]!.filters.some(({ filterType }) => filterType === 'NOTIONAL'))
  for (const page of ['ticker/price', 'ticker/bookTicker', 'ticker/24hr', 'avgPrice', 'trades', 'aggTrades']) {
    assert.equal((await client.get(`/api/v3/${page}?symbol=BTCUSDT`)).status, 200, page)
  }
})

test('old trades are asked for by id, weigh what they weigh at Binance, and end with what has happened', async (t) => {
  const seconds = Array.from({ length: 30 }, (_, second) => [second, 100 + second] as const)
  const { running: other, client: trader } = await startVenue('--replay', recordTrades('BTCUSDT', seconds))
  t.after(() => other.stop())
  const trades = await trader.conductor()
  for (let i = 0; i < 20; i++) await trades.release()
  const path = '/api/v3/historicalTrades?symbol=BTCUSDT'
  const ids = async (query: string) =>
    ((await trader.get(`${path}${query}`)).body as { id: number }[]).map(({ id }) => id)
  assert.deepEqual(await ids('&fromId=4&limit=3'), [4, 5, 6])
  assert.deepEqual(await ids('&fromId=19'), [19, 20])
  assert.deepEqual(await ids('&limit=2'), [19, 20])
  const { body, headers } = await trader.get(`${path}&fromId=1&limit=1`)
  assert.deepEqual(body, [
    {
      ...{ id: 1, price: '100.00000000', qty: '1.00000000', quoteQty: '100.00000000' },
      ...{ time: START_MS, isBuyerMaker: false, isBestMatch: true },
    },
  ])
  assert.equal(Number(headers.get('x-mbx-used-weight-1m')), 100)
  assert.equal((await trader.get(`${path}&fromId=x`)).status, 400)
})

test('klines hold only what has been released', async () => {
  const { body, headers } = await client.get('/api/v3/klines?symbol=BTCUSDT&interval=1m')
  const rows = body as (string | number)[][]
  assert.ok(rows.length >= 3 && rows.length < 400)
  assert.deepEqual(rows[0]!.slice(0, 7), [
    START_MS,
    '100.00000000',
    '102.00000000',
    '98.00000000',
    '100.00000000',
    '10.00000000',
    START_MS + 59_999,
  ])
  assert.equal(rows[0]!.length, 12)
  assert.ok(Number(headers.get('x-mbx-used-weight-1m')) > 0)
})

test('mistakes are answered by code', async () => {
  const cases: [string, number, number][] = [
    ['/api/v3/klines?symbol=BTCUSDT', 400, -1102],
    ['/api/v3/klines?symbol=NOPE&interval=1m', 400, -1121],
    ['/api/v3/klines?symbol=btcusdt&interval=1m', 400, -1100],
    ['/api/v3/klines?symbol=BTCUSDT&interval=2m', 400, -1120],
    ['/api/v3/klines?symbol=BTCUSDT&interval=1s', 400, -1020],
    ['/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=0', 400, -1130],
    ['/api/v3/klines?symbol=BTCUSDT&interval=1m&nonsense=1', 400, -1104],
    ['/api/v3/klines?symbol=BTCUSDT&symbol=BTCUSDT&interval=1m', 400, -1101],
    ['/api/v3/exchangeInfo?symbol=NOPE', 400, -1121],
    ['/api/v3/depth?symbol=BTCUSDT', 400, -1020],
    ['/api/v3/ticker/tradingDay?symbol=BTCUSDT', 400, -1020],
    ['/api/v3/userDataStream', 410, -1016],
  ]
  for (const [path, status, code] of cases) {
    const answer = await client.get(path)
    assert.deepEqual([answer.status, (answer.body as { code: number }).code], [status, code], path)
  }
  assert.equal((await client.get('/api/v3/nowhere')).status, 404)
})

test('the complaints come in order: missing, key, time, signature', async () => {
  const { apiKey, apiSecret } = client.address
  const code = async (query: string, headers: Record<string, string>, signature?: string) => {
    const answer = await client.get(
      `/api/v3/account?${query}&signature=${signature ?? sign(apiSecret, query)}`,
      headers,
    )
    return [answer.status, (answer.body as { code: number }).code]
  }
  const key = { 'x-mbx-apikey': apiKey }
  const now = `timestamp=${Date.now()}`
  assert.deepEqual(await code('omitZeroBalances=true', {}), [400, -1102])
  assert.deepEqual(await code(now, {}), [401, -2014])
  assert.deepEqual(await code(now, { 'x-mbx-apikey': 'x'.repeat(64) }), [401, -2015])
  assert.deepEqual(await code('timestamp=1', key, 'wrong'), [400, -1021])
  assert.deepEqual(await code(now, key, 'wrong'), [400, -1022])
  assert.deepEqual((await client.signed('GET', '/api/v3/account')).status, 200)
})

test('a signature over the body counts as one over the query', async () => {
  const { apiKey, apiSecret } = client.address
  const body = new URLSearchParams({ symbol: 'BTCUSDT', ...BUY, timestamp: String(Date.now()) }).toString()
  const headers = { 'x-mbx-apikey': apiKey, 'content-type': 'application/x-www-form-urlencoded' }
  const path = '/api/v3/order/test'
  const answer = await client.send('POST', path, headers, `${body}&signature=${sign(apiSecret, body)}`)
  assert.deepEqual([answer.status, answer.body], [200, {}])
})

test('orders that cannot be are refused by code and text', async () => {
  const cases: [Record<string, string>, number, string | undefined][] = [
    [{ ...BUY, side: 'HOLD' }, -1117, undefined],
    [{ ...BUY, type: 'NONSENSE' }, -1116, undefined],
    [{ ...LIMIT, timeInForce: 'GTX' }, -1115, undefined],
    [{ side: 'BUY', type: 'LIMIT', quantity: '1', price: '50' }, -1102, undefined],
    [{ side: 'BUY', type: 'MARKET' }, -1102, undefined],
    [{ ...BUY, price: '1' }, -1106, undefined],
    [{ ...LIMIT, stopPrice: '1' }, -1106, undefined],
    [{ ...LIMIT, quantity: '1.123456789' }, -1111, undefined],
    [{ ...LIMIT, quantity: '1e-5' }, -1100, undefined],
    [{ ...LIMIT, newClientOrderId: 'a b' }, -1100, undefined],
    [{ ...LIMIT, quantity: '0.000001' }, -1013, 'Filter failure: LOT_SIZE'],
    [{ ...LIMIT, quantity: '10000' }, -2010, 'Account has insufficient balance for requested action.'],
    [{ ...LIMIT, icebergQty: '1' }, -2010, 'Iceberg orders are not supported for this symbol.'],
    [{ side: 'BUY', type: 'STOP_LOSS', quantity: '1' }, -2010, 'Stop loss orders are not supported for this symbol.'],
    [
      { side: 'BUY', type: 'LIMIT_MAKER', quantity: '1', price: '200' },
      -2010,
      'Order would immediately match and take.',
    ],
  ]
  for (const [fields, code, msg] of cases) {
    const { status, body } = await client.order(fields)
    const found = body as { code: number; msg: string }
    assert.deepEqual([status, found.code], [400, code], JSON.stringify(fields))
    if (msg) assert.equal(found.msg, msg)
  }
})

test('a market order is answered NEW and executes at the next open', async () => {
  const before = (await client.ask<Order[]>('/api/v3/allOrders', { symbol: 'BTCUSDT' })).length
  const { body, headers } = await client.order({ ...BUY, newClientOrderId: 'first' })
  const order = body as Order
  assert.deepEqual([order['status'], order['fills'], order['clientOrderId']], ['NEW', [], 'first'])
  assert.equal(headers.get('x-mbx-order-count-10s'), '1')
  assert.equal(await conductor.release(), 'open')
  const found = await client.ask<Order>('/api/v3/order', { symbol: 'BTCUSDT', origClientOrderId: 'first' })
  assert.equal(found['status'], 'FILLED')
  assert.equal((found['updateTime'] as number) % 60_000, 0)
  const trades = await client.ask<Order[]>('/api/v3/myTrades', { symbol: 'BTCUSDT', orderId: String(found['orderId']) })
  assert.deepEqual([trades.length, trades[0]!['commission'], trades[0]!['commissionAsset']], [1, '0.00100000', 'BTC'])
  assert.equal((await client.ask<Order[]>('/api/v3/allOrders', { symbol: 'BTCUSDT' })).length, before + 1)
  assert.deepEqual(await client.balances(1), { USDT: '100000+0', BTC: '0+0' })
})

test('a resting order is listed, answers both ids when cancelled, and then is unknown', async () => {
  const ack = (await client.order({ ...LIMIT, newClientOrderId: 'rest', newOrderRespType: 'ACK' })).body as Order
  assert.deepEqual(Object.keys(ack), ['symbol', 'orderId', 'orderListId', 'clientOrderId', 'transactTime'])
  assert.equal(
    ((await client.order({ ...LIMIT, newClientOrderId: 'rest' })).body as Order)['msg'],
    'Duplicate order sent.',
  )
  assert.equal((await client.ask<Order[]>('/api/v3/openOrders', { symbol: 'BTCUSDT' })).length, 1)
  const cancel = { symbol: 'BTCUSDT', origClientOrderId: 'rest', newClientOrderId: 'cancel-1' }
  const cancelled = (await client.signed('DELETE', '/api/v3/order', cancel)).body as Order
  assert.deepEqual(
    [cancelled['origClientOrderId'], cancelled['clientOrderId'], cancelled['status']],
    ['rest', 'cancel-1', 'CANCELED'],
  )
  assert.equal(((await client.signed('DELETE', '/api/v3/order', cancel)).body as Order)['code'], -2011)
  assert.equal(
    ((await client.signed('DELETE', '/api/v3/openOrders', { symbol: 'BTCUSDT' })).body as Order)['code'],
    -2011,
  )
  const unknown = await client.signed('GET', '/api/v3/order', { symbol: 'BTCUSDT', orderId: '999' })
  assert.equal((unknown.body as Order)['code'], -2013)
})

test('history refuses windows over a day and combinations that Binance does not have', async () => {
  const day = 86_400_000
  const code = async (path: string, fields: Record<string, number>) => {
    const { body } = await client.signed('GET', path, { symbol: 'BTCUSDT', ...fields })
    return (body as Order)['code']
  }
  assert.equal(await code('/api/v3/myTrades', { startTime: START_MS, endTime: START_MS + day + 1 }), -1127)
  assert.equal(await code('/api/v3/myTrades', { startTime: START_MS, endTime: START_MS + day }), undefined)
  assert.equal(await code('/api/v3/myTrades', { startTime: START_MS, orderId: 1 }), -1128)
  assert.equal(await code('/api/v3/myTrades', { orderId: 1, fromId: 1 }), undefined)
})

test('the pages that general clients ask for first are there', async () => {
  assert.equal((await client.signed('GET', '/sapi/v1/capital/config/getall')).status, 200)
  assert.equal((await client.signed('GET', '/sapi/v1/asset/tradeFee')).status, 200)
  assert.equal((await client.signed('GET', '/api/v3/rateLimit/order')).status, 200)
  assert.equal((await client.get('/fapi/v1/exchangeInfo')).status, 200)
})
