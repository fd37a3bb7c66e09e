import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordBars, recordTrades, recordWalk, startVenue } from './testing/venue-client.ts'

type Json = Record<string, unknown>

test('a replay sends each closed kline once, raw or wrapped, and the longer ones when they end', async (t) => {
  const { running, client } = await startVenue('--replay', recordWalk('BTCUSDT', 12))
  t.after(() => running.stop())
  const raw = await client.open('/ws/btcusdt@kline_1m')
  const wrapped = await client.open('/stream?streams=btcusdt@kline_5m&timeUnit=microsecond')
  const conductor = await client.conductor()
  for (let bar = 0; bar < 12; bar++) assert.equal(await conductor.release(), 'close')
  await assert.rejects(conductor.release(), /done/)
  const klines = raw.received.map(({ k }) => k as Json)
  assert.equal(klines.length, 12)
  assert.ok(klines.every(({ x }) => x === true))
  assert.equal(new Set(klines.map(({ t: open }) => open)).size, 12)
  assert.equal(wrapped.received.length, 2)
  assert.equal(wrapped.received[0]!['stream'], 'btcusdt@kline_5m')
  assert.ok(((wrapped.received[0]!['data'] as Json)['E'] as number) > 1e15)
})

test('SUBSCRIBE, LIST and UNSUBSCRIBE follow the protocol, and mistakes are answered', async (t) => {
  const { running, client } = await startVenue('--replay', recordWalk('BTCUSDT', 12))
  t.after(() => running.stop())
  const socket = await client.open('/ws')
  assert.deepEqual(await socket.call('SUBSCRIBE', ['btcusdt@kline_1m', 'btcusdt@trade']), { result: null, id: 1 })
  assert.deepEqual(await socket.call('UNSUBSCRIBE', ['btcusdt@trade']), { result: null, id: 2 })
  assert.deepEqual(await socket.call('LIST_SUBSCRIPTIONS', []), { result: ['btcusdt@kline_1m'], id: 3 })
  const left = (await socket.call('SUBSCRIBE', ['btcusdt@depth'])) as { error: { code: number } }
  assert.equal(left.error.code, 2)
  socket.send('{')
  const invalid = await socket.until(() => socket.received.find((message) => 'error' in message && !('id' in message)))
  assert.equal((invalid['error'] as Json)['code'], 3)
  for (let id = 10; id < 20; id++) socket.send({ method: 'LIST_SUBSCRIPTIONS', id })
  const { closeCode } = await socket.until(() => socket.closeCode !== undefined && socket)
  assert.equal(closeCode, 1008, 'more than five messages within a second')
  await assert.rejects(client.open('/ws/btcusdt@depth'))
  await assert.rejects(client.open('/ws/BTCUSDT@trade'))
})

test('the WebSocket API trades, and tells the life of an order with its balances', async (t) => {
  const { running, client } = await startVenue('--replay', recordWalk('BTCUSDT', 12), '--accounts', '2')
  t.after(() => running.stop())
  const conductor = await client.conductor()
  await conductor.release()
  const socket = await client.userStream()
  const other = await client.userStream(1)
  const order = { symbol: 'BTCUSDT', side: 'BUY', type: 'MARKET', quantity: '1', newClientOrderId: 'a' }
  const placed = await socket.call('order.place', client.signedParams(order))
  assert.equal(placed['status'], 200)
  assert.equal((placed['rateLimits'] as Json[]).length, 3)
  assert.equal(await conductor.release(), 'open')
  await socket.until(() => socket.reports().length === 2)
  const [accepted, filled] = socket.events('executionReport')
  assert.deepEqual([accepted!['x'], accepted!['X'], accepted!['c'], accepted!['t']], ['NEW', 'NEW', 'a', -1])
  assert.deepEqual([filled!['x'], filled!['X'], filled!['n'], filled!['N']], ['TRADE', 'FILLED', '0.00100000', 'BTC'])
  assert.equal(filled!['T'], filled!['E'])
  assert.deepEqual(socket.events('outboundAccountPosition')[1]!['B'], [
    { a: 'BTC', f: '0.99900000', l: '0.00000000' },
    { a: 'USDT', f: '99900.00000000', l: '0.00000000' },
  ])
  const limit = { symbol: 'BTCUSDT', side: 'BUY', type: 'LIMIT', timeInForce: 'GTC', quantity: '1', price: '60' }
  await socket.call('order.place', client.signedParams({ ...limit, newClientOrderId: 'b' }))
  const cancelled = await socket.call(
    'order.cancel',
    client.signedParams({ symbol: 'BTCUSDT', origClientOrderId: 'b', newClientOrderId: 'c' }),
  )
  assert.equal((cancelled['result'] as Json)['status'], 'CANCELED')
  await socket.until(() => socket.reports().length === 4)
  const report = socket.events('executionReport')[3]!
  assert.deepEqual([report['x'], report['c'], report['C']], ['CANCELED', 'c', 'b'])
  assert.deepEqual(other.reports(), [])
})

