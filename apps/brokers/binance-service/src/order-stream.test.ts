import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BrokerListener } from '@jts/broker-kit'
import { Activity } from '@jts/runtime'
import { freePort } from '@jts/testkit/ports'
import type { WebSocket } from 'ws'
import { Signer } from './adapters/auth.ts'
import type { BinanceBroker } from './broker.ts'
import { testBroker } from './testing/broker.ts'
import { fixture } from './testing/fixtures.ts'
import { ScriptedVenue } from './testing/scripted-venue.ts'
import { until } from './testing/until.ts'

const timings = { backoffMinMs: 10, backoffMaxMs: 40, silenceMs: 200, setupMs: 30_000 }
const trade = fixture('execution-report-trade') as object
const SUBSCRIBED = { status: 200, result: { subscriptionId: 0 } }

let venue: ScriptedVenue
let broker: BinanceBroker
let activity: Activity
let heard: string[]
let listener: BrokerListener
beforeEach(async () => {
  venue = await ScriptedVenue.start(await freePort())
  activity = new Activity()
  broker = testBroker(venue.endpoints, { activity, streamTimings: timings, random: () => 0.5 })
  heard = []
  listener = {
    onOrder: (report, fill) => heard.push(`${report.status} ${fill?.tradeId ?? '-'}`),
    onBalances: (balances) => heard.push(`balances ${balances.map(({ currency }) => currency).join()}`),
    onAdjustment: ({ noticeId, amount, reason, timeUs }) => heard.push(`${reason} ${noticeId} ${amount} ${timeUs}`),
    onOrderStream: (state) => heard.push(state),
  }
  venue.onFrame = (frame, socket) => reply(socket, frame, SUBSCRIBED)
})
afterEach(async () => {
  await broker.stop()
  await venue.stop()
})
const reply = (socket: WebSocket, frame: Record<string, unknown>, body: object): void =>
  socket.send(JSON.stringify({ id: frame['id'], ...body }))
const say = (event: unknown, socket = venue.sockets.at(-1)!): void =>
  socket.send(JSON.stringify({ subscriptionId: 0, event }))
const hears = (expected: string): Promise<void> => until(() => heard.includes(expected))

test('subscribes with a signature and is up after the answer', async () => {
  broker.subscribeOrders(listener)
  assert.match(activity.describe(), /binance order stream main \(not ready\)/)
  await hears('up')
  const [frame] = venue.frames as { method: string; params: Record<string, string> }[]
  assert.equal(frame?.method, 'userDataStream.subscribe.signature')
  const { signature, ...params } = frame!.params
  const signer = new Signer({ apiKey: 'test-key', apiSecret: 'test-secret' })
  assert.equal(signer.signedParams(params)['signature'], signature)
  assert.equal(activity.isIdle(), true)
})

test('the listener hears that the stream is up before the process may be idle', async () => {
  const states: boolean[] = []
  broker.subscribeOrders({ ...listener, onOrderStream: () => states.push(activity.isIdle()) })
  await until(() => states.length > 0)
  assert.deepEqual(states, [false])
})

test('notices are handed over in the order of the wire, each counted after it was handled', async () => {
  broker.subscribeOrders({
    ...listener,
    onOrder: (report, fill) => {
      heard.push(`${fill?.tradeId ?? report.status} after ${Object.values(activity.received()).join()}`)
    },
  })
  await hears('up')
  heard.length = 0
  for (let n = 0; n < 50; n++) say({ ...trade, t: n })
  say(fixture('execution-report-cancelled'))
  say(fixture('outbound-account-position'))
  say({ e: 'listStatus', s: 'BTCUSDT' })
  await hears('balances BTC,USDT')
  assert.deepEqual(heard, [
    ...Array.from({ length: 50 }, (_, n) => `${n} after ${n + 1}`),
    'cancelled after 51',
    'balances BTC,USDT',
  ])
  // The subscription's answer, 50 trades, the cancel, balances, and the event that is nobody's concern.
  await activity.whenIdle({ [portOf()]: 54 })
})

test('tells of money that moves without a trade, with an id that the same notice has again', async () => {
  broker.subscribeOrders(listener)
  await hears('up')
  heard.length = 0
  say(fixture('balance-update'))
  say({ ...(fixture('balance-update') as object), d: '-0.50000000', E: 1795392931999 })
  say(fixture('balance-update'))
  await until(() => heard.length === 3)
  const deposit = 'deposit USDT:1795392931000:100.25 10025000000 1795392931000000'
  assert.deepEqual(heard, [deposit, 'withdrawal USDT:1795392931000:-0.5 -50000000 1795392931000000', deposit])
})

