/**
 * The orders of one account at one broker: from an approved signal to an intent on disk, to the wire, to its end.
 *
 * A request is sent at most once. Whatever is unclear afterwards is settled by the order stream, by a query of that one order,
 * or by the list of fills; every path ends in the same idempotent steps (`#applyReport`, `#applyFill`).
 */
import {
  BrokerError,
  type Balance,
  type BrokerPort,
  type CancelOutcome,
  type FillReport,
  type OrderReport,
  type PlaceOutcome,
  type QueryOutcome,
} from '@jts/broker-kit'
import type { BusEventOf, NewEvent } from '@jts/contracts'
import type { OrderView } from '@jts/contracts/orders-api'
import {
  formatUnits,
  instrumentSymbol,
  instrumentVenue,
  multiplyUnits,
  type AccountId,
  type ClientOrderId,
  type InstrumentId,
  type OrderId,
  type SignalId,
  type StrategyInstanceId,
  type TradingState,
} from '@jts/model'
import { computedId, type Activity, type Logger, type MarketClock, type WallClock } from '@jts/runtime'
import type { Store, Turn } from '@jts/transport'
import { accounts, fills, ordersClosed, ordersOpen } from './adapters/tables.ts'
import { decideAbsence, decideIntent } from './domain/decisions.ts'
import { FillCursor } from './domain/fill-cursor.ts'
import { clientOrderIdOf, OrderRecord } from './domain/order-record.ts'

export type AccountExecutionOptions = {
  readonly account: AccountId
  readonly broker: BrokerPort
  readonly store: Store
  readonly marketClock: MarketClock
  readonly wallClock: WallClock
  readonly activity: Activity
  readonly log: Logger
  /** Instruments that this account trades: their fills are asked for. */
  readonly instruments: readonly InstrumentId[]
  /** Wall time from an intent to the last moment at which it may be written to the wire, µs. */
  readonly sendWindowUs: number
  /** Market time without a word about an open order after which the venue is asked, µs. */
  readonly quietMarketOrderUs: number
  readonly quietOrderUs: number
  readonly tradingState: () => TradingState
  /** Real-time figures: the request is about to be written; it was answered. */
  readonly onSent?: (correlationId: string) => void
  readonly onAnswered?: (correlationId: string) => void
}

/** Closed orders kept in memory for screens and late notices. */
const CLOSED_IN_MEMORY = 500
const CANCELLED_BEFORE_SENDING = ['CANCELLED_BEFORE_SENDING', 'cancelled before its request was written'] as const

export class AccountExecution {
  readonly account: AccountId
  readonly #options: AccountExecutionOptions
  readonly #orders = new Map<OrderId, OrderRecord>()
  readonly #closed = new Map<OrderId, OrderRecord>()
  readonly #bySignal = new Map<SignalId, OrderRecord>()
  readonly #byClientId = new Map<ClientOrderId, OrderRecord>()
  readonly #byVenueId = new Map<string, OrderRecord>()
  readonly #queue: OrderRecord[] = []
  /** Orders whose fate is being asked for: one asks for each, however often the stream comes up. */
  readonly #settling = new Map<OrderRecord, Promise<void>>()
  readonly #cursor = new FillCursor()
  #opened = false
  #fillCount = 0
  #streamUp = false
  /** The order stream is up and everything missed has been asked for. */
  #ready = false
  /** The order whose request is on its way. */
  #sending: OrderRecord | undefined
  #catchUps = 0
  #stopped = false
  #stream: { stop(): Promise<void> } | undefined

  constructor(options: AccountExecutionOptions) {
    this.#options = options
    this.account = options.account
  }

  get fillCount(): number {
    return this.#fillCount
  }

