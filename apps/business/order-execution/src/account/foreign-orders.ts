/**
 * Orders at the venue that JTS has not made: a person's, or another program's on the same account. Their fills are booked in
 * any case, because they move the account; what else happens is the account's configuration.
 */
import type { FillReport, OrderReport } from '@jts/broker-kit'
import { formatUnits, type ClientOrderId, type InstrumentId } from '@jts/model'
import { computedId } from '@jts/runtime'
import type { Turn } from '@jts/transport'
import { foreignOrders } from '../adapters/tables.ts'
import { isOpenAtVenue, type ForeignOrders as Handling } from '../domain/foreign-orders.ts'
import type { AccountState } from './account-state.ts'

export class ForeignOrders {
  readonly #state: AccountState
  readonly #handling: Handling
  /** Open at the venue and told of, by the venue's order id. */
  readonly #known = new Map<string, InstrumentId>()

  constructor(state: AccountState) {
    this.#state = state
    this.#handling = state.options.foreignOrders ?? 'alert'
  }

  async restore(): Promise<void> {
    for (const row of await this.#state.options.store.all(foreignOrders)) {
      if (row.account === this.#state.account) this.#known.set(row.venue_order_id, row.instrument as InstrumentId)
    }
  }

  /** A word of the venue about an order that is none of ours. */
  seen(report: OrderReport, turn: Turn): void {
    const { venueOrderId } = report
    if (!isOpenAtVenue(report)) return this.#gone(venueOrderId, turn)
    if (this.#known.has(venueOrderId)) return
    const { account, options } = this.#state
    this.#known.set(venueOrderId, report.instrument)
    turn.put(foreignOrders, { account, venue_order_id: venueOrderId, instrument: report.instrument })
    options.log.warn({ account, venueOrderId }, 'the venue has an open foreign order')
    turn.publish('orders.events', {
      type: 'ForeignOrderFound',
      stream: account,
      account,
      correlationId: `foreign/${report.instrument}/order/${venueOrderId}`,
      causationId: '',
      timeEventUs: report.timeUs,
      payload: {
        instrument: report.instrument,
        side: report.side,
        venueOrderId,
        clientOrderId: report.clientOrderId,
        quantity: formatUnits(report.quantity),
        limitPrice: report.limitPrice === undefined ? '' : formatUnits(report.limitPrice),
        handling: this.#handling,
      },
    })
    this.#block(`a foreign order ${venueOrderId} in ${report.instrument} is open at the broker`, turn)
  }

  /** All that the venue has open and is none of ours; what it no longer has is forgotten. */
  allOpen(reports: readonly OrderReport[], turn: Turn): void {
    const open = new Set(reports.map(({ venueOrderId }) => venueOrderId as string))
    for (const known of this.#known.keys()) if (!open.has(known)) this.#gone(known, turn)
    for (const report of reports) this.seen(report, turn)
  }

  /** A fill that was booked as foreign. */
  filled(fill: FillReport, turn: Turn): void {
    this.#block(`a foreign order ${fill.venueOrderId} was filled in ${fill.instrument}`, turn)
  }

  /** For a halt: what was adopted is cancelled like our own. Returns how many the venue has cancelled. */
  async cancelAdopted(): Promise<number> {
    if (this.#handling !== 'adopt') return 0
    const { account, options } = this.#state
    let cancelled = 0
    try {
      for (const report of await options.broker.openOrders()) {
        if (this.#state.orders.ofReport(report) !== undefined) continue
        if (await this.#cancel(report)) cancelled++
      }
    } catch (error) {
      // A halt is a halt, whether the broker answers or not.
      options.log.error({ account, err: error }, 'foreign orders could not be cancelled')
    }
    return cancelled
  }

  async #cancel({ instrument, clientOrderId, venueOrderId }: OrderReport): Promise<boolean> {
    const { account, options } = this.#state
    const intentTimeUs = this.#state.venueNowUs()
    const cancelId = computedId('cancel-foreign', account, venueOrderId, intentTimeUs) as ClientOrderId
    const sendBeforeUs = intentTimeUs + options.sendWindowUs
    const order = { instrument, clientOrderId, cancelId, intentTimeUs, sendBeforeUs }
    const outcome = await options.broker.cancelOrder(order)
    if (outcome.kind === 'cancelled') {
      options.store.transact((turn) => this.#gone(venueOrderId, turn))
      return true
    }
    options.log.warn({ account, venueOrderId, outcome: outcome.kind }, 'a foreign order was not cancelled')
    return false
  }

  #gone(venueOrderId: string, turn: Turn): void {
    if (!this.#known.delete(venueOrderId)) return
    turn.remove(foreignOrders, { account: this.#state.account, venue_order_id: venueOrderId })
  }

  #block(found: string, turn: Turn): void {
    if (this.#handling !== 'block') return
    this.#state.options.onForeign?.(`expected only orders of JTS in this account, found that ${found}`, turn)
  }
}
