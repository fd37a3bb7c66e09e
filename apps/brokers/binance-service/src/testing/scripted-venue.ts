/** A server on a free port that answers as the test says, and remembers what it was asked. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer, type WebSocket } from 'ws'
import { endpointsOfVenue, type BinanceEndpoints } from '../config.ts'

export type Asked = {
  method: string
  path: string
  params: URLSearchParams
  raw: string
  headers: IncomingMessage['headers']
}
export type Answer = { status?: number; headers?: Record<string, string>; body: unknown } | 'destroy' | 'hang'
type Script = (asked: Asked) => Answer | undefined

export class ScriptedVenue {
  readonly asked: Asked[] = []
  readonly sockets: WebSocket[] = []
  script: Script = () => undefined
  onSocket: (socket: WebSocket, path: string) => void = () => undefined
  /** Frames read from all clients, parsed. */
  readonly frames: unknown[] = []
  onFrame: (frame: Record<string, unknown>, socket: WebSocket) => void = () => undefined
  readonly #server: Server
  readonly #wss = new WebSocketServer({ noServer: true })

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const [path = '', query = ''] = (request.url ?? '').split('?')
        const raw = query + Buffer.concat(chunks).toString()
        const { method = '', headers } = request
        const asked = { method, path, params: new URLSearchParams(raw), raw, headers }
        if (path !== '/api/v3/time' && path !== '/api/v3/ping') this.asked.push(asked)
        const answer = this.script(asked) ?? usual(asked)
        if (answer === 'hang') return
        if (answer === 'destroy') return void request.socket.destroy()
        response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers })
        response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body))
      })
    })
    this.#server.on('upgrade', (request, socket, head) => {
      this.#wss.handleUpgrade(request, socket, head, (client) => {
        this.sockets.push(client)
        client.on('message', (data) => {
          const frame = JSON.parse(String(data)) as Record<string, unknown>
          this.frames.push(frame)
          this.onFrame(frame, client)
        })
        this.onSocket(client, request.url ?? '')
      })
    })
  }

  static async start(port = 0): Promise<ScriptedVenue> {
    const venue = new ScriptedVenue()
    await new Promise<void>((resolve) => venue.#server.listen(port, '127.0.0.1', resolve))
    return venue
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get endpoints(): BinanceEndpoints {
    return endpointsOfVenue(`http://127.0.0.1:${this.port}`)
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.terminate()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

function usual(asked: Asked): Answer {
  if (asked.path === '/api/v3/time') return { body: { serverTime: Date.now() } }
  if (asked.path === '/api/v3/ping') return { body: {} }
  return { status: 404, body: { code: -1000, msg: `not in the script: ${asked.method} ${asked.path}` } }
}
