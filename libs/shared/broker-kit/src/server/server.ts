/** The Broker API over any broker port and market data port: the contract's routes, each signed, checked and answered. */
import {
  BASE_PATH,
  CONTRACT_VERSION,
  openApiDocument,
  pathPatternOf,
  problem,
  ROUTES,
  type Breaker,
  type Health,
  type Problem,
  type Route,
  type Subscription,
} from '@jts/contracts/broker-api'
import fastifyWebsocket from '@fastify/websocket'
import type { AccountId } from '@jts/model'
import type { Activity, Logger, WallClock } from '@jts/runtime'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { BrokerPort, MarketDataPort } from '../port.ts'
import { AccountDesk, type AccountKeeping } from './account-desk.ts'
import { Authentication, mayUse } from './authentication.ts'
import { MarketFeed, OrderFeed } from './feeds.ts'
import { FillRecordBook } from './fill-record.ts'
import { HANDLERS, type Checked, type HandlerContext } from './handlers.ts'
import { InstrumentDirectory } from './instrument-directory.ts'
import { Journal } from './journal.ts'
import type { ApiKey } from './keys.ts'
import { ProblemError, toProblem } from './problems.ts'
import { STREAM_LIMITS, StreamConnection, type StreamLimits } from './stream-connection.ts'
import { compileValidator, readClientMessage } from './validation.ts'
import { streamConnectionName } from '../wire/index.ts'

export type BrokerServerOptions = {
  readonly service: string
  readonly version: string
  readonly market: MarketDataPort
  readonly accounts: readonly {
    readonly account: AccountId
    readonly broker: BrokerPort
    /** Whose fills are asked for although no order of ours was in them. */
    readonly instruments?: readonly string[]
    readonly keeping?: AccountKeeping
  }[]
  readonly keys: readonly ApiKey[]
  /** Of the journal; undefined keeps it in memory, for tests that do not restart. */
  readonly journalFile: string | undefined
  /** 127.0.0.1 unless told otherwise. */
  readonly host?: string
  readonly port: number
  readonly wallClock: WallClock
  readonly log: Logger
  readonly activity?: Activity
  /** Between this service and the venue. */
  readonly breaker?: () => Breaker
  readonly streamLimits?: Partial<StreamLimits>
}

export type BrokerServer = {
  readonly url: string
  readonly health: () => Health
  /** Messages sent on each stream connection, by its name: the lock-step account. */
  readonly sent: () => Readonly<Record<string, number>>
  stop(): Promise<void>
}

const BODY_BYTES_MAX = 1024 * 1024
const MESSAGE_BYTES_MAX = 64 * 1024
const PROBLEM_JSON = 'application/problem+json; charset=utf-8'

type Signed = FastifyRequest & { rawBody?: Buffer; apiKey?: ApiKey }

