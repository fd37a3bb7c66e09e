/**
 * Typed handlers over real gRPC. The handlers are the same objects that an in-process caller calls directly; this file only
 * carries requests, answers, streams, deadlines and errors across HTTP/2.
 */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  Server,
  status,
  type Metadata,
  type handleUnaryCall,
  type ServerDuplexStream,
  type ServerWritableStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { ReflectionService } from '@grpc/reflection'
import { loadSync } from '@grpc/proto-loader'
import { RpcError } from '@jts/contracts'
import {
  HealthCheckResponse_ServingStatus as Serving,
  HealthService,
  type HealthCheckRequest,
  type HealthCheckResponse,
  type HealthServer,
} from '@jts/contracts/health-api'
import type { Logger } from '@jts/runtime'
import { channelOptions, KEEP_ALIVE, toStatus, UNIT_HEADER, type KeepAlive } from './status.ts'
import { serverCredentials, type PlainText, type TlsFiles } from './tls.ts'

type Handler = (request: never, signal: AbortSignal, context: CallContext) => Promise<unknown> | AsyncIterable<unknown>

/** What came beside a request. */
export type CallContext = {
  /** The unit that is asked: who does not own it refuses. Empty: the caller does not say. */
  readonly unit: string
}

export type RpcService = {
  readonly definition: ServiceDefinition
  /** Methods by their camelCase name. */
  readonly handlers: object
  /** Says nothing that has to be on disk first: it also answers while the store does not. */
  readonly answersAtOnce?: boolean
}

export type RpcServerOptions = {
  /** A loopback address, unless `tls` is there. */
  readonly host: string
  /** 0 = any free port. */
  readonly port: number
  readonly services: readonly RpcService[]
  readonly log: Logger
  /** Awaited before every answer: nothing leaves the process before its cause is on disk. */
  readonly beforeAnswer?: () => Promise<void>
  /** Both ends show a certificate of one authority. */
  readonly tls?: TlsFiles | undefined
  /** Says that the network is private: without it, and without TLS, the server listens on this machine alone. */
  readonly plainText?: PlainText | undefined
  readonly keepAlive?: KeepAlive
  /** How long a stop lets unary calls end; a second where nothing is said. */
  readonly stopMs?: number
}

export type RpcServer = {
  readonly port: number
  /** What health says from now on, for the whole server and each of its services. */
  setServing(serving: boolean): void
  /** Ends streams with UNAVAILABLE, lets unary calls end (`stopMs`), closes. */
  stop(): Promise<void>
}

type StreamCall = ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>

/** Answers that wait for the disk; a handler that runs further ahead waits. */
const ANSWERS_WAITING_MAX = 1024
const STOP_MS = 1000

const PROTO_ROOT = resolve(fileURLToPath(import.meta.resolve('@jts/contracts')), '../../proto')
const PROTO_FILES = [
  'jts.proto',
  'jts/risk/v1/risk.proto',
  'jts/portfolio/v1/portfolio.proto',
  'jts/orders/v1/orders.proto',
  'jts/strategy/v1/strategy.proto',
  'grpc/health/v1/health.proto',
]

/** Starts a gRPC server with health and reflection. @throws Error when it cannot listen, or must not. */
export async function startRpcServer(options: RpcServerOptions): Promise<RpcServer> {
  const { host } = options
  const credentials = serverCredentials(host, options.tls, options.plainText)
  const server = new Server(channelOptions(options.keepAlive ?? KEEP_ALIVE))
  const stopping = new AbortController()
  for (const { definition, handlers, answersAtOnce } of options.services) {
    const { beforeAnswer: _, ...atOnce } = options
    server.addService(
      definition,
      implementation(
        definition,
        handlers as Record<string, Handler>,
        answersAtOnce ? atOnce : options,
        stopping.signal,
      ),
    )
  }
  const health = new Health(options.services)
  server.addService(HealthService, health.implementation)
  new ReflectionService(loadSync(PROTO_FILES, { includeDirs: [PROTO_ROOT] })).addToServer(server)
  const address = host.includes(':') && !host.startsWith('[') ? `[${host}]:${options.port}` : `${host}:${options.port}`
  const port = await new Promise<number>((done, fail) => {
    server.bindAsync(address, credentials, (error, bound) => {
      if (error) fail(new Error(`cannot listen on ${address}: ${error.message}`, { cause: error }))
      else done(bound)
    })
  })
  return {
    port,
    setServing: (serving) => health.set(serving),
    stop: () =>
      new Promise((done) => {
        health.close()
        stopping.abort()
        const timer = setTimeout(() => {
          server.forceShutdown()
          done()
        }, options.stopMs ?? STOP_MS)
        server.tryShutdown(() => {
          clearTimeout(timer)
          done()
        })
      }),
  }
}

