/** Orders of the account: requests that act, each written at most once, and what is asked and told of them. */
import {
  BrokerError,
  fromWireAdjustment,
  fromWireAmended,
  fromWireBalance,
  fromWireCancelled,
  fromWireFill,
  fromWireOrder,
  fromWirePlaced,
  messageOf,
  toAmendRequest,
  toCancelQuery,
  toPlaceRequest,
  type AmendOrderIntent,
  type AmendOutcome,
  type BeforeWrite,
  type BrokerListener,
  type CancelOrderIntent,
  type CancelOutcome,
  type NotSent,
  type OrderReport,
  type PlaceOrderIntent,
  type PlaceOutcome,
  type QueryOutcome,
} from '@jts/broker-kit'
import type { ClientOrderId, InstrumentId } from '@jts/model'
import type { AccountGate } from './account-gate.ts'
import { queryOf } from './http.ts'
import { READ } from './readers.ts'
import type { ServiceLink } from './service-link.ts'

export class Orders {
  readonly #link: ServiceLink
  readonly #gate: AccountGate

  constructor(link: ServiceLink, gate: AccountGate) {
    this.#link = link
    this.#gate = gate
  }

  async placeOrder(intent: PlaceOrderIntent, beforeWrite?: BeforeWrite): Promise<PlaceOutcome> {
    await this.#gate.untilOpen()
    const body = toPlaceRequest(intent, this.#link.sender())
    const check = (): NotSent | undefined => this.#gate.whyHalted() ?? beforeWrite?.() ?? this.#whyLate(intent)
    const { traceparent } = intent
    const call = { method: 'POST', path: '/orders', body, traceparent } as const
    return this.#link.act(call, check, (answer) => fromWirePlaced(READ.placed(answer)))
  }

  cancelOrder(order: CancelOrderIntent, beforeWrite?: BeforeWrite): Promise<CancelOutcome> {
    const path = `/orders/${encodeURIComponent(order.clientOrderId)}${queryOf(toCancelQuery(order, this.#link.sender()))}`
    const check = (): NotSent | undefined => beforeWrite?.() ?? this.#whyLate(order)
    return this.#link.act({ method: 'DELETE', path }, check, (answer) => fromWireCancelled(READ.cancelled(answer)))
  }

  amendOrder(order: AmendOrderIntent, beforeWrite?: BeforeWrite): Promise<AmendOutcome> {
    const body = toAmendRequest(order, this.#link.sender())
    const path = `/orders/${encodeURIComponent(order.clientOrderId)}`
    const check = (): NotSent | undefined => this.#gate.whyHalted() ?? beforeWrite?.() ?? this.#whyLate(order)
    return this.#link.act({ method: 'PATCH', path, body }, check, (answer) => fromWireAmended(READ.amended(answer)))
  }

  async queryOrder(order: { instrument: InstrumentId; clientOrderId: ClientOrderId }): Promise<QueryOutcome> {
    const { instrument, clientOrderId } = order
    const path = `/orders/${encodeURIComponent(clientOrderId)}${queryOf({ account: this.#link.account, instrument })}`
    try {
      const report = fromWireOrder(await this.#link.ask({ method: 'GET', path }, READ.order))
      return { kind: 'found', report: { ...report, clientOrderId } }
    } catch (error) {
      if (error instanceof BrokerError && error.code === 'ORDER_NOT_FOUND') return { kind: 'not_found' }
      return { kind: 'failed', message: messageOf(error) }
    }
  }

  async openOrders(instrument?: InstrumentId): Promise<readonly OrderReport[]> {
    const path = `/orders${queryOf({ account: this.#link.account, status: 'open', instrument })}`
    return (await this.#link.ask({ method: 'GET', path }, READ.orders)).map(fromWireOrder)
  }

  subscribe(listener: BrokerListener): { stop(): Promise<void> } {
    const account = this.#link.account
    let cursor: string | undefined
    return this.#link.stream(`orders ${account}`, {
      subscriptions: () => [{ channel: 'orders', account, ...(cursor === undefined ? {} : { after: cursor }) }],
      onMessage: (message) => {
        if (message.type === 'subscribed') cursor ??= message.cursor
        // What the record does not know any more cannot be gone back to.
        else if (message.type === 'gap' && message.reason === 'CURSOR_UNKNOWN') cursor = undefined
        else if (message.type === 'order') {
          cursor = message.cursor
          listener.onOrder(
            fromWireOrder(message.order),
            message.fill === undefined ? undefined : fromWireFill(message.fill),
          )
        } else if (message.type === 'balances') {
          cursor = message.cursor
          const { balances, timeUs, adjustment } = message
          if (adjustment === undefined) listener.onBalances(balances.map(fromWireBalance), timeUs)
          else listener.onAdjustment(fromWireAdjustment(adjustment))
        }
      },
      onState: (state, reason) => {
        if (state === 'up') void this.#onBack()
        listener.onOrderStream(state, reason)
      },
    })
  }

  #whyLate({ sendBeforeUs }: { readonly sendBeforeUs: number }): NotSent | undefined {
    const lateUs = this.#link.options.wallClock.nowUs() + this.#link.offsetUs - sendBeforeUs
    if (lateUs < 0) return undefined
    return { kind: 'not_sent', code: 'TOO_LATE', message: `${lateUs / 1000} ms past the time to send before` }
  }

  /** After a while without it the service may be another process, which has not heard what the former one had. */
  async #onBack(): Promise<void> {
    if (this.#link.options.account === undefined || this.#link.options.locate === undefined) return
    try {
      await this.#gate.announce()
      await this.#link.measureClock()
    } catch (error) {
      this.#link.options.log.warn({ err: error }, 'the broker service was not told who owns the account')
    }
  }
}
