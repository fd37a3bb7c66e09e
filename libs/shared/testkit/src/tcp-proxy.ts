/** A network that misbehaves on command: stands between a client and a server on TCP and cuts, stalls, delays or refuses. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { freePort } from './ports.ts'

/** Seen from the client: `up` is what it sends, `down` what it receives. */
export type Direction = 'up' | 'down'

export type TcpProxyOptions = {
  readonly host?: string
  /** Where the server listens; it need not do so yet. */
  readonly port: number
}

export class TcpProxy {
  readonly port: number
  readonly #server: Server
  /** Where new links lead. */
  target: TcpProxyOptions
  readonly #links = new Set<Link>()
  readonly #stalled = new Set<Direction>()
  #delayMs = 0
  #accepted = 0
  #isChosen: (hello: Buffer) => boolean = () => true

  private constructor(server: Server, target: TcpProxyOptions) {
    this.#server = server
    this.target = target
    this.port = (server.address() as AddressInfo).port
    server.on('connection', (client: Socket) => this.#accept(client))
  }

  static async start(options: TcpProxyOptions): Promise<TcpProxy> {
    const server = createServer({ noDelay: true, allowHalfOpen: true })
    server.listen(await freePort(), '127.0.0.1')
    await once(server, 'listening')
    return new TcpProxy(server, options)
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Links that stand now. */
  get links(): number {
    return this.#links.size
  }

  /** Links accepted since the start. */
  get accepted(): number {
    return this.#accepted
  }

  /**
   * From now on only these links are cut, stalled or delayed, told by the first bytes their clients have sent: a client of
   * Kafka or PostgreSQL says its name in them.
   */
  choose(isChosen: (hello: Buffer) => boolean): void {
    this.#isChosen = isChosen
  }

  /** Ends every link with a reset; new ones are accepted. */
  cut(): void {
    for (const link of [...this.#links]) if (this.#isChosen(link.hello)) link.destroy()
  }

  /** Forwards nothing any more, not even an end, on links that stand and on new ones: they look open and are silent. */
  stall(...directions: readonly Direction[]): void {
    for (const direction of directions.length === 0 ? (['up', 'down'] as const) : directions) {
      this.#stalled.add(direction)
    }
  }

  /** Forwards again, first what was held back. */
  flow(): void {
    this.#stalled.clear()
    for (const link of this.#links) link.flush()
  }

  /** Holds each chunk for a while, both ways, in order. */
  delay(ms: number): void {
    this.#delayMs = ms
  }

  /** Nobody listens any more: new links are refused; those that stand go on. */
  async refuse(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.close()
    // `close` calls back only when the last link has gone.
    while (this.#server.listening) await new Promise(setImmediate)
  }

  /** Listens again, on the same port. */
  async accept(): Promise<void> {
    if (this.#server.listening) return
    this.#server.listen(this.port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  async close(): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined
    this.#server.close()
    for (const link of [...this.#links]) link.destroy()
    await closed
  }

  #accept(client: Socket): void {
    this.#accepted++
    const server = connect({ host: '127.0.0.1', ...this.target, noDelay: true, allowHalfOpen: true })
    const link: Link = new Link(client, server, {
      isStalled: (direction) => this.#stalled.has(direction) && this.#isChosen(link.hello),
      delayMs: () => (this.#delayMs > 0 && this.#isChosen(link.hello) ? this.#delayMs : 0),
      onGone: () => this.#links.delete(link),
    })
    this.#links.add(link)
  }
}

type LinkOptions = {
  isStalled(direction: Direction): boolean
  delayMs(): number
  onGone(): void
}

/** Undefined is the end of what one side sends. */
type Held = { readonly chunk: Buffer | undefined; readonly dueMs: number }

class Link {
  /** What the client sent first. */
  hello: Buffer = Buffer.alloc(0)
  readonly #options: LinkOptions
  readonly #client: Socket
  readonly #server: Socket
  readonly #held: Record<Direction, Held[]> = { up: [], down: [] }
  readonly #timers = new Set<NodeJS.Timeout>()

  constructor(client: Socket, server: Socket, options: LinkOptions) {
    this.#options = options
    this.#client = client
    this.#server = server
    this.#read(client, 'up')
    this.#read(server, 'down')
  }

  destroy(): void {
    this.#options.onGone()
    for (const timer of this.#timers) clearTimeout(timer)
    for (const socket of [this.#client, this.#server]) {
      if (socket.connecting) socket.destroy()
      else socket.resetAndDestroy()
    }
  }

  flush(): void {
    this.#forward('up')
    this.#forward('down')
  }

  #read(socket: Socket, direction: Direction): void {
    const take = (chunk: Buffer | undefined): void => {
      if (direction === 'up' && this.hello.length === 0 && chunk !== undefined) this.hello = chunk
      this.#held[direction].push({ chunk, dueMs: performance.now() + this.#options.delayMs() })
      this.#forward(direction)
    }
    socket.on('data', take)
    socket.on('end', () => take(undefined))
    // A reset is passed on, unless silence is what was asked for.
    socket.on('error', () => {
      if (!this.#options.isStalled(direction)) this.destroy()
    })
    socket.on('close', () => {
      if (this.#client.destroyed && this.#server.destroyed) this.#options.onGone()
    })
  }

  #forward(direction: Direction): void {
    const held = this.#held[direction]
    const to = direction === 'up' ? this.#server : this.#client
    while (held.length > 0 && !this.#options.isStalled(direction)) {
      const waitMs = held[0]!.dueMs - performance.now()
      if (waitMs > 0) {
        const timer = setTimeout(() => {
          this.#timers.delete(timer)
          this.#forward(direction)
        }, waitMs)
        this.#timers.add(timer)
        return
      }
      const { chunk } = held.shift()!
      if (chunk === undefined) to.end()
      else to.write(chunk)
    }
  }
}
