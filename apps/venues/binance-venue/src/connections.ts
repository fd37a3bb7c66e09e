/** Open WebSockets, by the client's port: what was sent on each, who listens to which stream, who is still alive. */
import type { WebSocket } from 'ws'
import { microseconds, milliseconds, type TimeOf } from './payloads.ts'

const PING_EVERY_MS = 20_000
const PONG_WITHIN_MS = 60_000
const LIFE_MS = 24 * 3_600_000
export const STREAMS_MAX = 1024

export class Connection {
  readonly port: string
  readonly ip: string
  readonly time: TimeOf
  readonly streams = new Set<string>()
  /** User data subscriptions: id → account. */
  readonly subscriptions = new Map<number, number>()
  readonly openedMs = Date.now()
  isCombined = false
  sent = 0
  pongedMs = Date.now()
  readonly #socket: WebSocket
  readonly #onSent: () => void

  constructor(socket: WebSocket, port: number, ip: string, isMicro: boolean, onSent: () => void) {
    this.#socket = socket
    this.port = String(port)
    this.ip = ip
    this.time = isMicro ? microseconds : milliseconds
    this.#onSent = onSent
    socket.on('pong', () => (this.pongedMs = Date.now()))
  }

  /** False once its end has begun, which its client may not know yet: nothing more is told to it. */
  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN
  }

  send(text: string): void {
    if (!this.isOpen) return
    this.sent++
    this.#socket.send(text)
    this.#onSent()
  }

  ping(): void {
    if (this.isOpen) this.#socket.ping(String(Date.now()))
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason)
  }

  terminate(): void {
    this.#socket.terminate()
  }
}

export class Connections {
  readonly #open = new Map<string, Connection>()
  readonly #listeners = new Map<string, Set<Connection>>()
  readonly #disconnectEvery: number
  #messages = 0
  #timer: NodeJS.Timeout

  /** `disconnectEvery`: a fault; 0 = never. */
  constructor(disconnectEvery: number) {
    this.#disconnectEvery = disconnectEvery
    this.#timer = setInterval(() => this.#keepAlive(), PING_EVERY_MS)
    this.#timer.unref()
  }

  add(socket: WebSocket, port: number, ip: string, isMicro: boolean): Connection {
    const connection = new Connection(socket, port, ip, isMicro, () => this.#count())
    this.#open.set(connection.port, connection)
    socket.on('error', () => connection.terminate())
    socket.on('close', () => this.#remove(connection))
    return connection
  }

  #remove(connection: Connection): void {
    if (this.#open.get(connection.port) === connection) this.#open.delete(connection.port)
    for (const stream of connection.streams) this.#listeners.get(stream)?.delete(connection)
    connection.streams.clear()
    connection.subscriptions.clear()
  }

  #count(): void {
    this.#messages++
    if (this.#disconnectEvery === 0 || this.#messages % this.#disconnectEvery !== 0) return
    for (const connection of this.#open.values()) connection.close(1001, 'going away')
  }

  #keepAlive(): void {
    const now = Date.now()
    for (const connection of this.#open.values()) {
      if (now - connection.openedMs > LIFE_MS) connection.close(1001, '24 hours')
      else if (now - connection.pongedMs > PONG_WITHIN_MS) connection.terminate()
      else connection.ping()
    }
  }

  /** Of one that is closing nobody can say that all has been heard: what it was not told any more it has to ask for. */
  sentOn(port: string): number | undefined {
    const connection = this.#open.get(port)
    return connection?.isOpen ? connection.sent : undefined
  }

  sent(): Record<string, number> {
    const counters: Record<string, number> = {}
    for (const connection of this.#open.values()) counters[connection.port] = connection.sent
    return counters
  }

  all(): Iterable<Connection> {
    return this.#open.values()
  }

  listen(connection: Connection, stream: string): void {
    let listeners = this.#listeners.get(stream)
    if (!listeners) this.#listeners.set(stream, (listeners = new Set()))
    listeners.add(connection)
    connection.streams.add(stream)
  }

  unlisten(connection: Connection, stream: string): void {
    this.#listeners.get(stream)?.delete(connection)
    connection.streams.delete(stream)
  }

  hasListeners(stream: string): boolean {
    return (this.#listeners.get(stream)?.size ?? 0) > 0
  }

  /** The payload is made once per time unit, and only when somebody listens. */
  publish(stream: string, payload: (time: TimeOf) => string): void {
    const listeners = this.#listeners.get(stream)
    if (!listeners || listeners.size === 0) return
    let inMs: string | undefined
    let inUs: string | undefined
    for (const connection of listeners) {
      const data =
        connection.time === microseconds ? (inUs ??= payload(microseconds)) : (inMs ??= payload(milliseconds))
      connection.send(connection.isCombined ? `{"stream":"${stream}","data":${data}}` : data)
    }
  }

  stop(): void {
    clearInterval(this.#timer)
    for (const connection of this.#open.values()) connection.close(1001, 'server shutdown')
  }
}
