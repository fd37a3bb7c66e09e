/** User data: each order event as an execution report and the balances it may have changed. Faults lose and repeat them. */
import type { Balance, Faults, OrderEvent } from '@jts/exchange'
import type { Units } from '@jts/model/numbers'
import type { Activity } from './activity.ts'
import type { Connections } from './connections.ts'
import { accountPosition, balanceUpdate, executionReport, type TimeOf } from './payloads.ts'

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

  /** Money that came or went without a trade, and what there is of it now. */
  adjusted(account: number, balance: Balance, delta: Units, timeUs: number): void {
    this.#tell(account, (time) => accountPosition({ balances: [balance], timeUs }, time))
    this.#tell(account, (time) => balanceUpdate(balance.asset, delta, timeUs, time))
  }

  #sendNow(events: readonly OrderEvent[]): void {
    for (const event of events) {
      const times = event.fillNumber === undefined ? 1 : this.#faults.reportsOf(event.fillNumber)
      for (let time = 0; time < times; time++) this.#sendOne(event)
    }
  }

  #sendOne(event: OrderEvent): void {
    for (const make of [executionReport, accountPosition]) this.#tell(event.order.account, (time) => make(event, time))
  }

  #tell(account: number, make: (time: TimeOf) => object): void {
    for (const connection of this.#connections.all()) {
      for (const [subscriptionId, one] of connection.subscriptions) {
        if (one === account) connection.send(JSON.stringify({ subscriptionId, event: make(connection.time) }))
      }
    }
  }
}
