/** For tests: a recorded market on disk, a venue started on it, and a client that speaks its protocols. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import type { LockStepReply } from '@jts/contracts/lock-step'
import { parseConfig, startBinanceVenue, type RunningVenue, type VenueAddress } from '../index.ts'
import { sign, socketPayload } from '../signature.ts'

export const START_MS = Date.UTC(2024, 0, 1)
const MINUTE_MS = 60_000

/** Rows of open, high, low, close; one minute each. */
export function recordBars(symbol: string, rows: readonly (readonly [number, number, number, number])[]): string {
  const file = join(mkdtempSync(join(tmpdir(), 'venue-bars-')), `${symbol}-1m-2024-01.csv`)
  const lines = rows.map(([open, high, low, close], index) => {
    const openMs = START_MS + index * MINUTE_MS
    return [openMs, open, high, low, close, 10, openMs + MINUTE_MS - 1, 0, 0, 0, 0, 0].join(',')
  })
  writeFileSync(file, `${lines.join('\n')}\n`)
  return file
}

/** Rows of second and price. */
export function recordTrades(symbol: string, rows: readonly (readonly [number, number])[]): string {
  const file = join(mkdtempSync(join(tmpdir(), 'venue-trades-')), `${symbol}-trades-2024-01.csv`)
  const lines = rows.map(([second, price], index) => `${index + 1},${price},1,${START_MS + second * 1000},false`)
  writeFileSync(file, `trade_id,price,qty,time_ms,is_buyer_maker\n${lines.join('\n')}\n`)
  return file
}

/** Each bar opens where the last one closed, and moves by one up or down. */
export function recordWalk(symbol: string, length: number, start = 100): string {
  const rows = Array.from({ length }, (_, index) => {
    const open = start + (index % 4) - (index % 2)
    return [open, open + 2, open - 2, start + ((index + 1) % 4) - ((index + 1) % 2)] as const
  })
  return recordBars(symbol, rows)
}

export async function startVenue(...argv: string[]): Promise<{ running: RunningVenue; client: VenueClient }> {
  const running = await startBinanceVenue(parseConfig(argv)!)
  return { running, client: new VenueClient(running.address) }
}

/** The real thing: a process of its own, which may be killed. */
export async function spawnVenue(...argv: string[]): Promise<{ child: ChildProcess; client: VenueClient }> {
  const main = fileURLToPath(new URL('../main.ts', import.meta.url))
  const child = spawn(process.execPath, [main, '--json', '--exit-with-stdin', ...argv], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout!.once('data', (data) => resolve(String(data)))
    child.once('exit', (code) => reject(new Error(`the venue ended with ${code}`)))
  })
  return { child, client: new VenueClient(JSON.parse(line) as VenueAddress) }
}

export type Answer = { readonly status: number; readonly headers: Headers; readonly body: unknown }
type Fields = Readonly<Record<string, string | number>>

export class VenueClient {
  readonly address: VenueAddress
  readonly #sockets: Socket[] = []

  constructor(address: VenueAddress) {
    this.address = address
  }

  async get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('GET', path, headers)
  }

  async send(method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> {
    const response = await fetch(this.address.restUrl + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    })
    return { status: response.status, headers: response.headers, body: await response.json() }
  }

  async signed(method: string, path: string, fields: Fields = {}, account = 0): Promise<Answer> {
    const { apiKey, apiSecret } = this.address.accounts[account]!
    const values = Object.entries({ timestamp: Date.now(), ...fields }).map(([name, value]) => [name, String(value)])
    const query = new URLSearchParams(values).toString()
    return this.send(method, `${path}?${query}&signature=${sign(apiSecret, query)}`, { 'x-mbx-apikey': apiKey })
  }

  order(fields: Fields, account = 0): Promise<Answer> {
    return this.signed('POST', '/api/v3/order', { symbol: 'BTCUSDT', ...fields }, account)
  }

  /** Body of a signed question that must succeed. */
  async ask<Body>(path: string, fields: Fields = {}, account = 0): Promise<Body> {
    const { status, body } = await this.signed('GET', path, fields, account)
    if (status !== 200) throw new Error(JSON.stringify(body))
    return body as Body
  }

  async balances(account = 0): Promise<Record<string, string>> {
    type Row = { asset: string; free: string; locked: string }
    const { balances } = await this.ask<{ balances: Row[] }>('/api/v3/account', {}, account)
    return Object.fromEntries(balances.map(({ asset, free, locked }) => [asset, `${Number(free)}+${Number(locked)}`]))
  }

  async open(path: string): Promise<Socket> {
    const socket = new Socket(new WebSocket(this.address.wsUrl + path))
    await socket.opened()
    this.#sockets.push(socket)
    return socket
  }

  /** A connection to the WebSocket API that hears the user data of an account. */
  async userStream(account = 0): Promise<Socket> {
    const socket = await this.open('/ws-api/v3')
    await socket.call('userDataStream.subscribe.signature', this.signedParams({}, account))
    return socket
  }

  signedParams(fields: Fields, account = 0): Record<string, string> {
    const { apiKey, apiSecret } = this.address.accounts[account]!
    const values = Object.entries({ apiKey, timestamp: Date.now(), ...fields })
    const params = new Map(values.map(([name, value]) => [name, String(value)]))
    return { ...Object.fromEntries(params), signature: sign(apiSecret, socketPayload(params)) }
  }

  async conductor(): Promise<Conductor> {
    const socket = await this.open('/jts/lock-step')
    this.#sockets.pop()
    const conductor = new Conductor(socket, () => this.#sockets.filter((one) => one.isOpen))
    await conductor.ask({ type: 'attach', token: this.address.controlToken })
    return conductor
  }
}

