/** A service under test stands on the real store and the real bus, in a folder of its own, with clocks that the test moves. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BusEvent, BusEventOf, EventType, PoisonedEvent, Topic } from '@jts/contracts'
import { Activity, MarketClock, silentLogger } from '@jts/runtime'
import { EmbeddedBus, SqliteStore } from '@jts/transport'
import { ManualClock, settled } from './manual-clock.ts'

/** 2024-01-01T00:00:00Z. */
export const START_US = 1_704_067_200_000_000

export class Harness {
  readonly file: string
  readonly wallClock: ManualClock
  readonly marketClock: MarketClock
  readonly activity = new Activity()
  readonly log = silentLogger
  readonly store: SqliteStore
  readonly bus: EmbeddedBus
  /** Events that a handler could not take; a test that expects none asserts so. */
  readonly poison: string[] = []
  readonly #folder: string

  constructor(folder: string, nowUs: number) {
    this.#folder = folder
    this.file = join(folder, 'jts.sqlite')
    this.wallClock = new ManualClock(nowUs)
    this.marketClock = new MarketClock(this.wallClock)
    const { activity, log } = this
    const fatal = (reason: string, cause: unknown): void => {
      throw new Error(reason, { cause })
    }
    this.store = new SqliteStore({ file: this.file, log, activity, fatal })
    const onPoison = (event: PoisonedEvent, group: string, error: unknown): void => {
      this.poison.push(`${group} ${event.eventId}: ${(error as Error).message}`)
    }
    this.bus = new EmbeddedBus({ store: this.store, log, activity, fatal, onPoison })
  }

  static open(nowUs = START_US): Harness {
    return new Harness(mkdtempSync(join(tmpdir(), 'jts-service-')), nowUs)
  }

  /**
   * What a process finds that is started again after this one was killed here: everything that was committed, nothing that
   * was in memory. This one is left as it is and must not be spoken to any more.
   */
  killed(): Harness {
    this.store.flush()
    const folder = mkdtempSync(join(tmpdir(), 'jts-service-'))
    cpSync(this.#folder, folder, { recursive: true })
    return new Harness(folder, this.wallClock.nowUs())
  }

  async events<T extends EventType>(topic: Topic, ...types: readonly T[]): Promise<BusEventOf<T>[]> {
    const found: BusEvent[] = []
    for await (const event of this.bus.read(topic)) {
      if (types.length === 0 || types.includes(event.type as T)) found.push(event)
    }
    return found as BusEventOf<T>[]
  }

  async types(topic: Topic): Promise<EventType[]> {
    return (await this.events(topic)).map((event: BusEvent) => event.type)
  }

  /** Lets time pass on both clocks, and everything that is due happen. */
  run(ms = 0): Promise<void> {
    return this.wallClock.run(ms)
  }

  async remove(): Promise<void> {
    await settled()
    await this.store.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
