/**
 * Typed handlers over real gRPC. The handlers are the same objects that an in-process caller calls directly; this file only
 * carries requests, answers, streams, deadlines and errors across HTTP/2.
 */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  Server,
  ServerCredentials,
  status,
  type handleUnaryCall,
  type ServerDuplexStream,
  type ServerWritableStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { ReflectionService } from '@grpc/reflection'
import { loadSync } from '@grpc/proto-loader'
import { RpcError, type RpcCode } from '@jts/contracts'
import { HealthCheckResponse_ServingStatus, HealthService, type HealthServer } from '@jts/contracts/health-api'
import type { Logger } from '@jts/runtime'

type Handler = (request: never, signal: AbortSignal) => Promise<unknown> | AsyncIterable<unknown>

export type RpcService = {
  readonly definition: ServiceDefinition
  /** Methods by their camelCase name. */
  readonly handlers: object
}

export type RpcServerOptions = {
  readonly host: string
  /** 0 = any free port. */
  readonly port: number
  readonly services: readonly RpcService[]
  readonly log: Logger
  /** Awaited before every answer: nothing leaves the process before its cause is on disk. */
  readonly beforeAnswer?: () => Promise<void>
}

export type RpcServer = { readonly port: number; stop(): Promise<void> }

const PROTO_ROOT = resolve(fileURLToPath(import.meta.resolve('@jts/contracts')), '../../proto')
const PROTO_FILES = [
  'jts.proto',
  'jts/risk/v1/risk.proto',
  'jts/portfolio/v1/portfolio.proto',
  'jts/orders/v1/orders.proto',
  'jts/strategy/v1/strategy.proto',
  'grpc/health/v1/health.proto',
]

const STATUS: Record<RpcCode, number> = {
  INVALID_ARGUMENT: status.INVALID_ARGUMENT,
  NOT_FOUND: status.NOT_FOUND,
  ALREADY_EXISTS: status.ALREADY_EXISTS,
  FAILED_PRECONDITION: status.FAILED_PRECONDITION,
  UNAVAILABLE: status.UNAVAILABLE,
  DEADLINE_EXCEEDED: status.DEADLINE_EXCEEDED,
  UNIMPLEMENTED: status.UNIMPLEMENTED,
  INTERNAL: status.INTERNAL,
  PERMISSION_DENIED: status.PERMISSION_DENIED,
}

/** The one door from whatever was thrown to a gRPC status. */
function toStatus(error: unknown, log: Logger): { code: number; details: string } {
  if (error instanceof RpcError) return { code: STATUS[error.code], details: error.message }
  log.error({ err: error }, 'a call failed')
  return { code: status.INTERNAL, details: 'internal error; the service log tells more' }
}

/** Starts a gRPC server with health and reflection. */
export async function startRpcServer(options: RpcServerOptions): Promise<RpcServer> {
  const server = new Server()
  for (const { definition, handlers } of options.services) {
    server.addService(definition, implementation(definition, handlers as Record<string, Handler>, options))
  }
  addHealth(server, options)
  new ReflectionService(loadSync(PROTO_FILES, { includeDirs: [PROTO_ROOT] })).addToServer(server)
  const port = await new Promise<number>((done, fail) => {
    server.bindAsync(`${options.host}:${options.port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) fail(new Error(`cannot listen on ${options.host}:${options.port}: ${error.message}`, { cause: error }))
      else done(bound)
    })
  })
  return {
    port,
    stop: () =>
      new Promise((done) => {
        const timer = setTimeout(() => {
          server.forceShutdown()
          done()
        }, 1000)
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
): UntypedServiceImplementation {
  const result: UntypedServiceImplementation = {}
  for (const [name, method] of Object.entries(definition)) {
    const handler = handlers[name]
    if (handler === undefined) continue
    const bound = handler.bind(handlers)
    if (method.responseStream) {
      result[name] = (call: ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>) =>
        void pump(call, bound, method.requestStream, options)
    } else {
      const unary: handleUnaryCall<unknown, unknown> = (call, callback) => {
        const abort = new AbortController()
        call.on('cancelled', () => abort.abort())
        answer(bound, call.request, abort.signal, options).then(
          (value) => callback(null, value),
          (error: unknown) => callback(toStatus(error, options.log)),
        )
      }
      result[name] = unary
    }
  }
  return result
}

async function answer(handler: Handler, request: unknown, signal: AbortSignal, options: RpcServerOptions) {
  const value = await (handler(request as never, signal) as Promise<unknown>)
  await options.beforeAnswer?.()
  return value
}

async function pump(
  call: ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>,
  handler: Handler,
  requestStream: boolean,
  options: RpcServerOptions,
): Promise<void> {
  const abort = new AbortController()
  call.on('cancelled', () => abort.abort())
  try {
    const request = requestStream ? call : (call as ServerWritableStream<unknown, unknown>).request
    for await (const value of handler(request as never, abort.signal) as AsyncIterable<unknown>) {
      await options.beforeAnswer?.()
      if (abort.signal.aborted) return
      if (!call.write(value)) await new Promise((drained) => call.once('drain', drained))
    }
    call.end()
  } catch (error) {
    if (!abort.signal.aborted) call.emit('error', toStatus(error, options.log))
  }
}

function addHealth(server: Server, options: RpcServerOptions): void {
  const names = new Set(
    options.services.flatMap(({ definition }) => Object.values(definition).map((method) => method.path.split('/')[1]!)),
  )
  const check = (service: string) =>
    service === '' || names.has(service)
      ? HealthCheckResponse_ServingStatus.SERVING
      : HealthCheckResponse_ServingStatus.SERVICE_UNKNOWN
  const health: HealthServer = {
    check: (call, callback) => {
      const found = check(call.request.service)
      if (found === HealthCheckResponse_ServingStatus.SERVICE_UNKNOWN) {
        callback({ code: status.NOT_FOUND, details: `no service ${call.request.service} here` })
      } else callback(null, { status: found })
    },
    watch: (call) => {
      call.write({ status: check(call.request.service) })
    },
  }
  server.addService(HealthService, health)
}
