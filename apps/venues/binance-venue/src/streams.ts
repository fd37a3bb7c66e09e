/** Market streams: `/ws`, `/ws/<name>`, `/stream?streams=…`, and the SUBSCRIBE protocol on top of them. */
import type { WebSocket } from 'ws'
import { isInterval } from '@jts/exchange'
import { STREAMS_MAX, type Connection } from './connections.ts'
import type { Venue } from './venue.ts'

const MESSAGES_PER_SECOND = 5
const POLICY_VIOLATION = 1008
const METHODS = ['SUBSCRIBE', 'UNSUBSCRIBE', 'LIST_SUBSCRIPTIONS', 'SET_PROPERTY', 'GET_PROPERTY']
const TYPES = new Set(['trade', 'aggTrade', 'bookTicker', 'miniTicker'])

/** Why this venue does not serve a stream, or undefined when it does. */
export function streamProblem(venue: Venue, stream: string): string | undefined {
  const cut = stream.indexOf('@')
  const symbol = stream.slice(0, cut)
  const type = stream.slice(cut + 1)
  if (cut < 1 || symbol !== symbol.toLowerCase()) return `unknown stream ${JSON.stringify(stream)}`
  if (!venue.exchange.instrument(symbol.toUpperCase())) return `unknown symbol in ${JSON.stringify(stream)}`
  if (TYPES.has(type)) return undefined
  const interval = type.startsWith('kline_') ? type.slice('kline_'.length) : ''
  const isServed = isInterval(interval) && venue.market.supports(symbol.toUpperCase(), interval)
  return isServed ? undefined : `stream ${JSON.stringify(stream)} is not supported`
}

/** The streams that a URL asks for. */
export function streamsOfUrl(url: URL): { streams: string[]; isCombined: boolean } | undefined {
  if (url.pathname === '/stream') {
    const names = url.searchParams.get('streams') ?? ''
    return { streams: names.split('/').filter((name) => name !== ''), isCombined: true }
  }
  if (url.pathname === '/ws' || url.pathname === '/ws/') return { streams: [], isCombined: false }
  if (!url.pathname.startsWith('/ws/')) return undefined
  const streams = decodeURIComponent(url.pathname.slice('/ws/'.length)).split('/')
  return { streams: streams.filter((name) => name !== ''), isCombined: false }
}

export function serveStreams(
  venue: Venue,
  socket: WebSocket,
  connection: Connection,
  asked: { readonly streams: readonly string[]; readonly isCombined: boolean },
): void {
  connection.isCombined = asked.isCombined
  for (const stream of asked.streams) venue.connections.listen(connection, stream)
  const isTooFast = messageMeter()
  const count = () => {
    if (isTooFast()) connection.close(POLICY_VIOLATION, 'Too many requests')
  }
  socket.on('ping', count)
  socket.on('pong', count)
  socket.on('message', (data) => {
    count()
    connection.send(JSON.stringify(answer(venue, connection, String(data))))
  })
}

/** Counts by wall clock: it protects the server, not the market. */
function messageMeter(): () => boolean {
  let second = 0
  let count = 0
  return () => {
    const now = Math.floor(Date.now() / 1000)
    if (now !== second) count = 0
    second = now
    return ++count > MESSAGES_PER_SECOND
  }
}

type Answer = { result: unknown; id: unknown } | { error: { code: number; msg: string }; id?: unknown }

function invalid(msg: string, id?: unknown): Answer {
  const error = { code: 2, msg: `Invalid request: ${msg}` }
  return id === undefined ? { error } : { error, id }
}

function answer(venue: Venue, connection: Connection, text: string): Answer {
  let request: Record<string, unknown>
  try {
    request = JSON.parse(text) as Record<string, unknown>
  } catch (error) {
    return { error: { code: 3, msg: `Invalid JSON: ${error instanceof Error ? error.message : 'not JSON'}` } }
  }
  if (typeof request !== 'object' || request === null) return invalid('expected an object')
  const { method, params = [], id = null } = request
  const isId = id === null || Number.isSafeInteger(id) || (typeof id === 'string' && id.length <= 36)
  if (!isId) return invalid('request ID must be an unsigned integer')
  if (typeof method !== 'string') return invalid('missing field `method`', id)
  if (!METHODS.includes(method)) {
    return invalid(
      `unknown variant \`${method}\`, expected one of ${METHODS.map((name) => `\`${name}\``).join(', ')}`,
      id,
    )
  }
  if (!Array.isArray(params)) return invalid('params must be an array', id)
  if (method === 'LIST_SUBSCRIPTIONS') return { result: [...connection.streams], id }
  if (method === 'SET_PROPERTY' || method === 'GET_PROPERTY') return property(connection, method, params, id)
  if (!params.every((name) => typeof name === 'string')) return invalid('stream names must be strings', id)
  return method === 'SUBSCRIBE' ? subscribe(venue, connection, params, id) : unsubscribe(venue, connection, params, id)
}

function subscribe(venue: Venue, connection: Connection, streams: string[], id: unknown): Answer {
  if (connection.streams.size + streams.length > STREAMS_MAX) return invalid('too many parameters', id)
  for (const stream of streams) {
    const problem = streamProblem(venue, stream)
    if (problem) return invalid(problem, id)
  }
  for (const stream of streams) venue.connections.listen(connection, stream)
  return { result: null, id }
}

function unsubscribe(venue: Venue, connection: Connection, streams: string[], id: unknown): Answer {
  for (const stream of streams) venue.connections.unlisten(connection, stream)
  return { result: null, id }
}

function property(connection: Connection, method: string, params: unknown[], id: unknown): Answer {
  if (params[0] !== 'combined') return { error: { code: 0, msg: 'Unknown property' }, id }
  if (method === 'GET_PROPERTY') return { result: connection.isCombined, id }
  if (typeof params[1] !== 'boolean') return { error: { code: 1, msg: 'Invalid value type: expected Boolean' }, id }
  connection.isCombined = params[1]
  return { result: null, id }
}
