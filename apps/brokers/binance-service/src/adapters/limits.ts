/**
 * Binance's rate limits as data, as documented on `date`.
 * https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits
 */
import type { RateLimitPayload } from './messages.ts'

export type LimitWindow = {
  /** What fills it: request weight (per IP), or new orders (per account; fills give them back). */
  readonly counts: 'weight' | 'orders'
  /** The response header with the venue's own count. */
  readonly header: string
  /** Windows begin at whole multiples of this, by the venue's clock. */
  readonly lengthUs: number
  readonly limit: number
}

export type Limits = { readonly date: string; readonly windows: readonly LimitWindow[] }

const SECOND_US = 1_000_000
const DAY_US = 86_400 * SECOND_US

/**
 * The smaller of the documented samples where an account may have more; exchangeInfo corrects them when it is read.
 * RAW_REQUESTS (61 000 in 5 minutes) cannot be reached within 6000 weight a minute.
 */
export const BINANCE_LIMITS: Limits = {
  date: '2026-07-01',
  windows: [
    { counts: 'weight', header: 'x-mbx-used-weight-1m', lengthUs: 60 * SECOND_US, limit: 6000 },
    { counts: 'orders', header: 'x-mbx-order-count-10s', lengthUs: 10 * SECOND_US, limit: 50 },
    { counts: 'orders', header: 'x-mbx-order-count-1d', lengthUs: DAY_US, limit: 160_000 },
  ],
}

/** Request weights of the calls that we make. */
export const WEIGHT = {
  ping: 1,
  time: 1,
  exchangeInfo: 20,
  klines: 2,
  bookTickers: 4,
  newOrder: 1,
  cancelOrder: 1,
  queryOrder: 4,
  openOrdersOfSymbol: 6,
  openOrdersOfAll: 80,
  myTrades: 20,
  account: 20,
} as const

/**
 * How much of a window each purpose may use up, so that what matters more always finds room: a cancel or a reducing order
 * passes when history has used its half.
 */
export const SHARE = {
  cancel: 1,
  reduce: 1,
  order: 0.95,
  reconcile: 0.85,
  quotes: 0.7,
  history: 0.5,
} as const
export type Priority = keyof typeof SHARE
export const PRIORITIES = Object.keys(SHARE) as readonly Priority[]

const INTERVALS: Readonly<Record<string, readonly [letter: string, lengthUs: number]>> = {
  SECOND: ['s', SECOND_US],
  MINUTE: ['m', 60 * SECOND_US],
  HOUR: ['h', 3600 * SECOND_US],
  DAY: ['d', DAY_US],
}

/** The venue's own statement of its limits; kinds that we do not count are left out. */
export function toLimitWindows(stated: readonly RateLimitPayload[]): LimitWindow[] {
  return stated.flatMap((row) => {
    const interval = INTERVALS[row.interval]
    const counts = { REQUEST_WEIGHT: 'weight', ORDERS: 'orders' }[row.rateLimitType] as
      LimitWindow['counts'] | undefined
    if (interval === undefined || counts === undefined) return []
    const header = `x-mbx-${counts === 'weight' ? 'used-weight' : 'order-count'}-${row.intervalNum}${interval[0]}`
    return [{ counts, header, lengthUs: row.intervalNum * interval[1], limit: row.limit }]
  })
}

/** `Retry-After` in seconds; a missing or unreadable one counts as a minute, the venue's own window. */
export function retryAfterUs(header: string | undefined): number {
  const seconds = Number(header)
  return (header !== undefined && Number.isFinite(seconds) && seconds >= 0 ? seconds : 60) * SECOND_US
}
