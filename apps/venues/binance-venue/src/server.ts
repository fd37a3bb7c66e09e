/** One port for everything: REST, market streams, the WebSocket API, the conductor's side channel and the balances' control. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import Fastify, { type FastifyInstance } from 'fastify'
import { WebSocketServer, type WebSocket } from 'ws'
import { LOCK_STEP_PATH } from '@jts/contracts/lock-step'
import type { LockStep } from '@jts/exchange'
import { answerBalances, BALANCES_PATH } from './balance-control.ts'
import { answerRest } from './rest.ts'
import { serveStreams, streamProblem, streamsOfUrl } from './streams.ts'
import type { Venue } from './venue.ts'
import { serveSocketApi } from './ws-api.ts'

const WS_API_PATH = '/ws-api/v3'
const CONNECTION_WEIGHT = 2

export type Server = { readonly port: number; close(): Promise<void> }

/** `lockStep`: only a replay can be conducted. */
export async function listen(venue: Venue, port: number, lockStep: LockStep | undefined): Promise<Server> {
  const app: FastifyInstance = Fastify({ logger: false, forceCloseConnections: true, exposeHeadRoutes: false })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.post(BALANCES_PATH, (request, reply) => {
    answerBalances(venue, request, reply)
    return reply
  })
  app.route({
    method: ['GET', 'POST', 'PUT', 'DELETE'],
    url: '/*',
    handler: (request, reply) => {
      answerRest(venue, request, reply)
      return reply
    },
  })
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 1 << 20 })
  app.server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const serve = route(venue, request, lockStep)
    if (typeof serve === 'string') stream.end(`HTTP/1.1 ${serve}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    else sockets.handleUpgrade(request, stream, head, (socket) => serve(socket))
  })
  await app.listen({ port, host: venue.config.host })
  const address = app.server.address()
  return {
    port: typeof address === 'object' && address ? address.port : port,
    close: async () => {
      venue.connections.stop()
      for (const client of sockets.clients) client.terminate()
      await app.close()
    },
  }
}

/** What serves this connection, or the status line that refuses it. */
function route(
  venue: Venue,
  request: IncomingMessage,
  lockStep: LockStep | undefined,
): ((socket: WebSocket) => void) | string {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1')
  const { remotePort = 0, remoteAddress = '' } = request.socket as Socket
  const isMicro = /^micro/i.test(url.searchParams.get('timeUnit') ?? '')
  if (url.pathname === LOCK_STEP_PATH) {
    if (!lockStep) return '409 Conflict'
    return (socket) => {
      const onMessage = lockStep.session((text) => socket.send(text))
      socket.on('message', (data) => onMessage(String(data)))
      socket.on('error', () => socket.terminate())
    }
  }
  if (url.pathname === WS_API_PATH) {
    try {
      venue.limits.use(remoteAddress, CONNECTION_WEIGHT)
    } catch {
      return '429 Too Many Requests'
    }
    return (socket) => serveSocketApi(venue, socket, venue.connections.add(socket, remotePort, remoteAddress, isMicro))
  }
  const asked = streamsOfUrl(url)
  if (!asked) return '404 Not Found'
  if (asked.streams.some((stream) => streamProblem(venue, stream))) return '400 Bad Request'
  return (socket) =>
    serveStreams(venue, socket, venue.connections.add(socket, remotePort, remoteAddress, isMicro), asked)
}
