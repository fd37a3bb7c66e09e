/** How a request to a broker service is signed; told with examples in authentication.md. Pure: clock and nonce come in. */
import { createHash, createHmac } from 'node:crypto'

export const SIGNATURE_SCHEME = 'JTS-HMAC-SHA256-1'
export const SIGNATURE_HEADERS = {
  key: 'x-jts-key',
  timestamp: 'x-jts-timestamp',
  nonce: 'x-jts-nonce',
  signature: 'x-jts-signature',
} as const
/** How far a timestamp may lie from the service's clock, either way. */
export const CLOCK_WINDOW_US = 30_000_000
export const SECRET_LENGTH_MIN = 32
export const KEY_ID = /^[A-Za-z0-9._-]{1,64}$/
export const TIMESTAMP = /^[0-9]{16}$/
export const NONCE = /^[A-Za-z0-9_-]{16,64}$/

export type SignedParts = {
  readonly method: string
  /** Path and query exactly as they stand in the request line. */
  readonly target: string
  readonly body: Uint8Array | string
  readonly timestampUs: string
  readonly nonce: string
}

export function canonicalText(parts: SignedParts): string {
  const bodyHash = createHash('sha256').update(parts.body).digest('hex')
  return [SIGNATURE_SCHEME, parts.method.toUpperCase(), parts.target, bodyHash, parts.timestampUs, parts.nonce].join(
    '\n',
  )
}

export function signatureOf(parts: SignedParts, secret: string): string {
  return createHmac('sha256', Buffer.from(secret, 'utf8')).update(canonicalText(parts), 'utf8').digest('hex')
}