test('the WebSocket API answers what it leaves out and what is wrong', async (t) => {
  const { running, client } = await startVenue('--replay', recordWalk('BTCUSDT', 12))
  t.after(() => running.stop())
  const socket = await client.open('/ws-api/v3')
  const code = async (method: string, params: object = {}) => {
    const reply = await socket.call(method, params)
    return (reply['error'] as Json | undefined)?.['code'] ?? reply['status']
  }
  assert.equal(await code('ping'), 200)
  assert.equal(await code('v3/time'), 200)
  assert.equal(await code('klines', { symbol: 'BTCUSDT', interval: '1m' }), 200)
  assert.equal(await code('session.logon', client.signedParams({})), -4056)
  assert.equal(await code('userDataStream.start'), -1016)
  assert.equal(await code('orderList.place.oco'), -1020)
  assert.equal(await code('nonsense'), -1102)
  assert.equal(await code('account.status'), -1102)
  assert.equal(await code('account.status', { ...client.signedParams({}), signature: '00' }), -1022)
  assert.equal(await code('userDataStream.subscribe.signature', client.signedParams({})), 200)
  assert.equal(await code('userDataStream.subscribe.signature', client.signedParams({})), -2035)
  assert.deepEqual((await socket.call('session.subscriptions'))['result'], [{ subscriptionId: 0 }])
  assert.equal(await code('userDataStream.unsubscribe', { subscriptionId: 5 }), -2036)
  assert.equal(await code('userDataStream.unsubscribe'), 200)
  assert.deepEqual((await socket.call('session.subscriptions'))['result'], [])
})

test('a release waits until what was sent has been read, and ignores foreign connections', async (t) => {
  const { running, client } = await startVenue('--replay', recordWalk('BTCUSDT', 12))
  t.after(() => running.stop())
  const conductor = await client.conductor()
  const socket = await client.open('/ws/btcusdt@kline_1m')
  const release = async (received: object, at = conductor.position) => {
    const reply = await conductor.ask({ type: 'release', at, received })
    return reply.type === 'refused' ? reply.reason : reply.type
  }
  assert.equal(await release({ [socket.port]: 0 }), 'released')
  assert.equal(await release({ [socket.port]: 0 }), 'counters')
  assert.equal(await release({ [socket.port]: 1 }), 'released')
  assert.equal(await release({ 1: 0 }), 'counters')
  assert.equal(await release({}), 'released')
  assert.equal(await release({}, 0), 'position')
})

test('a limit order executes in its own phase, timed at the close and before the kline', async (t) => {
  const file = recordBars('BTCUSDT', [
    [100, 101, 99, 100],
    [100, 101, 94, 96],
    [96, 97, 95, 96],
  ])
  const { running, client } = await startVenue('--replay', file)
  t.after(() => running.stop())
  const conductor = await client.conductor()
  await conductor.release()
  const user = await client.userStream()
  await client.order({ side: 'BUY', type: 'LIMIT', timeInForce: 'GTC', quantity: '1', price: '95' })
  assert.equal(await conductor.release(), 'match')
  await user.until(() => user.reports().includes('TRADE'))
  const fill = user.events('executionReport')[1]!
  assert.deepEqual([fill['L'], fill['m'], (fill['T'] as number) % 60_000], ['95.00000000', true, 59_999])
  assert.equal(await conductor.release(), 'close')
})

