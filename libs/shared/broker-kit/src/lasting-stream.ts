/**
 * One lasting stream over WebSocket connections that come and go: reconnects with backoff, finds a half-open connection,
 * renews itself before the venue's 24 hours are over, and keeps the lock-step account of frames read.
 * https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
 */
import type { Activity, Logger, WallClock } from '@jts/runtime'
import { WebSocket } from 'ws'
import { messageOf } from './message-of.ts'

export type StreamTimings = {
  readonly backoffMinMs: number
  readonly backoffMaxMs: number
  /** Without a frame, ping or pong for this long the connection is dead: our own ping at half of it was not answered. */
  readonly silenceMs: number
  readonly renewalMs: number
  /** For opening, and again for the answers to the subscription. */
  readonly setupMs: number
  /** Between our frames: the venue cuts a connection that sends it more than 5 a second. */
  readonly sendGapMs: number
}
export const STREAM_TIMINGS: StreamTimings = {
  backoffMinMs: 100,
  backoffMaxMs: 5_000,
  silenceMs: 20_000,
  renewalMs: 23 * 3_600_000,
  setupMs: 10_000,
  sendGapMs: 250,
}

export type StreamOptions = {
  /** A function where it may move: asked for each connection. */
  readonly url: string | (() => string)
  /** Its name in the activity: while it is not up, the process is not idle. */
  readonly participant: string
  /** Asked for each connection; a signature is good only once. */
  readonly headers?: (() => Readonly<Record<string, string>>) | undefined
  readonly clock: WallClock
  readonly activity?: Activity | undefined
  /** What both ends call a connection in the lock-step account; our port, where they do not say otherwise. */
  readonly connectionName?: ((url: URL, localPort: string) => string) | undefined
  readonly log: Logger
  readonly timings?: Partial<StreamTimings> | undefined
  /** 0 … 1, spreads the reconnections of many clients. */
  readonly random?: (() => number) | undefined
  /** Each frame in a turn of the loop of its own: what it causes in this process is decided before the next one is read. */
  readonly oneByOne?: boolean
  /** The connection is open: subscribe on it, and call `up` once the venue has agreed. */
  onOpen(): void
  /** One text frame, in the order of the wire. An unreadable one is thrown as an error, and the stream starts anew. */
  onText(text: string): void
  onUp(): void
  onDown(reason: string): void
  /** A connection ended, or could not be made, and another will be tried. */
  onLost?(): void
}

type Connection = { readonly socket: WebSocket; name: string; heard: boolean; closed: boolean; sendAtUs: number }

export class UnreadableFrame extends Error {
  override readonly name = 'UnreadableFrame'
}

export class LastingStream {
  readonly #options: StreamOptions
  readonly #timings: StreamTimings
  #connection: Connection | undefined
  #isUp = false
  #upSinceUs = 0
  #failures = 0
  #stopped = false
  #timers = new Set<{ cancel(): void }>()

  constructor(options: StreamOptions) {
    this.#options = options
    this.#timings = { ...STREAM_TIMINGS, ...options.timings }
  }

  start(): void {
    this.#options.activity?.absent(this.#options.participant)
    this.#connect()
  }

