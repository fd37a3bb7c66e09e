/** The ports on Redis, for any number of replicas. Without Redis they go on by themselves, with less. */
import { setTimeout } from 'node:timers/promises'
import type { WallClock } from '@jts/runtime'
import {
  checkCharges,
  windowStartUs,
  type BudgetWindow,
  type Cache,
  type Charge,
  type HeldLock,
  type LockHint,
  type SharedBudget,
  type Taken,
  type Token,
} from './port.ts'
import { LOST, type RedisCommands, type RedisDoor } from './redis-client.ts'
import { ReplicaShare, splitLimit, type Split } from './replica-share.ts'
import { TokenKeeper, type Look, type TokenOptions, type TokenPlace } from './token-keeper.ts'

export class RedisCache implements Cache {
  readonly #redis: RedisDoor

  constructor(redis: RedisDoor) {
    this.#redis = redis
  }

  async get(key: string): Promise<string | undefined> {
    const value = await this.#redis.ask('cache get', (redis) => redis.get(`cache:${key}`))
    return value === LOST ? undefined : (value ?? undefined)
  }

  async set(key: string, value: string, ttlMs: number): Promise<void> {
    if (ttlMs <= 0) return await this.delete(key)
    await this.#redis.ask('cache set', (redis) => redis.set(`cache:${key}`, value, 'PX', Math.ceil(ttlMs)))
  }

  async delete(key: string): Promise<void> {
    await this.#redis.ask('cache delete', (redis) => redis.del(`cache:${key}`))
  }
}

export class RedisTokens extends TokenKeeper {
  constructor(redis: RedisDoor, options: TokenOptions) {
    super(new RedisTokenPlace(redis, options.clock), options)
  }
}

/** A token lies there as `<valid until> <value>`. */
class RedisTokenPlace implements TokenPlace {
  readonly #redis: RedisDoor
  readonly #clock: WallClock

  constructor(redis: RedisDoor, clock: WallClock) {
    this.#redis = redis
    this.#clock = clock
  }

