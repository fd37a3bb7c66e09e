/**
 * One request, written at most once, with an honest account of how far it came. Below `fetch`, because only the moment at
 * which the request goes to the socket separates «certainly never sent» from «perhaps arrived».
 */
import type { WallClock } from '@jts/runtime'
import { Pool, type Dispatcher } from 'undici'
import { messageOf } from './message-of.ts'

export type WireRequest = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

export type Headers = Readonly<Record<string, string | string[] | undefined>>
export type Sent =
  | { readonly kind: 'answered'; readonly status: number; readonly headers: Headers; readonly text: string }
  /** No byte was written: refused by `beforeWrite`, or no connection. */
  | { readonly kind: 'not_written'; readonly refusedBy: 'check' | 'connection'; readonly message: string }
  /** Written, wholly or in part, and no whole answer. */
  | { readonly kind: 'lost'; readonly message: string }

/** HTTP/1.1 without pipelining; undici repeats nothing that it has begun to write, and `SendOnce` would refuse it. */
export function createPool(origin: string, connections: number): Pool {
  return new Pool(origin, {
    connections,
    pipelining: 1,
    allowH2: false,
    // Our own time-out covers connecting, sending and reading together.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: 55_000,
    keepAliveMaxTimeout: 600_000,
    connect: { timeout: 5_000 },
  })
}

/**
 * @param beforeWrite asked in the moment before the first byte; a text refuses, and nothing is written.
 */
export function sendOnce(
  pool: Pool,
  request: WireRequest,
  options: { clock: WallClock; timeoutMs: number; beforeWrite?: (() => string | undefined) | undefined },
): Promise<Sent> {
  return new Promise((resolve) => {
    const sending = new SendOnce(resolve, options.beforeWrite)
    sending.timer = options.clock.after(options.timeoutMs, () => sending.timeOut(options.timeoutMs))
    try {
      pool.dispatch({ ...request, headers: request.headers, body: request.body ?? null }, sending)
    } catch (error) {
      sending.fail(error)
    }
  })
}

class SendOnce implements Dispatcher.DispatchHandler {
  timer: { cancel(): void } | undefined
  readonly #resolve: (sent: Sent) => void
  readonly #beforeWrite: (() => string | undefined) | undefined
  #controller: Dispatcher.DispatchController | undefined
  #done = false
  #status = 0
  #headers: Headers = {}
  #chunks: Buffer[] = []

  constructor(resolve: (sent: Sent) => void, beforeWrite: (() => string | undefined) | undefined) {
    this.#resolve = resolve
    this.#beforeWrite = beforeWrite
  }

  /** Called synchronously before the write; an abort in here keeps the request off the wire. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#done) return controller.abort(new Error('given up before it was written'))
    if (this.#controller !== undefined) {
      this.#end({ kind: 'lost', message: 'the connection broke while the request was written' })
      return controller.abort(new Error('a request is written once'))
    }
    const refusal = this.#beforeWrite?.()
    if (refusal !== undefined) {
      this.#end({ kind: 'not_written', refusedBy: 'check', message: refusal })
      return controller.abort(new Error('refused before it was written'))
    }
    this.#controller = controller
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    this.#status = status
    this.#headers = headers
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    const text = this.#chunks.length === 1 ? this.#chunks[0]!.toString() : Buffer.concat(this.#chunks).toString()
    this.#end({ kind: 'answered', status: this.#status, headers: this.#headers, text })
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(error)
  }

  fail(error: unknown): void {
    if (this.#controller === undefined) {
      this.#end({ kind: 'not_written', refusedBy: 'connection', message: messageOf(error) })
    } else this.#end({ kind: 'lost', message: messageOf(error) })
  }

  timeOut(timeoutMs: number): void {
    const message = `no answer within ${timeoutMs} ms`
    if (this.#controller === undefined) {
      this.#end({ kind: 'not_written', refusedBy: 'connection', message: `no connection within ${timeoutMs} ms` })
    } else {
      this.#end({ kind: 'lost', message })
      this.#controller.abort(new Error(message))
    }
  }

  #end(sent: Sent): void {
    if (this.#done) return
    this.#done = true
    this.timer?.cancel()
    this.#resolve(sent)
  }
}
