/**
 * The orders of one account at one broker: from an approved signal to an intent on disk, to the wire, to its end. Each part
 * is a file of `account/`; here is how they meet.
 *
 * A request is sent at most once. Whatever is unclear afterwards is settled by the order stream, by a query of that one order,
 * or by the list of fills; every path ends in the same idempotent steps (`VenueReports`, `FillBooking`).
 */
import type { FillReport, OrderReport, PlaceOutcome } from '@jts/broker-kit'
import type { BusEventOf } from '@jts/contracts'
import type { AdjustBalanceRequest, AdjustBalanceResponse, OrderView } from '@jts/contracts/orders-api'
import type { AccountId, InstrumentId, OrderId, SignalId, StrategyInstanceId } from '@jts/model'
import { computedId } from '@jts/runtime'
import type { Turn } from '@jts/transport'
import { AccountState, type AccountExecutionOptions } from './account/account-state.ts'
import { BalanceAdjusting } from './account/balance-adjusting.ts'
import { CatchingUp } from './account/catching-up.ts'
import { FillBooking } from './account/fill-booking.ts'
import { FillSearch } from './account/fill-search.ts'
import { ForeignOrders } from './account/foreign-orders.ts'
import { OrderCancelling } from './account/order-cancelling.ts'
import { OrderInquiry } from './account/order-inquiry.ts'
import { OrderSending } from './account/order-sending.ts'
import { reconcile } from './account/reconciliation.ts'
import { VenueReports } from './account/venue-reports.ts'
import { accounts, fills } from './adapters/tables.ts'
import { OrderRecord } from './domain/order-record.ts'

export class AccountExecution {
  readonly account: AccountId
  readonly #state: AccountState
  readonly #foreign: ForeignOrders
  readonly #booking: FillBooking
  readonly #reports: VenueReports
  readonly #fillSearch: FillSearch
  readonly #sending: OrderSending
  readonly #cancelling: OrderCancelling
  readonly #inquiry: OrderInquiry
  readonly #catchingUp: CatchingUp
  readonly #adjusting: BalanceAdjusting
  #stream: { stop(): Promise<void> } | undefined