export async function startBrokerServer(options: BrokerServerOptions): Promise<BrokerServer> {
  const { accounts, market, wallClock: clock, log, keys, host = '127.0.0.1' } = options
  if (keys.length === 0) throw new Error('expected at least one key: a broker service without keys does not start')
  const startedAtUs = clock.nowUs()
  const journal = new Journal(options.journalFile, startedAtUs)
  const authentication = new Authentication(keys, clock)
  const desks = new Map(
    accounts.map(({ account, broker, keeping }) => [
      account as string,
      new AccountDesk({ account, broker, journal, clock, keeping }),
    ]),
  )
  const fills = new Map(
    accounts.map(({ account, broker, instruments = [] }) => [
      account as string,
      new FillRecordBook(account, broker, journal, instruments),
    ]),
  )
  const feeds = new Map(
    accounts.map(({ account }) => {
      const desk = desks.get(account)!
      return [account as string, new OrderFeed(account, clock, (id, order) => desk.settle(id, order))] as const
    }),
  )
  const marketFeed = new MarketFeed(market, clock)
  const directory = new InstrumentDirectory(market, clock)
  const venueTimeUs = (): number => clock.nowUs() + (accounts[0]?.broker.clockOffsetUs() ?? 0)
  const health = (): Health => healthOf(options, { startedAtUs, venueTimeUs, desks, feeds, marketFeed })
  const context: HandlerContext = { desks, fills, market, directory, health }
  const connections = new Map<string, StreamConnection>()
  const limits = { ...STREAM_LIMITS, ...options.streamLimits }

  const app = Fastify({
    bodyLimit: BODY_BYTES_MAX,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 200 },
    frameworkErrors: (error, request, reply) => void send(request, reply, toProblem(error)),
  })
  app.setValidatorCompiler(compileValidator)
  app.setErrorHandler((error, request, reply) => {
    const found = toProblem(error)
    if (found.code === 'INTERNAL') log.error({ err: error, path: pathOf(request) }, 'a request failed')
    return send(request, reply, found)
  })
  app.setNotFoundHandler((request, reply) => send(request, reply, whyNotFound(request)))
  app.removeAllContentTypeParsers()
  // Kept as bytes until the signature is checked.
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    ;(request as Signed).rawBody = body as Buffer
    done(null, undefined)
  })
  app.decorateRequest('rawBody', undefined)
  app.decorateRequest('apiKey', undefined)
  await app.register(fastifyWebsocket, { options: { maxPayload: MESSAGE_BYTES_MAX } })

  const sign = (request: Signed, route: Pick<Route, 'right'>): ApiKey => {
    const { method, raw, headers, rawBody } = request
    const key = authentication.check({ method, target: raw.url ?? '', headers, body: rawBody ?? '' })
    if (route.right === 'trade' && key.right !== 'trade') {
      throw new ProblemError('FORBIDDEN', `the key ${key.id} may only read`)
    }
    request.apiKey = key
    return key
  }

  for (const route of ROUTES) registerRoute(app, route, sign, context, health)
  app.get(
    `${BASE_PATH}/openapi.json`,
    { preParsing: (request, _, __, done) => done(asError(() => sign(request, { right: 'read' }))) },
    () => openApiDocument(),
  )
  app.get(
    `${BASE_PATH}/stream`,
    { websocket: true, preValidation: (request, _, done) => done(asError(() => sign(request, { right: 'read' }))) },
    (socket, request) => {
      const key = (request as Signed).apiKey!
      const { localPort, remotePort } = request.raw.socket
      const name = streamConnectionName(String(localPort), String(remotePort))
      socket.on('close', () => connections.delete(name))
      connections.set(
        name,
        new StreamConnection(socket, {
          broker: market.capabilities.broker,
          clock,
          limits,
          activity: options.activity,
          market: marketFeed,
          venueTimeUs,
          orders: (account) => feeds.get(account),
          check: (subscription) => checkSubscription(subscription, key, context),
          read: readClientMessage,
        }),
      )
    },
  )

  for (const { account, broker } of accounts) feeds.get(account)!.start(broker)
  await app.listen({ host, port: options.port })
  const address = app.server.address()
  const port = typeof address === 'object' && address !== null ? address.port : options.port
  const url = `http://${host}:${port}`
  log.info({ url, service: options.service, loopback: host === '127.0.0.1' }, 'broker service listening')
  return {
    url,
    health,
    sent: () => Object.fromEntries([...connections].map(([name, connection]) => [name, connection.sent])),
    async stop() {
      for (const connection of connections.values()) connection.close('GOING_AWAY')
      // Answers under way are given; a send is not cut off.
      await Promise.all([...desks.values()].map((desk) => desk.sendsEnded()))
      for (const connection of connections.values()) connection.terminate()
      await app.close()
      await Promise.all([...feeds.values()].map((feed) => feed.stop()))
      await marketFeed.stop()
      journal.close()
    },
  }
}

function registerRoute(
  app: FastifyInstance,
  route: Route,
  sign: (request: Signed, route: Route) => ApiKey,
  context: HandlerContext,
  health: () => Health,
): void {
  const { method, params, query, body } = route
  const url = pathPatternOf(route)
  if (route.right === 'none') {
    app.get(url, (_, reply) => {
      const status = health().status === 'down' ? 'down' : 'up'
      return reply.code(status === 'up' ? 200 : 503).send({ status })
    })
    return
  }
  const handler = HANDLERS[route.operationId]
  if (handler === undefined) throw new Error(`expected a handler of ${route.operationId}, found none`)
  app.route({
    method,
    url,
    exposeHeadRoute: false,
    schema: {
      ...(params === undefined ? {} : { params }),
      querystring: query ?? { type: 'object', additionalProperties: false },
      ...(body === undefined ? {} : { body }),
    },
    preValidation: (request, _, done) => {
      done(
        asError(() => {
          const signed = request as Signed
          sign(signed, route)
          if (body !== undefined) signed.body = readJson(signed.rawBody)
          else if (signed.rawBody !== undefined && signed.rawBody.length > 0) {
            throw new ProblemError('INVALID_REQUEST', 'expected no body')
          }
        }),
      )
    },
    handler: async (request, reply) => {
      const checked = {
        key: (request as Signed).apiKey!,
        params: request.params,
        query: request.query,
        body: request.body,
      }
      const { data, beside } = await handler(checked as Checked, context)
      return reply.send({ success: true, data, ...beside })
    },
  })
}

function asError(work: () => unknown): Error | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    return error as Error
  }
}

function readJson(body: Buffer | undefined): unknown {
  if (body === undefined || body.length === 0) throw new ProblemError('INVALID_REQUEST', 'expected a body, found none')
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new ProblemError('INVALID_REQUEST', 'expected a body in JSON, found something else')
  }
}

