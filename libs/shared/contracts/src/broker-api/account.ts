/** Balances, positions, the gate and the lease of one account on the wire. */
import { Type, type Static } from '@sinclair/typebox'
import { ADJUSTMENT_REASONS } from '@jts/model/adjustments'
import {
  Account,
  CLOSED,
  Count,
  DateKst,
  Decimal,
  DecimalUnsigned,
  described,
  Instrument,
  named,
  TimeUs,
  words,
} from './scalars.ts'

export const Balance = named(
  'Balance',
  Type.Object({
    currency: Type.String({ pattern: '^[A-Z0-9]{1,16}$' }),
    free: described(Decimal, 'What the venue would let a new order use now.'),
    locked: described(DecimalUnsigned, 'Held for open orders.'),
    settled: Type.Optional(
      described(Decimal, 'There today, where trades settle later: free and locked count what is on its way.'),
    ),
    unsettled: Type.Optional(
      Type.Array(Type.Object({ date: DateKst, amount: Decimal }), {
        description: 'Cash of trades not yet settled (KRX: T+2), by settlement day.',
      }),
    ),
  }),
)
export const BalanceAdjustment = named(
  'BalanceAdjustment',
  Type.Object(
    {
      noticeId: Type.String({
        minLength: 1,
        maxLength: 128,
        description: 'Unique in its account: told again, it is the same one.',
      }),
      currency: Type.String({ pattern: '^[A-Z0-9]{1,16}$' }),
      amount: described(Decimal, 'Signed; negative went out.'),
      reason: words(ADJUSTMENT_REASONS),
      timeUs: TimeUs,
    },
    { description: 'Money, or what was bought, that came or went at the venue without a trade.' },
  ),
)
export const Position = named(
  'Position',
  Type.Object({
    instrument: Instrument,
    quantity: Decimal,
    sellable: Type.Optional(DecimalUnsigned),
    totalCost: Type.Optional(described(Decimal, "By the venue's own books; for comparison only.")),
    timeUs: TimeUs,
  }),
)
export const GateState = words(['open', 'halted'])
export const GateRequest = named(
  'GateRequest',
  Type.Object(
    { state: GateState, reason: Type.String({ maxLength: 500 }), tradingStateVersion: Type.Optional(Count) },
    {
      ...CLOSED,
      description: 'halted: new orders and amendments are refused, cancels pass. It survives a restart of the service.',
    },
  ),
)
export const LeaseRequest = named(
  'LeaseRequest',
  Type.Object(
    { epoch: Count, tradingStateVersion: Type.Optional(Count) },
    {
      ...CLOSED,
      description:
        'From now on requests of a lower epoch are refused and, with a version, those that were decided under an older trading state, where the owner has said something that leaves the gate as it is. The same epoch again changes nothing else; a lower one is STALE_LEASE.',
    },
  ),
)
export const AccountState = named(
  'AccountState',
  Type.Object(
    {
      account: Account,
      gate: GateState,
      gateReason: Type.Optional(Type.String()),
      leaseEpoch: described(Count, 'The highest seen; 0 before any.'),
      tradingStateVersion: described(Count, 'The highest seen; 0 before any.'),
      ordersUnknown: described(Count, 'Requests whose outcome is still unknown to the service.'),
    },
    { description: 'What stands between a request for this account and the wire.' },
  ),
)

export type Balance = Static<typeof Balance>
export type BalanceAdjustment = Static<typeof BalanceAdjustment>
export type Position = Static<typeof Position>
export type GateRequest = Static<typeof GateRequest>
export type LeaseRequest = Static<typeof LeaseRequest>
export type AccountState = Static<typeof AccountState>
