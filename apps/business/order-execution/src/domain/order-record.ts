/** One order and what is known of it: the terms that risk approved, its requests, its life, its fills. */
import type { Payload } from '@jts/contracts'
import type { OrderView } from '@jts/contracts/orders-api'
import type { BrokerTimeInForce, PlaceOrderIntent } from '@jts/broker-kit'
import {
  formatUnits,
  isClosed,
  OrderLife,
  parseUnits,
  type ClientOrderId,
  type InstrumentId,
  type OrderId,
  type OrderLifePlain,
  type OrderType,
  type SignalId,
  type StrategyInstanceId,
  type TimeInForce,
  type Units,
  type VenueOrderId,
} from '@jts/model'
import { computedId } from '@jts/runtime/ids'

/** As approved; amounts as decimal text, empty where there is none. */
export type OrderTermsRecord = {
  readonly orderId: OrderId
  readonly signalId: SignalId
  readonly correlationId: string
  /** The event that approved it. */
  readonly approvedBy: string
  readonly strategy: StrategyInstanceId
  readonly instrument: InstrumentId
  readonly side: 'buy' | 'sell'
  readonly type: OrderType
  readonly timeInForce: TimeInForce
  readonly quantity: string
  readonly quoteQuantity: string
  readonly limitPrice: string
  readonly price: string
  /** Market time after which no intent may be written. */
  readonly validUntilUs: number
  readonly timeUs: number
}

export type OrderRequest = {
  readonly number: number
  readonly clientOrderId: ClientOrderId
  readonly intentTimeUs: number
  readonly sendBeforeUs: number
  /** Of the trading state that the intent's transaction read; an earlier JTS did not keep it. */
  readonly tradingStateVersion?: number
}

type RecordPlain = {
  readonly terms: OrderTermsRecord
  readonly life: OrderLifePlain
  readonly request: OrderRequest | null
  readonly venueOrderId: string
  readonly notional: string
  readonly reason: string
  readonly lastNoticeUs: number
  readonly cancels: number
  readonly cancelWanted: boolean
  /** Missing, as the next one, in what was written before it was kept. */
  readonly renewed?: boolean
  readonly lost?: boolean
}

/** Stands for the quantity of an order sized in quote, which nobody knows before it has filled. */
const UNBOUNDED: Units = 10n ** 30n

/** A second reading gives the same id. */
export function clientOrderIdOf(orderId: OrderId, requestNumber: number): ClientOrderId {
  return computedId(orderId, requestNumber) as ClientOrderId
}

export class OrderRecord {
  readonly terms: OrderTermsRecord
  life: OrderLife
  request: OrderRequest | null = null
  venueOrderId = '' as VenueOrderId | ''
  /** Sum of price × quantity of the fills, for the average price on screens. */
  notional: Units = 0n
  reason = ''
  /** Market time of the last word from the venue about this order. */
  lastNoticeUs = 0
  /** How often it was asked about since, and found as it was; a restart begins anew. */
  foundQuiet = 0
  cancels = 0
  /** Somebody no longer wants it, and the venue has not said that it is gone. */
  cancelWanted = false
  /** A request of it was proved absent, and the one new request that follows from that has been granted. */
  renewed = false
  /** The venue had accepted it and no longer knew it, so that we have ended it. */
  lost = false
  /** Wall time at which a comparison did not find it at the venue, 0: it was found since, or never looked for. */
  missingSinceUs = 0
  /** A cancel is on its way. */
  cancelling = false
  /** A query about it is under way. */
  checking = false

  constructor(terms: OrderTermsRecord) {
    this.terms = terms
    this.life = new OrderLife(terms.quantity === '' ? UNBOUNDED : parseUnits(terms.quantity))
    this.life.move('approved')
  }

  get isClosed(): boolean {
    return isClosed(this.life.status)
  }

  /** Which order it is, for a line of the log. */
  get named(): { readonly orderId: OrderId; readonly correlationId: string } {
    const { orderId, correlationId } = this.terms
    return { orderId, correlationId }
  }

  /** Ended by us, without a word of the venue that it has ever had it, or still has it. */
  get isGivenUp(): boolean {
    const { status } = this.life
    if (this.lost) return true
    return this.venueOrderId === '' && (status === 'expired' || status === 'denied' || status === 'rejected')
  }

  /** Sent or about to be, and never answered. */
  get isUnsettled(): boolean {
    return this.life.status === 'submitting' || this.life.status === 'unknown'
  }

