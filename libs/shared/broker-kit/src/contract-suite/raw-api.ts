/** The service as an address: requests with any signature, body or header that a case wants to try. */
import { randomBytes } from 'node:crypto'
import { SIGNATURE_HEADERS, signatureOf } from '@jts/contracts/broker-api'
import type { WallClock } from '@jts/runtime'
import { WebSocket } from 'ws'

export type RawRequest = {
  readonly method: string
  readonly target: string
  readonly body?: string
  readonly contentType?: string
  /** Changes to what is signed with, or what is sent of it. */
  readonly timestampUs?: number
  readonly nonce?: string
  readonly keyId?: string
  readonly secret?: string
  readonly unsigned?: true
  /** Signed as this, sent as `target`. */
  readonly signedTarget?: string
  readonly signedBody?: string
}
export type RawAnswer = {
  readonly status: number
  readonly contentType: string
  readonly body: unknown
  readonly text: string
}

const TIMEOUT_MS = 20_000

export class RawApi {
  readonly baseUrl: string
  readonly account: string | undefined
  readonly #key: { readonly id: string; readonly secret: string }
  readonly #clock: WallClock

  constructor(options: {
    baseUrl: string
    key: { readonly id: string; readonly secret: string }
    clock: WallClock
    account?: string | undefined
  }) {
    this.baseUrl = options.baseUrl.replace(/\/$/, '')
    this.account = options.account
    this.#key = options.key
    this.#clock = options.clock
  }

  async call(request: RawRequest): Promise<RawAnswer> {
    const response = await fetch(`${this.baseUrl}${request.target}`, {
      method: request.method,
      headers: this.headers(request),
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(request.body === undefined ? {} : { body: request.body }),
    })
    const answer = await response.text()
    return {
      status: response.status,
      contentType: response.headers.get('content-type') ?? '',
      body: parsed(answer),
      text: answer,
    }
  }

  /** A connection to the stream, open or refused. */
  stream(request: Partial<RawRequest> = {}): RawStream {
    const headers = this.headers({ method: 'GET', target: '/api/v1/stream', ...request })
    return new RawStream(new WebSocket(`${this.baseUrl.replace(/^http/, 'ws')}/api/v1/stream`, { headers }))
  }

  headers(request: RawRequest): Record<string, string> {
    const { method, target, body = '', contentType = 'application/json' } = request
    const type: Record<string, string> = request.body === undefined ? {} : { 'content-type': contentType }
    if (request.unsigned === true) return type
    const timestampUs = String(request.timestampUs ?? this.#clock.nowUs())
    const nonce = request.nonce ?? randomBytes(16).toString('base64url')
    const signed = {
      method,
      target: request.signedTarget ?? target,
      body: request.signedBody ?? body,
      timestampUs,
      nonce,
    }
    return {
      ...type,
      [SIGNATURE_HEADERS.key]: request.keyId ?? this.#key.id,
      [SIGNATURE_HEADERS.timestamp]: timestampUs,
      [SIGNATURE_HEADERS.nonce]: nonce,
      [SIGNATURE_HEADERS.signature]: signatureOf(signed, request.secret ?? this.#key.secret),
    }
  }
}

export class RawStream {
  readonly messages: Record<string, unknown>[] = []
  /** Undefined while it is open; the HTTP status where the upgrade was refused. */
  ended: { readonly code?: number; readonly status?: number } | undefined
  readonly #socket: WebSocket

  constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data: Buffer) => this.messages.push(JSON.parse(data.toString()) as Record<string, unknown>))
    socket.on('unexpected-response', (_, response) => {
      this.ended = { status: response.statusCode ?? 0 }
      response.destroy()
    })
    socket.on('error', () => (this.ended ??= {}))
    socket.on('close', (code) => (this.ended ??= { code }))
  }

  send(message: unknown): void {
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  close(): void {
    this.#socket.terminate()
  }
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
