import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import WebSocket from 'ws'
import { createLogger, silentLogger, type WallClock } from '@jts/runtime'
import { FakePorts } from './testing/fake-ports.ts'
import type { CandleView, FillView, StreamMessage } from './ports.ts'
import { createApiGateway, type ApiGateway } from './server.ts'
import { LiveStream, type StreamLimits, type StreamSocket } from './stream.ts'

class ManualClock implements WallClock {
  #nowUs = 0
  #timers = new Set<{ atUs: number; run: () => void }>()

  nowUs(): number {
    return this.#nowUs
  }

  after(delayMs: number, run: () => void): { cancel(): void } {
    const timer = { atUs: this.#nowUs + delayMs * 1000, run }
    this.#timers.add(timer)
    return { cancel: () => this.#timers.delete(timer) }
  }

  advance(ms: number): void {
    const endUs = this.#nowUs + ms * 1000
    for (;;) {
      const next = [...this.#timers].filter((timer) => timer.atUs <= endUs).sort((a, b) => a.atUs - b.atUs)[0]
      if (next === undefined) break
      this.#timers.delete(next)
      this.#nowUs = Math.max(this.#nowUs, next.atUs)
      next.run()
    }
    this.#nowUs = endUs
  }
}

class FakeSocket implements StreamSocket {
  bufferedAmount = 0
  readonly said: StreamMessage[] = []
  closedWith: { code: number; reason: string } | undefined
  terminated = false

  send(text: string): void {
    this.said.push(JSON.parse(text) as StreamMessage)
  }
  close(code: number, reason: string): void {
    this.closedWith = { code, reason }
  }
  terminate(): void {
    this.terminated = true
  }
  types(): string[] {
    return this.said.map(({ type }) => type)
  }
}

const candle = (minute: number, close: number): CandleView => ({
  instrument: 'BINANCE:BTCUSDT',
  timeframe: '1m',
  openTimeUs: minute * 60_000_000,
  open: 1,
  high: 9,
  low: 1,
  close,
  volume: 1,
  final: false,
})
const fill = (id: number): FillView => ({
  fillId: `f${id}`,
  account: 'sim.binance.main',
  strategy: 's',
  instrument: 'BINANCE:BTCUSDT',
  side: 'buy',
  quantity: '1',
  price: '1',
  fee: '0',
  feeCurrency: 'USDT',
  timeUs: id,
  orderId: `o${id}`,
})

async function streamWith(limits: Partial<StreamLimits> = {}) {
  const ports = new FakePorts()
  const clock = new ManualClock()
  const stream = new LiveStream({ ports, log: silentLogger, clock, limits })
  stream.start()
  const socket = new FakeSocket()
  return { ports, clock, stream, socket }
}

describe('live stream', () => {
  it('says the snapshot first, then what came while it was being gathered', async () => {
    const { ports, stream, socket } = await streamWith()
    const added = stream.add(socket)
    ports.emit({ type: 'fill', data: fill(1) })
    await added
    assert.deepEqual(socket.types(), ['snapshot', 'fill'])
  })

  it('sends of several updates to one candle the last, and every fill', async () => {
    const { ports, clock, stream, socket } = await streamWith()
    await stream.add(socket)
    for (const close of [2, 3, 4]) ports.emit({ type: 'candle', data: candle(1, close) })
    ports.emit({ type: 'fill', data: fill(1) })
    ports.emit({ type: 'fill', data: fill(2) })
    clock.advance(100)
    assert.deepEqual(socket.types(), ['snapshot', 'candle', 'fill', 'fill'])
    assert.equal((socket.said[1]!.data as CandleView).close, 4)
  })

  it('holds back while a reader is slow, leaves out candles beyond the bound, and asks it to fetch them again', async () => {
    const { ports, clock, stream, socket } = await streamWith({ waitingMax: 50 })
    await stream.add(socket)
    socket.bufferedAmount = 10_000_000
    for (let minute = 0; minute < 1000; minute++) ports.emit({ type: 'candle', data: candle(minute, 2) })
    ports.emit({ type: 'fill', data: fill(1) })
    clock.advance(1000)
    assert.deepEqual(socket.types(), ['snapshot'])
    socket.bufferedAmount = 0
    clock.advance(1000)
    assert.equal(socket.said[1]!.type, 'resync')
    assert.ok(socket.said.length <= 53)
    assert.ok(socket.types().includes('fill'))
    assert.equal(socket.closedWith, undefined)
  })

  it('sends a slow reader away when more waits for it than may be left out', async () => {
    const { ports, clock, stream, socket } = await streamWith({ waitingMax: 50 })
    await stream.add(socket)
    socket.bufferedAmount = 10_000_000
    for (let id = 0; id < 60; id++) ports.emit({ type: 'fill', data: fill(id) })
    assert.equal(socket.closedWith?.code, 1013)
    assert.match(socket.closedWith!.reason, /too slow: more than 50 updates waiting/)
    assert.equal(stream.size, 0)
    clock.advance(2000)
    assert.equal(socket.terminated, true)
  })

  it('sends a reader away that reads nothing for too long', async () => {
    const { ports, clock, stream, socket } = await streamWith({ slowMs: 3000 })
    await stream.add(socket)
    socket.bufferedAmount = 10_000_000
    ports.emit({ type: 'candle', data: candle(1, 2) })
    clock.advance(2000)
    assert.equal(socket.closedWith, undefined)
    clock.advance(2000)
    assert.match(socket.closedWith!.reason, /nothing read for 3000 ms/)
  })

  it('writes a burst at once to a reader that keeps up, and loses nothing of it', async () => {
    const { ports, clock, stream, socket } = await streamWith({ waitingMax: 50 })
    await stream.add(socket)
    for (let id = 0; id < 500; id++) ports.emit({ type: 'fill', data: fill(id) })
    clock.advance(100)
    assert.equal(socket.types().filter((type) => type === 'fill').length, 500)
    assert.equal(socket.closedWith, undefined)
  })

  it('beats when nothing happens', async () => {
    const { clock, stream, socket } = await streamWith({ heartbeatMs: 1000 })
    await stream.add(socket)
    clock.advance(3500)
    assert.deepEqual(socket.types(), ['snapshot', 'heartbeat', 'heartbeat', 'heartbeat'])
  })

  it('turns away a reader above the bound, and one without a snapshot, with a reason', async () => {
    const { ports, stream, socket } = await streamWith({ clientsMax: 1 })
    await stream.add(socket)
    const second = new FakeSocket()
    await stream.add(second)
    assert.equal(second.closedWith?.code, 1013)
    stream.remove(socket)
    ports.failure = new Error('down')
    const third = new FakeSocket()
    await stream.add(third)
    assert.equal(third.closedWith?.code, 1011)
    assert.equal(stream.size, 0)
  })

  it('listens only while somebody reads', async () => {
    const { ports, stream, socket } = await streamWith()
    const second = new FakeSocket()
    const listening = [ports.listeners.size]
    for (const one of [socket, second]) {
      await stream.add(one)
      listening.push(ports.listeners.size)
    }
    for (const one of [socket, second]) {
      stream.remove(one)
      listening.push(ports.listeners.size)
    }
    assert.deepEqual(listening, [0, 1, 1, 1, 0])
  })

  it('ends its readers and its subscription when stopped', async () => {
    const { ports, stream, socket } = await streamWith()
    await stream.add(socket)
    stream.stop()
    assert.equal(socket.closedWith?.code, 1001)
    assert.equal(ports.listeners.size, 0)
  })
})

describe('live stream over a real socket', () => {
  let ports: FakePorts
  let gateway: ApiGateway
  let url: string

  before(async () => {
    ports = new FakePorts()
    const streamLimits = { heartbeatMs: 600_000 }
    gateway = createApiGateway({ ports, port: 0, log: silentLogger, mode: 'sim', streamLimits })
    url = await streamUrlOf(gateway)
  })
  after(() => gateway.stop())

  const streamUrlOf = async (started: ApiGateway): Promise<string> =>
    `${(await started.start()).url.replace('http', 'ws')}/api/v1/stream`

  it('gives the page of the same origin a snapshot and then updates', async () => {
    const socket = new WebSocket(url, { origin: url.replace('ws', 'http').replace('/api/v1/stream', '') })
    const messages: StreamMessage[] = []
    const two = new Promise<void>((resolve) => {
      socket.on('message', (data) => {
        messages.push(JSON.parse(String(data)) as StreamMessage)
        if (messages.length === 1) ports.emit({ type: 'fill', data: fill(1) })
        if (messages.length === 2) resolve()
      })
    })
    await two
    assert.deepEqual(
      messages.map(({ type }) => type),
      ['snapshot', 'fill'],
    )
    socket.close()
    await once(socket, 'close')
  })

  const foreign: [name: string, headers: Record<string, string>, status: number][] = [
    ['Origin', { origin: 'https://evil.example' }, 403],
    ['Host', { host: 'evil.example' }, 421],
  ]
  for (const [name, headers, status] of foreign) {
    it(`refuses the upgrade for a foreign ${name}`, async () => {
      const socket = new WebSocket(url, { headers })
      const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }]
      assert.equal(response.statusCode, status)
      socket.on('error', () => undefined)
      socket.terminate()
    })
  }

  it('refuses an upgrade elsewhere, and closes the connection of a refused one', async () => {
    const { port } = new URL(url)
    const refused: [path: string, host: string, status: string][] = [
      ['/api/v1/status', `127.0.0.1:${port}`, '404'],
      ['/nothing', `127.0.0.1:${port}`, '404'],
      ['/api/v1/stream', 'evil.example', '421'],
    ]
    for (const [path, host, status] of refused) {
      const socket = connect(Number(port), '127.0.0.1')
      let text = ''
      const closed = new Promise((resolve) => socket.once('close', resolve))
      // What counts is the answer, however the connection ends after it.
      socket.on('error', () => undefined)
      socket.on('data', (chunk) => (text += String(chunk)))
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
      await closed
      assert.match(text, new RegExp(`^HTTP/1.1 ${status} `))
    }
  })

  it('disconnects a reader that never reads, while another goes on', { timeout: 60_000 }, async (t) => {
    const sentAway: string[] = []
    const isSentAway = Promise.withResolvers<undefined>()
    const log = createLogger({ name: 'test', level: 'warn' }, (line) => {
      if (!line.includes('a reader of the live stream is disconnected')) return
      sentAway.push(line)
      isSentAway.resolve(undefined)
    })
    const streamLimits = { flushMs: 5, bufferedBytesMax: 64 * 1024, waitingMax: 200, slowMs: 500 }
    const crowded = createApiGateway({ ports, port: 0, log, mode: 'sim', streamLimits })
    t.after(() => crowded.stop())
    const crowdedUrl = await streamUrlOf(crowded)
    const { port } = new URL(crowdedUrl)
    const stuck = connect(Number(port), '127.0.0.1')
    await once(stuck, 'connect')
    stuck.write(
      `GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
    stuck.pause()
    const ended = new Promise((resolve) => stuck.once('close', resolve))
    stuck.on('error', () => undefined)
    const good = new WebSocket(crowdedUrl)
    let fills = 0
    good.on('message', (data) => {
      if ((JSON.parse(String(data)) as StreamMessage).type === 'fill') fills++
    })
    await once(good, 'message')
    let emitted = 0
    const padding = 'x'.repeat(10_000)
    const emitFill = (): void => ports.emit({ type: 'fill', data: { ...fill(++emitted), strategy: padding } })
    // Less at a time than makes a reader slow, and no more before it has arrived: the good one is never slow.
    const pump = setInterval(() => {
      if (fills < emitted) return
      ports.emit({ type: 'status', data: { ...ports.statusNow(), tradingStateReason: `${padding}${emitted}` } })
      for (let n = 0; n < 4; n++) emitFill()
    }, 1)
    t.after(() => clearInterval(pump))
    await isSentAway.promise
    clearInterval(pump)
    stuck.resume()
    await ended
    assert.equal(sentAway.length, 1)
    assert.match(sentAway[0]!, /too slow/)
    emitFill()
    while (fills < emitted) await once(good, 'message')
    assert.equal(good.readyState, WebSocket.OPEN)
    good.close()
    await once(good, 'close')
  })
})
