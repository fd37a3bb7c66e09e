/**
 * Who may speak to the gateway. It binds to loopback only, yet any web page that the trader opens can also reach loopback:
 * a foreign `Host` is refused against DNS rebinding, a foreign `Origin` against requests from other sites, and a change of
 * state needs a JSON body, which no page can send across origins without asking first.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GatewayError } from './problems.ts'

const LOCAL_NAMES = ['127.0.0.1', 'localhost', '[::1]']

export const STREAM_PATH = '/api/v1/stream'

export type RequestFacts = {
  readonly method: string
  readonly path: string
  readonly upgrade: string | undefined
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly contentType: string | undefined
  readonly port: number
}

/** Why the request is refused, or undefined when it may pass. */
export function refusalOf(request: RequestFacts): GatewayError | undefined {
  const hosts = LOCAL_NAMES.map((name) => `${name}:${request.port}`)
  const host = request.host?.toLowerCase()
  if (host === undefined || !hosts.includes(host)) {
    return new GatewayError('FOREIGN_HOST', 'the gateway answers only under its own local address', {
      expected: `Host: ${hosts.join(', ')}`,
      found: request.host ?? 'no Host',
    })
  }
  if (request.origin !== undefined && request.origin.toLowerCase() !== `http://${host}`) {
    return new GatewayError('FOREIGN_ORIGIN', 'the gateway answers only its own page', {
      expected: `Origin: http://${host}, or none`,
      found: request.origin,
    })
  }
  if (request.upgrade !== undefined && request.path !== STREAM_PATH) {
    return new GatewayError('NOT_FOUND', 'only the live stream may be upgraded', {
      expected: `an upgrade of ${STREAM_PATH}`,
      found: request.path,
    })
  }
  const changes = !['GET', 'HEAD', 'OPTIONS'].includes(request.method)
  if (changes && request.contentType?.split(';', 1)[0]?.trim().toLowerCase() !== 'application/json') {
    return new GatewayError('JSON_REQUIRED', 'a request that changes something carries a JSON body, {} at least', {
      expected: 'Content-Type: application/json',
      found: request.contentType ?? 'no Content-Type',
    })
  }
  return undefined
}

/** Runs before routing's handlers, for REST, files, unknown paths and the WebSocket upgrade alike. */
export function guard(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    secure(request, reply)
    const refusal = refusalOf({
      method: request.method,
      path: request.url.split('?', 1)[0] ?? '/',
      upgrade: request.headers.upgrade,
      host: request.headers.host,
      origin: request.headers.origin,
      contentType: request.headers['content-type'],
      port: request.socket.localPort ?? 0,
    })
    if (refusal === undefined) return
    // Node hands over the socket of an upgrade and forgets it; refused, it is ours to close.
    if (request.headers.upgrade !== undefined) reply.raw.once('finish', () => request.socket.destroySoon())
    throw refusal
  })
}

function secure(request: FastifyRequest, reply: FastifyReply): void {
  const port = request.socket.localPort ?? 0
  // Older browsers do not count a WebSocket as 'self'; a policy cannot name an IPv6 address.
  const sockets = `ws://127.0.0.1:${port} ws://localhost:${port}`
  reply.headers({
    'content-security-policy':
      `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; ` +
      `connect-src 'self' ${sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  })
  if (request.url.startsWith('/api/') || request.url === '/health') reply.header('cache-control', 'no-store')
}
