/**
 * The live stream. The publisher only puts an update into each reader's queue; a few times a second the queue is written
 * out. In the queue a newer candle, order or portfolio replaces the older one of the same name, so a slow reader gets less,
 * not later; one that stays slow is sent away with a reason. No reader can make the gateway grow.
 */
import { systemClock, type Logger, type WallClock } from '@jts/runtime'
import { GatewayError } from './problems.ts'
import type { GatewayPorts, GatewayUpdate, SnapshotView, StreamMessage } from './ports.ts'
import { withDeadline } from './deadline.ts'

export type StreamLimits = {
  readonly clientsMax: number
  /** How long updates gather before they are written. */
  readonly flushMs: number
  readonly heartbeatMs: number
  /** Bytes on the way to a reader, above which it counts as slow. */
  readonly bufferedBytesMax: number
  /** Updates that may wait for a slow reader. */
  readonly waitingMax: number
  /** How long a reader may stay slow. */
  readonly slowMs: number
  readonly snapshotRows: number
}

export const STREAM_LIMITS: StreamLimits = {
  clientsMax: 32,
  flushMs: 40,
  heartbeatMs: 5_000,
  bufferedBytesMax: 512 * 1024,
  waitingMax: 2_000,
  slowMs: 15_000,
  snapshotRows: 100,
}

/** The part of a WebSocket that the stream needs. */
export interface StreamSocket {
  readonly bufferedAmount: number
  send(text: string): void
  close(code: number, reason: string): void
  terminate(): void
}

/** WebSocket close codes: 1001 going away, 1011 server failure, 1013 try again later. */
const GOING_AWAY = 1001
const FAILED = 1011
const TRY_LATER = 1013
const CLOSE_GRACE_MS = 1_000
const SNAPSHOT_MS = 10_000

/** Serialised once, however many readers there are. */
type Shared = { readonly update: GatewayUpdate; text: string | undefined }

class Reader {
  readonly socket: StreamSocket
  readonly waiting = new Map<string, Shared>()
  ready = false
  closed = false
  slowSinceUs: number | undefined
  missedCandles = false

  constructor(socket: StreamSocket) {
    this.socket = socket
  }
}

export class LiveStream {
  readonly #ports: GatewayPorts
  readonly #log: Logger
  readonly #clock: WallClock
  readonly #limits: StreamLimits
  readonly #readers = new Map<StreamSocket, Reader>()
  readonly #leaving = new Map<StreamSocket, { cancel(): void }>()
  #unsubscribe: (() => void) | undefined
  #flush: { cancel(): void } | undefined
  #heartbeat: { cancel(): void } | undefined
  #stopped = false

  constructor(options: { ports: GatewayPorts; log: Logger; clock?: WallClock; limits?: Partial<StreamLimits> }) {
    this.#ports = options.ports
    this.#log = options.log
    this.#clock = options.clock ?? systemClock
    this.#limits = { ...STREAM_LIMITS, ...options.limits }
  }

  start(): void {
    this.#scheduleHeartbeat()
  }

  get size(): number {
    return this.#readers.size
  }

