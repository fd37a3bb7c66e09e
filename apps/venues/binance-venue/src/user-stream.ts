/** User data: each order event as an execution report and the balances it may have changed. Faults lose and repeat them. */
import type { Faults, OrderEvent } from '@jts/exchange'
import type { Activity } from './activity.ts'
import type { Connections } from './connections.ts'
import { accountPosition, executionReport } from './payloads.ts'

export class UserStream {
  readonly #connections: Connections
  readonly #faults: Faults
  readonly #activity: Activity

  constructor(connections: Connections, faults: Faults, activity: Activity) {
    this.#connections = connections
    this.#faults = faults
    this.#activity = activity
  }

  /** The events are on disk before they come here. */
  send(events: readonly OrderEvent[]): void {
    if (events.length === 0) return
    const delayMs = this.#faults.userEventDelayMs
    if (delayMs === 0) return this.#sendNow(events)
    const end = this.#activity.begin()
    setTimeout(() => {
      this.#sendNow(events)
      end()
    }, delayMs)
  }

  #sendNow(events: readonly OrderEvent[]): void {
    for (const event of events) {
      const times = event.fillNumber === undefined ? 1 : this.#faults.reportsOf(event.fillNumber)
      for (let time = 0; time < times; time++) this.#sendOne(event)
    }
  }

  #sendOne(event: OrderEvent): void {
    for (const connection of this.#connections.all()) {
      for (const [subscriptionId, account] of connection.subscriptions) {
        if (account !== event.order.account) continue
        for (const make of [executionReport, accountPosition]) {
          connection.send(JSON.stringify({ subscriptionId, event: make(event, connection.time) }))
        }
      }
    }
  }
}
