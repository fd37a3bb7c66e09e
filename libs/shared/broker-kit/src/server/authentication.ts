/** Who signed a request, as authentication.md tells it: headers, key and signature, clock, nonce. */
import { timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { CLOCK_WINDOW_US, NONCE, SIGNATURE_HEADERS, signatureOf, TIMESTAMP } from '@jts/contracts/broker-api'
import type { WallClock } from '@jts/runtime'
import type { ApiKey } from './keys.ts'
import { ProblemError } from './problems.ts'

const NONCES_MAX = 100_000
const SIGNATURE = /^[0-9a-f]{64}$/
/** Signs for a key that is not there, so that an unknown one takes as long as a known one. */
const NOBODY: ApiKey = { id: '', secret: 'a secret of nobody, of enough bytes', right: 'read', accounts: [] }

export class Authentication {
  readonly #keys: ReadonlyMap<string, ApiKey>
  readonly #clock: WallClock
  readonly #startedAtUs: number
  readonly #noncesMax: number
  /** Key and nonce → when it may be forgotten, in the order of arrival. */
  readonly #nonces = new Map<string, number>()

  constructor(keys: readonly ApiKey[], clock: WallClock, noncesMax = NONCES_MAX) {
    this.#keys = new Map(keys.map((key) => [key.id, key]))
    this.#clock = clock
    this.#startedAtUs = clock.nowUs()
    this.#noncesMax = noncesMax
  }

  /** @throws ProblemError */
  check(request: { method: string; target: string; headers: IncomingHttpHeaders; body: Uint8Array | string }): ApiKey {
    const header = (name: keyof typeof SIGNATURE_HEADERS): string => {
      const value = request.headers[SIGNATURE_HEADERS[name]]
      return typeof value === 'string' ? value : ''
    }
    const [id, timestampUs, nonce, signature] = [
      header('key'),
      header('timestamp'),
      header('nonce'),
      header('signature'),
    ]
    if (id === '' || !TIMESTAMP.test(timestampUs) || !NONCE.test(nonce) || !SIGNATURE.test(signature)) {
      const names = Object.values(SIGNATURE_HEADERS).join(', ')
      throw new ProblemError('AUTHENTICATION_MISSING', `expected the headers ${names}, each once and in its form`)
    }
    const key = this.#keys.get(id)
    const { method, target, body } = request
    const expected = signatureOf({ method, target, body, timestampUs, nonce }, (key ?? NOBODY).secret)
    const fits = timingSafeEqual(Buffer.from(expected, 'hex'), Buffer.from(signature, 'hex'))
    if (!fits || key === undefined) {
      throw new ProblemError('AUTHENTICATION_FAILED', 'the key is not known here, or the signature does not fit')
    }
    const nowUs = this.#clock.nowUs()
    this.#checkTime(Number(timestampUs), nowUs)
    this.#useNonce(`${id} ${nonce}`, Number(timestampUs) + CLOCK_WINDOW_US, nowUs)
    return key
  }

  #checkTime(timeUs: number, nowUs: number): void {
    const behindUs = nowUs - timeUs
    if (Math.abs(behindUs) > CLOCK_WINDOW_US) {
      const seconds = Math.round(Math.abs(behindUs) / 1e6)
      const found = `found one ${seconds} s ${behindUs > 0 ? 'behind' : 'ahead of'} it`
      throw new ProblemError(
        'CLOCK_SKEW',
        `expected a timestamp within ${CLOCK_WINDOW_US / 1e6} s of this service's clock, ${found}`,
        { serverTimeUs: nowUs },
      )
    }
    if (timeUs < this.#startedAtUs) {
      throw new ProblemError(
        'CLOCK_SKEW',
        'expected a timestamp after the start of this service, found one before it',
        {
          serverTimeUs: nowUs,
        },
      )
    }
  }

  #useNonce(nonce: string, untilUs: number, nowUs: number): void {
    for (const [old, expiresUs] of this.#nonces) {
      // In the order of arrival, so nearly in that of expiry: what is left over goes a little later.
      if (expiresUs >= nowUs) break
      this.#nonces.delete(old)
    }
    if (this.#nonces.has(nonce)) throw new ProblemError('NONCE_REUSED', 'expected a new nonce, found one used before')
    if (this.#nonces.size >= this.#noncesMax) {
      throw new ProblemError('RATE_LIMITED', `more than ${this.#noncesMax} requests within the clock window`)
    }
    this.#nonces.set(nonce, untilUs)
  }
}

export function mayUse(key: ApiKey, account: string): boolean {
  return key.accounts === undefined || key.accounts.includes(account)
}
