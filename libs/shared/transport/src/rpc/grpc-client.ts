/**
 * The Api interfaces of contracts over one gRPC connection: callers cannot tell them from a direct call, but for the errors
 * that only a network has (UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED). Errors are the same RpcError.
 *
 * Deadlines. Every call has one (5 s, or its own); it counts all attempts. Streams of updates have none: the keep-alive
 * guards them.
 *
 * Waiting for a connection. A call that may be repeated (`IDEMPOTENT` in contracts) waits for the connection and is sent
 * again when its answer was lost, until its deadline. Any other call is sent at most once, and fails at once with
 * UNAVAILABLE while there is no connection. `waitForReady` changes this for one call: an idempotent call with `false` fails
 * at once and is not repeated; another with `true` waits for the connection, and still is sent only once.
 */
import {
  Client,
  connectivityState,
  Metadata,
  type ClientDuplexStream,
  type MethodDefinition,
  type ServiceDefinition,
} from '@grpc/grpc-js'
import {
  IDEMPOTENT,
  RpcError,
  type CollectionApi,
  type OrderExecutionApi,
  type PortfolioApi,
  type RiskManagementApi,
  type StrategyApi,
} from '@jts/contracts'
import { CollectionServiceService } from '@jts/contracts/collection-api'
import { HealthCheckResponse_ServingStatus as Serving, HealthService } from '@jts/contracts/health-api'
import { OrderExecutionServiceService } from '@jts/contracts/orders-api'
import { PortfolioServiceService } from '@jts/contracts/portfolio-api'
import { RiskManagementServiceService } from '@jts/contracts/risk-api'
import { StrategyServiceService } from '@jts/contracts/strategy-api'
import { RiskCheckStream, type RiskCheckStreamOptions } from './risk-check-stream.ts'
import { cancelled, channelOptions, KEEP_ALIVE, toRpcError, UNIT_HEADER, type KeepAlive } from './status.ts'
import { clientCredentials, type PlainText, type TlsFiles } from './tls.ts'

export type RpcClientOptions = {
  /** `host:port`; a loopback host, unless `tls` is there. */
  readonly address: string
  readonly tls?: TlsFiles | undefined
  /** For calls that bring none of their own, ms. */
  readonly deadlineMs?: number
  /** Says that the network between the two is private: without it, and without TLS, a link stays on this machine. */
  readonly plainText?: PlainText | undefined
  readonly keepAlive?: KeepAlive
}

export type CallOptions = {
  readonly deadlineMs?: number
  /** Ends the call with CANCELLED; its outcome is then unknown. */
  readonly signal?: AbortSignal
  readonly waitForReady?: boolean
  /** The unit that is asked; who does not own it refuses with ABORTED, and has done nothing. */
  readonly unit?: string
}

export type DuplexOptions = Pick<CallOptions, 'unit' | 'waitForReady'>

/** An Api whose unary calls take options too. */
export type RpcClient<Api> = {
  [Name in keyof Api]: Api[Name] extends (request: infer Request) => Promise<infer Answer>
    ? (request: Request, options?: CallOptions) => Promise<Answer>
    : Api[Name]
}

/** `up`: a connection stands and its pings are answered. */
export type ConnectionState = 'up' | 'down'

export type HealthStatus = 'serving' | 'not-serving' | 'unknown'

const DEADLINE_MS = 5000
const RECONNECT_MIN_MS = 100
/** A process that was killed is back within seconds: a longer pause would be a good part of them. */
const RECONNECT_MAX_MS = 250
/** A service that is started again may have another address: gRPC's own 30 s would keep it waiting for that long. */
const RESOLVE_AGAIN_MS = 1000
const REPEAT_MIN_MS = 20
const REPEAT_MAX_MS = 500
const NEVER_IDLE_MS = 2 ** 31 - 1

function metadataOf(waitForReady: boolean, unit: string | undefined): Metadata {
  const metadata = new Metadata({ waitForReady })
  if (unit !== undefined) metadata.set(UNIT_HEADER, unit)
  return metadata
}

/** What the calls of an Api go over: one connection, or whichever leads to the owner of a unit at the time. */
export type RpcLink = Pick<RpcConnection, 'call' | 'stream' | 'duplex' | 'deadlineMs' | 'isClosed' | 'onClose'>

export function riskManagementClient(connection: RpcLink): RpcClient<RiskManagementApi> {
  return clientOf<RiskManagementApi>(connection, RiskManagementServiceService, IDEMPOTENT.risk)
}

/** As `riskManagementClient`, but risk checks travel on one long stream. */
export function streamedRiskManagementClient(
  connection: RpcLink,
  options: RiskCheckStreamOptions = {},
): RpcClient<RiskManagementApi> {
  const unary = riskManagementClient(connection)
  const stream = new RiskCheckStream(connection, unary, options)
  return { ...unary, checkTradingRisk: (request, callOptions) => stream.checkTradingRisk(request, callOptions) }
}