  get openOrders(): readonly OrderRecord[] {
    return [...this.#orders.values()]
  }

  views(openOnly: boolean): OrderView[] {
    const records = openOnly ? [...this.#orders.values()] : [...this.#closed.values(), ...this.#orders.values()]
    return records.map((record) => record.view(this.account))
  }

  /** Reads what is on disk; nothing is sent before `start`. */
  async restore(): Promise<void> {
    const { store } = this.#options
    for (const row of await store.all(accounts)) {
      if (row.account !== this.account) continue
      this.#opened = row.opened === 1
      this.#fillCount = row.fill_count
      this.#cursor.restore(row.cursors)
    }
    for (const row of await store.all(fills)) {
      if (row.account === this.account) this.#cursor.remember(row.instrument as InstrumentId, row.trade_id)
    }
    const closed = (await store.all(ordersClosed)).filter((row) => row.account === this.account)
    closed.sort((a, b) => a.time_us - b.time_us)
    for (const row of closed.slice(-CLOSED_IN_MEMORY)) this.#index(OrderRecord.fromText(row.record), this.#closed)
    const open = (await store.all(ordersOpen)).filter((row) => row.account === this.account)
    const records = open
      .map((row) => OrderRecord.fromText(row.record))
      .sort((a, b) => a.approvalNumber - b.approvalNumber)
    for (const record of records) {
      this.#index(record, this.#orders)
      if (record.life.status === 'approved') this.#queue.push(record)
    }
  }

  /** Listens to the account's order stream; each time it comes up, what was missed is asked for. */
  start(): void {
    const { activity, broker } = this.#options
    activity.absent(this.#name)
    this.#stream = broker.subscribeOrders({
      onOrder: (report, fill) => this.#onNotice(report, fill),
      onBalances: () => undefined,
      onOrderStream: (state, reason) => {
        this.#streamUp = state === 'up'
        if (this.#streamUp) return this.#catchUp()
        // A catch-up under way may have asked before the stream fell: only the next one counts.
        this.#catchUps++
        this.#notReady()
        this.#options.log.warn({ account: this.account, reason }, 'the order stream is down')
      },
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#stream?.stop()
  }

  /** An approved signal becomes an order, once. */
  approve(event: BusEventOf<'ApprovedSignal'>, turn: Turn): void {
    const { payload } = event
    const signalId = payload.signalId as SignalId
    if (this.#bySignal.has(signalId)) return
    const record = new OrderRecord({
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
    this.#index(record, this.#orders)
    this.#keep(record, turn)
    this.#queue.push(record)
    this.#sendNext(turn)
  }

  /** Cancels the order of a signal, if it is open; see `cancel`. */
  cancelSignal(signalId: SignalId, turn: Turn): void {
    const record = this.#bySignal.get(signalId)
    if (record !== undefined) this.cancel(record, turn)
  }

  /**
   * An order that is not on the wire is not sent at all; one whose fate is unknown is cancelled as soon as it is known.
   * False when there is nothing left to do.
   */
  cancel(record: OrderRecord, turn: Turn): boolean {
    if (record.isClosed || record.cancelling) return false
    record.cancelWanted = true
    if (record.life.status === 'approved') {
      this.#dequeue(record)
      this.#deny(record, ...CANCELLED_BEFORE_SENDING, turn)
    } else if (record.isUnsettled) this.#keep(record, turn)
    else this.#writeCancel(record, turn)
    return true
  }

  find(orderId: string): OrderRecord | undefined {
    return this.#orders.get(orderId as OrderId)
  }

  /** Asks about open orders that the venue has been silent about. */
  checkQuiet(marketNowUs: number): void {
    if (!this.#ready || this.#orders.size === 0) return
    const { quietMarketOrderUs, quietOrderUs } = this.#options
    for (const record of this.#orders.values()) {
      if (record.isUnsettled || record.life.status === 'approved' || record.checking) continue
      const limitUs = record.terms.type === 'market' ? quietMarketOrderUs : quietOrderUs
      if (marketNowUs - record.lastNoticeUs <= limitUs) continue
      this.#background(() => this.#check(record))
    }
  }

  /**
   * Compares with the venue: fills first, then balances, which count only when no fill came in between. The balances go on
   * `orders.events` with the fill count, and the portfolio tracker compares them with the ledger.
   */
  async reconcile(): Promise<boolean> {
    const { activity, store, marketClock } = this.#options
    // Without an opening balance every old trade would look like a foreign one.
    if (!this.#opened) return false
    return activity.during(this.#name, async () => {
      for (let attempt = 0; attempt < 5; attempt++) {
        await this.#fetchAllFills()
        const before = this.#fillCount
        const balances = await this.#options.broker.balances()
        const readToTheEnd = await this.#fetchAllFills()
        if (!readToTheEnd || before !== this.#fillCount) continue
        store.transact((turn) => {
          turn.publish('orders.events', {
            type: 'BalancesReported',
            stream: this.account,
            account: this.account,
            correlationId: `reconciliation/${this.account}/${marketClock.nowUs()}`,
            causationId: '',
            timeEventUs: marketClock.nowUs(),
            payload: { balances: totals(balances), fillCount: before },
          })
        })
        return true
      }
      return false
    })
  }

  /** Waits until no send is under way; for a halt, which answers only then. */
  async sendsEnded(): Promise<void> {
    while (this.#sending !== undefined) await new Promise<void>((resolve) => this.#options.wallClock.after(5, resolve))
  }

  /** True once everything missed while the stream was down has been caught up with. */
  get isReady(): boolean {
    return this.#ready
  }

  get #name(): string {
    return `order-execution ${this.account}`
  }

  #venueNowUs(): number {
    return this.#options.wallClock.nowUs() + this.#options.broker.clockOffsetUs()
  }

  #notReady(): void {
    this.#ready = false
    this.#options.activity.absent(this.#name)
  }

  /** Work that nobody waits for: after a stop its end no longer matters, before it a failure of ours is loud. */
  #background(work: () => Promise<void>): void {
    void this.#options.activity.during(this.#name, work).catch((error: unknown) => {
      if (!this.#stopped) throw error
    })
  }

  /** A venue that does not answer now is asked again when the order stays quiet. */
  async #orLater(record: OrderRecord, work: Promise<void>): Promise<void> {
    try {
      await work
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error
      this.#options.log.warn({ orderId: record.terms.orderId, err: error }, 'an order could not be asked about')
    }
  }

  #dequeue(record: OrderRecord): void {
    const at = this.#queue.indexOf(record)
    if (at >= 0) this.#queue.splice(at, 1)
  }

  /** No request of it is at the venue, and that is certain: as long as its approval holds, it may be sent. */
  #requeue(record: OrderRecord, turn: Turn): void {
    record.life.status = 'approved'
    this.#keep(record, turn)
    this.#queue.unshift(record)
  }

  #sendNext(turn: Turn): void {
    if (!this.#ready || this.#stopped) return
    while (this.#sending === undefined && this.#queue.length > 0) {
      const record = this.#queue.shift()!
      if (record.cancelWanted) {
        this.#deny(record, ...CANCELLED_BEFORE_SENDING, turn)
        continue
      }
      const { marketClock, tradingState } = this.#options
      const nowUs = marketClock.nowUs()
      const decision = decideIntent(record, tradingState(), nowUs)
      if (decision.kind === 'denied') this.#deny(record, decision.code, decision.reason, turn)
      else if (decision.kind === 'expired') this.#expire(record, decision.code, decision.reason, nowUs, turn)
      else this.#writeIntent(record, nowUs, turn)
    }
  }

  /** The intent is on disk before the wire sees it; the request is signed with the intent's time. */
  #writeIntent(record: OrderRecord, marketNowUs: number, turn: Turn): void {
    const number = (record.request?.number ?? 0) + 1
    const intentTimeUs = this.#venueNowUs()
    record.request = {
      number,
      clientOrderId: clientOrderIdOf(record.terms.orderId, number),
      intentTimeUs,
      sendBeforeUs: intentTimeUs + this.#options.sendWindowUs,
    }
    this.#byClientId.set(record.request.clientOrderId, record)
    record.life.move('submitting')
    record.lastNoticeUs = marketNowUs
    this.#publish(turn, record, marketNowUs, {
      type: 'OrderSubmitting',
      payload: {
        terms: record.eventTerms(),
        clientOrderId: record.request.clientOrderId,
        requestNumber: number,
      },
    })
    this.#keep(record, turn)
    this.#sending = record
    turn.afterCommit(() => this.#background(() => this.#send(record)))
  }

