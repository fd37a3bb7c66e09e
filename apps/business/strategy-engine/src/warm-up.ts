/**
 * The warm-up of instances that start for the first time, or anew: each is given its bars of the past before it sees a live one.
 *
 * An instance beside it sees them, so that until the last of them it is as it was, and a kill begins again from nothing. Live
 * bars that come meanwhile wait here; they are of the past by then if the process is killed. State, mark and what has waited are
 * one transaction.
 */
import type { BusEvent, CollectionApi } from '@jts/contracts'
import type { LatestCandlesResponse } from '@jts/contracts/collection-api'
import type { Bar } from '@jts/model'
import type { Activity, Logger, WallClock } from '@jts/runtime'
import { warmUpBarsOf, type WarmUp } from './domain/warm-up.ts'
import type { Instance } from './instance.ts'
import type { MarketInput } from './market-input.ts'
import type { Running } from './running.ts'

/** Settled bars of the past; UNAVAILABLE while a bar could settle that is neither among them nor told afterwards. */
export type BarHistory = Pick<CollectionApi, 'latestCandles'>

export type Held = { readonly input: MarketInput; readonly event: BusEvent }

export type WarmUpsOptions = {
  readonly history: BarHistory
  readonly wallClock: Pick<WallClock, 'after'>
  readonly activity: Pick<Activity, 'absent' | 'present'>
  readonly log: Logger
  /** Runs a handler; what was found when it did not end well. */
  readonly attempt: (work: () => void) => string | undefined
  readonly onFailed: (running: Running, found: string) => void
  readonly onWarm: (running: Running, warm: Instance, mark: WarmUp, missing: number, held: readonly Held[]) => void
}

type Round = { readonly running: Running; reason: string }

const ASK_AGAIN_MS = 500
/** At a start the source is never there at once. */
const PATIENCE_MS = 5000
/** Bars between two looks at what else there is to do: a halt does not wait for a week of minutes. */
const PIECE = 16
/** Of what waits longer than this the beginning is in the past that is asked for. */
const HELD_MAX = 1000

export class WarmUps {
  readonly #options: WarmUpsOptions
  readonly #rounds = new Map<Running, Round>()
  readonly #held = new Map<Running, Held[]>()

  constructor(options: WarmUpsOptions) {
    this.#options = options
  }

  begin(running: Running): void {
    if (!running.isWarmUpDue || running.state !== 'running' || this.#rounds.has(running)) return
    const round: Round = { running, reason: 'nobody has answered' }
    this.#rounds.set(running, round)
    this.#options.activity.absent(participantOf(running))
    void this.#carryOut(round)
  }

  /** A live bar that comes before its time. */
  hold(running: Running, held: Held): void {
    const waiting = this.#held.get(running) ?? []
    waiting.push(held)
    if (waiting.length > HELD_MAX) waiting.shift()
    this.#held.set(running, waiting)
  }

  /** The instance does not run any more; when it does, its warm-up begins from nothing. */
  end(running: Running): void {
    this.#held.delete(running)
    if (this.#rounds.delete(running)) this.#options.activity.present(participantOf(running))
  }

  stop(): void {
    for (const running of [...this.#rounds.keys()]) this.end(running)
  }

  async #carryOut(round: Round): Promise<void> {
    const { attempt, onWarm, log } = this.#options
    const { running } = round
    const { instance: strategy } = running.config
    const patience = this.#options.wallClock.after(PATIENCE_MS, () => this.#sayWaiting(round, 'warn'))
    const history = await this.#history(round)
    patience.cancel()
    if (history === undefined) return
    const warm = running.atStart()
    const bars = history.candles as unknown as readonly Bar[]
    for (let i = 0; i < bars.length; i++) {
      if (i % PIECE === 0 && i > 0) await this.#pause(0)
      if (!this.#isGoingOn(round)) return
      const found = attempt(() => warm.seePast(bars[i]!))
      if (found !== undefined) return this.#fail(round, found)
    }
    // A state that cannot be written could not be restored.
    const found = attempt(() => void warm.toText())
    if (found !== undefined) return this.#fail(round, found)
    const held = this.#held.get(running) ?? []
    this.end(running)
    const mark = { bars: bars.length, untilUs: bars.at(-1)?.closeTimeUs ?? 0 }
    onWarm(running, warm, mark, history.missing, held)
    log.info({ strategy, ...mark }, 'it has warmed up, and trades from the next bar on')
  }

  #fail({ running }: Round, found: string): void {
    this.end(running)
    this.#options.onFailed(running, found)
  }

  /** Waits for it as long as it takes: an instance that is not ready does not trade. */
  async #history(round: Round): Promise<LatestCandlesResponse | undefined> {
    const { history } = this.#options
    const { config } = round.running
    const { instrument, timeframe = '' } = config
    while (this.#isGoingOn(round)) {
      try {
        const answer = await history.latestCandles({
          instrument: instrument.id,
          timeframe,
          count: warmUpBarsOf(config),
        })
        return this.#isGoingOn(round) ? answer : undefined
      } catch (error) {
        if (!this.#isGoingOn(round)) return undefined
        const { message } = error as Error
        const isNew = message !== round.reason
        round.reason = message
        if (isNew) this.#sayWaiting(round, 'info')
        await this.#pause(ASK_AGAIN_MS)
      }
    }
    return undefined
  }

  #sayWaiting(round: Round, level: 'info' | 'warn'): void {
    if (!this.#isGoingOn(round)) return
    const { reason, running } = round
    const { instance: strategy } = running.config
    this.#options.log[level](
      { strategy, reason },
      'its bars of warm-up are not to be had yet: it waits, and does not trade',
    )
  }

  #isGoingOn(round: Round): boolean {
    return this.#rounds.get(round.running) === round
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#options.wallClock.after(ms, resolve))
  }
}

/** As its light names it: it begins with the service's name. */
function participantOf({ config: { instance } }: Running): string {
  return `strategy-engine: warm-up of ${instance}`
}
