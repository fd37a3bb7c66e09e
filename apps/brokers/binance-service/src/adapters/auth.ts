/**
 * Signing, HMAC-SHA256 with the account's secret.
 * https://developers.binance.com/docs/binance-spot-api-docs/rest-api/request-security
 */
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'

export type Credentials = { readonly apiKey: string; readonly apiSecret: string }
export type Param = readonly [name: string, value: string]

export class Signer {
  readonly apiKey: string
  /** A key object, so that neither inspection nor JSON of a signer shows the secret. */
  readonly #secret: KeyObject

  constructor(credentials: Credentials) {
    this.apiKey = credentials.apiKey
    this.#secret = createSecretKey(Buffer.from(credentials.apiSecret, 'utf8'))
  }

  sign(payload: string): string {
    return createHmac('sha256', this.#secret).update(payload, 'utf8').digest('hex')
  }

  /** The parameters as transmitted, percent-encoded first and signed afterwards, the signature last. */
  signedQuery(params: readonly Param[]): string {
    const query = toQuery(params)
    return `${query}&signature=${this.sign(query)}`
  }

  /** WebSocket API: every parameter sorted by name, values as they are (not percent-encoded). */
  signedParams(params: Readonly<Record<string, string | number>>): Record<string, string | number> {
    const all: Record<string, string | number> = { ...params, apiKey: this.apiKey }
    const payload = Object.keys(all)
      .sort()
      .map((name) => `${name}=${all[name]}`)
      .join('&')
    return { ...all, signature: this.sign(payload) }
  }
}

export function toQuery(params: readonly Param[]): string {
  return params.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')
}
