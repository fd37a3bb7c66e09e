/** Stands between JTS and a broker service, and spoils what goes through it. */
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { SIGNATURE_HEADERS, signatureOf } from '@jts/contracts/broker-api'

/**
 * `slow`: each answer comes late, beyond what an order is waited for. `garbage`: nothing that was asked for is in the answers.
 * `replayed`: each request reaches the service twice, as it was signed. `wrong-key` and `wrong-clock`: signed by somebody who has
 * another secret, or another clock. `ambiguous`: the service says of itself that it cannot decide whose an order is.
 */
export type Spoiling = 'none' | 'slow' | 'garbage' | 'replayed' | 'wrong-key' | 'wrong-clock' | 'ambiguous'

/** In its own words, of a request that nobody has made here. */
export const AMBIGUOUS = {
  code: 'ORDER_AMBIGUOUS',
  message: 'requests of-a-test fit several orders: a person has to decide',
}

const SLOW_MS = 4000
const CLOCK_BEHIND_US = 90_000_000

export class BrokerProxy {
  readonly #target: number
  readonly #secret: string
  readonly #server: Server
  readonly #sockets = new Set<Duplex>()
  #spoiling: Spoiling = 'none'
  /** Requests that were repeated. */
  replays = 0

  constructor(target: number, secret: string) {
    this.#target = target
    this.#secret = secret
    this.#server = createServer((asked, answer) => void this.#pass(asked, answer))
    this.#server.on('connection', (socket: Socket) => this.#keep(socket))
    this.#server.on('upgrade', (asked: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#upgrade(asked, socket, head),
    )
  }

  async start(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return (this.#server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    this.#cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** From now on; what stands open is cut, so that it meets the same. */
  spoil(how: Spoiling): void {
    this.#spoiling = how
    // Between two answers a service may think otherwise of itself: nobody's request is lost by it.
    if (how !== 'ambiguous') this.#cut()
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #keep(socket: Duplex): void {
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => this.#sockets.delete(socket))
  }

  async #pass(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const how = this.#spoiling
    const chunks: Buffer[] = []
    for await (const chunk of asked) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    if (how === 'garbage') return void answer.writeHead(200, { 'content-type': 'text/html' }).end('<html>¯\\_(ツ)_/¯')
    const headers = this.#signed(asked, body, how)
    try {
      const given = await this.#ask(asked, headers, body)
      if (how === 'replayed') {
        this.replays++
        await this.#ask(asked, headers, body)
      }
      if (how === 'slow') await new Promise((resolve) => setTimeout(resolve, SLOW_MS))
      if (how === 'ambiguous' && asked.url === '/api/v1/health') return answerAmbiguous(answer, given.body)
      answer.writeHead(given.status, given.headers).end(given.body)
    } catch {
      answer.destroy()
    }
  }

  #ask(
    { method, url }: IncomingMessage,
    headers: IncomingMessage['headers'],
    body: Buffer,
  ): Promise<{ status: number; headers: IncomingMessage['headers']; body: Buffer }> {
    return new Promise((resolve, reject) => {
      const asking = request({ host: '127.0.0.1', port: this.#target, method, path: url, headers }, (given) => {
        const chunks: Buffer[] = []
        given.on('data', (chunk: Buffer) => chunks.push(chunk))
        given.on('end', () =>
          resolve({ status: given.statusCode!, headers: given.headers, body: Buffer.concat(chunks) }),
        )
        given.on('error', reject)
      })
      asking.on('error', reject)
      asking.end(body)
    })
  }

  #signed(asked: IncomingMessage, body: Buffer, how: Spoiling): IncomingMessage['headers'] {
    const timestamp = asked.headers[SIGNATURE_HEADERS.timestamp]
    if ((how !== 'wrong-key' && how !== 'wrong-clock') || typeof timestamp !== 'string') return asked.headers
    const timestampUs = how === 'wrong-clock' ? String(Number(timestamp) - CLOCK_BEHIND_US) : timestamp
    const nonce = String(asked.headers[SIGNATURE_HEADERS.nonce])
    const parts = { method: asked.method!, target: asked.url!, body, timestampUs, nonce }
    const signature = signatureOf(parts, how === 'wrong-key' ? `${this.#secret}?` : this.#secret)
    return {
      ...asked.headers,
      [SIGNATURE_HEADERS.timestamp]: timestampUs,
      [SIGNATURE_HEADERS.signature]: signature,
    }
  }

  #upgrade(asked: IncomingMessage, socket: Duplex, head: Buffer): void {
    const how = this.#spoiling
    if (how === 'garbage') return void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n???')
    const headers = this.#signed(asked, Buffer.alloc(0), how)
    const service = connect(this.#target, '127.0.0.1', () => {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`)
      service.write(`${asked.method} ${asked.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
      service.write(head)
      socket.pipe(service).pipe(socket)
    })
    this.#keep(service)
    service.once('close', () => socket.destroy())
    socket.once('close', () => service.destroy())
  }
}

function answerAmbiguous(answer: ServerResponse, body: Buffer): void {
  const { data, ...rest } = JSON.parse(body.toString()) as { data: { reasons: object[] } }
  const spoilt = { ...rest, data: { ...data, status: 'degraded', reasons: [...data.reasons, AMBIGUOUS] } }
  answer.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(spoilt))
}