function implementation(
  definition: ServiceDefinition,
  handlers: Record<string, Handler>,
  options: RpcServerOptions,
  stopping: AbortSignal,
): UntypedServiceImplementation {
  const result: UntypedServiceImplementation = {}
  for (const [name, method] of Object.entries(definition)) {
    const handler = handlers[name]
    if (handler === undefined) continue
    const bound = handler.bind(handlers)
    if (method.responseStream) {
      result[name] = (call: StreamCall) => void pump(call, bound, method.requestStream, options, stopping)
    } else {
      const unary: handleUnaryCall<unknown, unknown> = (call, callback) => {
        const abort = new AbortController()
        call.on('cancelled', () => abort.abort())
        answer(bound, call.request, abort.signal, contextOf(call.metadata), options).then(
          (value) => callback(null, value),
          (error: unknown) => callback(told(error, options.log)),
        )
      }
      result[name] = unary
    }
  }
  return result
}

function contextOf(metadata: Metadata): CallContext {
  const [unit] = metadata.get(UNIT_HEADER)
  return { unit: typeof unit === 'string' ? unit : '' }
}

async function answer(
  handler: Handler,
  request: unknown,
  signal: AbortSignal,
  context: CallContext,
  options: RpcServerOptions,
) {
  const value = await (handler(request as never, signal, context) as Promise<unknown>)
  await options.beforeAnswer?.()
  return value
}

function told(error: unknown, log: Logger): ReturnType<typeof toStatus> {
  if (!(error instanceof RpcError)) log.error({ err: error }, 'a call failed')
  return toStatus(error)
}

/**
 * Carries what a handler yields, in order. The handler goes on while its earlier answers wait for the disk, so that one
 * commit serves many answers; it waits when the reader does not keep up.
 */
async function pump(
  call: StreamCall,
  handler: Handler,
  requestStream: boolean,
  options: RpcServerOptions,
  stopping: AbortSignal,
): Promise<void> {
  const abort = new AbortController()
  const { signal } = abort
  const end = (error: unknown): void => {
    if (signal.aborted) return
    abort.abort()
    call.emit('error', told(error, options.log))
  }
  const onStop = (): void => end(new RpcError('UNAVAILABLE', 'the service is stopping'))
  call.on('cancelled', () => abort.abort())
  if (stopping.aborted) onStop()
  else stopping.addEventListener('abort', onStop, { once: true })

  let waiting: unknown[] = []
  let flushing: Promise<void> | undefined
  const flush = async (): Promise<void> => {
    while (waiting.length > 0) {
      const values = waiting
      waiting = []
      await options.beforeAnswer?.()
      for (const value of values) {
        if (signal.aborted) return
        if (!call.write(value)) await drained(call, signal)
      }
    }
  }
  try {
    const request = requestStream ? call : (call as ServerWritableStream<unknown, unknown>).request
    for await (const value of handler(request as never, signal, contextOf(call.metadata)) as AsyncIterable<unknown>) {
      if (signal.aborted) return
      waiting.push(value)
      flushing ??= flush()
        .catch(end)
        .finally(() => (flushing = undefined))
      if (waiting.length >= ANSWERS_WAITING_MAX) await flushing
    }
    await flushing
    if (!signal.aborted) call.end()
  } catch (error) {
    await flushing
    end(error)
  } finally {
    stopping.removeEventListener('abort', onStop)
  }
}

function drained(call: StreamCall, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const finish = (): void => {
      call.off('drain', finish)
      signal.removeEventListener('abort', finish)
      done()
    }
    call.on('drain', finish)
    signal.addEventListener('abort', finish)
  })
}

/** `grpc.health.v1` for the server (no name) and each service by its full name. */
class Health {
  readonly #names: ReadonlySet<string>
  readonly #watchers = new Set<ServerWritableStream<HealthCheckRequest, HealthCheckResponse>>()
  #serving = true

  constructor(services: readonly RpcService[]) {
    const paths = services.flatMap(({ definition }) => Object.values(definition).map((method) => method.path))
    this.#names = new Set(['', ...paths.map((path) => path.split('/')[1]!)])
  }

  readonly implementation: HealthServer = {
    check: (call, callback) => {
      const found = this.#status(call.request.service)
      if (found === Serving.SERVICE_UNKNOWN) {
        callback({ code: status.NOT_FOUND, details: `no service ${call.request.service} here` })
      } else callback(null, { status: found })
    },
    watch: (call) => {
      this.#watchers.add(call)
      call.on('cancelled', () => this.#watchers.delete(call))
      call.write({ status: this.#status(call.request.service) })
    },
  }

  set(serving: boolean): void {
    if (serving === this.#serving) return
    this.#serving = serving
    for (const call of this.#watchers) call.write({ status: this.#status(call.request.service) })
  }

  close(): void {
    this.set(false)
    for (const call of this.#watchers) call.end()
    this.#watchers.clear()
  }

  #status(service: string) {
    if (!this.#names.has(service)) return Serving.SERVICE_UNKNOWN
    return this.#serving ? Serving.SERVING : Serving.NOT_SERVING
  }
}