  async look(key: string, holder: string, claimMs: number, validPastUs: number): Promise<Look> {
    const found = await this.#redis.ask('token look', (redis) =>
      redis.lookForToken(...keysOf(key), holder, claimMs, validPastUs),
    )
    if (found === LOST) return 'lost'
    if (typeof found === 'number') return found === 1 ? 'ours' : 'taken'
    const space = found.indexOf(' ')
    return { validUntilUs: Number(found.slice(0, space)), value: found.slice(space + 1) }
  }

  async end(key: string, holder: string, token: Token | undefined, claimMs: number): Promise<void> {
    const ttlMs = token === undefined ? 0 : Math.floor((token.validUntilUs - this.#clock.nowUs()) / 1000)
    const saved = ttlMs <= 0 ? [] : [token!.validUntilUs, `${token!.validUntilUs} ${token!.value}`, ttlMs]
    await this.#redis.ask('token end', (redis) => redis.endClaim(...keysOf(key), holder, claimMs, ...saved))
  }

  async remove(key: string, value: string): Promise<boolean> {
    return (await this.#redis.ask('token remove', (redis) => redis.removeToken(keysOf(key)[0], value))) !== LOST
  }
}

const keysOf = (key: string): [token: string, claim: string] => [`token:{${key}}`, `token-claim:{${key}}`]

const GIVE_BACK_AGAIN_MS = 200

export class RedisLockHint implements LockHint {
  readonly #redis: RedisDoor
  readonly #randomId: () => string
  /** The highest token that we have had: one more floor, should Redis forget and its clock be set back. */
  readonly #seen = new Map<string, number>()

  constructor(redis: RedisDoor, randomId: () => string) {
    this.#redis = redis
    this.#randomId = randomId
  }

  async acquire(name: string, ttlMs: number): Promise<HeldLock | undefined> {
    const lock = `lock:{${name}}`
    const holder = this.#randomId()
    const floor = (this.#seen.get(name) ?? 0) + 1
    const release = (): Promise<unknown> => this.#redis.ask('lock release', (redis) => redis.releaseLock(lock, holder))
    const text = await this.#redis.ask('lock acquire', (redis) =>
      redis.acquireLock(lock, `fence:{${name}}`, holder, ttlMs, floor),
    )
    if (text === LOST) {
      void givenBack(release, ttlMs)
      return undefined
    }
    if (text === null) return undefined
    const fencingToken = Number(text)
    this.#seen.set(name, fencingToken)
    return {
      fencingToken,
      renew: async (renewedMs) =>
        (await this.#redis.ask('lock renew', (redis) => redis.renewLock(lock, holder, renewedMs))) === 1,
      release: async () => void (await release()),
    }
  }
}

/** An acquire without an answer may be carried out yet, with nobody to hold the lock; what is sent later is done later. */
async function givenBack(release: () => Promise<unknown>, ttlMs: number): Promise<void> {
  for (const endMs = performance.now() + ttlMs; performance.now() < endMs;) {
    if ((await release()) !== LOST) return
    await setTimeout(GIVE_BACK_AGAIN_MS, undefined, { ref: false })
  }
}

export type BudgetOptions = Split & {
  /** How far the replicas' clocks may be apart. */
  readonly skewMs?: number
  /** How long after its grant a request may still reach the venue. */
  readonly delayMs?: number
  /** A question that Redis reads later than this does nothing. */
  readonly lateMs?: number
}

const SKEW_MS = 500
const DELAY_MS = 10_000
const LATE_MS = 500
/** How long Redis' time is reckoned from its last answer. */
const TIME_KNOWN_MS = 10_000
/** Without Redis: it may be back sooner than the next window. */
const LOOK_AGAIN_US = 1_000_000

/**
 * Each limit is split: what all replicas share is counted by Redis, and each replica has a small part of its own that nobody
 * else may use. A request is counted wholly in the one or wholly in the other, the shared part first.
 */
export class RedisSharedBudget implements SharedBudget {
  readonly #redis: RedisDoor
  readonly #split: Split
  readonly #skewUs: number
  readonly #delayUs: number
  readonly #lateUs: number
  readonly #own = new Map<string, ReplicaShare>()
  /** Redis' time, and when it was that by ours. */
  #time: { readonly redisUs: number; readonly atMs: number } | undefined

  constructor(redis: RedisDoor, options: BudgetOptions) {
    const { replicas, reserve, skewMs = SKEW_MS, delayMs = DELAY_MS, lateMs = LATE_MS } = options
    if (!(Number.isInteger(replicas) && replicas >= 1 && reserve >= 0 && reserve <= 1)) {
      throw new RangeError(`expected one replica or more and a reserve from 0 to 1, found ${replicas} and ${reserve}`)
    }
    this.#redis = redis
    this.#split = { replicas, reserve }
    this.#skewUs = skewMs * 1000
    this.#delayUs = delayMs * 1000
    this.#lateUs = lateMs * 1000
  }

  async take(name: string, charges: readonly Charge[], nowUs: number): Promise<Taken> {
    const asked = checkCharges(charges)
    if (asked.length === 0) return { granted: true, by: 'replica' }
    const own = this.#ownOf(name, nowUs)
    const sharedAtUs = await this.#takeShared(name, asked, nowUs)
    if (sharedAtUs === 0) return { granted: true, by: 'all' }
    const ownAtUs = own.take(asked, nowUs)
    if (ownAtUs === 0) return { granted: true, by: 'replica' }
    return { granted: false, lookAgainUs: Math.min(sharedAtUs, ownAtUs) }
  }

  async settle(name: string, window: BudgetWindow, statedCount: number, takenAtUs: number): Promise<void> {
    if (!Number.isSafeInteger(statedCount) || statedCount < 0) return
    const startUs = windowStartUs(window, takenAtUs)
    this.#own.get(name)?.settle(window.key, startUs, statedCount)
    const sureAfterUs = this.#skewUs + this.#lateUs + this.#delayUs
    await this.#redis.ask('budget settle', (redis) =>
      redis.settleBudget(keyOf(name), takenAtUs, sureAfterUs, window.key, startUs, statedCount),
    )
  }

  /** 0 when it was taken, otherwise when to look again. What was taken by an answer that came too late stays taken. */
  async #takeShared(name: string, charges: readonly Charge[], nowUs: number): Promise<number> {
    const windows = charges.map((charge) => ({
      ...charge,
      startUs: windowStartUs(charge, nowUs),
      allowed: Math.floor(splitLimit(charge.limit, this.#split).shared * (charge.share ?? 1)),
    }))
    if (windows.some(({ cost, allowed }) => cost > allowed)) return Infinity
    const rows = windows.flatMap(({ key, startUs, allowed, cost }) => [key, startUs, allowed, cost])
    const askedMs = performance.now()
    const answer = await this.#redis.ask('budget take', async (redis) => {
      const deadlineUs = (await this.#redisUsAt(redis, askedMs)) + this.#lateUs
      return await redis.takeBudget(keyOf(name), nowUs, this.#skewUs + this.#lateUs, deadlineUs, ...rows)
    })
    if (answer === LOST || answer === null) {
      this.#time = undefined
      return nowUs + LOOK_AGAIN_US
    }
    const [redisUs, ...full] = answer
    this.#time = { redisUs: redisUs!, atMs: performance.now() }
    return Math.max(0, ...full.map((i) => windows[i]!.startUs + windows[i]!.lengthUs))
  }

  /** Redis' time at one of ours; rather too early, by the time that an answer took. */
  async #redisUsAt(redis: RedisCommands, ourMs: number): Promise<number> {
    let time = this.#time
    if (time === undefined || ourMs - time.atMs > TIME_KNOWN_MS) {
      const [seconds, microseconds] = await redis.time()
      time = { redisUs: Number(seconds) * 1_000_000 + Number(microseconds), atMs: performance.now() }
      this.#time = time
    }
    return Math.round(time.redisUs + (ourMs - time.atMs) * 1000)
  }

  #ownOf(name: string, nowUs: number): ReplicaShare {
    let own = this.#own.get(name)
    if (own === undefined) this.#own.set(name, (own = new ReplicaShare(this.#split, nowUs + this.#skewUs)))
    return own
  }
}

const keyOf = (name: string): string => `budget:{${name}}`