const pathOf = (request: FastifyRequest): string => (request.raw.url ?? '/').split('?', 1)[0]!

function send(request: FastifyRequest, reply: FastifyReply, found: Problem): FastifyReply {
  const instance = pathOf(request)
  return reply
    .code(found.status)
    .header('content-type', PROBLEM_JSON)
    .send(JSON.stringify({ ...found, instance }))
}

/** A path that is there under another method is told so. */
function whyNotFound(request: FastifyRequest): Problem {
  const path = pathOf(request)
  const methods = ROUTES.filter((route) => patternOf(route).test(path)).map(({ method }) => method)
  if (methods.length === 0) return problem('NOT_FOUND', `there is no ${path}`)
  return problem('METHOD_NOT_ALLOWED', `expected ${[...new Set(methods)].join(' or ')}, found ${request.method}`)
}

function patternOf(route: Route): RegExp {
  return new RegExp(`^${pathPatternOf(route).replace(/:\w+/g, '[^/]+')}$`)
}

async function checkSubscription(subscription: Subscription, key: ApiKey, context: HandlerContext): Promise<void> {
  const { capabilities } = context.market
  if (!capabilities.streams.includes(subscription.channel)) {
    throw new ProblemError('NOT_SUPPORTED', `${capabilities.broker} does not stream ${subscription.channel}`)
  }
  if (subscription.channel === 'orders') {
    if (!context.desks.has(subscription.account)) {
      throw new ProblemError('ACCOUNT_NOT_FOUND', `this service does not hold ${subscription.account}`)
    }
    if (!mayUse(key, subscription.account)) {
      throw new ProblemError('FORBIDDEN', `the key ${key.id} may not use ${subscription.account}`)
    }
    return
  }
  if (subscription.channel === 'candles') {
    const known = (capabilities.timeframes ?? []).map((one) => one.replace(/[dw]$/, (letter) => letter.toUpperCase()))
    if (!known.includes(subscription.timeframe)) {
      throw new ProblemError('NOT_SUPPORTED', `timeframe: expected one of ${known.join(', ')}`)
    }
  }
  await context.directory.check(subscription.instrument)
}

type HealthSources = {
  readonly startedAtUs: number
  readonly venueTimeUs: () => number
  readonly desks: ReadonlyMap<string, AccountDesk>
  readonly feeds: ReadonlyMap<string, OrderFeed>
  readonly marketFeed: MarketFeed
}

function healthOf(options: BrokerServerOptions, sources: HealthSources): Health {
  const { service, version, market, accounts, wallClock: clock } = options
  const { startedAtUs, venueTimeUs, desks, feeds, marketFeed } = sources
  const states = accounts.map(({ broker }) => broker.state?.() ?? {})
  const session = states.find((one) => one.session !== undefined)?.session
  const breaker = options.breaker?.() ?? { state: 'closed', sinceUs: startedAtUs, consecutiveFailures: 0 }
  const streams = [...feeds.values()].map(({ account, condition }) => ({ name: `orders ${account}`, ...condition }))
  const marketCondition = marketFeed.condition
  if (marketCondition !== undefined) streams.push({ name: 'market data', ...marketCondition })
  const accountStates = [...desks.values()].map((desk) => desk.state())
  const reasons: { code: string; message: string }[] = []
  if (breaker.state !== 'closed') {
    reasons.push({
      code: `BREAKER_${breaker.state.toUpperCase()}`,
      message: breaker.reason ?? 'the venue does not answer',
    })
  }
  if (session !== undefined && session.state !== 'connected' && session.state !== 'not_needed') {
    reasons.push({ code: `SESSION_${session.state.toUpperCase()}`, message: session.reason ?? 'the session is not up' })
  }
  for (const { name, state, reason } of streams) {
    if (state === 'down') reasons.push({ code: 'STREAM_DOWN', message: `${name}: ${reason}` })
  }
  for (const { account, gate, gateReason } of accountStates) {
    if (gate === 'halted') reasons.push({ code: 'GATE_HALTED', message: `${account}: ${gateReason ?? 'halted'}` })
  }
  const isDown = reasons.some(({ code }) => code === 'BREAKER_OPEN' || code.startsWith('SESSION_'))
  return {
    status: isDown ? 'down' : reasons.length > 0 ? 'degraded' : 'up',
    reasons,
    ...{ service, broker: market.capabilities.broker, version, contractVersion: CONTRACT_VERSION },
    ...{ startedAtUs, timeUs: clock.nowUs(), venueTimeUs: venueTimeUs() },
    breaker,
    session: session ?? { state: 'not_needed', sinceUs: startedAtUs },
    streams: streams.map(({ name, state, sinceUs, reason }) => ({ name, state, sinceUs, reason })),
    limits: states.flatMap(({ limits = [] }) => limits),
    accounts: accountStates,
  }
}
