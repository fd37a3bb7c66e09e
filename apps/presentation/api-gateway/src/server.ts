/** The wiring: guard, then REST, then the live stream, then the web app. */
import fastifyWebsocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Mode } from '@jts/model/ids'
import type { Logger } from '@jts/runtime'
import type { GatewayPorts } from './ports.ts'
import { sendProblem, toGatewayError } from './problems.ts'
import { registerCommands } from './routes/commands.ts'
import { registerHealth } from './routes/health.ts'
import { registerQueries } from './routes/queries.ts'
import { registerWeb } from './routes/web.ts'
import { guard } from './security.ts'
import { LiveStream, type StreamLimits } from './stream.ts'

export type ApiGatewayOptions = {
  readonly ports: GatewayPorts
  /** Loopback unless said otherwise; then whatever publishes the port has to keep others away. */
  readonly host?: string
  /** 0 takes a free port; `start` says which. */
  readonly port: number
  /** Folder of the built web app. */
  readonly webRoot?: string
  readonly log: Logger
  readonly mode: Mode
  readonly streamLimits?: Partial<StreamLimits>
}

export interface ApiGateway {
  start(): Promise<{ url: string }>
  stop(): Promise<void>
}

const LOOPBACK = '127.0.0.1'
const BODY_BYTES_MAX = 16 * 1024
const MESSAGE_BYTES_MAX = 4 * 1024

export function createApiGateway(options: ApiGatewayOptions): ApiGateway {
  const host = options.host ?? LOOPBACK
  const stream = new LiveStream({ ports: options.ports, log: options.log, limits: options.streamLimits ?? {} })
  const app = createApp(options, stream)
  return {
    async start() {
      stream.start()
      await app.listen({ host, port: options.port })
      const address = app.server.address()
      const port = typeof address === 'object' && address !== null ? address.port : options.port
      // Wherever it listens, it answers under its local name alone.
      const url = `http://${LOOPBACK}:${port}`
      options.log.info({ url, mode: options.mode }, 'gateway listening')
      if (host !== LOOPBACK) {
        options.log.warn(
          { host, port },
          'the gateway asks nobody who he is: let its port be reached from this machine alone',
        )
      }
      return { url }
    },
    async stop() {
      stream.stop()
      await app.close()
    },
  }
}

function createApp({ ports, log, webRoot }: ApiGatewayOptions, stream: LiveStream): FastifyInstance {
  const app = Fastify({
    bodyLimit: BODY_BYTES_MAX,
    forceCloseConnections: true,
    ajv: { customOptions: { coerceTypes: true, removeAdditional: false, verbose: true } },
  })
  guard(app)
  app.removeContentTypeParser('text/plain')
  app.setErrorHandler((error, request, reply) => sendProblem(request, reply, toGatewayError(error, log)))
  app.register(fastifyWebsocket, { options: { maxPayload: MESSAGE_BYTES_MAX } })
  registerHealth(app, ports)
  app.register(
    async (api) => {
      registerQueries(api, ports)
      registerCommands(api, ports, log)
      api.get('/stream', { websocket: true }, (socket) => {
        socket.on('close', () => stream.remove(socket))
        socket.on('error', (error) => log.info({ err: error }, 'a reader of the live stream failed'))
        void stream.add(socket)
      })
    },
    { prefix: '/api/v1' },
  )
  registerWeb(app, webRoot)
  return app
}
