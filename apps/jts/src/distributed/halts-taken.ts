/**
 * A unit of order execution takes the halts that are written for it: before it speaks to its broker, whenever it is told of one,
 * and every half second, should nobody have been able to tell it.
 */
import type { OrderExecutionApi } from '@jts/contracts'
import type { HaltRequest, HaltResponse, ResumeRequest, ResumeStrategyRequest } from '@jts/contracts/orders-api'
import type { Logger } from '@jts/runtime'
import type { HaltTable } from '@jts/transport/store/halt-table'

export type HaltsTakenOptions = {
  readonly halts: Pick<HaltTable, 'of' | 'taken'>
  readonly unit: string
  readonly orders: Pick<OrderExecutionApi, 'halt' | 'resume' | 'resumeStrategy'>
  readonly log: Logger
}

const LOOK_EVERY_MS = 500
const TAKE_FIRST_MS = 1000

export class HaltsTaken {
  readonly #options: HaltsTakenOptions
  #taking: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  /** A halt that was taken before its teller came with it, and what it was answered. */
  #last: { readonly said: HaltRequest; readonly answer: HaltResponse } | undefined

  constructor(options: HaltsTakenOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    await this.untilTaken()
    this.#timer = setInterval(() => {
      if (this.#taking === undefined) void this.#takeOrSay()
    }, LOOK_EVERY_MS)
  }

  stop(): void {
    this.#stopped = true
    clearInterval(this.#timer)
  }

  /** Resolves when what is written now has been taken: nothing may be sent before. */
  async untilTaken(): Promise<void> {
    while (!(await this.#takeOrSay()) && !this.#stopped)
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }

  /** As told: the same halt is mostly written, too, and is taken once. */
  async halt(request: HaltRequest): Promise<HaltResponse> {
    // A database that is silent must not keep the gate open: the halt shuts it before it is on disk.
    const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), TAKE_FIRST_MS))
    const hasLooked = await Promise.race([this.#takeOrSay(), late])
    const last = this.#last
    this.#last = undefined
    // Who could not look does not know whether this one was taken, or an earlier one in the same words.
    if (hasLooked && last !== undefined && isSame(last.said, request)) return last.answer
    return await this.#options.orders.halt(request)
  }

  /** A halt that is just being taken came before this. */
  async resume(request: ResumeRequest): Promise<HaltResponse> {
    await this.#taking?.catch(() => undefined)
    this.#last = undefined
    return await this.#options.orders.resume(request)
  }

  async resumeStrategy(request: ResumeStrategyRequest): Promise<HaltResponse> {
    await this.#taking?.catch(() => undefined)
    this.#last = undefined
    return await this.#options.orders.resumeStrategy(request)
  }

  async #takeOrSay(): Promise<boolean> {
    try {
      await this.#take()
      return true
    } catch (error) {
      this.#options.log.warn({ err: error }, 'whether a halt is written could not be asked; asking again')
      return false
    }
  }

  async #take(): Promise<void> {
    // One that began earlier may have looked before the row was there.
    await this.#taking?.catch(() => undefined)
    this.#taking ??= this.#takeAll().finally(() => (this.#taking = undefined))
    await this.#taking
  }

  async #takeAll(): Promise<void> {
    const { halts, orders, unit } = this.#options
    for (const { number, ...said } of await halts.of(unit)) {
      const answer = await orders.halt(said)
      this.#last = { said, answer }
      await halts.taken(number)
    }
  }
}

function isSame(one: HaltRequest, other: HaltRequest): boolean {
  const isOfSame = one.account === other.account && one.strategy === other.strategy && one.state === other.state
  return isOfSame && one.reason === other.reason && one.by === other.by
}
