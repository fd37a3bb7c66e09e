/** The WebSocket API: the endpoints of REST as JSON frames, and the user data subscription. */
import type { WebSocket } from 'ws'
import type { Connection } from './connections.ts'
import { LEFT_OUT_METHODS, SOCKET_ENDPOINTS } from './endpoints/index.ts'
import type { Call } from './endpoints/endpoint.ts'
import { BinanceError, errorBody, errors } from './errors.ts'
import { ORDER_LIMITS, WEIGHT_LIMIT } from './limits.ts'
import { Params } from './params.ts'
import { authenticate, openCall } from './request.ts'
import { toBinanceError } from './rest.ts'
import { socketPayload } from './signature.ts'
import type { Venue } from './venue.ts'

const SUBSCRIPTION_WEIGHT = 2
type Frame = { readonly id: unknown; readonly method: string; readonly params: Params }

/** Subscriptions of a connection are numbered over its whole life. */
export function serveSocketApi(venue: Venue, socket: WebSocket, connection: Connection): void {
  let nextSubscription = 0
  const subscribe = (account: number) => {
    if ([...connection.subscriptions.values()].includes(account)) throw errors.subscribed()
    connection.subscriptions.set(nextSubscription, account)
    return { subscriptionId: nextSubscription++ }
  }
  socket.on('message', (data) => answerFrame(venue, socket, connection, String(data), subscribe))
}

function answerFrame(
  venue: Venue,
  socket: WebSocket,
  connection: Connection,
  text: string,
  subscribe: (account: number) => object,
): void {
  let id: unknown = null
  let call: Call | undefined
  let reply: object
  let showsLimits = true
  try {
    const frame = readFrame(text, (found) => (id = found))
    showsLimits = frame.params.values.get('returnRateLimits') !== 'false'
    const outcome = run(venue, connection, frame, subscribe)
    call = outcome.call
    if (call?.fault === 'timeout') throw errors.timeout()
    reply = { id, status: 200, result: outcome.result }
  } catch (caught) {
    reply = { id, ...errorReply(toBinanceError(caught)) }
  }
  const events = call?.events ?? []
  const isEventFirst = venue.exchange.faults.isReplyAfterEvent
  if (isEventFirst) venue.userStream.send(events)
  if (call?.fault === 'hang') socket.on('close', venue.activity.begin())
  else if (call?.fault === 'drop-connection') socket.terminate()
  else
    connection.send(
      JSON.stringify(showsLimits ? { ...reply, rateLimits: limitsShown(venue, connection, call) } : reply),
    )
  if (!isEventFirst) venue.userStream.send(events)
}

function errorReply(error: BinanceError): object {
  const body = errorBody(error)
  if (error.retryAfter === undefined) return { status: error.status, error: body }
  const serverTime = Date.now()
  return {
    status: error.status,
    error: { ...body, data: { serverTime, retryAfter: serverTime + error.retryAfter * 1000 } },
  }
}

function limitsShown(venue: Venue, connection: Connection, call: Call | undefined): object[] {
  const count = venue.limits.usedWeight(connection.ip)
  const weight = { rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, limit: WEIGHT_LIMIT, count }
  if (!call?.countsOrders) return [weight]
  const orders = venue.limits.orderCounts(call.account).map((orderCount, index) => {
    const { interval, intervalNum, limit } = ORDER_LIMITS[index]!
    return { rateLimitType: 'ORDERS', interval, intervalNum, limit, count: orderCount }
  })
  return [...orders, weight]
}

function readFrame(text: string, onId: (id: unknown) => void): Frame {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new BinanceError(-1135, 'Invalid JSON')
  }
  if (typeof value !== 'object' || value === null) throw new BinanceError(-1135, 'Invalid JSON')
  const { id = null, method, params = {} } = value as Record<string, unknown>
  if (id !== null && !Number.isSafeInteger(id) && !(typeof id === 'string' && id.length <= 36))
    throw errors.invalid('id')
  onId(id)
  if (typeof method !== 'string') throw errors.missing('method')
  if (typeof params !== 'object' || params === null) throw errors.invalid('params')
  return { id, method: method.replace(/^v3\//, ''), params: new Params(readParams(params)) }
}

function readParams(params: object): Map<string, string> {
  const values = new Map<string, string>()
  for (const [name, value] of Object.entries(params)) {
    if (value === null || value === undefined) continue
    values.set(name, typeof value === 'object' ? JSON.stringify(value) : String(value))
  }
  return values
}

function run(
  venue: Venue,
  connection: Connection,
  { method, params }: Frame,
  subscribe: (account: number) => object,
): { result: unknown; call?: Call } {
  const from = {
    ip: connection.ip,
    time: connection.time,
    apiKey: params.values.get('apiKey'),
    payload: () => socketPayload(params.values),
  }
  const endpoint = SOCKET_ENDPOINTS.get(method)
  if (endpoint) {
    if (endpoint.security === 'signed') params.required('apiKey')
    const call = openCall(venue, endpoint, params, from)
    return { result: endpoint.run(call), call }
  }
  venue.limits.use(connection.ip, SUBSCRIPTION_WEIGHT)
  switch (method) {
    case 'userDataStream.subscribe.signature':
      params.required('apiKey')
      return { result: subscribe(authenticate(venue, 'signed', params, from)) }
    case 'userDataStream.unsubscribe':
      return { result: unsubscribe(connection, params) }
    case 'session.subscriptions':
      return { result: [...connection.subscriptions.keys()].map((subscriptionId) => ({ subscriptionId })) }
    case 'session.status':
    case 'session.logout':
      return {
        result: {
          apiKey: null,
          authorizedSince: null,
          connectedSince: connection.openedMs,
          returnRateLimits: true,
          serverTime: Date.now(),
          userDataStream: false,
        },
      }
    case 'session.logon':
      // Logging on needs an Ed25519 key, and the keys of this venue are HMAC.
      throw new BinanceError(-4056, 'HMAC_SHA256 API key is not supported.')
    case 'userDataStream.subscribe':
      throw new BinanceError(
        -2015,
        'Session is not authenticated: log on with an Ed25519 key, which this venue leaves out.',
        401,
      )
    case 'userDataStream.start':
    case 'userDataStream.ping':
    case 'userDataStream.stop':
      throw errors.gone()
    default:
      throw LEFT_OUT_METHODS.test(method) ? errors.unsupported() : new BinanceError(-1102, 'Unknown method.')
  }
}

function unsubscribe(connection: Connection, params: Params): object {
  const id = params.integer('subscriptionId')
  if (id === undefined) connection.subscriptions.clear()
  else if (!connection.subscriptions.delete(id)) throw errors.notSubscribed()
  return {}
}
