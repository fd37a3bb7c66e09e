/** Signatures: HMAC-SHA256 over what was transmitted (REST) or over the sorted parameters (WebSocket API). */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { errors } from './errors.ts'

/** Query and body without their `signature`, joined without a separator, exactly as transmitted. */
export function restPayload(query: string, body: string): string {
  return withoutSignature(query) + withoutSignature(body)
}

function withoutSignature(text: string): string {
  if (!text.includes('signature=')) return text
  return text
    .split('&')
    .filter((part) => !part.startsWith('signature='))
    .join('&')
}

/** All parameters but `signature`, by name, values not percent-encoded. */
export function socketPayload(params: ReadonlyMap<string, string>): string {
  return [...params.keys()]
    .filter((name) => name !== 'signature')
    .sort()
    .map((name) => `${name}=${params.get(name)}`)
    .join('&')
}

export function sign(secret: string, payload: string): string {
  return createHmac('sha256', secret).update(payload).digest('hex')
}

/** @throws BinanceError −1022. Upper or lower case hex. */
export function checkSignature(secret: string, payload: string, signature: string): void {
  const expected = Buffer.from(sign(secret, payload))
  const found = Buffer.from(signature.toLowerCase())
  if (expected.length !== found.length || !timingSafeEqual(expected, found)) throw errors.signature()
}

const RECV_WINDOW_MS = 5000
const RECV_WINDOW_MAX_MS = 60_000
const AHEAD_MS = 1000
/** A timestamp this large counts microseconds. */
const MICROSECONDS_FROM = 1e14

/** @throws BinanceError −1021 when the request is too late or too early, by the wall clock. */
export function checkTiming(timestamp: string, recvWindow: string | undefined, nowMs: number): void {
  if (!/^\d{1,17}$/.test(timestamp)) throw errors.illegal('timestamp', '^[0-9]{1,20}$')
  if (recvWindow !== undefined && !/^\d{1,8}(\.\d{1,3})?$/.test(recvWindow)) {
    throw errors.illegal('recvWindow', '^[0-9]{1,8}(\\.[0-9]{1,3})?$')
  }
  const windowMs = recvWindow === undefined ? RECV_WINDOW_MS : Number(recvWindow)
  if (windowMs > RECV_WINDOW_MAX_MS) throw errors.recvWindow()
  const sent = Number(timestamp)
  const sentMs = sent >= MICROSECONDS_FROM ? sent / 1000 : sent
  if (sentMs >= nowMs + AHEAD_MS) throw errors.aheadOfTime()
  if (nowMs - sentMs > windowMs) throw errors.outsideWindow()
}