  async #send(record: OrderRecord): Promise<void> {
    const { onSent, onAnswered, store } = this.#options
    onSent?.(record.terms.correlationId)
    const outcome = await this.#place(record)
    onAnswered?.(record.terms.correlationId)
    this.#sending = undefined
    store.transact((turn) => {
      this.#onPlaced(record, outcome, turn)
      this.#sendNext(turn)
    })
    if (outcome.kind === 'unknown') await this.#settle(record)
    else if (outcome.kind === 'accepted') await this.#orLater(record, this.#fetchMissing(record, outcome.report))
  }

  /** A broker that throws has broken its word, and nobody knows what it had sent by then. */
  async #place(record: OrderRecord): Promise<PlaceOutcome> {
    try {
      return await this.#options.broker.placeOrder(record.intent())
    } catch (error) {
      this.#options.log.error(
        { orderId: record.terms.orderId, err: error },
        'the broker failed while it placed an order',
      )
      return { kind: 'unknown', message: (error as Error).message }
    }
  }

  #onPlaced(record: OrderRecord, outcome: PlaceOutcome, turn: Turn): void {
    const nowUs = this.#options.marketClock.nowUs()
    switch (outcome.kind) {
      case 'accepted':
        this.#bind(record, outcome.report, turn)
        for (const fill of outcome.fills) this.#applyFill(record, fill, outcome.report, turn)
        this.#applyReport(record, outcome.report, turn)
        return this.#cancelIfWanted(record, outcome.report, turn)
      case 'rejected':
        if (!record.isUnsettled) return
        record.life.move('rejected')
        record.reason = `${outcome.code}: ${outcome.message}`
        this.#publish(turn, record, nowUs, {
          type: 'OrderRejected',
          payload: {
            ref: record.eventRef(),
            clientOrderId: record.request!.clientOrderId,
            reasonCode: outcome.code,
            reason: outcome.message,
          },
        })
        return this.#keep(record, turn)
      case 'not_sent':
        // No byte was written, so a new request is no repetition: as long as the approval holds, it may be made.
        if (outcome.code === 'BROKER_UNAVAILABLE' || outcome.code === 'TOO_LATE') {
          this.#requeue(record, turn)
          this.#notReady()
          this.#options.wallClock.after(200, () => this.#catchUp())
          return
        }
        return this.#deny(
          record,
          outcome.code === 'GATE_HALTED' ? 'TRADING_HALTED' : outcome.code,
          outcome.message,
          turn,
        )
      case 'unknown':
        if (record.life.move('unknown') !== 'applied') return
        record.reason = outcome.message
        this.#publish(turn, record, nowUs, {
          type: 'OrderUnknown',
          payload: {
            ref: record.eventRef(),
            clientOrderId: record.request!.clientOrderId,
            reason: outcome.message,
          },
        })
        return this.#keep(record, turn)
    }
  }

  /** Finds out what became of a request that was never answered; never sends it again. */
  #settle(record: OrderRecord): Promise<void> {
    let settling = this.#settling.get(record)
    if (settling === undefined) {
      settling = this.#askUntilSettled(record).finally(() => this.#settling.delete(record))
      this.#settling.set(record, settling)
    }
    return settling
  }

  async #askUntilSettled(record: OrderRecord): Promise<void> {
    const { broker, wallClock, store } = this.#options
    for (let absences = 0; record.isUnsettled && !this.#stopped;) {
      const outcome = await this.#query(record)
      if (!record.isUnsettled || this.#stopped) return
      const decision = decideAbsence(record, outcome, broker.capabilities, this.#venueNowUs(), absences)
      if (decision.kind === 'settled') return this.#orLater(record, this.#adopt(record, outcome))
      if (decision.kind !== 'ask-again') return store.transact((turn) => this.#absent(record, decision.kind, turn))
      absences = decision.absences
      const delayMs = Math.max(1, (decision.notBeforeUs - this.#venueNowUs()) / 1000)
      await new Promise<void>((resolve) => wallClock.after(delayMs, resolve))
    }
  }

  #absent(record: OrderRecord, kind: 'absent' | 'not-found', turn: Turn): void {
    const nowUs = this.#options.marketClock.nowUs()
    if (kind === 'not-found' || nowUs > record.terms.validUntilUs) {
      return this.#expire(record, 'NOT_FOUND', 'not found at the venue after the settle window', nowUs, turn)
    }
    this.#options.log.warn(
      { orderId: record.terms.orderId, request: record.request?.number },
      'the venue has proved that the request never arrived: one new request',
    )
    this.#requeue(record, turn)
    this.#sendNext(turn)
  }

  async #adopt(record: OrderRecord, outcome: QueryOutcome): Promise<void> {
    if (outcome.kind !== 'found') return
    const { report } = outcome
    this.#options.store.transact((turn) => this.#bind(record, report, turn))
    await this.#fetchMissing(record, report)
    this.#options.store.transact((turn) => {
      this.#applyReport(record, report, turn)
      this.#cancelIfWanted(record, report, turn)
    })
  }

  /** Fills that a report counts and we have not seen are asked for by the list of trades. */
  async #fetchMissing(record: OrderRecord, report: OrderReport): Promise<void> {
    if (report.cumulativeQuantity <= record.life.cumulativeQuantity) return
    await this.#fetchFills(record.terms.instrument, report)
    this.#options.store.transact((turn) => this.#applyReport(record, report, turn))
  }

  async #check(record: OrderRecord): Promise<void> {
    record.checking = true
    try {
      const outcome = await this.#query(record)
      record.lastNoticeUs = Math.max(record.lastNoticeUs, this.#options.marketClock.nowUs())
      if (!record.isClosed && outcome.kind === 'found') await this.#orLater(record, this.#adopt(record, outcome))
      if (!record.isClosed && outcome.kind === 'not_found') {
        this.#options.log.error({ orderId: record.terms.orderId }, 'the venue no longer knows an order it had accepted')
      }
    } finally {
      record.checking = false
    }
  }

  async #query(record: OrderRecord): Promise<QueryOutcome> {
    try {
      return await this.#options.broker.queryOrder({
        instrument: record.terms.instrument,
        clientOrderId: record.request!.clientOrderId,
      })
    } catch (error) {
      return { kind: 'failed', message: (error as Error).message }
    }
  }

  /** Each cancel is a request of its own, with an id of its own. */
  #writeCancel(record: OrderRecord, turn: Turn): void {
    const cancelId = computedId('cancel', record.terms.orderId, ++record.cancels) as ClientOrderId
    record.cancelling = true
    record.life.move('pending_cancel')
    this.#publish(turn, record, this.#options.marketClock.nowUs(), {
      type: 'OrderPendingCancel',
      payload: { ref: record.eventRef(), clientOrderId: record.request!.clientOrderId, cancelId },
    })
    this.#keep(record, turn)
    turn.afterCommit(() => this.#background(() => this.#sendCancel(record, cancelId)))
  }

  /** A cancel that could not be sent when it was asked for: the order was unknown, the broker away, the process ended. */
  #cancelIfWanted(record: OrderRecord, report: OrderReport, turn: Turn): void {
    if (!record.cancelWanted || record.cancelling || record.isClosed) return
    if (report.status === 'accepted' || report.status === 'partially_filled') this.#writeCancel(record, turn)
  }

  async #sendCancel(record: OrderRecord, cancelId: ClientOrderId): Promise<void> {
    const { log, store } = this.#options
    try {
      const outcome = await this.#cancelAtVenue(record, cancelId)
      if (outcome.kind === 'cancelled') {
        await this.#orLater(record, this.#fetchMissing(record, outcome.report))
        store.transact((turn) => this.#applyReport(record, outcome.report, turn))
        return
      }
      log.warn({ orderId: record.terms.orderId, outcome: outcome.kind }, 'a cancel did not take effect')
      if (record.isClosed) return
      store.transact((turn) => {
        if (record.life.status === 'pending_cancel') record.life.move('accepted')
        // The venue's «no» stands; anything else is tried again when the venue next says that the order is open.
        if (outcome.kind === 'rejected') record.cancelWanted = false
        this.#keep(record, turn)
      })
      await this.#check(record)
    } finally {
      record.cancelling = false
    }
  }

  async #cancelAtVenue(record: OrderRecord, cancelId: ClientOrderId): Promise<CancelOutcome> {
    const { broker, sendWindowUs } = this.#options
    const intentTimeUs = this.#venueNowUs()
    const { instrument } = record.terms
    const { clientOrderId } = record.request!
    try {
      const sendBeforeUs = intentTimeUs + sendWindowUs
      return await broker.cancelOrder({ instrument, clientOrderId, cancelId, intentTimeUs, sendBeforeUs })
    } catch (error) {
      return { kind: 'unknown', message: (error as Error).message }
    }
  }

  #onNotice(report: OrderReport, fill: FillReport | undefined): void {
    if (this.#stopped) return
    const record = this.#byClientId.get(report.clientOrderId) ?? this.#byVenueId.get(venueKey(report))
    this.#options.store.transact((turn) => {
      if (record === undefined) {
        // Before the books are open it belongs to the opening balance.
        if (fill !== undefined && this.#opened) this.#bookForeign(fill, turn)
        return
      }
      this.#bind(record, report, turn)
      if (fill !== undefined) this.#applyFill(record, fill, report, turn)
      this.#applyReport(record, report, turn)
      this.#cancelIfWanted(record, report, turn)
    })
    if (record !== undefined && !record.isClosed && report.cumulativeQuantity > record.life.cumulativeQuantity) {
      this.#background(() => this.#check(record))
    }
  }

  /** The venue knows the order: from here on it has the venue's id. */
  #bind(record: OrderRecord, report: OrderReport, turn: Turn): void {
    record.lastNoticeUs = Math.max(record.lastNoticeUs, this.#options.marketClock.nowUs())
    if (record.venueOrderId === '') {
      record.venueOrderId = report.venueOrderId
      this.#byVenueId.set(venueKey(report), record)
      if (record.isClosed || record.life.status === 'approved') this.#foundLate(record)
    }
    if (!record.isUnsettled) return
    record.life.move('accepted')
    record.reason = ''
    this.#publish(turn, record, report.timeUs, {
      type: 'OrderAccepted',
      payload: {
        ref: record.eventRef(),
        clientOrderId: record.request!.clientOrderId,
        venueOrderId: report.venueOrderId,
      },
    })
    this.#keep(record, turn)
  }

  /** The venue has an order that was taken for absent: it is its intent's, and nothing more is sent for that. */
  #foundLate(record: OrderRecord): void {
    const { orderId } = record.terms
    this.#options.log.error({ orderId, status: record.life.status }, 'the venue has an order that was given up')
    if (record.life.status !== 'approved') return
    this.#dequeue(record)
    record.life.status = 'submitting'
  }

  /** An end without a full fill, once every fill that the report counts is booked. */
  #applyReport(record: OrderRecord, report: OrderReport, turn: Turn): void {
    if (record.isClosed || report.cumulativeQuantity > record.life.cumulativeQuantity) return
    const common = {
      ref: record.eventRef(),
      clientOrderId: record.request!.clientOrderId,
      cumulativeQuantity: formatUnits(record.life.cumulativeQuantity),
      leavesQuantity: record.leavesText,
    }
    if (report.status === 'cancelled' && record.life.move('cancelled') === 'applied') {
      this.#publish(turn, record, report.timeUs, { type: 'OrderCancelled', payload: common })
    } else if (
      (report.status === 'expired' || report.status === 'rejected') &&
      record.life.move('expired') === 'applied'
    ) {
      record.reason = report.reason ?? 'expired at the venue'
      this.#publish(turn, record, report.timeUs, {
        type: 'OrderExpired',
        payload: { ...common, reasonCode: 'VENUE_EXPIRED', reason: record.reason },
      })
    } else if (report.status === 'filled' && record.life.move('filled') === 'applied') {
      // Sized in quote, and its last fill was booked before anyone said that it was the last: its end is said now.
      this.#publish(turn, record, report.timeUs, {
        type: 'OrderExpired',
        payload: { ...common, reasonCode: 'FILLED', reason: 'nothing is left', leavesQuantity: '0' },
      })
    } else return
    this.#keep(record, turn)
  }

  #applyFill(record: OrderRecord, fill: FillReport, report: OrderReport | undefined, turn: Turn): void {
    const { instrument } = record.terms
    if (this.#cursor.has(instrument, fill.tradeId)) return
    const outcome = record.life.fill(fill.tradeId, fill.quantity)
    if (outcome === 'duplicate') return
    if (outcome === 'excess' || outcome === 'refused') {
      this.#options.log.error(
        { orderId: record.terms.orderId, tradeId: fill.tradeId, outcome },
        'a fill beyond its order',
      )
      return this.#bookForeign(fill, turn)
    }
    if (outcome === 'late') {
      this.#options.log.warn(
        { orderId: record.terms.orderId, tradeId: fill.tradeId },
        'a fill after the order had ended',
      )
    }
    record.notional += multiplyUnits(fill.quantity, fill.price, 'half-even')
    record.lastNoticeUs = Math.max(record.lastNoticeUs, this.#options.marketClock.nowUs())
    // An order sized in quote is full when the venue says so; one sized in base when its quantity is reached.
    const isLast = report?.status === 'filled' && record.life.cumulativeQuantity === report.cumulativeQuantity
    if (record.terms.quantity === '' && isLast) record.life.move('filled')
    this.#book(fill, record.terms.strategy, record.terms.orderId, turn)
    const payload = {
      ref: record.eventRef(),
      fillId: this.#fillId(fill),
      venueOrderId: fill.venueOrderId,
      tradeId: fill.tradeId,
      lastQuantity: formatUnits(fill.quantity),
      lastPrice: formatUnits(fill.price),
      fee: formatUnits(fill.fee),
      feeCurrency: fill.feeCurrency,
      liquidity: fill.liquidity,
      cumulativeQuantity: formatUnits(record.life.cumulativeQuantity),
      leavesQuantity: record.leavesText,
      idSource: 'venue',
      clientOrderId: record.request?.clientOrderId ?? '',
    }
    this.#publish(turn, record, fill.timeUs, { type: 'OrderFilled', payload })
    turn.publish('orders.fills', {
      type: 'OrderFilled',
      stream: this.account,
      account: this.account,
      correlationId: record.terms.correlationId,
      causationId: record.request?.clientOrderId ?? '',
      timeEventUs: fill.timeUs,
      payload,
    })
    this.#keep(record, turn)
  }

  /** A fill that no order of ours explains moves the account all the same. */
  #bookForeign(fill: FillReport, turn: Turn): void {
    if (this.#cursor.has(fill.instrument, fill.tradeId)) return
    this.#options.log.warn({ account: this.account, tradeId: fill.tradeId }, 'a fill of a foreign order')
    this.#book(fill, 'external' as StrategyInstanceId, fill.venueOrderId, turn)
    turn.publish('orders.events', {
      type: 'ForeignFill',
      stream: this.account,
      account: this.account,
      correlationId: `foreign/${fill.instrument}/${fill.tradeId}`,
      causationId: '',
      timeEventUs: fill.timeUs,
      payload: {
        instrument: fill.instrument,
        side: fill.side,
        venueOrderId: fill.venueOrderId,
        tradeId: fill.tradeId,
        quantity: formatUnits(fill.quantity),
        price: formatUnits(fill.price),
        fee: formatUnits(fill.fee),
        feeCurrency: fill.feeCurrency,
        fillId: this.#fillId(fill),
      },
    })
  }

  #book(fill: FillReport, strategy: StrategyInstanceId, orderId: string, turn: Turn): void {
    this.#cursor.remember(fill.instrument, fill.tradeId)
    this.#fillCount++
    turn.put(fills, {
      account: this.account,
      instrument: fill.instrument,
      trade_id: fill.tradeId,
      order_id: orderId,
      strategy,
      side: fill.side,
      quantity: formatUnits(fill.quantity),
      price: formatUnits(fill.price),
      fee: formatUnits(fill.fee),
      fee_currency: fill.feeCurrency,
      liquidity: fill.liquidity,
      time_us: fill.timeUs,
    })
    this.#keepAccount(turn)
  }

  #fillId(fill: FillReport): string {
    return `${instrumentVenue(fill.instrument)}:${this.account}:${instrumentSymbol(fill.instrument)}:${fill.tradeId}`
  }

  /** After a start or a break of the stream: settle what was never answered, then ask for the open orders and the fills. */
  #catchUp(): void {
    if (!this.#streamUp || this.#stopped) return
    const run = ++this.#catchUps
    const { activity, log, store, wallClock } = this.#options
    this.#background(async () => {
      try {
        await this.#askForEverything()
      } catch (error) {
        if (run !== this.#catchUps || this.#stopped) return
        log.warn({ account: this.account, err: error }, 'catching up with the broker failed; trying again')
        wallClock.after(500, () => this.#catchUp())
        return
      }
      // A newer catch-up has begun, or the stream fell meanwhile and will bring the next one.
      if (run !== this.#catchUps || this.#stopped) return
      this.#ready = true
      store.transact((turn) => this.#sendNext(turn))
      activity.present(this.#name)
    })
  }

  async #askForEverything(): Promise<void> {
    if (!this.#opened) await this.#openBooks()
    for (const record of this.openOrders) {
      // Whose request is on its way is settled by its answer.
      if (record.isUnsettled && record !== this.#sending) await this.#settle(record)
    }
    for (const record of this.openOrders) {
      if (record.isUnsettled || record.isClosed || record.life.status === 'approved') continue
      const outcome = await this.#query(record)
      if (outcome.kind === 'failed') throw new Error(outcome.message)
      await this.#adopt(record, outcome)
    }
    await this.#fetchAllFills()
  }

  /** First contact: what the account holds now is booked as its opening balance, and older trades are not ours. */
  async #openBooks(): Promise<void> {
    const { broker, instruments, marketClock, store } = this.#options
    for (const instrument of instruments) this.#cursor.open(instrument, await broker.fills({ instrument }))
    const balances = await broker.balances()
    for (const instrument of instruments) {
      const since = await broker.fills({ instrument, ...this.#cursor.query(instrument) })
      if (since.length > 0) throw new Error(`the account traded while its opening balance was read`)
    }
    // A second catch-up may have asked at the same time.
    if (this.#opened) return
    store.transact((turn) => {
      this.#opened = true
      this.#keepAccount(turn)
      turn.publish('orders.events', {
        type: 'OpeningBalance',
        stream: this.account,
        account: this.account,
        correlationId: `opening/${this.account}`,
        causationId: '',
        timeEventUs: marketClock.nowUs(),
        payload: { balances: totals(balances) },
      })
    })
  }

  /** False when a fill had to be left for later. */
  async #fetchAllFills(): Promise<boolean> {
    const instruments = new Set([...this.#options.instruments, ...this.#cursor.instruments()])
    let readToTheEnd = true
    for (const instrument of instruments) if (!(await this.#fetchFills(instrument))) readToTheEnd = false
    return readToTheEnd
  }

  /** `report` is what the venue says of one of the orders, where that is known. False when a fill was left for later. */
  async #fetchFills(instrument: InstrumentId, report?: OrderReport): Promise<boolean> {
    const { broker, store } = this.#options
    const found = await broker.fills({ instrument, ...this.#cursor.query(instrument) })
    for (const fill of found) {
      if (!store.transact((turn) => this.#bookFound(fill, report, turn))) return false
      // As with notices: what a strategy answers to this fill is decided before the next one is told.
      await store.durable()
      if (this.#stopped) return false
    }
    return true
  }

  /** False when the fill has to wait. */
  #bookFound(fill: FillReport, report: OrderReport | undefined, turn: Turn): boolean {
    const { instrument, tradeId } = fill
    const record = this.#byVenueId.get(venueKey(fill)) ?? this.#byClientIdOf(fill)
    const ownReport = fill.venueOrderId === report?.venueOrderId ? report : undefined
    if (record !== undefined) this.#applyFill(record, fill, ownReport, turn)
    // It may belong to a request that has not been settled: then its cursor waits for that.
    else if (this.#hasUnsettled(instrument) && !this.#cursor.has(instrument, tradeId)) return false
    else this.#bookForeign(fill, turn)
    this.#cursor.advance(instrument, tradeId)
    this.#keepAccount(turn)
    return true
  }

  #byClientIdOf(fill: FillReport): OrderRecord | undefined {
    return fill.clientOrderId === undefined ? undefined : this.#byClientId.get(fill.clientOrderId)
  }

  #hasUnsettled(instrument: InstrumentId): boolean {
    for (const record of this.#orders.values()) {
      if (record.isUnsettled && record.terms.instrument === instrument) return true
    }
    return false
  }

  #deny(record: OrderRecord, code: string, reason: string, turn: Turn): void {
    // Denied is ours and before the wire: an order whose request was never written goes there from wherever it is.
    record.life.status = 'denied'
    record.reason = `${code}: ${reason}`
    this.#publish(turn, record, this.#options.marketClock.nowUs(), {
      type: 'OrderDenied',
      payload: { terms: record.eventTerms(), reasonCode: code, reason },
    })
    this.#keep(record, turn)
  }

  #expire(record: OrderRecord, code: string, reason: string, nowUs: number, turn: Turn): void {
    const wasSent = record.request !== null
    record.life.move('expired')
    record.reason = `${code}: ${reason}`
    if (wasSent) {
      this.#publish(turn, record, nowUs, {
        type: 'OrderExpired',
        payload: {
          ref: record.eventRef(),
          clientOrderId: record.request!.clientOrderId,
          reasonCode: code,
          reason,
          cumulativeQuantity: formatUnits(record.life.cumulativeQuantity),
          leavesQuantity: '0',
        },
      })
    } else {
      this.#publish(turn, record, nowUs, {
        type: 'SignalExpired',
        payload: { terms: record.eventTerms(), reasonCode: code, reason },
      })
    }
    this.#keep(record, turn)
  }

  #publish(turn: Turn, record: OrderRecord, timeEventUs: number, event: Pick<NewEvent, 'type' | 'payload'>): void {
    turn.publish('orders.events', {
      ...event,
      stream: this.account,
      account: this.account,
      correlationId: record.terms.correlationId,
      causationId: record.request?.clientOrderId ?? record.terms.approvedBy,
      timeEventUs,
    } as NewEvent)
  }

  #index(record: OrderRecord, into: Map<OrderId, OrderRecord>): void {
    into.set(record.terms.orderId, record)
    this.#bySignal.set(record.terms.signalId, record)
    for (const clientOrderId of record.clientOrderIds()) this.#byClientId.set(clientOrderId, record)
    if (record.venueOrderId !== '') {
      this.#byVenueId.set(`${record.terms.instrument}/${record.venueOrderId}`, record)
    }
  }

  #keep(record: OrderRecord, turn: Turn): void {
    const { orderId } = record.terms
    const row = { order_id: orderId, account: this.account, record: record.toText() }
    if (!record.isClosed) {
      turn.put(ordersOpen, row)
      return
    }
    turn.remove(ordersOpen, { order_id: orderId })
    turn.put(ordersClosed, { ...row, time_us: record.terms.timeUs })
    this.#orders.delete(orderId)
    this.#closed.set(orderId, record)
    if (this.#closed.size > CLOSED_IN_MEMORY) this.#forgetOldest()
  }

  #forgetOldest(): void {
    for (const [orderId, record] of this.#closed) {
      this.#closed.delete(orderId)
      this.#bySignal.delete(record.terms.signalId)
      for (const clientOrderId of record.clientOrderIds()) this.#byClientId.delete(clientOrderId)
      this.#byVenueId.delete(`${record.terms.instrument}/${record.venueOrderId}`)
      return
    }
  }

  #keepAccount(turn: Turn): void {
    turn.put(accounts, {
      account: this.account,
      opened: this.#opened ? 1 : 0,
      fill_count: this.#fillCount,
      cursors: this.#cursor.toText(),
    })
  }
}

function venueKey(report: { readonly instrument: InstrumentId; readonly venueOrderId: string }): string {
  return `${report.instrument}/${report.venueOrderId}`
}

function totals(balances: readonly Balance[]): { currency: string; amount: string }[] {
  return balances
    .map(({ currency, free, locked }) => ({ currency, units: free + locked }))
    .filter(({ units }) => units !== 0n)
    .sort((a, b) => (a.currency < b.currency ? -1 : 1))
    .map(({ currency, units }) => ({ currency, amount: formatUnits(units) }))
}
