/**
 * The way to a broker service, wherever it is: questions, requests that act, streams. It is found again when it is lost, and its
 * clock is measured.
 */
import type * as api from '@jts/contracts/broker-api'
import { BrokerError, messageOf, type NotSent, type StreamTimings } from '@jts/broker-kit'
import type { AccountId } from '@jts/model'
import type { Activity, Logger, WallClock } from '@jts/runtime'
import { BrokerApiHttp, type Acted, type ApiCall, type ApiCredentials } from './http.ts'
import { READ } from './readers.ts'
import { ServiceClock } from './service-clock.ts'
import { openApiStream, type ApiStream } from './stream.ts'

export type ServiceLinkOptions = {
  readonly baseUrl: string
  /** Where the service may move: asked where it is now, at the start and when it is lost. @throws when nobody knows. */
  readonly locate?: () => Promise<string>
  readonly key: ApiCredentials
  /** Left out by one that reads market data only. */
  readonly account?: AccountId
  /** The broker that is expected there. */
  readonly broker?: string
  /** Of the caller's lease on the account; announced at the start, and stated with every request that acts. */
  readonly leaseEpoch?: () => number | undefined
  readonly wallClock: WallClock
  readonly activity?: Activity
  readonly log: Logger
  /** What the service says of itself, each time it was asked; undefined when it did not answer. */
  readonly onHealth?: (health: api.Health | undefined) => void
  readonly askTimeoutMs?: number
  readonly actTimeoutMs?: number
  readonly streamTimings?: Partial<StreamTimings>
  readonly random?: () => number
}

const ASK_TIMEOUT_MS = 5000
/** Longer than a broker service waits for its venue. */
const ACT_TIMEOUT_MS = 12_000
/** Whole listings and long histories are several megabytes. */
export const LONG_TIMEOUT_MS = 40_000
const LOCATE_AGAIN_MS = 200
/** After a stream has changed the service is asked why; what it says of itself follows its streams a moment later. */
const ASK_WHY_MS = 500
/** Of a service that has ended, or has moved and left its place to another. */
const LOST: ReadonlySet<string> = new Set(['BROKER_UNAVAILABLE', 'ACCOUNT_NOT_FOUND'])

export class ServiceLink {
  readonly options: ServiceLinkOptions
  readonly #http: BrokerApiHttp
  readonly #streams = new Set<ApiStream>()
  readonly #timers = new Set<{ cancel(): void }>()
  readonly #clock = new ServiceClock()
  /** Questions for its health, and the last of them whose answer was told: a late one is old. */
  #healthAsked = 0
  #healthTold = 0
  #isAskingWhy = false
  #locating: Promise<void> | undefined
  #isFollowing = false
  #stopped = false

  constructor(options: ServiceLinkOptions) {
    this.options = options
    const { baseUrl, key, wallClock: clock, askTimeoutMs = ASK_TIMEOUT_MS, actTimeoutMs = ACT_TIMEOUT_MS } = options
    this.#http = new BrokerApiHttp({ baseUrl, key, clock, askTimeoutMs, actTimeoutMs })
  }

  get isStopped(): boolean {
    return this.#stopped
  }

  get streamCount(): number {
    return this.#streams.size
  }

  get account(): AccountId {
    const { account } = this.options
    if (account === undefined) throw new BrokerError('CONFIG', 'expected a client with an account')
    return account
  }

  /** Who sends a request that acts. */
  sender(): { account: AccountId; leaseEpoch: number | undefined } {
    return { account: this.account, leaseEpoch: this.options.leaseEpoch?.() }
  }

