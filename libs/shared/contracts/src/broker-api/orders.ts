/** Orders and fills on the wire: what is asked of the venue, and how far it came. */
import { Type, type Static, type TProperties } from '@sinclair/typebox'
import {
  Account,
  ClientOrderIdFound,
  CLOSED,
  Count,
  Cursor,
  Decimal,
  DecimalPositive,
  DecimalUnsigned,
  described,
  Instrument,
  named,
  OrderTypeWord,
  RequestId,
  RouteWord,
  SideWord,
  TimeInForceWord,
  TimeUs,
  VenueOrderId,
  words,
} from './scalars.ts'

export const REJECT_CODES = [
  'INSUFFICIENT_BALANCE',
  'FILTER_FAILURE',
  'DUPLICATE_CLIENT_ORDER_ID',
  'MARKET_CLOSED',
  'WOULD_TAKE',
  'OUTSIDE_RECEIVE_WINDOW',
  'AUTHENTICATION',
  'RATE_LIMIT',
  'NOT_SUPPORTED',
  'REJECTED',
] as const
export const NOT_SENT_CODES = [
  'TOO_LATE',
  'GATE_HALTED',
  'STALE_LEASE',
  'STALE_TRADING_STATE',
  'ORDER_IN_FLIGHT',
  'BROKER_UNAVAILABLE',
  'RATE_BUDGET',
  'INVALID',
] as const

const sending = {
  intentTimeUs: described(TimeUs, "When the intent was written, by the venue's clock."),
  sendBeforeUs: described(
    TimeUs,
    "Not written to the venue's wire at or after this, by the venue's clock; must be after intentTimeUs.",
  ),
}
const fence = {
  leaseEpoch: Type.Optional(
    described(Count, "The epoch of the caller's lease on the account. Lower than one seen before: STALE_LEASE."),
  ),
  tradingStateVersion: Type.Optional(
    described(
      Count,
      'The version of the trading state that the intent was decided under. Lower than one seen before: STALE_TRADING_STATE.',
    ),
  ),
}

export const PlaceOrderRequest = named(
  'PlaceOrderRequest',
  Type.Object(
    {
      account: Account,
      clientOrderId: RequestId,
      instrument: Instrument,
      side: SideWord,
      type: OrderTypeWord,
      timeInForce: Type.Optional(TimeInForceWord),
      quantity: Type.Optional(DecimalPositive),
      quoteQuantity: Type.Optional(DecimalPositive),
      limitPrice: Type.Optional(DecimalPositive),
      route: Type.Optional(RouteWord),
      reduceOnly: Type.Optional(
        Type.Boolean({ description: 'Reduces a position: it may use what the rate budget keeps from other orders.' }),
      ),
      ...sending,
      ...fence,
    },
    {
      ...CLOSED,
      description:
        'Exactly one of quantity (base) and quoteQuantity (quote). limitPrice with limit and limit_maker, never with market. timeInForce never with market; default: the first of capabilities.timeInForce.',
    },
  ),
)
export const CancelOrderQuery = Type.Object(
  { account: Account, instrument: Instrument, cancelId: RequestId, ...sending, leaseEpoch: fence.leaseEpoch },
  CLOSED,
)
export const AmendOrderRequest = named(
  'AmendOrderRequest',
  Type.Object(
    {
      account: Account,
      instrument: Instrument,
      amendId: RequestId,
      limitPrice: Type.Optional(DecimalPositive),
      quantity: Type.Optional(DecimalPositive),
      splitQuantity: Type.Optional(DecimalPositive),
      ...sending,
      ...fence,
    },
    {
      ...CLOSED,
      description:
        'What is left of the order goes on as one order under amendId, at limitPrice (default: as it was) and with quantity open (default: all that is left). splitQuantity: only so much of it moves to limitPrice under amendId, the rest stays under its old id. At least one of limitPrice and quantity; splitQuantity only with limitPrice and without quantity.',
    },
  ),
)

