/** Compares every account with its broker now and then; where that has not come off for some periods, the operator is told. */
import type { AccountId } from '@jts/model'
import type { Logger, MarketClock, WallClock } from '@jts/runtime'
import type { Store } from '@jts/transport'

export type ComparisonTimes = { readonly firstMs: number; readonly everyMs: number }
export const COMPARISON_TIMES: ComparisonTimes = { firstMs: 3000, everyMs: 60_000 }

export type ComparisonsOptions = {
  readonly accounts: readonly AccountId[]
  /** False when nothing could be compared. */
  readonly compare: (account: AccountId) => Promise<boolean>
  readonly times: ComparisonTimes
  readonly store: Store
  readonly marketClock: MarketClock
  readonly wallClock: WallClock
  readonly log: Logger
}

/** Periods in a row without a comparison after which that is told. */
const FAILED_MAX = 3
const NOT_STILL = 'the account would not hold still, or its order stream has not been up yet'
const UNDER_WAY = 'the one under way has no answer'

type Progress = { underWay: boolean; failed: number; told: boolean }

export class Comparisons {
  readonly #options: ComparisonsOptions
  readonly #progress: ReadonlyMap<AccountId, Progress>
  #timer: { cancel(): void } | undefined
  #stopped = false

  constructor(options: ComparisonsOptions) {
    this.#options = options
    this.#progress = new Map(
      options.accounts.map((account) => [account, { underWay: false, failed: 0, told: false }] as const),
    )
  }

  start(): void {
    this.#after(this.#options.times.firstMs)
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #after(delayMs: number): void {
    const { times, wallClock } = this.#options
    this.#timer = wallClock.after(delayMs, () => {
      for (const [account, progress] of this.#progress) void this.#compare(account, progress)
      this.#after(times.everyMs)
    })
  }

  /** One that the broker does not answer is not begun twice: it counts as failed in every period that passes. */
  async #compare(account: AccountId, progress: Progress): Promise<void> {
    if (progress.underWay) return this.#onFailed(account, progress, UNDER_WAY)
    progress.underWay = true
    const failure = await this.#options.compare(account).then(
      (done) => (done ? undefined : NOT_STILL),
      (error: unknown) => (error as Error).message,
    )
    progress.underWay = false
    if (this.#stopped) return
    if (failure === undefined) this.#onDone(account, progress)
    else this.#onFailed(account, progress, failure)
  }

  #onDone(account: AccountId, progress: Progress): void {
    progress.failed = 0
    if (!progress.told) return
    progress.told = false
    this.#tell(account, 'up', `${account} is compared with the broker again`)
  }

  #onFailed(account: AccountId, progress: Progress, failure: string): void {
    progress.failed++
    const { log, times } = this.#options
    log.warn({ account, failed: progress.failed, failure }, 'the account could not be compared with the broker')
    if (progress.failed < FAILED_MAX || progress.told) return
    progress.told = true
    const found = `found none in ${FAILED_MAX} periods: ${failure}`
    this.#tell(
      account,
      'degraded',
      `${account}: expected a comparison with the broker every ${times.everyMs / 1000} s, ${found}`,
    )
  }

  #tell(account: AccountId, state: 'up' | 'degraded', reason: string): void {
    const { marketClock, store } = this.#options
    const timeEventUs = marketClock.nowUs()
    // By account: what one of them has stands beside what the others have, and beside the service's own light.
    const service = `order-execution ${account}`
    store.transact((turn) => {
      turn.publish('system.health', {
        type: 'ServiceHealth',
        stream: service,
        account,
        correlationId: `comparison/${account}/${timeEventUs}`,
        causationId: '',
        timeEventUs,
        payload: { service, state, reason },
      })
    })
  }
}
