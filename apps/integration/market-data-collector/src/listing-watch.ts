/**
 * What the source says of its listings: share or ETF, the limits of the day, halted or under a warning. Told before the first
 * prices, and again whenever it has changed; what cannot be asked for stays as it was last told.
 */
import type { MarketDataPort } from '@jts/broker-kit'
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
    const { instruments, source, log } = this.#options
    try {
      const found = await source.instruments(instruments)
      for (const instrument of found) this.#tell(instrument)
      this.#complaint = ''
    } catch (error) {
      const { message } = error as Error
      if (message !== this.#complaint) log.warn({ reason: message }, 'the listings could not be asked for')
      this.#complaint = message
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
