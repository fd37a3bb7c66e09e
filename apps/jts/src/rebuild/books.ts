/**
 * What `orders.events` alone says: each account's ledger, its fills, the orders that have not ended. Folded by the model's own
 * rules and nothing of a service's code, so that it can be held against what the services keep.
 */
import { fillOfEvent, type BusEvent } from '@jts/contracts'
import {
  accountId,
  formatUnits,
  Ledger,
  parseUnits,
  shippedInstrument,
  type Fill,
  type Instrument,
  type InstrumentId,
} from '@jts/model'

export type OpenOrder = { status: string; filled: string; readonly clientOrderId: string }

export class AccountBooks {
  readonly ledger: Ledger
  readonly fills: Fill[] = []
  readonly open = new Map<string, OpenOrder>()
  /** What moved without a trade, by id. */
  readonly adjustments = new Map<string, string>()
  /** Last sequence folded. */
  sequence = 0

  constructor(account: string) {
    this.ledger = new Ledger(accountId(account))
  }
}

export class Books {
  readonly accounts = new Map<string, AccountBooks>()
  readonly #instruments = new Map<InstrumentId, Instrument>()

  account(id: string): AccountBooks {
    let account = this.accounts.get(id)
    if (account === undefined) this.accounts.set(id, (account = new AccountBooks(id)))
    return account
  }

  /**
   * Folds the next event of its account. What comes a second time is passed over: a log may hold an event twice after a crash.
   * @throws Error when an event is missing before it
   */
  apply(event: BusEvent): void {
    const account = this.account(event.stream)
    if (event.sequence <= account.sequence) return
    if (event.sequence !== account.sequence + 1) {
      throw new Error(
        `expected ${event.topic}/${event.stream} sequence ${account.sequence + 1}, found ${event.sequence}: an event is missing`,
      )
    }
    account.sequence = event.sequence
    switch (event.type) {
      case 'OpeningBalance':
        return account.ledger.open(
          Object.fromEntries(event.payload.balances.map((one) => [one.currency, parseUnits(one.amount)])),
        )
      case 'BalanceAdjusted': {
        const { adjustmentId, currency, amount } = event.payload
        account.ledger.adjust(currency, parseUnits(amount))
        account.adjustments.set(adjustmentId, `${amount} ${currency}`)
        return
      }
      case 'OrderFilled':
      case 'ForeignFill': {
        const fill = fillOfEvent(event)
        account.ledger.applyFill(fill, this.instrument(fill.instrument))
        account.fills.push(fill)
        if (event.type === 'OrderFilled') this.#filled(account, event.payload)
        return
      }
      case 'OrderSubmitting': {
        const { terms, clientOrderId } = event.payload
        const filled = account.open.get(terms!.ref!.orderId)?.filled ?? '0'
        account.open.set(terms!.ref!.orderId, { status: 'submitting', filled, clientOrderId })
        return
      }
      case 'OrderAccepted':
        return this.#move(account, event.payload.ref?.orderId, 'accepted')
      case 'OrderUnknown':
        return this.#move(account, event.payload.ref?.orderId, 'unknown')
      case 'OrderPendingCancel':
        return this.#move(account, event.payload.ref?.orderId, 'pending_cancel')
      case 'OrderRejected':
      case 'OrderCancelled':
      case 'OrderExpired':
        return void account.open.delete(event.payload.ref?.orderId ?? '')
      case 'OrderDenied':
      case 'SignalExpired':
        return void account.open.delete(event.payload.terms?.ref?.orderId ?? '')
      default:
        return
    }
  }

  instrument(id: InstrumentId): Instrument {
    let instrument = this.#instruments.get(id)
    if (instrument === undefined) this.#instruments.set(id, (instrument = shippedInstrument(id)))
    return instrument
  }

  #filled(account: AccountBooks, payload: { ref: unknown; cumulativeQuantity: string; leavesQuantity: string }): void {
    const { orderId } = payload.ref as { orderId: string }
    const order = account.open.get(orderId)
    if (order === undefined) return
    order.filled = formatUnits(parseUnits(payload.cumulativeQuantity))
    if (payload.leavesQuantity === '0') account.open.delete(orderId)
    else if (order.status !== 'pending_cancel') order.status = 'partially_filled'
  }

  #move(account: AccountBooks, orderId: string | undefined, status: string): void {
    const order = account.open.get(orderId ?? '')
    if (order === undefined) return
    order.status = status === 'accepted' && order.filled !== '0' ? 'partially_filled' : status
  }
}