  /** The venue's clock less ours. */
  get offsetUs(): number {
    return this.#clock.offsetUs
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#timers) timer.cancel()
    await Promise.all([...this.#streams].map((stream) => stream.stop()))
    await this.#http.stop()
  }

  health(): Promise<api.Health> {
    return this.ask({ method: 'GET', path: '/health' }, READ.health)
  }

  /** By its health, which is told on. */
  async measureClock(): Promise<void> {
    const { wallClock } = this.options
    const asked = ++this.#healthAsked
    const beforeUs = wallClock.nowUs()
    try {
      const health = await this.health()
      this.#clock.told(health.venueTimeUs, beforeUs, wallClock.nowUs())
      this.#tellHealth(asked, health)
    } catch (error) {
      this.#tellHealth(asked, undefined)
      throw error
    }
  }

  ask<T>(call: ApiCall, read: (body: unknown) => T): Promise<T> {
    return this.#during(async () => {
      const asked = this.#http.origin
      try {
        return await this.#http.ask(call, read)
      } catch (error) {
        const isLost = error instanceof BrokerError && LOST.has(error.code)
        if (!isLost || this.options.locate === undefined) throw error
        await this.locate().catch(() => undefined)
        if (this.#http.origin === asked) throw error
        return await this.#http.ask(call, read)
      }
    })
  }

  async act<T>(
    call: ApiCall,
    check: () => NotSent | undefined,
    read: (answer: unknown) => T,
  ): Promise<T | NotSent | { kind: 'unknown'; message: string }> {
    const refusal = check()
    if (refusal !== undefined) return refusal
    const acted: Acted = await this.#during(() => this.#http.act(call, check))
    if (acted.kind === 'not_sent' && acted.code === 'BROKER_UNAVAILABLE') this.#onLost()
    if (acted.kind !== 'answered') return acted
    try {
      return read(acted.body)
    } catch (error) {
      return { kind: 'unknown', message: messageOf(error) }
    }
  }

  /** One at a time. What stood at the former place is given up there: it may still be open, and say nothing. */
  locate(): Promise<void> {
    const { locate } = this.options
    if (locate === undefined) return Promise.resolve()
    this.#locating ??= (async () => {
      const origin = new URL(await locate()).origin
      if (origin === this.#http.origin) return
      this.#http.moveTo(origin)
      for (const stream of this.#streams) stream.reconnect(`the service is at ${origin} now`)
    })().finally(() => (this.#locating = undefined))
    return this.#locating
  }

  stream(
    name: string,
    parts: Pick<Parameters<typeof openApiStream>[0], 'subscriptions' | 'onMessage' | 'onState'>,
  ): { stop(): Promise<void> } {
    const { wallClock: clock, activity, log, streamTimings: timings, random } = this.options
    const stream = openApiStream({
      ...parts,
      onState: (state, reason) => {
        parts.onState(state, reason)
        this.#askWhy()
      },
      url: () => this.#http.streamUrl,
      participant: `${this.#name}, ${name}`,
      onLost: () => this.#onLost(),
      headers: () => this.#http.headers('GET', '/api/v1/stream', ''),
      ...{ clock, activity, log, timings, random },
    })
    this.#streams.add(stream)
    return stream
  }

  every(delayMs: number, work: () => Promise<void>): void {
    if (this.#stopped) return
    const timer = this.options.wallClock.after(delayMs, () => {
      this.#timers.delete(timer)
      work()
        .catch((error: unknown) => this.options.log.warn({ err: error }, 'the broker service does not answer'))
        .finally(() => this.every(delayMs, work))
    })
    this.#timers.add(timer)
  }

  #tellHealth(asked: number, health: api.Health | undefined): void {
    if (asked < this.#healthTold || this.#stopped) return
    this.#healthTold = asked
    this.options.onHealth?.(health)
  }

  /** Where nobody listens nobody is asked. */
  #askWhy(): void {
    if (this.options.onHealth === undefined || this.#stopped || this.#isAskingWhy) return
    this.#isAskingWhy = true
    const timer = this.options.wallClock.after(ASK_WHY_MS, () => {
      this.#timers.delete(timer)
      this.#isAskingWhy = false
      // Who listens is told of it; whoever needs the service finds it out himself.
      this.measureClock().catch(() => undefined)
    })
    this.#timers.add(timer)
  }

  #during<T>(work: () => Promise<T>): Promise<T> {
    const { activity } = this.options
    if (activity === undefined) return work()
    activity.enter(this.#name)
    const answer = work()
    // After every consumer of the answer has run: between the two the process would look idle.
    const leave = (): void => void setImmediate(() => activity.leave(this.#name))
    answer.then(leave, leave)
    return answer
  }

  /** What it is called where somebody waits for it. */
  get #name(): string {
    return `${this.options.broker ?? 'broker'}-service`
  }

  /** Asks until somebody says where the service is. */
  #onLost(): void {
    if (this.options.locate === undefined || this.#isFollowing) return
    this.#isFollowing = true
    void (async () => {
      while (!this.#stopped) {
        try {
          return await this.locate()
        } catch (error) {
          this.options.log.debug({ err: error }, 'nobody says where the broker service is; asking again')
          await new Promise<void>((resolve) => this.options.wallClock.after(LOCATE_AGAIN_MS, resolve))
        }
      }
    })().finally(() => (this.#isFollowing = false))
  }
}