test('recorded trades are released one by one, and one that fills orders is told after its fills', async (t) => {
  const file = recordTrades('BTCUSDT', [
    [0, 100],
    [30, 101],
    [61, 99],
  ])
  const { running, client } = await startVenue('--replay', file)
  t.after(() => running.stop())
  const conductor = await client.conductor()
  const stream = await client.open('/stream?streams=btcusdt@trade/btcusdt@kline_1m')
  const user = await client.userStream()
  const shown = async (): Promise<unknown> =>
    ((await client.get('/api/v3/trades?symbol=BTCUSDT')).body as Json[]).map(({ id }) => id)
  assert.equal(await conductor.release(), 'trade')
  await client.order({ side: 'BUY', type: 'MARKET', quantity: '1' })
  await client.order({ side: 'BUY', type: 'LIMIT', timeInForce: 'GTC', quantity: '1', price: '99.5' })
  assert.equal(await conductor.release(), 'match')
  await user.until(() => user.reports().length === 3)
  assert.deepEqual(await shown(), [1], 'the trade itself has not been told')
  // An answer to the fill: it meets its first price with the next trade.
  await client.order({ side: 'SELL', type: 'MARKET', quantity: '0.5' })
  assert.equal(await conductor.release(), 'trade')
  assert.deepEqual(await shown(), [1, 2])
  assert.equal(await conductor.release(), 'match')
  assert.equal(await conductor.release(), 'trade')
  await user.until(() => user.reports().length === 6)
  const prices = user.events('executionReport').flatMap((event) => (event['x'] === 'TRADE' ? [event['L']] : []))
  assert.deepEqual(prices, ['101.00000000', '99.50000000', '99.00000000'])
  assert.deepEqual(
    stream.received.map((message) => message['stream']),
    ['btcusdt@trade', 'btcusdt@trade', 'btcusdt@kline_1m', 'btcusdt@trade'],
  )
  await assert.rejects(conductor.release(), /done/)
})

test('a trade that fills nothing is one release', async (t) => {
  const { running, client } = await startVenue(
    '--replay',
    recordTrades('BTCUSDT', [
      [0, 100],
      [1, 101],
    ]),
  )
  t.after(() => running.stop())
  const conductor = await client.conductor()
  assert.equal(await conductor.release(), 'trade')
  await client.order({ side: 'BUY', type: 'LIMIT', timeInForce: 'GTC', quantity: '1', price: '99' })
  assert.equal(await conductor.release(), 'trade')
})

test('a made-up market trades at once, and its streams and history are alive', async (t) => {
  const { running, client } = await startVenue('--seed', '3', '--speed', '20')
  t.after(() => running.stop())
  const stream = await client.open(
    '/stream?streams=btcusdt@kline_1s/ethusdt@trade/btcusdt@bookTicker/btcusdt@miniTicker/btcusdt@aggTrade',
  )
  const user = await client.userStream()
  const { body } = await client.order({ side: 'BUY', type: 'MARKET', quoteOrderQty: '1000' })
  const placed = body as { status: string; fills: object[]; origQty: string; executedQty: string }
  assert.deepEqual([placed.status, placed.fills.length], ['FILLED', 1])
  assert.equal(placed.origQty, placed.executedQty)
  await user.until(() => user.reports().length === 2)
  assert.deepEqual(user.reports(), ['NEW', 'TRADE'])
  const closed = () =>
    stream.received
      .filter((message) => message['stream'] === 'btcusdt@kline_1s')
      .map((message) => (message['data'] as { k: Json }).k)
      .filter(({ x }) => x === true)
  const rows = await stream.until(() => closed().length >= 3 && closed())
  assert.deepEqual(
    rows.map(({ t: open }) => (open as number) - (rows[0]!['t'] as number)),
    rows.map((_, index) => index * 1000),
  )
  for (const type of ['ethusdt@trade', 'btcusdt@bookTicker', 'btcusdt@miniTicker', 'btcusdt@aggTrade']) {
    await stream.until(() => stream.received.some((message) => message['stream'] === type))
  }
  const history = (await client.get('/api/v3/klines?symbol=BTCUSDT&interval=1s&limit=1000')).body as unknown[]
  assert.equal(history.length, 1000)
  assert.equal((await client.get('/api/v3/depth?symbol=BTCUSDT&limit=5')).status, 200)
})

test('a made-up market announces a closed kline only when its last moment is over', async (t) => {
  const { running, client } = await startVenue('--seed', '1')
  t.after(() => running.stop())
  const socket = await client.open('/ws/btcusdt@kline_1s')
  await socket.until(() => socket.received.length >= 2)
  for (const { E: eventMs, k } of socket.received) {
    const { T: closeMs, x: isClosed } = k as Json
    assert.equal(isClosed, true)
    assert.ok(
      (eventMs as number) > (closeMs as number),
      `announced at ${String(eventMs)}, closes at ${String(closeMs)}`,
    )
  }
  const [first, second] = socket.received.map(({ k }) => (k as Json)['t'] as number)
  assert.equal(second! - first!, 1000)
})
