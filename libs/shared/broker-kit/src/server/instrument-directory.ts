/** Which instruments the venue lists, asked one by one and remembered: a question about one that is not there is answered so. */
import type { InstrumentId } from '@jts/model'
import type { WallClock } from '@jts/runtime'
import { BrokerError, type MarketDataPort } from '../port.ts'
import { ProblemError } from './problems.ts'

const ABSENT_US = 60_000_000
const REMEMBERED_MAX = 20_000

export class InstrumentDirectory {
  readonly #source: MarketDataPort
  readonly #clock: WallClock
  /** When the answer goes stale; a listing stays. */
  readonly #known = new Map<string, number>()

  constructor(source: MarketDataPort, clock: WallClock) {
    this.#source = source
    this.#clock = clock
  }

  /** @throws ProblemError INSTRUMENT_NOT_FOUND only when the venue says so: one that cannot be asked decides nothing. */
  async check(instrument: string): Promise<void> {
    const untilUs = this.#known.get(instrument)
    if (untilUs === Infinity) return
    if (untilUs !== undefined && untilUs > this.#clock.nowUs()) throw notFound(instrument)
    if (await this.#isListed(instrument)) return
    this.#remember(instrument, this.#clock.nowUs() + ABSENT_US)
    throw notFound(instrument)
  }

  async #isListed(instrument: string): Promise<boolean> {
    try {
      const found = await this.#source.instruments([instrument as InstrumentId])
      if (!found.some(({ id }) => id === instrument)) return false
      this.#remember(instrument, Infinity)
      return true
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error
      return error.retryable
    }
  }

  #remember(instrument: string, untilUs: number): void {
    if (this.#known.size >= REMEMBERED_MAX) this.#known.clear()
    this.#known.set(instrument, untilUs)
  }
}

const notFound = (instrument: string): ProblemError =>
  new ProblemError('INSTRUMENT_NOT_FOUND', `expected an instrument that the venue lists, found ${instrument}`)
