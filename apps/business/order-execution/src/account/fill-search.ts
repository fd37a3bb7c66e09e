/** Finds executions that no notice told of: the venue's own list of trades, read on from the fill cursor. */
import type { FillReport, OrderReport } from '@jts/broker-kit'
import type { InstrumentId } from '@jts/model'
import type { Turn } from '@jts/transport'
import type { OrderRecord } from '../domain/order-record.ts'
import type { AccountState } from './account-state.ts'
import type { FillBooking } from './fill-booking.ts'
import { queryOrder } from './order-query.ts'
import type { VenueReports } from './venue-reports.ts'

export class FillSearch {
  readonly #state: AccountState
  readonly #booking: FillBooking
  readonly #reports: VenueReports

  constructor(state: AccountState, booking: FillBooking, reports: VenueReports) {
    this.#state = state
    this.#booking = booking
    this.#reports = reports
  }

  /** False when a fill had to be left for later. */
  async everywhere(): Promise<boolean> {
    const { cursor, options } = this.#state
    const instruments = new Set([...options.instruments, ...cursor.instruments()])
    let readToTheEnd = true
    for (const instrument of instruments) if (!(await this.#of(instrument))) readToTheEnd = false
    return readToTheEnd
  }

  /** Fills that a report counts and we have not seen. */
  async ofReport(record: OrderRecord, report: OrderReport): Promise<void> {
    if (report.cumulativeQuantity <= record.life.cumulativeQuantity) return
    await this.#of(record.terms.instrument, report)
    this.#state.options.store.transact((turn) => this.#reports.apply(record, report, turn))
  }

  /** `known` is what the venue says of one of the orders, where it has been asked. False when a fill was left for later. */
  async #of(instrument: InstrumentId, known?: OrderReport): Promise<boolean> {
    const { cursor, options } = this.#state
    const { broker, store } = options
    const found = await broker.fills({ instrument, ...cursor.query(instrument) })
    const reports = new Map(known === undefined ? [] : [[known.venueOrderId, known]])
    for (const fill of found) {
      if (cursor.has(instrument, fill.tradeId)) {
        cursor.advance(instrument, fill.tradeId)
        continue
      }
      const report = await this.#reportFor(fill, reports)
      if (!store.transact((turn) => this.#bookFound(fill, report, turn))) return false
      // As with notices: what a strategy answers to this fill is decided before the next one is told.
      await store.durable()
      if (this.#state.stopped) return false
    }
    return true
  }

  /**
   * Only the venue can say that a fill of an order sized in quote is its last, and its strategy is told so with the fill, as by a notice:
   * told later, what the order had reserved would be missing from what the strategy may sell in answer.
   */
  async #reportFor(fill: FillReport, reports: Map<string, OrderReport>): Promise<OrderReport | undefined> {
    const known = reports.get(fill.venueOrderId)
    const record = this.#state.orders.ofFill(fill)
    if (known !== undefined || record === undefined || record.isClosed || record.terms.quantity !== '') return known
    const outcome = await queryOrder(this.#state, record)
    if (outcome.kind !== 'found') return undefined
    reports.set(fill.venueOrderId, outcome.report)
    return outcome.report
  }

  /** False when the fill has to wait. */
  #bookFound(fill: FillReport, report: OrderReport | undefined, turn: Turn): boolean {
    const state = this.#state
    const { instrument, tradeId } = fill
    const record = state.orders.ofFill(fill)
    if (record !== undefined) this.#booking.apply(record, fill, report, turn)
    // It may belong to a request that has not been settled: then its cursor waits for that.
    else if (state.orders.hasUnsettled(instrument)) return false
    else this.#booking.bookForeign(fill, turn)
    state.cursor.advance(instrument, tradeId)
    state.keep(turn)
    return true
  }
}
