/** Releases a recorded market: on a conductor's word, or by itself at a given speed. */
import type { LockStepPhase, LockStepState } from '@jts/contracts/lock-step'
import {
  INTERVALS,
  tradeAt,
  type Exchange,
  type LockStepVenue,
  type OrderEvent,
  type Replay,
  type Step,
} from '@jts/exchange'
import type { Venue } from './venue.ts'
import { klineEvent, tradeEvent, aggregateTradeEvent } from './payloads.ts'

/** Phases played in one go before others get a turn. */
const BATCH = 500

export class ReplayDriver implements LockStepVenue {
  readonly #venue: Venue
  readonly #replay: Replay
  readonly #exchange: Exchange
  /** Stream names by symbol, made once. */
  readonly #klineStreams = new Map<string, { interval: string; stream: string }[]>()
  #timer: NodeJS.Timeout | undefined

  constructor(venue: Venue, replay: Replay) {
    this.#venue = venue
    this.#replay = replay
    this.#exchange = venue.exchange
    for (const { symbol } of replay.tracks) {
      const served = Object.keys(INTERVALS).filter((interval) => replay.supports(symbol, interval))
      this.#klineStreams.set(
        symbol,
        served.map((interval) => ({ interval, stream: `${symbol.toLowerCase()}@kline_${interval}` })),
      )
    }
  }

  state(): LockStepState {
    const { position, released, total, timeUs, isDone, inputsSha256 } = this.#replay
    return {
      position,
      released,
      total,
      timeUs,
      done: isDone,
      inputsSha256,
      openRequests: this.#venue.activity.openRequests,
      sent: this.#venue.connections.sent(),
    }
  }

  openRequests(): number {
    return this.#venue.activity.openRequests
  }

  sentOn(port: string): number | undefined {
    return this.#venue.connections.sentOn(port)
  }

  /** Phases until one has touched an order or is the last of its bar (trade); on disk, then told. */
  release(): LockStepPhase {
    let step: Step
    let isOver: boolean
    do {
      step = this.#replay.advance()!
      isOver = this.#apply(step) || step.phase === 'close' || step.phase === 'trade'
    } while (!isOver)
    const events = this.#exchange.commit(this.#replay)
    for (const { order, what } of events) if (what === 'filled') this.#venue.limits.countOrder(order.account, -1)
    this.#publish(step, events)
    return step.phase
  }

  #apply({ track, index, phase, timeUs }: Step): boolean {
    this.#exchange.position = this.#replay.position
    switch (phase) {
      case 'open':
        return this.#exchange.onOpen(track.symbol, track.open[index]!, timeUs)
      case 'match':
        if (track.recorded.kind === 'trades') return this.#exchange.onTrade(track.symbol, track.close[index]!, timeUs)
        return this.#exchange.onRange(track.symbol, track.low[index]!, track.high[index]!, timeUs)
      case 'close':
      case 'trade':
        this.#exchange.onClose(track.symbol, track.close[index]!, timeUs)
        return false
    }
  }

  #publish({ track, index, phase, timeUs }: Step, events: readonly OrderEvent[]): void {
    this.#venue.userStream.send(events)
    if (phase !== 'close' && phase !== 'trade') return
    const { connections } = this.#venue
    const { symbol } = track
    for (const { interval, stream } of this.#klineStreams.get(symbol)!) {
      if (!connections.hasListeners(stream)) continue
      const kline =
        phase === 'close'
          ? this.#replay.closedBy(track, index, interval)
          : this.#replay.closedBefore(track, index, interval)
      if (kline) connections.publish(stream, (time) => klineEvent(symbol, interval, kline, timeUs, time))
    }
    if (phase === 'close') return
    const trade = tradeAt(track, index)
    connections.publish(`${symbol.toLowerCase()}@trade`, (time) => tradeEvent(symbol, trade, time))
    connections.publish(`${symbol.toLowerCase()}@aggTrade`, (time) => aggregateTradeEvent(symbol, trade, time))
  }

  /** Plays by itself, `speed` times as fast as it was recorded. */
  play(speed: number): void {
    const startMs = Date.now()
    const startUs = this.#replay.nextTimeUs() ?? 0
    const go = () => {
      const nowUs = startUs + (Date.now() - startMs) * 1000 * speed
      for (let count = 0; count < BATCH; count++) {
        const nextUs = this.#replay.nextTimeUs()
        if (nextUs === undefined) return
        if (nextUs > nowUs) break
        this.release()
      }
      const waitMs = ((this.#replay.nextTimeUs() ?? nowUs) - nowUs) / 1000 / speed
      this.#timer = setTimeout(go, Math.min(Math.max(waitMs, 0), 60_000))
    }
    go()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
