/**
 * A service's sign of life on `system.health`, and its ear for those it depends on. By the same topic in one process and in
 * many, so that what is heard is the way that orders and fills take too.
 */
import { candlesTopic, partitionOf, TOPICS, type BusEvent, type NewEvent, type Payload } from '@jts/contracts'
import { instrumentVenue, type InstrumentId } from '@jts/model'
import { HeartbeatVoice, HeartbeatWatch, type HeartbeatTimes, type Logger, type WallClock } from '@jts/runtime'
import type { Store, Turn } from './store/port.ts'

export type HeartbeatsOptions = {
  readonly service: string
  readonly store: Store
  readonly wallClock: WallClock
  readonly log: Logger
  readonly times: HeartbeatTimes
  /** Services, order execution by `executionOf`, market data by `marketDataOf`: whose silence is dangerous here. */
  readonly peers?: readonly string[]
  /** What else a heartbeat says; undefined when the service is in no state to give one. */
  readonly says?: () => Said | undefined
  /** Silent for too long; `reason` says what was expected and what was found. */
  readonly onMissing?: (peer: string, reason: string, turn: Turn) => void
  readonly onBack?: (peer: string, turn: Turn) => void
}

/** What a heartbeat says beside its service. */
type Said = Partial<Pick<Payload<'Heartbeat'>, 'accounts' | 'places' | 'holds'>>

/** An account's orders as a peer: replicas share the accounts. */
export function executionOf(account: string): string {
  return `order-execution of ${account}`
}

/** An instrument's place in the market data: one collector has a whole place. */
export function placeOf(instrument: InstrumentId): string {
  const venue = instrumentVenue(instrument)
  return placeName(venue, partitionOf(instrument, TOPICS[candlesTopic(venue)].partitions))
}

/** The prices of a place as a peer: whoever publishes them, a price is as good a sign of life as a heartbeat. */
export function marketDataOf(place: string): string {
  return `market data of ${place}`
}

function placeName(venue: string, partition: number): string {
  return `${venue}/${partition}`
}

export class Heartbeats {
  readonly #options: HeartbeatsOptions
  readonly #watch: HeartbeatWatch
  readonly #voice: HeartbeatVoice

  constructor(options: HeartbeatsOptions) {
    this.#options = options
    const { peers = [], store, times, wallClock } = options
    this.#watch = new HeartbeatWatch({
      wallClock,
      peers,
      silenceMaxMs: times.silenceMaxMs,
      onMissing: (peer, silentMs) => this.#onMissing(peer, silentMs),
    })
    this.#voice = new HeartbeatVoice(wallClock, times.everyMs, () => store.transact((turn) => this.speak(turn)))
  }

  /** `missing`: whose silence an earlier run of this process has acted on. */
  start(missing: readonly string[] = []): void {
    this.#watch.start(missing)
    this.#voice.start()
  }

  stop(): void {
    this.#watch.stop()
    this.#voice.stop()
  }

  /** Of every event that the service handles. */
  hear(event: BusEvent, turn: Turn): void {
    if (event.type === 'Heartbeat') {
      const { service, accounts, places } = event.payload
      if (accounts.length + places.length === 0) this.#heard(service, event.timeEventUs, turn)
      for (const account of accounts) this.#heard(executionOf(account), event.timeEventUs, turn)
      for (const place of places) this.#heard(marketDataOf(place), event.timeEventUs, turn)
    } else if (event.type === 'Candle' || event.type === 'PublicTrade') {
      const venue = instrumentVenue(event.payload.instrument as InstrumentId)
      this.#heard(marketDataOf(placeName(venue, event.partition)), event.timeEventUs, turn)
    }
  }

  /** Between two beats, when there is something new to say. */
  speak(turn: Turn): void {
    const { service, says } = this.#options
    const said = says === undefined ? {} : says()
    if (said === undefined) return
    const { accounts = [], places = [], holds = [] } = said
    turn.publish('system.health', {
      // Each speaker has a stream of its own, of which the newest word is kept.
      ...this.#about(['heartbeat', service, ...accounts, ...places].join(' ')),
      type: 'Heartbeat',
      payload: { service, accounts, places, holds },
    })
  }

  #onMissing(peer: string, silentMs: number): void {
    const { log, onMissing, store, times } = this.#options
    const expected = `expected a heartbeat of ${peer} within ${times.silenceMaxMs / 1000} s`
    const reason = `${expected}, found none for ${(silentMs / 1000).toFixed(1)} s`
    log.error({ peer, silentMs }, 'a heartbeat is missing')
    store.transact((turn) => {
      onMissing?.(peer, reason, turn)
      this.#tell(peer, 'down', reason, turn)
    })
  }

  #heard(peer: string, saidUs: number, turn: Turn): void {
    if (!this.#watch.heard(peer, saidUs)) return
    const { log, onBack } = this.#options
    log.info({ peer }, 'a heartbeat is back')
    onBack?.(peer, turn)
    this.#tell(peer, 'up', `${this.#options.service} hears its heartbeat again`, turn)
  }

  #tell(peer: string, state: 'up' | 'down', reason: string, turn: Turn): void {
    turn.publish('system.health', {
      ...this.#about(peer),
      type: 'ServiceHealth',
      payload: { service: peer, state, reason },
    })
    this.speak(turn)
  }

  #about(stream: string): Omit<NewEvent, 'type' | 'payload'> {
    const timeEventUs = this.#options.wallClock.nowUs()
    return { stream, correlationId: `${stream}/${timeEventUs}`, causationId: '', timeEventUs }
  }
}
