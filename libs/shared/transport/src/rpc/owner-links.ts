/**
 * Calls that go to whoever owns a unit at the time. A process that does not own it refuses with ABORTED before anything was
 * done: so the owner is looked up again, and any call may be sent there. What may have been done is repeated only where the
 * call is idempotent, as on one connection.
 */
import type { ClientDuplexStream, MethodDefinition } from '@grpc/grpc-js'
import { RpcError } from '@jts/contracts'
import {
  RpcConnection,
  type CallOptions,
  type DuplexOptions,
  type RpcClientOptions,
  type RpcLink,
} from './grpc-client.ts'
import { cancelled, toRpcError } from './status.ts'

/** Who owns what, as last heard. */
export interface OwnerDirectory {
  /** Where the owner of the unit answers; undefined while nobody does, as far as is known. */
  addressOf(unit: string): string | undefined
  /** Looks again. Resolves in any case: who cannot look knows what was known before. */
  refresh(): Promise<void>
}

export type OwnerLinksOptions = Omit<RpcClientOptions, 'address'> & { readonly directory: OwnerDirectory }

const DEADLINE_MS = 5000
const LOOK_MIN_MS = 20
const LOOK_MAX_MS = 200
/** A call that may be repeated is not left with an owner that says nothing: now and then it is asked who owns the unit now. */
const LOOK_BESIDE_MS = 500

/** The connections of one process, one for each address at which an owner was found. */
export class OwnerLinks {
  readonly #options: OwnerLinksOptions
  readonly #connections = new Map<string, RpcConnection>()
  readonly #listeners = new Set<() => void>()
  #closed = false

  constructor(options: OwnerLinksOptions) {
    this.#options = options
  }

  get isClosed(): boolean {
    return this.#closed
  }

  get directory(): OwnerDirectory {
    return this.#options.directory
  }

  get deadlineMs(): number {
    return this.#options.deadlineMs ?? DEADLINE_MS
  }

  linkTo(unit: string): RpcLink {
    return new OwnerLink(this, unit)
  }

  connectionTo(address: string): RpcConnection {
    let connection = this.#connections.get(address)
    if (connection === undefined) {
      const { directory: _, ...options } = this.#options
      this.#connections.set(address, (connection = new RpcConnection({ ...options, address })))
    }
    return connection
  }

  onClose(listener: () => void): void {
    this.#listeners.add(listener)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const connection of this.#connections.values()) connection.close()
    for (const listener of this.#listeners) listener()
  }
}

class OwnerLink implements RpcLink {
  readonly #links: OwnerLinks
  readonly #unit: string

  constructor(links: OwnerLinks, unit: string) {
    this.#links = links
    this.#unit = unit
  }

  get deadlineMs(): number {
    return this.#links.deadlineMs
  }

  get isClosed(): boolean {
    return this.#links.isClosed
  }

  onClose(listener: () => void): void {
    this.#links.onClose(listener)
  }

  async call<Request, Answer>(
    method: MethodDefinition<Request, Answer>,
    request: Request,
    repeatable: boolean,
    options: CallOptions = {},
  ): Promise<Answer> {
    const deadline = Date.now() + (options.deadlineMs ?? this.deadlineMs)
    for (let pauseMs = LOOK_MIN_MS; ; pauseMs = Math.min(2 * pauseMs, LOOK_MAX_MS)) {
      let refused: RpcError
      try {
        return await this.#attempt(method, request, repeatable, deadline, options)
      } catch (caught) {
        refused = toRpcError(caught)
      }
      if (this.isClosed || options.signal?.aborted === true) throw cancelled()
      if (refused.code !== 'ABORTED' && !(repeatable && refused.code === 'UNAVAILABLE')) throw refused
      if (options.waitForReady === false) throw new RpcError('UNAVAILABLE', refused.message, { cause: refused })
      if (Date.now() + pauseMs >= deadline) {
        throw new RpcError('DEADLINE_EXCEEDED', `no answer in time, the last attempt: ${refused.message}`, {
          cause: refused,
        })
      }
      await this.#links.directory.refresh()
      await new Promise((done) => setTimeout(done, pauseMs))
    }
  }

  stream<Request, Answer>(
    method: MethodDefinition<Request, Answer>,
    request: Request,
    signal: AbortSignal,
  ): AsyncIterable<Answer> {
    return this.#owner().stream(method, request, signal, this.#unit)
  }

  duplex<Answer>(
    method: Pick<MethodDefinition<never, Answer>, 'path' | 'responseDeserialize'>,
    options: DuplexOptions = {},
  ): ClientDuplexStream<Buffer, Answer> {
    return this.#owner().duplex(method, { ...options, unit: this.#unit, waitForReady: false })
  }

  /** One attempt at the owner that is known; given up when another is found to own the unit meanwhile. */
  async #attempt<Request, Answer>(
    method: MethodDefinition<Request, Answer>,
    request: Request,
    repeatable: boolean,
    deadline: number,
    { signal }: CallOptions,
  ): Promise<Answer> {
    const { directory } = this.#links
    const address = directory.addressOf(this.#unit)
    const moved = new AbortController()
    const look = (): void =>
      void directory.refresh().then(() => {
        if (directory.addressOf(this.#unit) !== address) moved.abort()
      })
    const looking = repeatable ? setInterval(look, LOOK_BESIDE_MS) : undefined
    const signals = signal === undefined ? [moved.signal] : [moved.signal, signal]
    try {
      return await this.#owner().call(method, request, repeatable, {
        unit: this.#unit,
        deadlineMs: Math.max(1, deadline - Date.now()),
        waitForReady: false,
        signal: AbortSignal.any(signals),
      })
    } catch (error) {
      if (moved.signal.aborted) throw new RpcError('UNAVAILABLE', `${this.#unit} has moved away from ${address}`)
      // Not by us: the owner has ended, and what it was answering with it.
      const isOurs = signal?.aborted === true || this.isClosed
      if (isOurs || toRpcError(error).code !== 'CANCELLED') throw error
      throw new RpcError('UNAVAILABLE', `the owner of ${this.#unit} ended the call`, { cause: error })
    } finally {
      clearInterval(looking)
    }
  }

  /** @throws RpcError ABORTED while nobody is known to own the unit; whoever asks again finds what is known then. */
  #owner(): RpcConnection {
    if (this.isClosed) throw cancelled()
    const address = this.#links.directory.addressOf(this.#unit)
    if (address !== undefined) return this.#links.connectionTo(address)
    void this.#links.directory.refresh()
    throw new RpcError('ABORTED', `nobody is known to own ${this.#unit}`)
  }
}