  constructor(options: AccountExecutionOptions) {
    this.account = options.account
    const state = (this.#state = new AccountState(options))
    this.#foreign = new ForeignOrders(state)
    this.#booking = new FillBooking(state, this.#foreign)
    this.#reports = new VenueReports(state, (record) => this.#sending.dequeue(record))
    this.#fillSearch = new FillSearch(state, this.#booking, this.#reports)
    this.#adjusting = new BalanceAdjusting(state, this.#fillSearch)
    this.#sending = new OrderSending(state, {
      onAccepted: (record, { report, fills: told }, turn) => {
        const settled = told.filter(({ provisional }) => provisional !== true)
        this.#onReport(record, report, settled, turn)
      },
      afterPlaced: (record, outcome) => this.#afterPlaced(record, outcome),
      catchUp: () => this.#catchingUp.catchUp(),
    })
    this.#cancelling = new OrderCancelling(state, {
      dequeue: (record) => this.#sending.dequeue(record),
      onCancelled: (record, report) => this.#onCancelled(record, report),
      check: (record) => this.#inquiry.check(record),
    })
    this.#inquiry = new OrderInquiry(state, this.#reports, this.#fillSearch, this.#sending, this.#foreign, {
      onReport: (record, report, turn) => this.#cancelling.cancelIfWanted(record, report, turn),
    })
    this.#catchingUp = new CatchingUp(state, this.#inquiry, this.#fillSearch, (turn) => this.#sending.sendNext(turn))
  }

  get openOrders(): readonly OrderRecord[] {
    return this.#state.orders.open
  }

  views(openOnly: boolean): OrderView[] {
    const { open, closed } = this.#state.orders
    return [...(openOnly ? [] : closed), ...open].map((record) => record.view(this.account))
  }

  viewOf(orderId: string): OrderView | undefined {
    return this.#state.orders.known(orderId)?.view(this.account)
  }

  find(orderId: string): OrderRecord | undefined {
    return this.#state.orders.find(orderId)
  }

  /** Reads what is on disk; nothing is sent before `start`. */
  async restore(): Promise<void> {
    const state = this.#state
    const { store } = state.options
    for (const row of await store.all(accounts)) {
      if (row.account !== this.account) continue
      state.opened = row.opened === 1
      state.fillCount = row.fill_count
      state.cursor.restore(row.cursors)
    }
    for (const row of await store.all(fills)) {
      if (row.account === this.account) state.cursor.remember(row.instrument as InstrumentId, row.trade_id)
    }
    await this.#adjusting.restore()
    await state.orders.restore(store)
    await this.#foreign.restore()
    for (const record of state.orders.open) if (record.life.status === 'approved') this.#sending.enqueue(record)
  }

  /** Listens to the account's order stream; each time it comes up, what was missed is asked for. */
  start(): void {
    const state = this.#state
    const { options } = state
    const { activity, broker } = options
    activity.absent(state.activityName)
    this.#stream = broker.subscribeOrders({
      onOrder: (report, fill) => this.#onNotice(report, fill),
      onBalances: () => undefined,
      onAdjustment: (report) => {
        if (!state.stopped) options.store.transact((turn) => this.#adjusting.told(report, turn))
      },
      onOrderStream: (stream, reason) => this.#catchingUp.onOrderStream(stream, reason),
    })
  }

  async stop(): Promise<void> {
    this.#state.stopped = true
    this.#sending.stop()
    this.#cancelling.stop()
    await this.#stream?.stop()
  }

  /** An approved signal becomes an order, once. */
  approve(event: BusEventOf<'ApprovedSignal'>, turn: Turn): void {
    const { orders } = this.#state
    if (orders.ofSignal(event.payload.signalId as SignalId) !== undefined) return
    const record = approvedOrder(event)
    orders.add(record, turn)
    this.#sending.enqueue(record)
    this.#sending.sendNext(turn)
  }

  /** Cancels the order of a signal, if it is open; see `cancel`. */
  cancelSignal(signalId: SignalId, turn: Turn): void {
    const record = this.#state.orders.ofSignal(signalId)
    if (record !== undefined) this.cancel(record, turn)
  }

  /** See `OrderCancelling.cancel`. */
  cancel(record: OrderRecord, turn: Turn): boolean {
    return this.#cancelling.cancel(record, turn)
  }

  /** Asks about open orders that the venue has been silent about. */
  checkQuiet(marketNowUs: number): void {
    this.#inquiry.checkQuiet(marketNowUs)
  }

  reconcile(): Promise<boolean> {
    return reconcile(this.#state, this.#inquiry, this.#fillSearch)
  }

  /** See `BalanceAdjusting.bookDifference`. */
  bookDifference(request: AdjustBalanceRequest): Promise<AdjustBalanceResponse> {
    return this.#adjusting.bookDifference(request)
  }

  /** Cancels the orders of others that were adopted; see `ForeignOrders`. */
  cancelAdopted(): Promise<number> {
    return this.#foreign.cancelAdopted()
  }

  async cancelsEnded(records: readonly OrderRecord[]): Promise<void> {
    await Promise.all(records.map((record) => this.#cancelling.ended(record)))
  }

  /** Waits until no send of these orders is under way; for a halt, which answers only then. */
  async sendsEnded(isMeant: (record: OrderRecord) => boolean = () => true): Promise<void> {
    const { wallClock } = this.#state.options
    const isUnderWay = (): boolean => this.#state.sending !== undefined && isMeant(this.#state.sending)
    while (isUnderWay()) await new Promise<void>((resolve) => wallClock.after(5, resolve))
  }

  /**
   * A broker without trade ids tells a fill twice: at once as provisional, and once more when it has been settled against the
   * order's cumulative quantity. Only that is booked, so no booked fill is ever corrected.
   */
  #onNotice(report: OrderReport, told: FillReport | undefined): void {
    const { opened, options, orders, stopped } = this.#state
    if (stopped) return
    const isProvisional = told?.provisional === true
    const fill = isProvisional ? undefined : told
    const record = orders.ofReport(report)
    options.store.transact((turn) => {
      if (record !== undefined) this.#onReport(record, report, fill === undefined ? [] : [fill], turn)
      // Before the books are open it belongs to the opening balance.
      else {
        if (fill !== undefined && opened) this.#booking.bookForeign(fill, turn)
        this.#foreign.seen(report, turn)
      }
    })
    if (record === undefined || record.isClosed || isProvisional) return
    if (report.cumulativeQuantity > record.life.cumulativeQuantity) {
      this.#state.background(() => this.#inquiry.check(record))
    }
  }

  /** The steps that every word of the venue about an order leads to, in this order. */
  #onReport(record: OrderRecord, report: OrderReport, found: readonly FillReport[], turn: Turn): void {
    this.#reports.bind(record, report, turn)
    for (const fill of found) this.#booking.apply(record, fill, report, turn)
    this.#reports.apply(record, report, turn)
    this.#cancelling.cancelIfWanted(record, report, turn)
  }

  async #afterPlaced(record: OrderRecord, outcome: PlaceOutcome): Promise<void> {
    if (outcome.kind === 'unknown') await this.#inquiry.settle(record)
    else if (outcome.kind === 'accepted') await this.#missingFills(record, outcome.report)
  }

  async #onCancelled(record: OrderRecord, report: OrderReport): Promise<void> {
    await this.#missingFills(record, report)
    this.#state.options.store.transact((turn) => this.#reports.apply(record, report, turn))
  }

  #missingFills(record: OrderRecord, report: OrderReport): Promise<void> {
    return this.#inquiry.orLater(record, this.#fillSearch.ofReport(record, report))
  }
}

function approvedOrder(event: BusEventOf<'ApprovedSignal'>): OrderRecord {
  const { payload } = event
  const signalId = payload.signalId as SignalId
  return new OrderRecord({
    orderId: computedId('order', signalId) as OrderId,
    signalId,
    correlationId: event.correlationId,
    approvedBy: event.eventId,
    strategy: payload.strategy as StrategyInstanceId,
    instrument: payload.symbol as InstrumentId,
    side: payload.side as 'buy' | 'sell',
    type: payload.orderType as OrderRecord['terms']['type'],
    timeInForce: payload.timeInForce as OrderRecord['terms']['timeInForce'],
    quantity: payload.quantityText,
    quoteQuantity: payload.quoteQuantity,
    limitPrice: payload.limitPrice,
    price: payload.priceText,
    validUntilUs: payload.validUntilUs,
    timeUs: event.timeEventUs,
  })
}
