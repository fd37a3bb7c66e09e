/** What a broker service says of itself: what it can do, and how it is. */
import { Type, type Static } from '@sinclair/typebox'
import { AccountState } from './account.ts'
import {
  Account,
  Count,
  DateKst,
  described,
  named,
  OrderTypeWord,
  RouteWord,
  Timeframe,
  TimeInForceWord,
  TimeUs,
  words,
} from './scalars.ts'

export const CONTRACT_VERSION = '1.0'

const sizes = Type.Array(words(['base', 'quote']))
const LimitCounts = words(['requests', 'weight', 'orders', 'subscriptions', 'connections'])

export const Capabilities = named(
  'Capabilities',
  Type.Object({
    contractVersion: Type.String({ examples: [CONTRACT_VERSION] }),
    broker: Type.String({ pattern: '^[a-z][a-z0-9]*$' }),
    accounts: Type.Array(Account, { description: 'The accounts that the key may use.' }),
    orderTypes: Type.Array(OrderTypeWord),
    timeInForce: Type.Array(TimeInForceWord, { minItems: 1 }),
    marketBuySizes: sizes,
    marketSellSizes: sizes,
    clientOrderIds: words(['none', 'unique-while-open', 'unique-for-ever'], {
      description: 'Whether the venue takes an id of ours. The API takes one always.',
    }),
    absenceProof: words(['none', 'receive-window'], {
      description: 'Whether the venue can prove that a request never became an order.',
    }),
    amend: Type.Boolean(),
    amendment: Type.Optional(
      Type.Object({
        quantity: words(['none', 'less', 'any'], { description: 'How far an amendment may change the quantity.' }),
        split: Type.Boolean({ description: 'splitQuantity is possible.' }),
        newVenueOrderId: Type.Boolean(),
      }),
    ),
    routes: Type.Array(RouteWord, { description: 'Empty: the broker has one place to send orders to.' }),
    streams: Type.Array(words(['candles', 'trades', 'quotes', 'orderBook', 'orders'])),
    timeframes: Type.Array(Timeframe),
    trades: Type.Boolean(),
    quotes: Type.Boolean(),
    orderBook: Type.Boolean(),
    positions: Type.Boolean({ description: 'False: holdings are balances (crypto).' }),
    adjustments: Type.Optional(
      Type.Boolean({
        description: 'Money that comes or goes without a trade is told as it does (stream, `balances`).',
      }),
    ),
    fills: Type.Object({ idSource: words(['venue', 'cumulative']), feeSource: words(['venue', 'estimated']) }),
    limits: Type.Array(
      Type.Object({
        name: Type.String(),
        counts: LimitCounts,
        limit: Count,
        windowUs: described(Count, '0: at one time.'),
        date: DateKst,
      }),
    ),
  }),
)

export const Breaker = named(
  'Breaker',
  Type.Object(
    {
      state: words(['closed', 'half_open', 'open', 'isolated']),
      sinceUs: TimeUs,
      consecutiveFailures: Count,
      reason: Type.Optional(Type.String()),
    },
    { description: 'Between the service and the venue. open: calls are refused at once; half_open: one call tries.' },
  ),
)
export const Health = named(
  'Health',
  Type.Object({
    status: words(['up', 'degraded', 'down']),
    reasons: Type.Array(Type.Object({ code: Type.String({ pattern: '^[A-Z][A-Z0-9_]*$' }), message: Type.String() }), {
      description: 'Empty when up.',
    }),
    service: Type.String(),
    broker: Type.String(),
    version: Type.String(),
    contractVersion: Type.String(),
    startedAtUs: TimeUs,
    timeUs: described(TimeUs, "The service's clock, as its signature check sees it."),
    venueTimeUs: described(
      TimeUs,
      "The venue's clock as the service believes it to be; the service's own where the venue has none.",
    ),
    breaker: Breaker,
    session: Type.Object(
      {
        state: words(['not_needed', 'connected', 'connecting', 'logged_out', 'blocked']),
        sinceUs: TimeUs,
        reason: Type.Optional(Type.String()),
      },
      { description: 'The login that some brokers need (HTS, token). blocked: a window waits for a person.' },
    ),
    streams: Type.Array(
      Type.Object({
        name: Type.String(),
        state: words(['up', 'down']),
        sinceUs: TimeUs,
        reason: Type.Optional(Type.String()),
      }),
    ),
    limits: Type.Array(
      Type.Object({
        name: Type.String(),
        counts: LimitCounts,
        limit: Count,
        remaining: Count,
        windowUs: Count,
        resetsAtUs: Type.Optional(TimeUs),
      }),
    ),
    accounts: Type.Array(AccountState),
  }),
)
export const VenueTime = named(
  'VenueTime',
  Type.Object({ venueTimeUs: described(TimeUs, "The venue's own word, after the question came in.") }),
)
export const Liveness = named('Liveness', Type.Object({ status: words(['up', 'down']) }))

export type Capabilities = Static<typeof Capabilities>
export type Breaker = Static<typeof Breaker>
export type Health = Static<typeof Health>