export function portfolioClient(connection: RpcLink): RpcClient<PortfolioApi> {
  return clientOf<PortfolioApi>(connection, PortfolioServiceService, IDEMPOTENT.portfolio)
}

export function orderExecutionClient(connection: RpcLink): RpcClient<OrderExecutionApi> {
  return clientOf<OrderExecutionApi>(connection, OrderExecutionServiceService, IDEMPOTENT.orders)
}

export function strategyClient(connection: RpcLink): RpcClient<StrategyApi> {
  return clientOf<StrategyApi>(connection, StrategyServiceService, IDEMPOTENT.strategy)
}

export function collectionClient(connection: RpcLink): RpcClient<CollectionApi> {
  return clientOf<CollectionApi>(connection, CollectionServiceService, IDEMPOTENT.collection)
}

/** The calls of an Api over a link; `idempotent` says which may be repeated. */
export function clientOf<Api extends object>(
  link: RpcLink,
  definition: ServiceDefinition,
  idempotent: Readonly<Record<keyof Api, boolean>>,
): RpcClient<Api> {
  const methods = Object.entries<boolean>(idempotent).map(([name, repeatable]) => {
    const method = definition[name]!
    const call = method.responseStream
      ? (request: unknown, signal: AbortSignal) => link.stream(method, request, signal)
      : (request: unknown, options?: CallOptions) => link.call(method, request, repeatable, options)
    return [name, call]
  })
  return Object.fromEntries(methods) as RpcClient<Api>
}

/** One connection to one server. It connects by itself, again and again, until it is closed. */
export class RpcConnection {
  readonly address: string
  readonly deadlineMs: number
  readonly #tls: TlsFiles | undefined
  readonly #grpc: Client
  readonly #listeners = new Set<(state: ConnectionState) => void>()
  readonly #calls = new Set<{ cancel(): void }>()
  #closed = false
  #state: ConnectionState = 'down'

