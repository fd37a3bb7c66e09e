/** Orders and fills: the port's words ↔ the Broker API's. Pure, and the same for the server and the client. */
import type * as api from '@jts/contracts/broker-api'
import type { AccountId, ClientOrderId, InstrumentId, VenueOrderId } from '@jts/model'
import type {
  AmendOrderIntent,
  AmendOutcome,
  CancelOrderIntent,
  CancelOutcome,
  FillRecord,
  FillReport,
  OrderReport,
  PlaceOrderIntent,
  PlaceOutcome,
} from '../port.ts'
import { picked, present, toText, toUnits } from './amounts.ts'

/** What every request that acts carries beside the port's intent. */
export type Sender = { readonly account: AccountId; readonly leaseEpoch?: number | undefined }

const fence = ({ leaseEpoch }: Sender) => (leaseEpoch === undefined ? {} : { leaseEpoch })
const SIZES = ['quantity', 'quoteQuantity', 'limitPrice'] as const
const AMENDED = ['quantity', 'splitQuantity', 'limitPrice'] as const
const PLAIN = ['timeInForce', 'route', 'reduceOnly', 'tradingStateVersion'] as const

export function toPlaceRequest(intent: PlaceOrderIntent, sender: Sender): api.PlaceOrderRequest {
  const { clientOrderId, instrument, side, type, intentTimeUs, sendBeforeUs } = intent
  return {
    account: sender.account,
    ...{ clientOrderId, instrument, side, type },
    ...present(intent, SIZES, toText),
    ...picked(intent, PLAIN),
    ...{ intentTimeUs, sendBeforeUs },
    ...fence(sender),
  }
}

export function fromPlaceRequest(request: api.PlaceOrderRequest): PlaceOrderIntent {
  const { clientOrderId, instrument, side, type, intentTimeUs, sendBeforeUs } = request
  return {
    clientOrderId: clientOrderId as ClientOrderId,
    instrument: instrument as InstrumentId,
    ...{ side, type, intentTimeUs, sendBeforeUs },
    ...present(request, SIZES, toUnits),
    ...picked(request, PLAIN),
  }
}

export function toCancelQuery(order: CancelOrderIntent, sender: Sender): api.CancelOrderQuery {
  const { instrument, cancelId, intentTimeUs, sendBeforeUs } = order
  return { account: sender.account, instrument, cancelId, intentTimeUs, sendBeforeUs, ...fence(sender) }
}

export function fromCancelQuery(clientOrderId: string, query: api.CancelOrderQuery): CancelOrderIntent {
  const { instrument, cancelId, intentTimeUs, sendBeforeUs } = query
  return {
    instrument: instrument as InstrumentId,
    clientOrderId: clientOrderId as ClientOrderId,
    cancelId: cancelId as ClientOrderId,
    intentTimeUs,
    sendBeforeUs,
  }
}

export function toAmendRequest(order: AmendOrderIntent, sender: Sender): api.AmendOrderRequest {
  const { instrument, amendId, intentTimeUs, sendBeforeUs } = order
  return {
    account: sender.account,
    ...{ instrument, amendId },
    ...present(order, AMENDED, toText),
    ...picked(order, ['tradingStateVersion']),
    ...{ intentTimeUs, sendBeforeUs },
    ...fence(sender),
  }
}

export function fromAmendRequest(clientOrderId: string, request: api.AmendOrderRequest): AmendOrderIntent {
  const { instrument, amendId, intentTimeUs, sendBeforeUs } = request
  return {
    instrument: instrument as InstrumentId,
    clientOrderId: clientOrderId as ClientOrderId,
    amendId: amendId as ClientOrderId,
    ...{ intentTimeUs, sendBeforeUs },
    ...present(request, AMENDED, toUnits),
    ...picked(request, ['tradingStateVersion']),
  }
}

const ORDER_AMOUNTS = ['limitPrice', 'quoteQuantity', 'cumulativeQuote'] as const
const ORDER_PLAIN = ['type', 'timeInForce', 'route', 'reason'] as const

export function toWireOrder(report: OrderReport): api.OrderReport {
  const { clientOrderId, venueOrderId, instrument, side, status, quantity, cumulativeQuantity, timeUs } = report
  return {
    ...{ clientOrderId, venueOrderId, instrument, side, status },
    ...{ quantity: toText(quantity), cumulativeQuantity: toText(cumulativeQuantity), timeUs },
    ...present(report, ORDER_AMOUNTS, toText),
    ...picked(report, ORDER_PLAIN),
    ...picked(report, ['replacesClientOrderId']),
  }
}

