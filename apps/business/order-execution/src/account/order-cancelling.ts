/** Takes an order back: before it is sent, at the venue, or as soon as it is known what became of it. */
import type { CancelOutcome, OrderReport } from '@jts/broker-kit'
import type { BrokerRejectCode, ClientOrderId } from '@jts/model'
import { computedId } from '@jts/runtime'
import type { Turn } from '@jts/transport'
import type { OrderRecord } from '../domain/order-record.ts'
import type { AccountState } from './account-state.ts'
import { CANCELLED_BEFORE_SENDING, deny } from './own-endings.ts'

export type CancellingEffects = {
  dequeue(record: OrderRecord): void
  /** The venue has cancelled it: the fills that came before are booked, then its end. */
  onCancelled(record: OrderRecord, report: OrderReport): Promise<void>
  /** The cancel had no effect: the venue is asked how the order stands. */
  check(record: OrderRecord): Promise<void>
}

/** The venue's «no» to this request, which is no word about the order. */
const PASSING: ReadonlySet<BrokerRejectCode> = new Set(['OUTSIDE_RECEIVE_WINDOW', 'RATE_LIMIT'])

/** After so many, ever longer apart, an order is cancelled when the venue is next heard of it. */
const CANCELS_IN_TURN = 5
const TRY_AGAIN_MS = 1000

export class OrderCancelling {
  readonly #state: AccountState
  readonly #effects: CancellingEffects
  readonly #underWay = new Map<OrderRecord, PromiseWithResolvers<void>>()
  readonly #timers = new Map<OrderRecord, { cancel(): void }>()

  constructor(state: AccountState, effects: CancellingEffects) {
    this.#state = state
    this.#effects = effects
  }

  /**
   * An order that is not on the wire is not sent at all; one whose fate is unknown is cancelled as soon as it is known.
   * False when there is nothing left to do.
   */
  cancel(record: OrderRecord, turn: Turn): boolean {
    if (record.isClosed || record.cancelling) return false
    record.cancelWanted = true
    if (record.life.status === 'approved') {
      this.#effects.dequeue(record)
      deny(this.#state, record, CANCELLED_BEFORE_SENDING, turn)
    } else if (record.isUnsettled) this.#state.orders.keep(record, turn)
    else this.#writeCancel(record, turn)
    return true
  }

  /** Resolves when what became of the cancel that is under way is known, or may never be; at once where there is none. */
  async ended(record: OrderRecord): Promise<void> {
    await this.#underWay.get(record)?.promise
  }

  stop(): void {
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
  }

  /** A cancel that could not be sent when it was asked for: the order was unknown, the broker away, the process ended. */
  cancelIfWanted(record: OrderRecord, report: OrderReport, turn: Turn): void {
    if (!record.cancelWanted || record.cancelling || record.isClosed) return
    if (report.status === 'accepted' || report.status === 'partially_filled') this.#writeCancel(record, turn)
  }

  /** Each cancel is a request of its own, with an id of its own. */
  #writeCancel(record: OrderRecord, turn: Turn): void {
    const state = this.#state
    const cancelId = computedId('cancel', record.terms.orderId, ++record.cancels) as ClientOrderId
    record.cancelling = true
    this.#underWay.set(record, Promise.withResolvers())
    record.life.move('pending_cancel')
    state.publish(turn, record, state.options.marketClock.nowUs(), {
      type: 'OrderPendingCancel',
      payload: { ref: record.eventRef(), clientOrderId: record.request!.clientOrderId, cancelId },
    })
    state.orders.keep(record, turn)
    turn.afterCommit(() => state.background(() => this.#send(record, cancelId)))
  }

  async #send(record: OrderRecord, cancelId: ClientOrderId): Promise<void> {
    const { log, store } = this.#state.options
    try {
      const outcome = await this.#cancelAtVenue(record, cancelId)
      if (outcome.kind === 'cancelled') return await this.#effects.onCancelled(record, outcome.report)
      log.warn({ ...record.named, outcome: outcome.kind }, 'a cancel did not take effect')
      if (record.isClosed) return
      store.transact((turn) => {
        if (record.life.status === 'pending_cancel') record.life.move('accepted')
        // The venue's «no» stands; anything else is tried again when the venue next says that the order is open.
        if (outcome.kind === 'rejected' && !PASSING.has(outcome.code)) record.cancelWanted = false
        this.#state.orders.keep(record, turn)
      })
      await this.#effects.check(record)
    } finally {
      record.cancelling = false
      this.#underWay.get(record)?.resolve()
      this.#underWay.delete(record)
      this.#tryLater(record)
    }
  }

  /** What kept a cancel from taking effect may be over soon: the venue is asked, and what is still open is cancelled again. */
  #tryLater(record: OrderRecord): void {
    const state = this.#state
    if (!record.cancelWanted || record.isClosed || state.stopped || record.cancels > CANCELS_IN_TURN) return
    const delayMs = TRY_AGAIN_MS * 2 ** (record.cancels - 1)
    this.#timers.get(record)?.cancel()
    const timer = state.options.wallClock.after(delayMs, () => {
      this.#timers.delete(record)
      if (!record.isClosed) state.background(() => this.#effects.check(record))
    })
    this.#timers.set(record, timer)
  }

  async #cancelAtVenue(record: OrderRecord, cancelId: ClientOrderId): Promise<CancelOutcome> {
    const { broker, sendWindowUs } = this.#state.options
    const intentTimeUs = this.#state.venueNowUs()
    const { instrument } = record.terms
    const { clientOrderId } = record.request!
    try {
      const sendBeforeUs = intentTimeUs + sendWindowUs
      return await broker.cancelOrder({ instrument, clientOrderId, cancelId, intentTimeUs, sendBeforeUs })
    } catch (error) {
      return { kind: 'unknown', message: (error as Error).message }
    }
  }
}
