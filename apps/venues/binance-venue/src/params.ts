/** The parameters of one request, whether they came by query, body or JSON. What nobody reads is refused (−1104). */
import { parseUnits, type Units } from '@jts/model/numbers'
import { errors } from './errors.ts'

const AMOUNT = '^([0-9]{1,20})(\\.[0-9]{1,20})?$'
const CLIENT_ID = '^[a-zA-Z0-9-_]{1,36}$'
const SYMBOL = '^[A-Z0-9-_.]{1,20}$'
const AMOUNT_PATTERN = new RegExp(AMOUNT)
const CLIENT_ID_PATTERN = new RegExp(CLIENT_ID)
const SYMBOL_PATTERN = new RegExp(SYMBOL)
const DECIMALS = 8
const MICROSECONDS_FROM = 1e14

export class Params {
  readonly values: ReadonlyMap<string, string>
  readonly #read = new Set(['timestamp', 'recvWindow', 'signature', 'apiKey', 'returnRateLimits'])

  constructor(values: ReadonlyMap<string, string>) {
    this.values = values
  }

  /** Undefined when it was not sent; @throws −1105 when it was sent empty. */
  text(name: string): string | undefined {
    this.#read.add(name)
    const value = this.values.get(name)
    if (value === '') throw errors.empty(name)
    return value
  }

  required(name: string): string {
    this.#read.add(name)
    const value = this.values.get(name)
    if (value === undefined || value === '') throw errors.missing(name)
    return value
  }

  symbol(): string {
    const value = this.required('symbol')
    if (!SYMBOL_PATTERN.test(value)) throw errors.illegal('symbol', SYMBOL)
    return value
  }

  clientId(name: string): string | undefined {
    const value = this.text(name)
    if (value !== undefined && !CLIENT_ID_PATTERN.test(value)) throw errors.illegal(name, CLIENT_ID)
    return value
  }

  amount(name: string): Units | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    if (!AMOUNT_PATTERN.test(value)) throw errors.illegal(name, AMOUNT)
    if ((value.split('.')[1]?.length ?? 0) > DECIMALS) throw errors.precision(name)
    return parseUnits(value)
  }

  integer(name: string): number | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    if (!/^\d{1,20}$/.test(value)) throw errors.illegal(name, '^[0-9]{1,20}$')
    const number = Number(value)
    if (!Number.isSafeInteger(number)) throw errors.invalid(name)
    return number
  }

  /** Milliseconds, or microseconds by their size; in µs. */
  timeUs(name: string): number | undefined {
    const value = this.integer(name)
    if (value === undefined) return undefined
    return value >= MICROSECONDS_FROM ? value : value * 1000
  }

  limit(fallback: number, max: number): number {
    const value = this.integer('limit') ?? fallback
    if (value < 1) throw errors.invalid('limit')
    return Math.min(value, max)
  }

  boolean(name: string): boolean {
    const value = this.text(name)
    if (value !== undefined && !/^(true|false)$/i.test(value)) throw errors.invalid(name)
    return value?.toLowerCase() === 'true'
  }

  oneOf<Value extends string>(name: string, values: readonly Value[], error: () => Error): Value | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    if (!values.includes(value as Value)) throw error()
    return value as Value
  }

  /** To be called when all that matters has been read. */
  finish(): void {
    const unread = [...this.values.keys()].filter((name) => !this.#read.has(name)).length
    if (unread > 0) throw errors.unread(this.values.size - unread, this.values.size)
  }
}

/** Query and body as transmitted; what is in the query wins. @throws −1101 for a name that is twice in either. */
export function parseForm(query: string, body: string): Map<string, string> {
  const values = new Map<string, string>()
  for (const text of [body, query]) {
    const seen = new Set<string>()
    for (const part of text.split('&')) {
      if (part === '') continue
      const cut = part.indexOf('=')
      const name = decode(cut < 0 ? part : part.slice(0, cut))
      if (seen.has(name)) throw errors.duplicateParameter()
      seen.add(name)
      values.set(name, cut < 0 ? '' : decode(part.slice(cut + 1)))
    }
  }
  return values
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw errors.illegal('query', 'percent-encoded UTF-8')
  }
}
