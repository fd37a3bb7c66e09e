/**
 * Notification service: tells a person what happened, in the log and by webhook. A notification is written with its event's
 * offset and delivered after that commit, at least once; the receiver tells repetitions by its id.
 */
import type { BusEvent } from '@jts/contracts'
import type { Logger, WallClock } from '@jts/runtime'
import type { Bus, Store, Turn } from '@jts/transport'
import { outbox } from './adapters/tables.ts'
import { createWebhook, type Webhook } from './adapters/webhook.ts'
import { logWordsOf, notificationOf, type Notification } from './domain/notification.ts'
import type { Language } from './domain/words/index.ts'

export type WebhookOptions = { readonly url: string; readonly language: Language }

export type NotificationServiceOptions = {
  readonly store: Store
  readonly bus: Bus
  readonly wallClock: WallClock
  readonly log: Logger
  readonly webhook?: WebhookOptions
  /** Told that a person is about to be told of an event; what it returns is called when that has been done. */
  readonly onNotify?: (event: BusEvent) => () => void
}

export type NotificationService = { start(): Promise<void>; stop(): void }

const RETRY_FIRST_MS = 1000
const RETRY_MAX_MS = 60_000

export function createNotificationService(options: NotificationServiceOptions): NotificationService {
  options.store.ensure([outbox] as never[])
  const service = new Service(options)
  options.bus.subscribe({
    group: 'notification-service',
    topics: ['orders.events', 'risk.alerts', 'strategy.signals', 'system.health'],
    start: 'latest',
    handle: (event, turn) => service.handle(event, turn),
  })
  return service
}

class Service implements NotificationService {
  readonly #options: NotificationServiceOptions
  readonly #webhook: Webhook | undefined
  readonly #waiting: Notification[] = []
  readonly #told = new Map<Notification, () => void>()
  #delivering = false
  #retry: { cancel(): void } | undefined
  #stopped = false

  constructor(options: NotificationServiceOptions) {
    this.#options = options
    this.#webhook = options.webhook && createWebhook(options.webhook.url)
  }

  async start(): Promise<void> {
    if (this.#webhook === undefined) return
    const kept = (await this.#options.store.all(outbox)).map((row) => JSON.parse(row.notification) as Notification)
    this.#waiting.push(...kept.sort((a, b) => a.timeUs - b.timeUs))
    void this.#deliver()
  }

  stop(): void {
    this.#stopped = true
    this.#retry?.cancel()
  }

  handle(event: BusEvent, turn: Turn): void {
    const notification = notificationOf(event, this.#options.webhook?.language ?? 'en')
    if (notification === undefined) return
    if (this.#webhook !== undefined) {
      turn.put(outbox, { event_id: notification.id, notification: JSON.stringify(notification) })
    }
    const told = this.#options.onNotify?.(event)
    turn.afterCommit(() => {
      const { id, severity, correlationId } = notification
      const level = severity === 'info' ? 'info' : severity === 'warning' ? 'warn' : 'error'
      this.#options.log[level]({ id, correlationId }, logWordsOf(event))
      if (this.#webhook === undefined) return told?.()
      if (told !== undefined) this.#told.set(notification, told)
      this.#waiting.push(notification)
      void this.#deliver()
    })
  }

  /** In order; a webhook that does not answer holds the rest back and is tried again, ever more slowly. */
  async #deliver(): Promise<void> {
    if (this.#delivering) return
    this.#delivering = true
    let delayMs = RETRY_FIRST_MS
    while (this.#waiting.length > 0 && !this.#stopped) {
      const notification = this.#waiting[0]!
      try {
        await this.#webhook!(notification)
      } catch (error) {
        this.#options.log.warn({ id: notification.id, reason: (error as Error).message }, 'a notification waits')
        if (this.#stopped) return
        await new Promise<void>((resolve) => (this.#retry = this.#options.wallClock.after(delayMs, resolve)))
        delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)
        continue
      }
      delayMs = RETRY_FIRST_MS
      this.#waiting.shift()
      this.#told.get(notification)?.()
      this.#told.delete(notification)
      try {
        // Also while stopping, so that what was taken is not told again after the next start.
        this.#options.store.transact((turn) => turn.remove(outbox, { event_id: notification.id }))
      } catch (error) {
        if (!this.#stopped) throw error
      }
    }
    this.#delivering = false
  }
}