type Json = Record<string, unknown>

export class Socket {
  readonly received: Json[] = []
  closeCode: number | undefined
  readonly #socket: WebSocket
  #waiting: (() => void)[] = []
  #nextId = 1

  constructor(socket: WebSocket) {
    this.#socket = socket
    const wake = () => {
      const waiting = this.#waiting
      this.#waiting = []
      for (const resume of waiting) resume()
    }
    socket.on('message', (data) => {
      this.received.push(JSON.parse(String(data)) as Json)
      wake()
    })
    socket.on('close', (code) => {
      this.closeCode = code
      wake()
    })
    socket.on('error', wake)
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN
  }

  get port(): string {
    return String((this.#socket as unknown as { _socket: { localPort: number } })._socket.localPort)
  }

  async opened(): Promise<void> {
    await once(this.#socket, 'open')
  }

  send(message: unknown): void {
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  /** Waits for what is already there or still to come. @throws after fifteen seconds. */
  async until<Found>(find: () => Found | undefined | false): Promise<Found> {
    const deadline = setTimeout(() => this.#socket.terminate(), 15_000)
    try {
      for (;;) {
        const found = find()
        if (found) return found
        if (this.closeCode !== undefined) throw new Error(`closed; received ${JSON.stringify(this.received)}`)
        await new Promise<void>((resolve) => this.#waiting.push(resolve))
      }
    } finally {
      clearTimeout(deadline)
    }
  }

  async call(method: string, params: unknown = {}): Promise<Json> {
    const id = this.#nextId++
    this.send({ id, method, params })
    return this.until(() => this.received.find((message) => message['id'] === id))
  }

  /** `NEW`, `TRADE`, …: the execution reports heard so far. */
  reports(): string[] {
    return this.events('executionReport').map((event) => String(event['x']))
  }

  events(type: string): Json[] {
    return this.received.flatMap(({ event }) => ((event as Json | undefined)?.['e'] === type ? [event as Json] : []))
  }

  /** Reads nothing, not even that it is closed, until it reads again. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  close(): void {
    this.#socket.close()
  }
}

export class Conductor {
  position = 0
  readonly #socket: Socket
  readonly #sockets: () => Socket[]
  #nextId = 1

  constructor(socket: Socket, sockets: () => Socket[]) {
    this.#socket = socket
    this.#sockets = sockets
  }

  async ask(message: object): Promise<LockStepReply> {
    const id = this.#nextId++
    this.#socket.send({ ...message, id })
    const found = await this.#socket.until(() => this.#socket.received.find((reply) => reply['id'] === id))
    const reply = found as unknown as LockStepReply
    const state = 'state' in reply ? reply.state : undefined
    if (state) this.position = state.position
    return reply
  }

  /** As a conductor does it: tries again as long as only messages are under way. */
  async release(): Promise<string> {
    for (;;) {
      const received = Object.fromEntries(this.#sockets().map((socket) => [socket.port, socket.received.length]))
      const reply = await this.ask({ type: 'release', at: this.position, received })
      if (reply.type === 'released') return reply.phase
      if (reply.type !== 'refused' || reply.reason !== 'counters') throw new Error(JSON.stringify(reply))
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
}
