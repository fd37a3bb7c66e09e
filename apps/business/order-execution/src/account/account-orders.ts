/** The orders of one account by every name they are known under: open ones all, closed ones as long as late words may come. */
import type { AccountId, ClientOrderId, InstrumentId, OrderId, SignalId } from '@jts/model'
import type { Store, Turn } from '@jts/transport'
import { ordersClosed, ordersOpen } from '../adapters/tables.ts'
import { OrderRecord } from '../domain/order-record.ts'

/** Closed orders kept in memory for screens and late notices. */
const CLOSED_IN_MEMORY = 500

/** What names an order at the venue: in its reports and in its fills. */
type NamedByVenue = {
  readonly instrument: InstrumentId
  readonly venueOrderId: string
  readonly clientOrderId?: ClientOrderId
}

export class AccountOrders {
  readonly #account: AccountId
  readonly #open = new Map<OrderId, OrderRecord>()
  readonly #closed = new Map<OrderId, OrderRecord>()
  readonly #bySignal = new Map<SignalId, OrderRecord>()
  readonly #byClientId = new Map<ClientOrderId, OrderRecord>()
  readonly #byVenueId = new Map<string, OrderRecord>()

  constructor(account: AccountId) {
    this.#account = account
  }

  async restore(store: Store): Promise<void> {
    const wanted = { by: 'time_us', count: CLOSED_IN_MEMORY, where: { account: this.#account } } as const
    for (const row of await store.last(ordersClosed, wanted)) {
      this.#index(OrderRecord.fromText(row.record), this.#closed)
    }
    const open = (await store.all(ordersOpen)).filter((row) => row.account === this.#account)
    const records = open
      .map((row) => OrderRecord.fromText(row.record))
      .sort((a, b) => a.approvalNumber - b.approvalNumber)
    for (const record of records) this.#index(record, this.#open)
  }

  get hasOpen(): boolean {
    return this.#open.size > 0
  }

  /** In the order of approval. */
  get open(): readonly OrderRecord[] {
    return [...this.#open.values()]
  }

  get closed(): readonly OrderRecord[] {
    return [...this.#closed.values()]
  }

  add(record: OrderRecord, turn: Turn): void {
    this.#index(record, this.#open)
    this.keep(record, turn)
  }

  /** An open order. */
  find(orderId: string): OrderRecord | undefined {
    return this.#open.get(orderId as OrderId)
  }

  /** Open, or closed a while ago. */
  known(orderId: string): OrderRecord | undefined {
    return this.#open.get(orderId as OrderId) ?? this.#closed.get(orderId as OrderId)
  }

  ofSignal(signalId: SignalId): OrderRecord | undefined {
    return this.#bySignal.get(signalId)
  }

  ofReport(report: NamedByVenue): OrderRecord | undefined {
    return this.#ofClientId(report) ?? this.#byVenueId.get(venueKey(report))
  }

  /** A fill always has the venue's id, and not everywhere ours. */
  ofFill(fill: NamedByVenue): OrderRecord | undefined {
    return this.#byVenueId.get(venueKey(fill)) ?? this.#ofClientId(fill)
  }

  /** A new request was made of it. */
  nameRequest(record: OrderRecord, clientOrderId: ClientOrderId): void {
    this.#byClientId.set(clientOrderId, record)
  }

  /** The venue has named it. */
  nameAtVenue(record: OrderRecord): void {
    this.#byVenueId.set(venueKeyOf(record), record)
  }

  /** Whether a request of this instrument has not been settled: what comes in meanwhile may belong to it. */
  hasUnsettled(instrument: InstrumentId): boolean {
    for (const record of this.#open.values()) {
      if (record.isUnsettled && record.terms.instrument === instrument) return true
    }
    return false
  }

  /** It had been given up, and the venue has it open. */
  reopen(record: OrderRecord, turn: Turn): void {
    const { orderId } = record.terms
    this.#closed.delete(orderId)
    this.#open.set(orderId, record)
    turn.remove(ordersClosed, { order_id: orderId })
    this.keep(record, turn)
  }

  /** Writes what is now known of an order; one that has ended moves to the closed ones. */
  keep(record: OrderRecord, turn: Turn): void {
    const { orderId } = record.terms
    const row = { order_id: orderId, account: this.#account, record: record.toText() }
    if (!record.isClosed) {
      turn.put(ordersOpen, row)
      return
    }
    turn.remove(ordersOpen, { order_id: orderId })
    turn.put(ordersClosed, { ...row, time_us: record.terms.timeUs })
    this.#open.delete(orderId)
    this.#closed.set(orderId, record)
    if (this.#closed.size > CLOSED_IN_MEMORY) this.#forgetOldest()
  }

  #ofClientId({ clientOrderId }: NamedByVenue): OrderRecord | undefined {
    return clientOrderId === undefined ? undefined : this.#byClientId.get(clientOrderId)
  }

  #index(record: OrderRecord, into: Map<OrderId, OrderRecord>): void {
    into.set(record.terms.orderId, record)
    this.#bySignal.set(record.terms.signalId, record)
    for (const clientOrderId of record.clientOrderIds()) this.#byClientId.set(clientOrderId, record)
    if (record.venueOrderId !== '') this.nameAtVenue(record)
  }

  #forgetOldest(): void {
    for (const [orderId, record] of this.#closed) {
      this.#closed.delete(orderId)
      this.#bySignal.delete(record.terms.signalId)
      for (const clientOrderId of record.clientOrderIds()) this.#byClientId.delete(clientOrderId)
      this.#byVenueId.delete(venueKeyOf(record))
      return
    }
  }
}

function venueKey(named: NamedByVenue): string {
  return `${named.instrument}/${named.venueOrderId}`
}

function venueKeyOf(record: OrderRecord): string {
  return `${record.terms.instrument}/${record.venueOrderId}`
}