  /** @throws Error when the address is not allowed or a TLS file is wrong; not when nobody answers. */
  constructor({ address, tls, plainText, deadlineMs = DEADLINE_MS, keepAlive = KEEP_ALIVE }: RpcClientOptions) {
    this.address = address
    this.#tls = tls
    this.deadlineMs = deadlineMs
    const host = /^(.+):\d+$/.exec(address)?.[1]
    if (host === undefined) throw new Error(`expected an address such as 127.0.0.1:50051, found ${address}`)
    this.#grpc = new Client(address, clientCredentials(host, tls, plainText), {
      ...channelOptions(keepAlive),
      'grpc.initial_reconnect_backoff_ms': RECONNECT_MIN_MS,
      'grpc.max_reconnect_backoff_ms': RECONNECT_MAX_MS,
      'grpc.dns_min_time_between_resolutions_ms': RESOLVE_AGAIN_MS,
      'grpc.client_idle_timeout_ms': NEVER_IDLE_MS,
      // What may be repeated is decided here and by nobody else.
      'grpc.enable_retries': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_http_proxy': 0,
    })
    this.#watch()
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** Told at each change; returns the unsubscription. */
  onState(listener: (state: ConnectionState) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** Told once, when `close` is called. */
  onClose(listener: () => void): void {
    this.#calls.add({ cancel: listener })
  }

  /** @throws RpcError */
  async call<Request, Answer>(
    method: MethodDefinition<Request, Answer>,
    request: Request,
    repeatable: boolean,
    options: CallOptions = {},
  ): Promise<Answer> {
    const { signal, waitForReady = repeatable, unit } = options
    const deadline = Date.now() + (options.deadlineMs ?? this.deadlineMs)
    let refused: RpcError | undefined
    for (let pauseMs = REPEAT_MIN_MS; ; pauseMs = Math.min(2 * pauseMs, REPEAT_MAX_MS)) {
      try {
        return await this.#once(method, request, deadline, metadataOf(waitForReady, unit), signal)
      } catch (caught) {
        const error = toRpcError(caught)
        // The time may end in the middle of an attempt: why the ones before it failed says more than that it ended.
        if (refused !== undefined && error.code === 'DEADLINE_EXCEEDED') throw outOfTime(refused)
        if (!repeatable || !waitForReady || error.code !== 'UNAVAILABLE') throw error
        refused = error
        const restMs = deadline - Date.now()
        await new Promise((done) => setTimeout(done, Math.max(0, Math.min(pauseMs, restMs))))
        if (this.#isOver(signal)) throw cancelled()
        if (restMs <= pauseMs) throw outOfTime(refused)
      }
    }
  }

  /** A stream of answers, until the signal or the reader ends it. @throws RpcError when it breaks */
  async *stream<Request, Answer>(
    method: MethodDefinition<Request, Answer>,
    request: Request,
    signal: AbortSignal,
    unit?: string,
  ): AsyncIterable<Answer> {
    if (signal.aborted) return
    if (this.#closed) throw cancelled()
    const call = this.#grpc.makeServerStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadataOf(false, unit),
    )
    // A status that comes after the reader has gone.
    call.on('error', () => undefined)
    const cancel = (): void => call.cancel()
    this.#calls.add(call)
    signal.addEventListener('abort', cancel)
    try {
      for await (const answer of call) yield answer as Answer
    } catch (error) {
      if (!signal.aborted) throw this.#told(error)
    } finally {
      this.#calls.delete(call)
      signal.removeEventListener('abort', cancel)
      call.cancel()
    }
  }

  /** A stream both ways that waits for the connection, unless told otherwise; its requests are encoded by the caller. */
  duplex<Answer>(
    method: Pick<MethodDefinition<never, Answer>, 'path' | 'responseDeserialize'>,
    { unit, waitForReady = true }: DuplexOptions = {},
  ): ClientDuplexStream<Buffer, Answer> {
    const call = this.#grpc.makeBidiStreamRequest<Buffer, Answer>(
      method.path,
      (bytes) => bytes,
      method.responseDeserialize,
      metadataOf(waitForReady, unit),
    )
    this.#calls.add(call)
    call.on('status', () => this.#calls.delete(call))
    return call
  }

  /** `grpc.health.v1` of the server, or of one service by its full name. @throws RpcError when nobody answers */
  async check(service = '', options: CallOptions = {}): Promise<HealthStatus> {
    try {
      return toHealth((await this.call(HealthService.check, { service }, true, options)).status)
    } catch (error) {
      if (error instanceof RpcError && error.code === 'NOT_FOUND') return 'unknown'
      throw error
    }
  }

  /** Each change of health, the present one first. @throws RpcError when the link breaks */
  async *watch(service: string, signal: AbortSignal): AsyncIterable<HealthStatus> {
    for await (const answer of this.stream(HealthService.watch, { service }, signal)) yield toHealth(answer.status)
  }

  /** Resolves when the connection is up. @throws RpcError DEADLINE_EXCEEDED */
  async ready(deadlineMs = this.deadlineMs): Promise<void> {
    if (this.#state === 'up') return
    await new Promise<void>((done, fail) => {
      const timer = setTimeout(() => {
        off()
        fail(new RpcError('DEADLINE_EXCEEDED', `${this.address}: no connection within ${deadlineMs} ms`))
      }, deadlineMs)
      const off = this.onState((state) => {
        if (state !== 'up') return
        clearTimeout(timer)
        off()
        done()
      })
    })
  }

  /** Ends open calls with CANCELLED and lets the link go. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const call of [...this.#calls]) call.cancel()
    this.#grpc.close()
    this.#tell('down')
  }

  #once<Request, Answer>(
    method: MethodDefinition<Request, Answer>,
    request: Request,
    deadline: number,
    metadata: Metadata,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    if (this.#isOver(signal)) return Promise.reject(cancelled())
    return new Promise((done, fail) => {
      const call = this.#grpc.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        metadata,
        { deadline },
        (error, answer) => {
          this.#calls.delete(call)
          signal?.removeEventListener('abort', cancel)
          if (error === null) done(answer as Answer)
          else fail(this.#told(error))
        },
      )
      const cancel = (): void => call.cancel()
      this.#calls.add(call)
      signal?.addEventListener('abort', cancel)
    })
  }

  /** A link that never stood says where it should have led and what may be wrong with it. */
  #told(caught: unknown): RpcError {
    const error = toRpcError(caught)
    const why = /^No connection established\. Last error: (.*?)\.? ?(?:Resolution note: *)?$/.exec(error.message)?.[1]
    if (error.code !== 'UNAVAILABLE' || why === undefined) return error
    // A server that refuses a certificate often just hangs up.
    const hint = this.#tls === undefined ? '' : ` (is ${this.#tls.cert} of the authority that it trusts, and valid?)`
    return new RpcError('UNAVAILABLE', `no connection to ${this.address}: ${why}${hint}`, { cause: caught })
  }

  #isOver(signal: AbortSignal | undefined): boolean {
    return this.#closed || signal?.aborted === true
  }

  /** Follows the channel, and asks it to connect whenever it has let go. */
  #watch(): void {
    if (this.#closed) return
    const channel = this.#grpc.getChannel()
    const found = channel.getConnectivityState(true)
    this.#tell(found === connectivityState.READY ? 'up' : 'down')
    channel.watchConnectivityState(found, Infinity, () => this.#watch())
  }

  #tell(state: ConnectionState): void {
    if (state === this.#state) return
    this.#state = state
    for (const listener of [...this.#listeners]) listener(state)
  }
}

function outOfTime(refused: RpcError): RpcError {
  return new RpcError('DEADLINE_EXCEEDED', `no answer in time, the last attempt: ${refused.message}`, {
    cause: refused,
  })
}

function toHealth(found: Serving): HealthStatus {
  if (found === Serving.SERVING) return 'serving'
  return found === Serving.NOT_SERVING ? 'not-serving' : 'unknown'
}
