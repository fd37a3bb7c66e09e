/**
 * The supervisor's own words on `system.health`. What cannot be written now, because the database or Kafka is what is down, is
 * kept and written when it is back: in order, and in the log at once.
 */
import type { NewEvent } from '@jts/contracts'
import type { Logger } from '@jts/runtime'
import { Activity, systemClock } from '@jts/runtime'
import { KafkaBus } from '@jts/transport/bus/kafka/bus'
import { PostgresStore } from '@jts/transport/store/postgres'
import { healthEvent, logHealth, type HealthChange } from '../health-watch.ts'

export type HealthLogOptions = {
  readonly databaseUrl: string
  readonly namespace: string
  readonly kafkaBrokers: readonly string[]
  /** A replay's log stays whole. */
  readonly keepsAll: boolean
  readonly log: Logger
}

const UNIT = 'supervisor'
const AGAIN_MS = 1000
const STOP_MS = 2000

type Written = { readonly store: PostgresStore; readonly bus: KafkaBus; readonly failed: Promise<never> }

export class HealthLog {
  readonly #options: HealthLogOptions
  readonly #waiting: NewEvent[] = []
  #written: Written | undefined
  #writing: Promise<void> | undefined
  #stopped = false

  constructor(options: HealthLogOptions) {
    this.#options = options
  }

  tell(change: HealthChange): void {
    logHealth(this.#options.log, change)
    this.#waiting.push(healthEvent(change, systemClock.nowUs()))
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    // What the database does not take now is in the log already.
    await Promise.race([this.#writing, new Promise((resolve) => setTimeout(resolve, STOP_MS).unref())])
    const written = this.#written
    if (written === undefined || written.store.isClosed) return
    if (this.#writing !== undefined) return await Promise.race([written.bus.stop(), written.store.abandon()])
    await written.bus.stop()
    await written.store.release().catch(() => undefined)
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const events = [...this.#waiting]
      try {
        this.#written ??= await this.#open()
        const { store, failed } = this.#written
        store.transact((turn) => events.forEach((event) => turn.publish('system.health', event)))
        await Promise.race([store.durable(), failed])
        this.#waiting.splice(0, events.length)
      } catch (error) {
        if (this.#stopped) return
        this.#options.log.warn({ waiting: events.length, err: error }, 'news of health waits for the database')
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
      }
    }
  }

  /** A commit that failed ends this store, and not the supervisor: the next attempt opens another one. */
  async #open(): Promise<Written> {
    const { databaseUrl, namespace, kafkaBrokers, keepsAll, log } = this.#options
    let fail: (error: unknown) => void = () => undefined
    const failed = new Promise<never>((_, reject) => (fail = reject))
    failed.catch(() => (this.#written = undefined))
    const activity = new Activity()
    const store = await PostgresStore.open({
      url: databaseUrl,
      namespace,
      unit: UNIT,
      owner: UNIT,
      log,
      activity,
      wallClock: systemClock,
      fatal: (_, cause) => {
        fail(cause)
        void bus.stop().catch(() => undefined)
        void store.close().catch(() => undefined)
      },
    })
    const kafka = { brokers: kafkaBrokers, prefix: `${namespace}.`, clientId: UNIT, keepsAll }
    const bus = new KafkaBus({ store, kafka, log, activity })
    await bus.start()
    return { store, bus, failed }
  }
}