export function fromWireOrder(order: api.OrderReport): OrderReport {
  const { replacesClientOrderId: replaced } = order
  const { clientOrderId, venueOrderId, instrument, side, status, quantity, cumulativeQuantity, timeUs } = order
  return {
    clientOrderId: clientOrderId as ClientOrderId,
    venueOrderId: venueOrderId as VenueOrderId,
    instrument: instrument as InstrumentId,
    ...{ side, status, quantity: toUnits(quantity), cumulativeQuantity: toUnits(cumulativeQuantity), timeUs },
    ...present(order, ORDER_AMOUNTS, toUnits),
    ...picked(order, ORDER_PLAIN),
    ...(replaced === undefined ? {} : { replacesClientOrderId: replaced as ClientOrderId }),
  }
}

export function toWireFill(fill: FillReport): api.FillReport {
  const { venueOrderId, clientOrderId, instrument, tradeId, side, liquidity, timeUs, feeCurrency } = fill
  return {
    fillId: tradeId,
    idSource: fill.idSource ?? 'venue',
    venueOrderId,
    ...(clientOrderId === undefined ? {} : { clientOrderId }),
    ...{ instrument, side, quantity: toText(fill.quantity), price: toText(fill.price) },
    ...{ fee: toText(fill.fee), feeCurrency, feeSource: fill.feeSource ?? 'venue', liquidity, timeUs },
    ...present(fill, ['cumulativeQuantity'], toText),
    provisional: fill.provisional ?? false,
    ...(fill.correctsTradeId === undefined ? {} : { correctsFillId: fill.correctsTradeId }),
  }
}

export function fromWireFill(fill: api.FillReport): FillReport {
  const { venueOrderId, clientOrderId, instrument, fillId, side, liquidity, timeUs, feeCurrency, idSource } = fill
  return {
    venueOrderId: venueOrderId as VenueOrderId,
    ...(clientOrderId === undefined ? {} : { clientOrderId: clientOrderId as ClientOrderId }),
    instrument: instrument as InstrumentId,
    ...{ tradeId: fillId, side, quantity: toUnits(fill.quantity), price: toUnits(fill.price) },
    ...{ fee: toUnits(fill.fee), feeCurrency, timeUs },
    // The dearer of the two where the venue does not say.
    liquidity: liquidity === 'maker' ? 'maker' : 'taker',
    ...present(fill, ['cumulativeQuantity'], toUnits),
    ...(idSource === 'venue' ? {} : { idSource }),
    ...(fill.feeSource === 'venue' ? {} : { feeSource: fill.feeSource }),
    ...(fill.provisional ? { provisional: true } : {}),
    ...(fill.correctsFillId === undefined ? {} : { correctsTradeId: fill.correctsFillId }),
  }
}

export function fromWireFillRecord(record: api.FillRecord): FillRecord {
  return { ...fromWireFill(record), cursor: record.cursor }
}

/** The port's outcome with `repeated` for the wire. */
export function toWirePlaced(outcome: PlaceOutcome, repeated: boolean): api.PlaceOutcome {
  if (outcome.kind !== 'accepted') return { ...outcome, repeated }
  return { kind: 'accepted', repeated, order: toWireOrder(outcome.report), fills: outcome.fills.map(toWireFill) }
}

export function fromWirePlaced(outcome: api.PlaceOutcome): PlaceOutcome {
  if (outcome.kind !== 'accepted') return withoutRepeated(outcome)
  return { kind: 'accepted', report: fromWireOrder(outcome.order), fills: outcome.fills.map(fromWireFill) }
}

export function toWireCancelled(outcome: CancelOutcome, repeated: boolean): api.CancelOutcome {
  if (outcome.kind === 'rejected') return { ...outcome, repeated, timeUs: 0 }
  return outcome.kind === 'cancelled'
    ? { kind: 'cancelled', repeated, order: toWireOrder(outcome.report) }
    : { ...outcome, repeated }
}

export function fromWireCancelled(outcome: api.CancelOutcome): CancelOutcome {
  return outcome.kind === 'cancelled'
    ? { kind: 'cancelled', report: fromWireOrder(outcome.order) }
    : withoutRepeated(outcome)
}

export function toWireAmended(outcome: AmendOutcome, repeated: boolean): api.AmendOutcome {
  if (outcome.kind !== 'amended') return toWireCancelled(outcome, repeated) as api.AmendOutcome
  return {
    kind: 'amended',
    repeated,
    order: toWireOrder(outcome.order),
    replaced: toWireOrder(outcome.replaced),
  }
}

export function fromWireAmended(outcome: api.AmendOutcome): AmendOutcome {
  return outcome.kind === 'amended'
    ? { kind: 'amended', order: fromWireOrder(outcome.order), replaced: fromWireOrder(outcome.replaced) }
    : withoutRepeated(outcome)
}

type Plain<T> = T extends unknown ? Omit<T, 'repeated'> : never

function withoutRepeated<T extends { readonly repeated: boolean }>({ repeated: _, ...rest }: T): Plain<T> {
  return rest as unknown as Plain<T>
}
