/**
 * What the source says of its listings: share or ETF, the limits of the day, halted or under a warning. Told before the first
 * prices, and again whenever it has changed; what cannot be asked for stays as it was last told.
 */
import { BrokerError, type MarketDataPort } from '@jts/broker-kit'
import { candlesTopic, listingOf } from '@jts/contracts'
import { instrumentVenue, type Instrument, type InstrumentId } from '@jts/model'
import type { Logger, MarketClock, WallClock } from '@jts/runtime'
import type { Store } from '@jts/transport'

export type ListingWatchOptions = {
  readonly source: MarketDataPort
  readonly instruments: readonly InstrumentId[]
  /** Whether a source is believed that its market never closes: a simulated one may be. */
  readonly mayBeAlwaysOpen: boolean
  readonly store: Store
  readonly marketClock: MarketClock
  readonly wallClock: WallClock
  readonly log: Logger
}

/** A halt is known this long after the source knows it. */
export const LISTINGS_EVERY_MS = 15_000

export class ListingWatch {
  readonly #options: ListingWatchOptions
  /** As last told, by instrument. */
  readonly #told = new Map<string, string>()
  #complaint = ''
  #next: { cancel(): void } | undefined
  #stopped = false

  constructor(options: ListingWatchOptions) {
    this.#options = options
  }

  /** Resolves after the first look, whatever it found; goes on until `stop`. */
  async start(): Promise<void> {
    await this.#look()
    if (!this.#stopped) this.#next = this.#options.wallClock.after(LISTINGS_EVERY_MS, () => void this.start())
  }

  stop(): void {
    this.#stopped = true
    this.#next?.cancel()
  }

  async #look(): Promise<void> {
    const reason = (await this.#complaintsOf(this.#options.instruments)).join('; ')
    if (reason !== '' && reason !== this.#complaint)
      this.#options.log.warn({ reason }, 'the listings could not be asked for')
    this.#complaint = reason
  }

  /** Tells what is found of these; one that the source does not know keeps the others from nothing. */
  async #complaintsOf(instruments: readonly InstrumentId[]): Promise<string[]> {
    try {
      for (const instrument of await this.#options.source.instruments(instruments)) this.#tell(instrument)
      return []
    } catch (error) {
      const isOneUnknown = error instanceof BrokerError && error.code === 'INSTRUMENT_NOT_FOUND'
      if (!isOneUnknown || instruments.length === 1) return [(error as Error).message]
      const complaints: string[] = []
      for (const instrument of instruments) complaints.push(...(await this.#complaintsOf([instrument])))
      return complaints
    }
  }

  #tell(instrument: Instrument): void {
    const { store, marketClock, mayBeAlwaysOpen, log } = this.#options
    if (this.#stopped) return
    const nowUs = marketClock.nowUs()
    const said = listingOf(instrument, nowUs)
    if (said.alwaysOpen && !mayBeAlwaysOpen)
      log.warn({ instrument: instrument.id }, 'a real market that never closes is not believed')
    const payload = { ...said, alwaysOpen: said.alwaysOpen && mayBeAlwaysOpen }
    const text = JSON.stringify(payload)
    if (this.#told.get(instrument.id) === text) return
    this.#told.set(instrument.id, text)
    store.transact((turn) => {
      turn.publish(candlesTopic(instrumentVenue(instrument.id)), {
        type: 'InstrumentListed',
        stream: instrument.id,
        correlationId: `listing/${instrument.id}/${nowUs}`,
        causationId: '',
        timeEventUs: nowUs,
        payload,
      })
    })
  }
}
