/** Who asks the broker for a token, and when: the same with a shared place for tokens and without one. */
import type { WallClock } from '@jts/runtime'
import { TokenUnavailableError, type Token, type Tokens } from './port.ts'

/** `ours`: the claim to ask was given to us; `taken`: another replica holds it; `lost`: nobody can tell. */
export type Look = Token | 'ours' | 'taken' | 'lost'

/** Where replicas find each other's tokens. No call throws. */
export interface TokenPlace {
  /** A token valid past `validPastUs`, or the claim to ask for one, for `claimMs` (0: only look). */
  look(key: string, holder: string, claimMs: number, validPastUs: number): Promise<Look>
  /** The asking has ended, with a token or without; the claim stands for `claimMs` more. */
  end(key: string, holder: string, token: Token | undefined, claimMs: number): Promise<void>
  /** False when nobody can tell whether it was removed. */
  remove(key: string, value: string): Promise<boolean>
}

export type TokenOptions = {
  readonly clock: WallClock
  /** Names one asking among all replicas'. */
  readonly randomId: () => string
  /** The broker's least time between two askings (KIS: a minute). */
  readonly askIntervalMs?: number
  /** How long an asking may take. */
  readonly fetchMs?: number
  /** How long `obtain` waits for its turn, or for another's answer. */
  readonly waitMs?: number
  /** A token is not handed out so shortly before its end. */
  readonly marginMs?: number
  readonly pollMs?: number
}

const FETCH_MS = 10_000
const WAIT_MS = 15_000
const MARGIN_MS = 60_000
const POLL_MS = 100

export class TokenKeeper implements Tokens {
  readonly #place: TokenPlace
  readonly #options: Required<TokenOptions>
  readonly #own = new Map<string, Token>()
  readonly #running = new Map<string, Promise<Token>>()
  readonly #refused = new Map<string, string>()
  /** Until when our own last asking, or one that we saw another begin, keeps us from asking. */
  readonly #ownUntilUs = new Map<string, number>()
  readonly #othersUntilUs = new Map<string, number>()

  constructor(place: TokenPlace, options: TokenOptions) {
    this.#place = place
    this.#options = {
      askIntervalMs: 0,
      fetchMs: FETCH_MS,
      waitMs: WAIT_MS,
      marginMs: MARGIN_MS,
      pollMs: POLL_MS,
      ...options,
    }
  }

  obtain(key: string, fetch: () => Promise<Token>): Promise<Token> {
    const own = this.#own.get(key)
    if (own !== undefined && own.validUntilUs > this.#validPastUs()) return Promise.resolve(own)
    const running = this.#running.get(key)
    if (running !== undefined) return running
    const finding = this.#find(key, fetch).finally(() => this.#running.delete(key))
    this.#running.set(key, finding)
    return finding
  }

  async discard(key: string, value: string): Promise<void> {
    if (this.#own.get(key)?.value === value) this.#own.delete(key)
    if (!(await this.#place.remove(key, value))) this.#refused.set(key, value)
  }

  async #find(key: string, fetch: () => Promise<Token>): Promise<Token> {
    const { clock, waitMs, pollMs, randomId } = this.#options
    const holder = randomId()
    const deadlineUs = clock.nowUs() + waitMs * 1000
    for (;;) {
      const mayAsk = clock.nowUs() >= (this.#ownUntilUs.get(key) ?? 0)
      const found = await this.#look(key, holder, mayAsk)
      if (typeof found === 'object') {
        this.#own.set(key, found)
        return found
      }
      if (found === 'ours') return await this.#ask(key, fetch, holder)
      const nowUs = clock.nowUs()
      const othersUntilUs = this.#othersUntilUs.get(key) ?? 0
      // Without the shared place two replicas may both ask; but not while one is known to have asked.
      if (found === 'lost' && mayAsk && nowUs >= othersUntilUs) return await this.#ask(key, fetch, holder)
      if (found === 'taken' && nowUs >= othersUntilUs) this.#othersUntilUs.set(key, nowUs + this.#claimMs() * 1000)
      if (nowUs + pollMs * 1000 > deadlineUs) {
        throw new TokenUnavailableError(`expected a token for ${key} within ${waitMs} ms; it was asked for already`)
      }
      await new Promise<void>((resolve) => clock.after(pollMs, resolve))
    }
  }

  async #look(key: string, holder: string, mayAsk: boolean): Promise<Look> {
    const refused = this.#refused.get(key)
    if (refused !== undefined) {
      if (!(await this.#place.remove(key, refused))) return 'lost'
      this.#refused.delete(key)
    }
    return await this.#place.look(key, holder, mayAsk ? this.#claimMs() : 0, this.#validPastUs())
  }

  async #ask(key: string, fetch: () => Promise<Token>, holder: string): Promise<Token> {
    const { clock, askIntervalMs } = this.#options
    const untilUs = clock.nowUs() + askIntervalMs * 1000
    this.#ownUntilUs.set(key, untilUs)
    let token: Token | undefined
    try {
      token = await this.#inTime(key, fetch())
      this.#own.set(key, token)
      return token
    } finally {
      // An asking that failed may have been counted too.
      await this.#place.end(key, holder, token, Math.max(0, Math.ceil((untilUs - clock.nowUs()) / 1000)))
    }
  }

  #inTime(key: string, fetching: Promise<Token>): Promise<Token> {
    const { clock, fetchMs } = this.#options
    return new Promise((resolve, reject) => {
      const timer = clock.after(fetchMs, () =>
        reject(new TokenUnavailableError(`expected the broker to answer with a token for ${key} within ${fetchMs} ms`)),
      )
      const ended = <T>(settle: (result: T) => void) => {
        return (result: T): void => {
          timer.cancel()
          settle(result)
        }
      }
      fetching.then(ended(resolve), ended(reject))
    })
  }

  #claimMs(): number {
    return Math.max(this.#options.askIntervalMs, this.#options.fetchMs)
  }

  #validPastUs(): number {
    return this.#options.clock.nowUs() + this.#options.marginMs * 1000
  }
}
