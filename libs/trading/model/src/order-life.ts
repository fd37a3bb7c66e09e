/**
 * One order folded from its events, which may come twice, late and out of order: the same set of events gives the same
 * closed state and the same cumulative quantity in whatever order they arrive.
 */
import { formatUnits, parseUnits, type Units } from './numbers.ts'
import { canTransition, isClosed, type OrderStatus } from './orders.ts'

export type OrderEvent =
  | { readonly type: Exclude<OrderStatus, 'initialized' | 'partially_filled' | 'filled'> }
  | { readonly type: 'filled'; readonly tradeId: string; readonly lastQuantity: Units; readonly lastPrice: Units }

/**
 * `late`: came after the order was closed; a late fill is booked all the same, because the venue did execute it.
 * `duplicate`: seen before, or says what later events have already overtaken. `excess`: a fill above the order's quantity
 * (or of nothing): not booked, to be reported. `refused`: cannot follow the present state.
 */
export type OrderOutcome = 'applied' | 'duplicate' | 'late' | 'excess' | 'refused'

export type OrderLifePlain = {
  readonly status: OrderStatus
  readonly quantity: string
  readonly cumulativeQuantity: string
  readonly tradeIds: readonly string[]
}

/** How far along the path an event is; one that lies behind the present state says nothing new. */
const STAGE: Readonly<Record<OrderStatus, number>> = {
  initialized: 0,
  approved: 1,
  submitting: 2,
  unknown: 3,
  accepted: 4,
  pending_cancel: 5,
  partially_filled: 5,
  denied: 6,
  rejected: 6,
  filled: 6,
  cancelled: 6,
  expired: 6,
}

export class OrderLife {
  readonly quantity: Units
  status: OrderStatus
  cumulativeQuantity: Units = 0n
  /** Nearly every order has one fill; the set is made for the second. */
  #firstTradeId = ''
  #tradeIds: Set<string> | null = null

  constructor(quantity: Units, status: OrderStatus = 'initialized') {
    this.quantity = quantity
    this.status = status
  }

  get leavesQuantity(): Units {
    return isClosed(this.status) ? 0n : this.quantity - this.cumulativeQuantity
  }

  apply(event: OrderEvent): OrderOutcome {
    return event.type === 'filled' ? this.fill(event.tradeId, event.lastQuantity) : this.move(event.type)
  }

  /** A change of state without a fill. */
  move(to: OrderStatus): OrderOutcome {
    if (to === this.status) return 'duplicate'
    if (canTransition(this.status, to)) {
      // A cancel that the venue did not carry out leaves the order as it was; fills decide what it is called.
      this.status = to === 'accepted' && this.cumulativeQuantity > 0n ? 'partially_filled' : to
      return 'applied'
    }
    if (isClosed(this.status)) return STAGE[to] < STAGE[this.status] ? 'duplicate' : 'late'
    return STAGE[to] <= STAGE[this.status] ? 'duplicate' : 'refused'
  }

  fill(tradeId: string, lastQuantity: Units): OrderOutcome {
    if (this.hasFill(tradeId)) return 'duplicate'
    const cumulative = this.cumulativeQuantity + lastQuantity
    if (lastQuantity <= 0n || cumulative > this.quantity) return 'excess'
    const complete = cumulative === this.quantity
    const late = isClosed(this.status)
    if (!late && !canTransition(this.status, complete ? 'filled' : 'partially_filled')) return 'refused'
    this.#remember(tradeId)
    this.cumulativeQuantity = cumulative
    if (complete) this.status = 'filled'
    else if (!late && this.status !== 'pending_cancel') this.status = 'partially_filled'
    return late ? 'late' : 'applied'
  }

  hasFill(tradeId: string): boolean {
    return this.#tradeIds === null ? this.#firstTradeId === tradeId && tradeId !== '' : this.#tradeIds.has(tradeId)
  }

  #remember(tradeId: string): void {
    if (this.#tradeIds !== null) this.#tradeIds.add(tradeId)
    else if (this.#firstTradeId === '') this.#firstTradeId = tradeId
    else this.#tradeIds = new Set([this.#firstTradeId, tradeId])
  }

  toPlain(): OrderLifePlain {
    const single = this.#firstTradeId === '' ? [] : [this.#firstTradeId]
    return {
      status: this.status,
      quantity: formatUnits(this.quantity),
      cumulativeQuantity: formatUnits(this.cumulativeQuantity),
      tradeIds: this.#tradeIds === null ? single : [...this.#tradeIds],
    }
  }

  static fromPlain(plain: OrderLifePlain): OrderLife {
    const order = new OrderLife(parseUnits(plain.quantity), plain.status)
    order.cumulativeQuantity = parseUnits(plain.cumulativeQuantity)
    for (const tradeId of plain.tradeIds) order.#remember(tradeId)
    return order
  }
}
