import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, it } from 'node:test'
import type { CandleView, StreamMessage } from '../views.ts'
import { LiveStore } from './store.ts'

class FakeSocket {
  onmessage: ((event: { data: string }) => void) | undefined
  onclose: (() => void) | undefined
  closed = false
  close(): void {
    this.closed = true
  }
  say(message: StreamMessage): void {
    this.onmessage?.({ data: JSON.stringify(message) })
  }
}

const snapshot = {
  type: 'snapshot',
  data: { status: { marketTimeUs: 1 }, portfolio: { accounts: [] }, orders: [], fills: [], decisions: [] },
} as unknown as StreamMessage
const candle = (openTimeUs: number, close: number) =>
  ({
    type: 'candle',
    data: { instrument: 'A:B', timeframe: '1m', openTimeUs, close } as CandleView,
  }) as const satisfies StreamMessage

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !condition() && Date.now() < end;) await sleep(1)
  assert.ok(condition(), 'waited in vain')
}

describe('live store', () => {
  let store: LiveStore
  const sockets: FakeSocket[] = []
  const started = (silenceMs = 60_000): FakeSocket => {
    sockets.length = 0
    const connect = (): WebSocket => {
      const socket = new FakeSocket()
      sockets.push(socket)
      return socket as unknown as WebSocket
    }
    store = new LiveStore(connect, { notifyMs: 5, silenceMs, retryMs: 10, retryMaxMs: 20 })
    store.start()
    return sockets[0]!
  }
  afterEach(() => store.stop())

  it('tells its listeners once for many messages', async () => {
    const socket = started()
    let told = 0
    const batches: (readonly CandleView[])[] = []
    store.subscribe(() => told++)
    store.onCandles((batch) => batches.push(batch))
    socket.say(snapshot)
    for (let index = 0; index < 50; index++) socket.say(candle(index, index))
    await until(() => told > 0)
    await sleep(30)
    assert.equal(told, 1)
    assert.equal(batches.length, 1)
    assert.equal(batches[0]!.length, 50)
    assert.equal(store.heardCandles('A:B', '1m').length, 50)
  })

  it('connects again after the connection ended, and asks for the candles again', async () => {
    const socket = started()
    let resyncs = 0
    store.onResync(() => resyncs++)
    socket.say(snapshot)
    socket.onclose?.()
    await until(() => store.getState().connection === 'lost')
    await until(() => sockets.length === 2)
    sockets[1]!.say(snapshot)
    await until(() => store.getState().connection === 'live')
    assert.equal(resyncs, 1)
  })

  it('takes silence for a dead connection, and no longer listens to it', async () => {
    const socket = started(40)
    socket.say(snapshot)
    await until(() => sockets.length >= 2)
    assert.equal(socket.closed, true)
    const before = store.getState()
    socket.say(candle(1, 1))
    assert.equal(store.getState(), before)
    assert.equal(store.heardCandles('A:B', '1m').length, 0)
  })

  it('asks for the candles again when the gateway left some out', () => {
    const socket = started()
    let resyncs = 0
    store.onResync(() => resyncs++)
    socket.say(snapshot)
    socket.say({ type: 'resync', data: { of: 'candles' } })
    assert.equal(resyncs, 1)
  })
})