export const OrderReport = named(
  'OrderReport',
  Type.Object(
    {
      clientOrderId: ClientOrderIdFound,
      venueOrderId: VenueOrderId,
      instrument: Instrument,
      side: SideWord,
      type: Type.Optional(OrderTypeWord),
      timeInForce: Type.Optional(TimeInForceWord),
      route: Type.Optional(RouteWord),
      status: words(['accepted', 'partially_filled', 'filled', 'cancelled', 'expired', 'rejected']),
      quantity: described(DecimalUnsigned, 'Base quantity ordered; "0" while only quoteQuantity is known.'),
      quoteQuantity: Type.Optional(DecimalPositive),
      limitPrice: Type.Optional(DecimalPositive),
      cumulativeQuantity: DecimalUnsigned,
      cumulativeQuote: Type.Optional(
        described(DecimalUnsigned, 'Price times quantity filled so far, where the venue says.'),
      ),
      replacesClientOrderId: Type.Optional(ClientOrderIdFound),
      timeUs: TimeUs,
      reason: Type.Optional(Type.String({ description: "The venue's words for an end without a full fill." })),
    },
    { description: "The venue's view of one order at timeUs." },
  ),
)
export const FillReport = named(
  'FillReport',
  Type.Object(
    {
      fillId: Type.String({
        minLength: 1,
        maxLength: 96,
        description:
          "The venue's trade id, or with idSource cumulative `<venueOrderId>:<cumulativeQuantity>`. Unique per instrument.",
      }),
      idSource: words(['venue', 'cumulative']),
      venueOrderId: VenueOrderId,
      clientOrderId: Type.Optional(ClientOrderIdFound),
      instrument: Instrument,
      side: SideWord,
      quantity: DecimalPositive,
      price: DecimalPositive,
      fee: Decimal,
      feeCurrency: Type.String({ pattern: '^[A-Z0-9]{1,16}$' }),
      feeSource: words(['venue', 'estimated']),
      liquidity: words(['maker', 'taker', 'unknown']),
      timeUs: TimeUs,
      cumulativeQuantity: Type.Optional(DecimalPositive),
      provisional: Type.Boolean({
        description: "A notice not yet settled against the venue's cumulative quantity. GET /fills never answers one.",
      }),
      correctsFillId: Type.Optional(Type.String({ description: 'This fill takes the place of that one.' })),
    },
    { description: 'One execution of one order.' },
  ),
)
export const FillRecord = named(
  'FillRecord',
  Type.Composite([FillReport, Type.Object({ cursor: Cursor })], {
    description: "A settled fill and its place in the account's record.",
  }),
)

const repeated = Type.Boolean({
  description: 'True when this call sent nothing: the answer tells what became of the call before it.',
})
function outcome<const Kind extends string, P extends TProperties>(kind: Kind, description: string, fields: P) {
  return Type.Object({ kind: Type.Literal(kind), repeated, ...fields }, { description })
}
const notSent = outcome('not_sent', 'No byte went to the venue for this request id, and none will.', {
  code: words(NOT_SENT_CODES),
  message: Type.String(),
})
const unknown = outcome(
  'unknown',
  'Perhaps sent, and no readable answer. Never sent again: the stream, GET /orders/{clientOrderId} and GET /fills settle it.',
  { message: Type.String() },
)
const rejected = outcome('rejected', 'The venue refused it.', {
  code: words(REJECT_CODES),
  message: Type.String({ description: "The venue's own words." }),
  timeUs: TimeUs,
})
const notOpen = outcome(
  'not_open',
  'The venue has no such open order: filled, ended, or never there. Its own query decides.',
  { message: Type.String() },
)

export const PlaceOutcome = named(
  'PlaceOutcome',
  Type.Union([
    outcome('accepted', 'The venue has the order.', { order: OrderReport, fills: Type.Array(FillReport) }),
    rejected,
    notSent,
    unknown,
  ]),
)
export const CancelOutcome = named(
  'CancelOutcome',
  Type.Union([
    outcome('cancelled', 'The order is cancelled; its cumulative quantity is final.', { order: OrderReport }),
    notOpen,
    rejected,
    notSent,
    unknown,
  ]),
)
export const AmendOutcome = named(
  'AmendOutcome',
  Type.Union([
    outcome(
      'amended',
      'order goes on under amendId; replaced is the old one as it ended, or with splitQuantity what is left of it.',
      { order: OrderReport, replaced: OrderReport },
    ),
    notOpen,
    rejected,
    notSent,
    unknown,
  ]),
)

export type PlaceOrderRequest = Static<typeof PlaceOrderRequest>
export type CancelOrderQuery = Static<typeof CancelOrderQuery>
export type AmendOrderRequest = Static<typeof AmendOrderRequest>
export type OrderReport = Static<typeof OrderReport>
export type FillReport = Static<typeof FillReport>
export type FillRecord = Static<typeof FillRecord>
export type PlaceOutcome = Static<typeof PlaceOutcome>
export type CancelOutcome = Static<typeof CancelOutcome>
export type AmendOutcome = Static<typeof AmendOutcome>