  /** Its place among the account's approvals, which is the order in which requests are sent. */
  get approvalNumber(): number {
    return Number(this.terms.approvedBy.slice(this.terms.approvedBy.lastIndexOf('/') + 1))
  }

  /** The ids of all its requests, the last one included: a late word about an earlier one is still about this order. */
  clientOrderIds(): ClientOrderId[] {
    const requests = this.request?.number ?? 0
    return Array.from({ length: requests }, (_, i) => clientOrderIdOf(this.terms.orderId, i + 1))
  }

  get leavesText(): string {
    if (this.isClosed) return '0'
    return this.terms.quantity === '' ? '' : formatUnits(this.life.quantity - this.life.cumulativeQuantity)
  }

  /** A venue that knows no `gtc` lets an order stand for the day. */
  intent(known: readonly BrokerTimeInForce[]): PlaceOrderIntent {
    const { terms, request } = this
    if (request === null) throw new Error(`expected order ${terms.orderId} to have a request, found none`)
    const isForDay = terms.timeInForce === 'gtc' && !known.includes('gtc')
    const timeInForce = isForDay ? 'day' : terms.timeInForce
    return {
      clientOrderId: request.clientOrderId,
      instrument: terms.instrument,
      side: terms.side,
      type: terms.type,
      ...(terms.type === 'market' || terms.type === 'limit_maker' ? {} : { timeInForce }),
      ...(terms.quantity === ''
        ? { quoteQuantity: parseUnits(terms.quoteQuantity) }
        : { quantity: parseUnits(terms.quantity) }),
      ...(terms.limitPrice === '' ? {} : { limitPrice: parseUnits(terms.limitPrice) }),
      intentTimeUs: request.intentTimeUs,
      sendBeforeUs: request.sendBeforeUs,
      ...(request.tradingStateVersion === undefined ? {} : { tradingStateVersion: request.tradingStateVersion }),
    }
  }

  eventRef(): NonNullable<Payload<'OrderAccepted'>['ref']> {
    const { orderId, signalId, strategy, instrument, side } = this.terms
    return { orderId, signalId, strategy, instrument, side }
  }

  eventTerms(): NonNullable<Payload<'OrderSubmitting'>['terms']> {
    const { type, timeInForce, quantity, quoteQuantity, limitPrice, price } = this.terms
    return { ref: this.eventRef(), orderType: type, timeInForce, quantity, quoteQuantity, limitPrice, price }
  }

  toText(): string {
    const plain: RecordPlain = {
      terms: this.terms,
      life: this.life.toPlain(),
      request: this.request,
      venueOrderId: this.venueOrderId,
      notional: formatUnits(this.notional),
      reason: this.reason,
      lastNoticeUs: this.lastNoticeUs,
      cancels: this.cancels,
      cancelWanted: this.cancelWanted,
      renewed: this.renewed,
      lost: this.lost,
    }
    return JSON.stringify(plain)
  }

  static fromText(text: string): OrderRecord {
    const plain = JSON.parse(text) as RecordPlain
    const record = new OrderRecord(plain.terms)
    record.life = OrderLife.fromPlain(plain.life)
    record.request = plain.request
    record.venueOrderId = plain.venueOrderId as VenueOrderId | ''
    record.notional = parseUnits(plain.notional)
    record.reason = plain.reason
    record.lastNoticeUs = plain.lastNoticeUs
    record.cancels = plain.cancels
    record.cancelWanted = plain.cancelWanted
    record.lost = plain.lost ?? false
    record.renewed = plain.renewed ?? (plain.request?.number ?? 0) > 1
    return record
  }

  view(account: string): OrderView {
    const { terms, life } = this
    const filled = life.cumulativeQuantity
    return {
      orderId: terms.orderId,
      clientOrderId: this.request?.clientOrderId ?? '',
      venueOrderId: this.venueOrderId,
      account,
      strategy: terms.strategy,
      instrument: terms.instrument,
      side: terms.side,
      orderType: terms.type,
      quantity: terms.quantity || terms.quoteQuantity,
      limitPrice: terms.limitPrice,
      status: life.status,
      filledQuantity: formatUnits(filled),
      averageFillPrice: filled === 0n ? '' : formatUnits((this.notional * 100_000_000n) / filled),
      reason: this.reason,
      timeUs: terms.timeUs,
      correlationId: terms.correlationId,
      signalId: terms.signalId,
    }
  }
}
