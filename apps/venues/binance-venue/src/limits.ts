/** Rate limits: request weight per address and minute, orders per account and 10 s or day, all aligned to the calendar. */
import { errors } from './errors.ts'

export const WEIGHT_LIMIT = 6000
export const RAW_LIMIT = 61_000
export const ORDER_LIMITS = [
  {
    interval: 'SECOND',
    intervalNum: 10,
    limit: 100,
    lengthUs: 10e6,
    header: 'x-mbx-order-count-10s',
    text: '10 SECOND',
  },
  {
    interval: 'DAY',
    intervalNum: 1,
    limit: 200_000,
    lengthUs: 86_400e6,
    header: 'x-mbx-order-count-1d',
    text: '1 DAY',
  },
] as const
const MINUTE_US = 60e6
const RAW_US = 300e6
/** Requests over the limit that are answered 429 before the address is banned. */
const PATIENCE = 50
const BAN_US = 120e6

export const RATE_LIMITS = [
  { rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, limit: WEIGHT_LIMIT },
  ...ORDER_LIMITS.map(({ interval, intervalNum, limit }) => ({
    rateLimitType: 'ORDERS',
    interval,
    intervalNum,
    limit,
  })),
  { rateLimitType: 'RAW_REQUESTS', interval: 'MINUTE', intervalNum: 5, limit: RAW_LIMIT },
]

class Counter {
  #window = -1
  #count = 0

  countOf(window: number): number {
    return window === this.#window ? this.#count : 0
  }

  add(window: number, amount: number): number {
    this.#count = Math.max(0, this.countOf(window) + amount)
    this.#window = window
    return this.#count
  }
}

type Address = { weight: Counter; raw: Counter; refused: Counter; bannedUntilUs: number }

export class Limits {
  readonly #nowUs: () => number
  readonly #addresses = new Map<string, Address>()
  readonly #orders = new Map<number, Counter[]>()

  /** `nowUs` is the market clock. */
  constructor(nowUs: () => number) {
    this.#nowUs = nowUs
  }

  /** Counts one request. @throws BinanceError 429, or 418 for those who go on regardless. */
  use(ip: string, weight: number): void {
    const now = this.#nowUs()
    const address = this.#address(ip)
    if (now < address.bannedUntilUs) {
      throw errors.banned(Math.floor(address.bannedUntilUs / 1000), secondsUntil(now, address.bannedUntilUs))
    }
    const minute = Math.floor(now / MINUTE_US)
    const raw = address.raw.add(Math.floor(now / RAW_US), 1)
    if (address.weight.countOf(minute) + weight <= WEIGHT_LIMIT && raw <= RAW_LIMIT) {
      address.weight.add(minute, weight)
      return
    }
    if (address.refused.add(minute, 1) > PATIENCE) address.bannedUntilUs = now + BAN_US
    throw errors.tooMuchWeight(WEIGHT_LIMIT, secondsUntil(now, (minute + 1) * MINUTE_US))
  }

  usedWeight(ip: string): number {
    return this.#address(ip).weight.countOf(Math.floor(this.#nowUs() / MINUTE_US))
  }

  /** @throws BinanceError −1015 when the account has used up its orders. */
  checkOrder(account: number): void {
    const now = this.#nowUs()
    this.orderCounts(account).forEach((count, index) => {
      const { limit, text, lengthUs } = ORDER_LIMITS[index]!
      if (count >= limit)
        throw errors.tooManyOrders(limit, text, secondsUntil(now, (Math.floor(now / lengthUs) + 1) * lengthUs))
    })
  }

  /** One more (or, when an order is filled, one less) of the unfilled orders. */
  countOrder(account: number, amount: 1 | -1): void {
    const now = this.#nowUs()
    this.#counters(account).forEach((counter, index) =>
      counter.add(Math.floor(now / ORDER_LIMITS[index]!.lengthUs), amount),
    )
  }

  orderCounts(account: number): number[] {
    const now = this.#nowUs()
    return this.#counters(account).map((counter, index) =>
      counter.countOf(Math.floor(now / ORDER_LIMITS[index]!.lengthUs)),
    )
  }

  #address(ip: string): Address {
    let address = this.#addresses.get(ip)
    if (!address) {
      address = { weight: new Counter(), raw: new Counter(), refused: new Counter(), bannedUntilUs: 0 }
      this.#addresses.set(ip, address)
    }
    return address
  }

  #counters(account: number): Counter[] {
    let counters = this.#orders.get(account)
    if (!counters) this.#orders.set(account, (counters = ORDER_LIMITS.map(() => new Counter())))
    return counters
  }
}

function secondsUntil(nowUs: number, thenUs: number): number {
  return Math.max(1, Math.ceil((thenUs - nowUs) / 1e6))
}
