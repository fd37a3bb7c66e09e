/** From an approved order to its request: one at a time, the intent on disk before the wire, and written once. */
import type { NotSent, PlaceOutcome } from '@jts/broker-kit'
import type { NotSentCode } from '@jts/model'
import type { Turn } from '@jts/transport'
import { decideIntent, decideRenewal } from '../domain/decisions.ts'
import { clientOrderIdOf, type OrderRecord } from '../domain/order-record.ts'
import type { AccountState } from './account-state.ts'
import { BackingOff } from './backing-off.ts'
import { CANCELLED_BEFORE_SENDING, deny, expire } from './own-endings.ts'

/** What follows from the answer to a request, decided elsewhere. */
export type SendingEffects = {
  onAccepted(record: OrderRecord, outcome: PlaceOutcome & { readonly kind: 'accepted' }, turn: Turn): void
  /** After that is on disk: what became of a request without an answer; which fills of an accepted one are missing. */
  afterPlaced(record: OrderRecord, outcome: PlaceOutcome): Promise<void>
  catchUp(): void
}

/** The broker may send the same order later. */
const AWAY: ReadonlySet<NotSentCode> = new Set(['BROKER_UNAVAILABLE', 'TOO_LATE'])

/** So often not sent in a row, some 3 s after the first time, an order lets the others go first: it may be its own fault. */
const REFUSALS_IN_TURN = 4

export class OrderSending {
  readonly #state: AccountState
  readonly #effects: SendingEffects
  readonly #backingOff: BackingOff
  #queue: OrderRecord[] = []
  /** Behind the queue: what the broker did not send again and again. */
  #aside: OrderRecord[] = []

  constructor(state: AccountState, effects: SendingEffects) {
    this.#state = state
    this.#effects = effects
    this.#backingOff = new BackingOff(state.options, () => effects.catchUp())
  }

  enqueue(record: OrderRecord): void {
    this.#queue.push(record)
    this.#backingOff.alsoWaits(record)
  }

  dequeue(record: OrderRecord): void {
    this.#keepOnly((one) => one !== record)
  }

  /** No request of it is at the venue, and that is certain: as long as its approval holds, it may be sent. */
  requeue(record: OrderRecord, turn: Turn): void {
    this.#approvedAgain(record, turn)
    this.#queue.unshift(record)
    this.#backingOff.alsoWaits(record)
  }

  stop(): void {
    this.#backingOff.stop()
  }

  sendNext(turn: Turn): void {
    const state = this.#state
    if (!state.ready || state.stopped) return
    while (state.sending === undefined) {
      const record = this.#queue.shift() ?? this.#aside.shift()
      if (record === undefined) return this.#backingOff.over()
      if (this.#mayBeSent(record, turn)) this.#writeIntent(record, turn)
    }
  }

  /** Ends it when it may not. */
  #mayBeSent(record: OrderRecord, turn: Turn): boolean {
    const state = this.#state
    if (record.cancelWanted) {
      deny(state, record, CANCELLED_BEFORE_SENDING, turn)
      return false
    }
    const { marketClock, tradingState } = state.options
    const { instrument, strategy } = record.terms
    const decision = decideIntent(record, tradingState(instrument, strategy), marketClock.nowUs())
    if (decision.kind === 'denied') deny(state, record, decision, turn)
    if (decision.kind === 'expired') expire(state, record, decision, turn)
    return decision.kind === 'write'
  }

