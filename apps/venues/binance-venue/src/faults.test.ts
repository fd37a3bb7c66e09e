import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { recordWalk, startVenue } from './testing/venue-client.ts'

const BUY = { side: 'BUY', type: 'MARKET', quantity: '1' }
type Rows = Record<string, unknown>[]

async function withFault(t: TestContext, ...faults: string[]) {
  const argv = faults.flatMap((fault) => ['--fault', fault])
  const { running, client } = await startVenue('--replay', recordWalk('BTCUSDT', 50), ...argv)
  t.after(() => running.stop())
  const conductor = await client.conductor()
  await conductor.release()
  const orders = async () => (await client.ask<Rows>('/api/v3/allOrders', { symbol: 'BTCUSDT' })).length
  return { client, conductor, orders }
}

test('timeout-after-accept: the order exists although its answer says that nobody knows', async (t) => {
  const { client, orders } = await withFault(t, 'timeout-after-accept=2')
  const user = await client.userStream()
  assert.equal((await client.order(BUY)).status, 200)
  const { status, body } = await client.order(BUY)
  assert.deepEqual([status, (body as { code: number }).code], [504, -1007])
  assert.equal(await orders(), 2)
  await user.until(() => user.reports().length === 2)
  assert.equal((await client.order(BUY)).status, 200)
})

test('timeout-before-accept: the order is lost, and only that one', async (t) => {
  const { client, orders } = await withFault(t, 'timeout-before-accept=2')
  assert.equal((await client.order(BUY)).status, 200)
  assert.equal((await client.order(BUY)).status, 504)
  assert.equal(await orders(), 1)
  assert.equal((await client.order(BUY)).status, 200)
  assert.equal(await orders(), 2)
})

test('drop-connection-after-accept: the answer never comes, the order stands', async (t) => {
  const { client, orders } = await withFault(t, 'drop-connection-after-accept=1')
  await assert.rejects(client.order(BUY))
  assert.equal(await orders(), 1)
})

test('hang-after-accept: the request stays open, and holds back releases, until the client gives up', async (t) => {
  const { client, conductor, orders } = await withFault(t, 'hang-after-accept=1')
  const user = await client.userStream()
  const socket = await client.open('/ws-api/v3')
  const request = { symbol: 'BTCUSDT', ...BUY }
  socket.send({ id: 1, method: 'order.place', params: client.signedParams(request) })
  await user.until(() => user.reports().length === 1)
  assert.equal(await orders(), 1)
  const reply = await conductor.ask({ type: 'release', at: conductor.position, received: {} })
  assert.equal(reply.type === 'refused' && reply.reason, 'counters')
  socket.close()
  assert.equal(await conductor.release(), 'open')
})

test('drop-user-event and duplicate-user-event: the report of a fill is lost or comes twice', async (t) => {
  for (const [fault, count] of [
    ['drop-user-event=1', 0],
    ['drop-user-event=every', 0],
    ['duplicate-user-event=1', 2],
  ] as const) {
    const { client, conductor } = await withFault(t, fault)
    const user = await client.userStream()
    await client.order(BUY)
    await conductor.release()
    await client.order({ ...BUY, side: 'SELL', quantity: '0.9' })
    await user.until(() => user.reports().filter((report) => report === 'NEW').length === 2)
    assert.equal(user.reports().filter((report) => report === 'TRADE').length, count, fault)
    assert.equal((await client.ask<Rows>('/api/v3/myTrades', { symbol: 'BTCUSDT' })).length, 1)
  }
})

test('balance-fee and phantom-fill: the balances do not follow from the trades', async (t) => {
  const fee = await withFault(t, 'balance-fee=0.0011')
  await fee.client.order(BUY)
  await fee.conductor.release()
  assert.equal((await fee.client.balances())['BTC'], '0.9989+0')
  const phantom = await withFault(t, 'phantom-fill=1')
  await phantom.client.order(BUY)
  await phantom.conductor.release()
  assert.equal((await phantom.client.balances())['BTC'], '1.998+0')
  assert.equal((await phantom.client.ask<Rows>('/api/v3/myTrades', { symbol: 'BTCUSDT' })).length, 1)
})

test('reply-after-event: the report is there before the answer', async (t) => {
  const { client } = await withFault(t, 'reply-after-event')
  const user = await client.userStream()
  await user.call('order.place', client.signedParams({ symbol: 'BTCUSDT', ...BUY }))
  const kinds = user.received.slice(1).map((message) => ('event' in message ? 'event' : 'reply'))
  assert.deepEqual(kinds, ['event', 'event', 'reply'])
})

test('delay-user-events: reports come late, and a release waits for them', async (t) => {
  const { client, conductor } = await withFault(t, 'delay-user-events=1000')
  const user = await client.userStream()
  const startMs = Date.now()
  await client.order(BUY)
  assert.deepEqual(user.reports(), [])
  await conductor.release()
  assert.ok(Date.now() - startMs >= 995)
  assert.ok(user.reports().includes('NEW'))
})

test('disconnect-streams-every: all streams close after so many messages', async (t) => {
  const { client, conductor } = await withFault(t, 'disconnect-streams-every=3')
  const stream = await client.open('/ws/btcusdt@kline_1m')
  for (let count = 0; count < 3; count++) await conductor.ask({ type: 'release', at: conductor.position, received: {} })
  await stream.until(() => stream.closeCode !== undefined)
  assert.equal(stream.received.length, 3)
})

test('a release waits for a client that does not know yet that its stream is closed: it has missed what came after', async (t) => {
  const { client, conductor } = await withFault(t, 'disconnect-streams-every=1')
  const stream = await client.open('/ws/btcusdt@kline_1m')
  stream.pause()
  const release = (received: object) => conductor.ask({ type: 'release', at: conductor.position, received })
  while ((await release({})).type !== 'released' || conductor.position < 3) continue
  const reply = await release({ [stream.port]: 1 })
  assert.ok(reply.type === 'refused' && reply.reason === 'counters', JSON.stringify(reply))
  assert.equal(reply.message, `port ${stream.port}: no open connection, 1 received`)
  stream.resume()
  await stream.until(() => stream.closeCode !== undefined)
  assert.equal(stream.received.length, 1)
  assert.equal((await release({})).type, 'released')
})