test('notices that come in one piece are handed over one by one: what one causes is decided before the next', async () => {
  broker.subscribeOrders({
    ...listener,
    onOrder: (_report, fill) => {
      heard.push(`fill ${fill?.tradeId}`)
      queueMicrotask(() => heard.push(`answer ${fill?.tradeId}`))
    },
  })
  await hears('up')
  heard.length = 0
  const { _socket: wire } = venue.sockets.at(-1) as unknown as { _socket: Socket }
  wire.cork()
  for (let n = 1; n <= 3; n++) say({ ...trade, t: n })
  wire.uncork()
  await hears('answer 3')
  assert.deepEqual(
    heard,
    [1, 2, 3].flatMap((n) => [`fill ${n}`, `answer ${n}`]),
  )
})

function portOf(): string {
  return Object.keys(activity.received())[0]!
}

test('a connection is named by the port that the venue sees', async () => {
  let seen: number | undefined
  venue.onSocket = (socket) => {
    seen = (socket as unknown as { _socket: { remotePort: number } })._socket.remotePort
  }
  broker.subscribeOrders(listener)
  await hears('up')
  assert.deepEqual(activity.received(), { [String(seen)]: 1 })
})

test('a lost connection is said to be down, then subscribed anew; meanwhile the process is not idle', async () => {
  broker.subscribeOrders(listener)
  await hears('up')
  venue.sockets[0]!.terminate()
  await hears('down')
  assert.equal(activity.isIdle(), false)
  assert.deepEqual(activity.received(), {})
  await until(() => heard.join() === 'up,down,up')
  assert.equal(venue.frames.length, 2)
  say(trade)
  await hears('partially_filled 56')
  assert.equal(activity.isIdle(), true)
})

test('a venue that was away is found again after it has come back on its port', async () => {
  broker.subscribeOrders(listener)
  await hears('up')
  const { port } = venue
  await venue.stop()
  await hears('down')
  await sleep(60)
  venue = await ScriptedVenue.start(port)
  venue.onFrame = (frame, socket) => reply(socket, frame, SUBSCRIBED)
  await until(() => heard.at(-1) === 'up')
})

test('a half-open connection is found by its silence', async () => {
  let startMs: number | undefined
  venue.onSocket = (socket) => {
    startMs ??= Date.now()
    // A path that swallows everything: the venue's pongs never arrive.
    socket.on('ping', () => undefined)
    ;(socket as unknown as { _autoPong: boolean })._autoPong = false
  }
  broker.subscribeOrders(listener)
  await hears('down')
  assert.ok(Date.now() - startMs! >= 190)
})

test('a quiet stream whose other end is alive stays up', async () => {
  broker.subscribeOrders(listener)
  await hears('up')
  await sleep(350)
  assert.deepEqual(heard, ['up'])
})

test('a refused subscription is tried again, and is not up before it is granted', async () => {
  let refused = 0
  venue.onFrame = (frame, socket) => {
    const error = { code: -1021, msg: 'Timestamp for this request is outside of the recvWindow.' }
    if (refused++ < 2) reply(socket, frame, { status: 400, error })
    else reply(socket, frame, SUBSCRIBED)
  }
  broker.subscribeOrders(listener)
  await hears('up')
  assert.equal(venue.frames.length, 3)
  assert.deepEqual(heard, ['up'])
})

const UNREADABLE: readonly (readonly [string, string])[] = [
  ['no JSON', 'nonsense'],
  ['no object', 'null'],
  ['a notice without its quantity', JSON.stringify({ event: { ...trade, l: undefined } })],
]
for (const [name, text] of UNREADABLE) {
  test(`an unreadable frame (${name}) makes the stream start anew, so that nothing stays missed`, async () => {
    broker.subscribeOrders(listener)
    await hears('up')
    venue.sockets[0]!.send(text)
    await until(() => heard.join() === 'up,down,up')
  })
}

test('a venue that announces its shutdown is left at once', async () => {
  broker.subscribeOrders(listener)
  await hears('up')
  say({ e: 'serverShutdown', E: 1 })
  await until(() => heard.join() === 'up,down,up')
})

test('a connection near the end of its day is renewed', async () => {
  const renewed = testBroker(venue.endpoints, { streamTimings: { ...timings, renewalMs: 80 } })
  renewed.subscribeOrders(listener)
  await until(() => heard.join().startsWith('up,down,up'))
  await renewed.stop()
})

test('after stop nothing is heard and nothing is waited for', async () => {
  const subscription = broker.subscribeOrders(listener)
  await hears('up')
  const closed = once(venue.sockets[0]!, 'close')
  await subscription.stop()
  await closed
  await sleep(60)
  assert.deepEqual(heard, ['up'])
  assert.equal(venue.sockets.length, 1)
  assert.equal(activity.isIdle(), true)
  assert.deepEqual(activity.received(), {})
})

test('stop ends a stream that never came up', async () => {
  const { port } = venue
  await venue.stop()
  const subscription = broker.subscribeOrders(listener)
  await sleep(30)
  await subscription.stop()
  assert.equal(activity.isIdle(), true)
  venue = await ScriptedVenue.start(port)
  await sleep(80)
  assert.equal(venue.sockets.length, 0)
})