  /** The venue has agreed to everything asked for. The listener hears it before the process may be called idle. */
  up(): void {
    if (this.#isUp || this.#connection === undefined) return
    this.#isUp = true
    this.#upSinceUs = this.#options.clock.nowUs()
    this.#options.onUp()
    this.#options.activity?.present(this.#options.participant)
  }

  /** Queues a frame on the present connection, within the venue's limit of frames a second. */
  send(text: string): void {
    const connection = this.#connection
    if (connection === undefined) return
    const nowUs = this.#options.clock.nowUs()
    const atUs = Math.max(nowUs, connection.sendAtUs)
    connection.sendAtUs = atUs + this.#timings.sendGapMs * 1000
    if (atUs === nowUs) connection.socket.send(text)
    else this.#after((atUs - nowUs) / 1000, () => connection.socket.send(text))
  }

  /** Gives up the present connection; a new one follows. */
  reconnect(reason: string): void {
    const connection = this.#connection
    if (connection === undefined || this.#stopped) return
    this.#drop(connection, reason)
    // Nothing that still arrives on it is heard.
    connection.socket.terminate()
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#cancelTimers()
    const { activity, participant, clock } = this.#options
    const connection = this.#connection
    if (connection && connection.socket.readyState !== WebSocket.CLOSED) {
      await new Promise<void>((resolve) => {
        const deadline = clock.after(1_000, () => connection.socket.terminate())
        connection.socket.once('close', () => {
          deadline.cancel()
          resolve()
        })
        connection.socket.close()
      })
    }
    activity?.present(participant)
  }

  #connect(): void {
    const { url: place, connectionName } = this.#options
    const url = new URL(typeof place === 'string' ? place : place())
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      headers: { ...this.#options.headers?.() },
      handshakeTimeout: this.#timings.setupMs,
      allowSynchronousEvents: this.#options.oneByOne !== true,
    })
    const connection: Connection = { socket, name: '', heard: true, closed: false, sendAtUs: 0 }
    this.#connection = connection
    socket.on('upgrade', (response) => {
      const port = String(response.socket.localPort)
      connection.name = connectionName?.(url, port) ?? port
    })
    socket.on('open', () => this.#opened(connection))
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#read(connection, data, isBinary))
    socket.on('ping', () => (connection.heard = true))
    socket.on('pong', () => (connection.heard = true))
    socket.on('error', (error) => this.#drop(connection, messageOf(error)))
    socket.on('close', (code, reason) => {
      const words = reason.length > 0 ? ` ${reason.toString()}` : ''
      this.#drop(connection, `closed by the venue with ${code}${words}`)
    })
  }

  #opened(connection: Connection): void {
    if (connection.closed || this.#stopped) return
    this.#options.activity?.openConnection(connection.name)
    this.#after(this.#timings.setupMs, () => {
      if (!this.#isUp) this.reconnect(`no answer to the subscription within ${this.#timings.setupMs} ms`)
    })
    this.#after(this.#timings.renewalMs, () => this.reconnect('renewal before the end of the connection'))
    this.#watch(connection, 0)
    this.#options.onOpen()
  }

  #read(connection: Connection, data: Buffer, isBinary: boolean): void {
    if (connection.closed) return
    connection.heard = true
    if (isBinary) return
    try {
      this.#options.onText(data.toString())
    } catch (error) {
      // Only what could not be read is handled here; a listener's own mistake must stop the service.
      if (!(error instanceof UnreadableFrame)) throw error
      // It may have been a fill: starting anew makes the consumer ask for what it has missed.
      this.#options.log.error({ stream: this.#options.participant, error: error.message }, 'unreadable frame')
      this.reconnect(`unreadable frame: ${error.message}`)
    }
    // A frame may have ended its own connection (`reconnect` runs in its handler).
    if (!this.#isClosed(connection)) this.#options.activity?.countReceived(connection.name)
  }

  #isClosed(connection: Connection): boolean {
    return connection.closed
  }

  /** Four looks in the time of silence; after two silent ones we ask ourselves, since a quiet market is no fault. */
  #watch(connection: Connection, silentLooks: number): void {
    this.#after(this.#timings.silenceMs / 4, () => {
      const silent = connection.heard ? 0 : silentLooks + 1
      connection.heard = false
      if (silent >= 4) return this.reconnect(`nothing heard for ${this.#timings.silenceMs} ms`)
      if (silent === 2 && connection.socket.readyState === WebSocket.OPEN) connection.socket.ping()
      this.#watch(connection, silent)
    })
  }

  /** The end of a connection, however it came, once. */
  #drop(connection: Connection, reason: string): void {
    if (connection.closed) return
    connection.closed = true
    this.#connection = undefined
    this.#cancelTimers()
    const { activity, participant, log, onDown } = this.#options
    const wasUp = this.#isUp
    this.#isUp = false
    if (!this.#stopped) {
      // Before the connection's counter goes: that alone must not make the process look idle.
      activity?.absent(participant)
      log.warn({ stream: participant, reason }, wasUp ? 'stream down' : 'stream not up')
    }
    if (connection.name !== '') activity?.closeConnection(connection.name)
    if (this.#stopped) return
    if (wasUp) onDown(reason)
    this.#options.onLost?.()
    this.#after(this.#backoffMs(wasUp), () => this.#connect())
  }

  /** Starts small again only after a connection that has held, so that a flapping venue is not stormed. */
  #backoffMs(wasUp: boolean): number {
    const { backoffMinMs, backoffMaxMs } = this.#timings
    if (wasUp && this.#options.clock.nowUs() - this.#upSinceUs >= backoffMaxMs * 1000) this.#failures = 0
    const full = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(this.#failures, 16))
    this.#failures++
    return full * (0.5 + 0.5 * (this.#options.random ?? Math.random)())
  }

  #after(delayMs: number, work: () => void): void {
    const timer = this.#options.clock.after(delayMs, () => {
      this.#timers.delete(timer)
      work()
    })
    this.#timers.add(timer)
  }

  #cancelTimers(): void {
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }
}