  #keepOnly(isKept: (record: OrderRecord) => boolean): void {
    this.#queue = this.#queue.filter(isKept)
    this.#aside = this.#aside.filter(isKept)
  }

  #approvedAgain(record: OrderRecord, turn: Turn): void {
    record.life.status = 'approved'
    this.#state.orders.keep(record, turn)
  }

  /** The intent is on disk before the wire sees it; the request is signed with the intent's time. */
  #writeIntent(record: OrderRecord, turn: Turn): void {
    const state = this.#state
    const marketNowUs = state.options.marketClock.nowUs()
    const number = (record.request?.number ?? 0) + 1
    const intentTimeUs = state.venueNowUs()
    record.request = {
      number,
      clientOrderId: clientOrderIdOf(record.terms.orderId, number),
      intentTimeUs,
      sendBeforeUs: intentTimeUs + state.options.sendWindowUs,
      tradingStateVersion: state.options.tradingStateVersion(),
    }
    state.orders.nameRequest(record, record.request.clientOrderId)
    record.life.move('submitting')
    record.lastNoticeUs = marketNowUs
    record.foundQuiet = 0
    state.publish(turn, record, marketNowUs, {
      type: 'OrderSubmitting',
      payload: {
        terms: record.eventTerms(),
        clientOrderId: record.request.clientOrderId,
        requestNumber: number,
      },
    })
    state.orders.keep(record, turn)
    state.sending = record
    turn.afterCommit(() => state.background(() => this.#send(record)))
  }

  async #send(record: OrderRecord): Promise<void> {
    const state = this.#state
    const { onSent, onAnswered, store } = state.options
    const traceparent = onSent?.(record.terms)
    const outcome = await this.#place(record, traceparent)
    onAnswered?.(record.terms, outcome.kind)
    state.sending = undefined
    store.transact((turn) => {
      this.#onPlaced(record, outcome, turn)
      this.sendNext(turn)
    })
    await this.#effects.afterPlaced(record, outcome)
  }

  /** A broker that throws has broken its word, and nobody knows what it had sent by then. */
  async #place(record: OrderRecord, traceparent: string | undefined): Promise<PlaceOutcome> {
    const { broker, log } = this.#state.options
    try {
      const intent = record.intent(broker.capabilities.timeInForce)
      const traced = { ...intent, ...(traceparent === undefined ? {} : { traceparent }) }
      return await broker.placeOrder(traced, () => this.#whyStale(record))
    } catch (error) {
      log.error({ ...record.named, err: error }, 'the broker failed while it placed an order')
      return { kind: 'unknown', message: (error as Error).message }
    }
  }

  /** Asked in the moment before the write: a person may have said something of its account or strategy since the intent. */
  #whyStale({ request }: OrderRecord): NotSent | undefined {
    const version = this.#state.options.tradingStateVersion()
    if (request?.tradingStateVersion === version) return undefined
    const found = `version ${version} is known, found ${request?.tradingStateVersion}`
    return {
      kind: 'not_sent',
      code: 'STALE_TRADING_STATE',
      message: `decided under an older trading state: ${found}`,
    }
  }

  #onPlaced(record: OrderRecord, outcome: PlaceOutcome, turn: Turn): void {
    const state = this.#state
    const isAway = outcome.kind === 'not_sent' && AWAY.has(outcome.code)
    if (!isAway) this.#backingOff.over()
    switch (outcome.kind) {
      case 'accepted':
        return this.#effects.onAccepted(record, outcome, turn)
      case 'rejected':
        if (!record.isUnsettled) return
        if (outcome.code === 'OUTSIDE_RECEIVE_WINDOW' && this.#renew(record, turn)) return
        record.life.move('rejected')
        record.reason = `${outcome.code}: ${outcome.message}`
        state.publish(turn, record, state.options.marketClock.nowUs(), {
          type: 'OrderRejected',
          payload: {
            ref: record.eventRef(),
            clientOrderId: record.request!.clientOrderId,
            reasonCode: outcome.code,
            reason: outcome.message,
          },
        })
        return state.orders.keep(record, turn)
      case 'not_sent':
        return this.#onNotSent(record, outcome, turn)
      case 'unknown':
        if (record.life.move('unknown') !== 'applied') return
        record.reason = outcome.message
        state.publish(turn, record, state.options.marketClock.nowUs(), {
          type: 'OrderUnknown',
          payload: {
            ref: record.eventRef(),
            clientOrderId: record.request!.clientOrderId,
            reason: outcome.message,
          },
        })
        return state.orders.keep(record, turn)
    }
  }

  /** The venue itself proves that a request which came too late is no order. False when there may be no new one. */
  #renew(record: OrderRecord, turn: Turn): boolean {
    const { log, marketClock } = this.#state.options
    if (decideRenewal(record, 'absent', marketClock.nowUs()).kind !== 'renew') return false
    log.warn(
      { ...record.named, request: record.request?.number },
      'the request came too late to the venue: one new request',
    )
    record.renewed = true
    this.requeue(record, turn)
    return true
  }

  /** No byte was written, so a new request is no repetition: as long as the approval holds, it may be made. */
  #onNotSent(record: OrderRecord, outcome: PlaceOutcome & { readonly kind: 'not_sent' }, turn: Turn): void {
    const state = this.#state
    // Something was said since its intent, of it or of another strategy: it is decided anew.
    const isBehind = (record.request?.tradingStateVersion ?? 0) < state.options.tradingStateVersion()
    if (outcome.code === 'STALE_TRADING_STATE' && isBehind) return this.requeue(record, turn)
    if (AWAY.has(outcome.code)) return this.#backOff(record, turn)
    const code = outcome.code === 'GATE_HALTED' ? 'TRADING_HALTED' : outcome.code
    deny(state, record, { code, reason: outcome.message }, turn)
  }

  /** What can be sent no more is told now: it may be long until its turn comes. */
  #backOff(record: OrderRecord, turn: Turn): void {
    this.#approvedAgain(record, turn)
    if (this.#backingOff.refusals < REFUSALS_IN_TURN) this.#queue.unshift(record)
    else this.#aside.push(record)
    this.#keepOnly((one) => this.#mayBeSent(one, turn))
    this.#state.notReady()
    this.#backingOff.refused([...this.#queue, ...this.#aside])
  }
}