  /** Takes a new reader: its snapshot first, then everything that came since it was asked for. */
  async add(socket: StreamSocket): Promise<void> {
    const reader = new Reader(socket)
    if (this.#stopped) return this.#sendAway(reader, GOING_AWAY, 'the gateway is stopping')
    if (this.#readers.size >= this.#limits.clientsMax) {
      return this.#sendAway(reader, TRY_LATER, `expected at most ${this.#limits.clientsMax} readers`)
    }
    this.#readers.set(socket, reader)
    // An update may cost questions to other processes: while nobody reads, none is made.
    this.#unsubscribe ??= this.#ports.subscribe((update) => this.#publish(update))
    try {
      const data = await withDeadline('snapshot', SNAPSHOT_MS, this.#snapshot())
      this.#say(reader, { type: 'snapshot', data })
      reader.ready = true
      this.#write(reader)
    } catch (error) {
      this.#log.error({ err: error }, 'no snapshot for a reader')
      this.#sendAway(reader, FAILED, error instanceof GatewayError ? error.message : 'no snapshot; see the log')
    }
  }

  /** Forgets a reader whose connection ended. */
  remove(socket: StreamSocket): void {
    this.#leaving.get(socket)?.cancel()
    this.#leaving.delete(socket)
    const reader = this.#readers.get(socket)
    if (reader !== undefined) reader.closed = true
    this.#readers.delete(socket)
    if (this.#readers.size > 0) return
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
  }

  stop(): void {
    this.#stopped = true
    this.#unsubscribe?.()
    this.#flush?.cancel()
    this.#heartbeat?.cancel()
    for (const reader of [...this.#readers.values()]) this.#sendAway(reader, GOING_AWAY, 'the gateway is stopping')
  }

  async #snapshot(): Promise<SnapshotView> {
    const limit = this.#limits.snapshotRows
    const [status, portfolio, orders, fills, decisions] = await Promise.all([
      this.#ports.status(),
      this.#ports.portfolio(),
      this.#ports.orders({ limit }),
      this.#ports.fills({ limit }),
      this.#ports.decisions({ limit }),
    ])
    return { status, portfolio, orders, fills, decisions }
  }

  #publish(update: GatewayUpdate): void {
    const name = nameOf(update)
    const shared: Shared = { update, text: undefined }
    for (const reader of [...this.#readers.values()]) this.#enqueue(reader, name, shared)
    this.#flush ??= this.#clock.after(this.#limits.flushMs, () => this.#flushAll())
  }

  #enqueue(reader: Reader, name: string, shared: Shared): void {
    reader.waiting.set(name, shared)
    if (reader.waiting.size <= this.#limits.waitingMax) return
    if (reader.ready && !this.#isSlow(reader)) return this.#write(reader)
    this.#leaveOutCandles(reader)
    if (reader.waiting.size > this.#limits.waitingMax) {
      this.#sendAway(reader, TRY_LATER, `too slow: more than ${this.#limits.waitingMax} updates waiting`)
    }
  }

  /** Candles can be fetched again, so they are the first to go. */
  #leaveOutCandles(reader: Reader): void {
    for (const [name, { update }] of reader.waiting) if (update.type === 'candle') reader.waiting.delete(name)
    reader.missedCandles = true
  }

  #flushAll(): void {
    this.#flush = undefined
    for (const reader of [...this.#readers.values()]) this.#write(reader)
    if ([...this.#readers.values()].some((reader) => reader.waiting.size > 0)) {
      this.#flush = this.#clock.after(this.#limits.flushMs, () => this.#flushAll())
    }
  }

  #write(reader: Reader): void {
    if (!reader.ready || reader.closed) return
    if (this.#isSlow(reader)) return this.#judgeSlow(reader)
    reader.slowSinceUs = undefined
    if (reader.missedCandles) {
      reader.missedCandles = false
      this.#say(reader, { type: 'resync', data: { of: 'candles' } })
    }
    for (const [name, shared] of reader.waiting) {
      if (this.#isSlow(reader)) return
      reader.waiting.delete(name)
      shared.text ??= JSON.stringify(shared.update)
      reader.socket.send(shared.text)
    }
  }

  #isSlow(reader: Reader): boolean {
    return reader.socket.bufferedAmount > this.#limits.bufferedBytesMax
  }

  #judgeSlow(reader: Reader): void {
    const nowUs = this.#clock.nowUs()
    reader.slowSinceUs ??= nowUs
    if (nowUs - reader.slowSinceUs > this.#limits.slowMs * 1000) {
      this.#sendAway(reader, TRY_LATER, `too slow: nothing read for ${this.#limits.slowMs} ms`)
    }
  }

  #say(reader: Reader, message: StreamMessage): void {
    if (!reader.closed) reader.socket.send(JSON.stringify(message))
  }

  #sendAway(reader: Reader, code: number, reason: string): void {
    this.#log.warn({ reason }, 'a reader of the live stream is disconnected')
    this.remove(reader.socket)
    reader.waiting.clear()
    reader.socket.close(code, reason.slice(0, 120))
    // The close frame waits behind what the reader has not read; it gets a moment, not for ever.
    const end = this.#clock.after(CLOSE_GRACE_MS, () => {
      this.#leaving.delete(reader.socket)
      reader.socket.terminate()
    })
    this.#leaving.set(reader.socket, end)
  }

  #scheduleHeartbeat(): void {
    this.#heartbeat = this.#clock.after(this.#limits.heartbeatMs, () => {
      const message: StreamMessage = { type: 'heartbeat', data: { timeUs: this.#clock.nowUs() } }
      for (const reader of [...this.#readers.values()]) {
        if (this.#isSlow(reader)) this.#judgeSlow(reader)
        else this.#say(reader, message)
      }
      this.#scheduleHeartbeat()
    })
  }
}

/** Two updates of one name are the same fact, older and newer. */
function nameOf(update: GatewayUpdate): string {
  switch (update.type) {
    case 'candle':
      return `candle ${update.data.instrument} ${update.data.timeframe} ${update.data.openTimeUs}`
    case 'order':
      return `order ${update.data.orderId}`
    case 'fill':
      return `fill ${update.data.fillId}`
    case 'decision':
      return `decision ${update.data.signalId}`
    case 'portfolio':
    case 'status':
    case 'collections':
      return update.type
  }
}
