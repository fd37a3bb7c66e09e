/**
 * What replicas share so that work is not done twice: a cache, the brokers' access tokens, hints of who is at work, and the
 * venues' rate budgets. All of it may be lost at any moment: then the work goes on more slowly. Nothing here decides who owns
 * what; that is a row in the store (guarantees, section 4).
 */

/** Values by name. What cannot be read is a miss, and what cannot be written is not there: no call throws. */
export interface Cache {
  get(key: string): Promise<string | undefined>
  /** A value may be read until `ttlMs` later even when its `delete` was lost. */
  set(key: string, value: string, ttlMs: number): Promise<void>
  delete(key: string): Promise<void>
}

export type Token = {
  readonly value: string
  readonly validUntilUs: number
}

/** Access tokens of brokers that count how often they are asked for one. */
export interface Tokens {
  /**
   * The token that is valid now, or that `fetch` brings. Only one replica asks at a time, and none sooner than the broker's
   * interval after the last; the others wait for what it brings.
   * @throws what `fetch` throws; TokenUnavailableError when there is none within the time to wait.
   */
  obtain(key: string, fetch: () => Promise<Token>): Promise<Token>
  /** The broker has refused this token: it is not handed out again. */
  discard(key: string, value: string): Promise<void>
}

export class TokenUnavailableError extends Error {
  override readonly name = 'TokenUnavailableError'
  readonly retryable = true
}

export type HeldLock = {
  /** Greater than every earlier one of this name. Whoever is written to may refuse what comes with a smaller one. */
  readonly fencingToken: number
  /** Holds it for `ttlMs` from now; false when it is no longer ours, or nobody can tell. */
  renew(ttlMs: number): Promise<boolean>
  release(): Promise<void>
}

/** Says that someone is probably at work already. It saves work and proves nothing. */
export interface LockHint {
  /** Undefined while another holds it, or when nobody can tell: then ask again later, or do what ownership allows. */
  acquire(name: string, ttlMs: number): Promise<HeldLock | undefined>
}

/** Begins at whole multiples of its length, by the time that is passed with each call. */
export type BudgetWindow = {
  readonly key: string
  readonly lengthUs: number
  /** Of all replicas together; the same in each of them. */
  readonly limit: number
}

export type Charge = BudgetWindow & {
  readonly cost: number
  /** How much of the limit this purpose may use up (0 to 1), so that what matters more always finds room. */
  readonly share?: number
}

export type Taken =
  | { readonly granted: true; readonly by: 'all' | 'replica' }
  /** Infinity: there will never be room for this. */
  | { readonly granted: false; readonly lookAgainUs: number }

/** What a venue lets all replicas together do in a window of time. */
export interface SharedBudget {
  /** Takes room in every window, or in none. What was taken stays taken, for the request may have arrived. */
  take(name: string, charges: readonly Charge[], nowUs: number): Promise<Taken>
  /**
   * The venue's own count, stated in its answer to a request that was granted at `takenAtUs`. It only ever raises ours: what
   * is under way has not been counted by the venue.
   */
  settle(name: string, window: BudgetWindow, statedCount: number, takenAtUs: number): Promise<void>
}

export function windowStartUs(window: { readonly lengthUs: number }, atUs: number): number {
  return Math.floor(atUs / window.lengthUs) * window.lengthUs
}

/** The charges that ask for something. @throws RangeError for what could be counted wrongly. */
export function checkCharges(charges: readonly Charge[]): Charge[] {
  for (const { key, lengthUs, limit, cost, share = 1 } of charges) {
    const areWhole = [lengthUs, limit, cost].every((number) => Number.isSafeInteger(number) && number >= 0)
    if (areWhole && lengthUs > 0 && share >= 0 && share <= 1) continue
    const found = JSON.stringify({ lengthUs, limit, cost, share })
    throw new RangeError(`expected whole numbers and a share from 0 to 1 for window ${key}, found ${found}`)
  }
  return charges.filter((charge) => charge.cost > 0)
}
