/** REST: from the raw HTTP request to an endpoint and back. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { GONE_PATH, LEFT_OUT_PATHS, REST_ENDPOINTS, REST_PATHS } from './endpoints/index.ts'
import type { Call } from './endpoints/endpoint.ts'
import { BinanceError, errorBody, errors } from './errors.ts'
import { ORDER_LIMITS } from './limits.ts'
import { Params, parseForm } from './params.ts'
import { microseconds, milliseconds } from './payloads.ts'
import { openCall } from './request.ts'
import { restPayload } from './signature.ts'
import type { Venue } from './venue.ts'

/** Answers the request; what it has made happen is told to the user stream when the answer is on its way. */
export function answerRest(venue: Venue, request: FastifyRequest, reply: FastifyReply): void {
  const end = venue.activity.begin()
  const ip = request.socket.remoteAddress ?? ''
  let call: Call | undefined
  let status = 200
  let body: unknown
  // `close` comes once the answer has been handed over, or when the client has gone away before it.
  reply.raw.on('close', () => {
    if (call && !venue.exchange.faults.isReplyAfterEvent) venue.userStream.send(call.events)
    end()
  })
  try {
    const url = request.raw.url ?? '/'
    const cut = url.indexOf('?')
    const path = cut < 0 ? url : url.slice(0, cut)
    const query = cut < 0 ? '' : url.slice(cut + 1)
    const form = Buffer.isBuffer(request.body) ? request.body.toString() : ''
    const endpoint = REST_ENDPOINTS.get(`${request.method} ${path}`)
    if (!endpoint) return sendUnknown(reply, path)
    const params = new Params(parseForm(query, form))
    const time = /^micro/i.test(String(request.headers['x-mbx-time-unit'] ?? '')) ? microseconds : milliseconds
    const apiKey = request.headers['x-mbx-apikey'] as string | undefined
    call = openCall(venue, endpoint, params, { ip, time, apiKey, payload: () => restPayload(query, form) })
    body = endpoint.run(call)
    if (venue.exchange.faults.isReplyAfterEvent) venue.userStream.send(call.events)
    if (call.fault === 'hang') {
      // Never answered: the request stays open until the client gives up, but its events are due now.
      venue.userStream.send(call.events)
      call.events = []
      reply.hijack()
      return
    }
    if (call.fault === 'drop-connection') {
      reply.hijack()
      request.raw.socket.destroy()
      return
    }
    if (call.fault === 'timeout') throw errors.timeout()
  } catch (caught) {
    const error = toBinanceError(caught)
    status = error.status
    body = errorBody(error)
    if (error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter)
  }
  reply.header('x-mbx-used-weight', venue.limits.usedWeight(ip))
  reply.header('x-mbx-used-weight-1m', venue.limits.usedWeight(ip))
  if (call?.countsOrders) {
    venue.limits.orderCounts(call.account).forEach((count, index) => reply.header(ORDER_LIMITS[index]!.header, count))
  }
  reply.code(status).type('application/json;charset=UTF-8').send(JSON.stringify(body))
}

function sendUnknown(reply: FastifyReply, path: string): void {
  const error = path === GONE_PATH ? errors.gone() : LEFT_OUT_PATHS.has(path) ? errors.unsupported() : undefined
  const isKnown = error !== undefined || REST_PATHS.has(path)
  const body = error
    ? errorBody(error)
    : { status: isKnown ? 405 : 404, error: isKnown ? 'Method Not Allowed' : 'Not Found' }
  reply
    .code(error?.status ?? (isKnown ? 405 : 404))
    .type('application/json;charset=UTF-8')
    .send(JSON.stringify(body))
}

/** Our own mistakes end the process before anything else happens: an exchange in doubt must not trade on. */
export function toBinanceError(caught: unknown): BinanceError {
  if (caught instanceof BinanceError) return caught
  process.nextTick(() => {
    throw caught
  })
  return errors.unknown()
}
