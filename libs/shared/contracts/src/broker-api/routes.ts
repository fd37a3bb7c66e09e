/** Every path of the Broker API, once: the server registers these, the OpenAPI document is made of these. */
import { Type, type TObject, type TSchema } from '@sinclair/typebox'
import * as account from './account.ts'
import * as market from './market-data.ts'
import * as orders from './orders.ts'
import type { ProblemCode } from './problem.ts'
import { Account, CLOSED, Cursor, Instrument, RequestId } from './scalars.ts'
import * as service from './service.ts'

export type Right = 'read' | 'trade'
export type Route = {
  readonly operationId: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below `/api/v1`, but for the bare `/health`. */
  readonly path: string
  readonly summary: string
  readonly description?: string
  readonly right: Right | 'none'
  readonly params?: TObject
  readonly query?: TObject
  readonly body?: TSchema
  readonly data: TSchema
  /** Beside `data` in the answer's envelope. */
  readonly beside?: Record<string, TSchema>
  readonly problems: readonly ProblemCode[]
}

/** What every signed route may answer. */
export const COMMON_PROBLEMS: readonly ProblemCode[] = [
  'INVALID_REQUEST',
  'AUTHENTICATION_MISSING',
  'AUTHENTICATION_FAILED',
  'CLOCK_SKEW',
  'NONCE_REUSED',
  'FORBIDDEN',
  'RATE_LIMITED',
  'INTERNAL',
]
/** What a question that the venue has to answer may come back as. */
const ASKED: readonly ProblemCode[] = ['BROKER_UNAVAILABLE', 'VENUE_ANSWER_UNREADABLE', 'VENUE_TIMEOUT']
const OF_INSTRUMENT: readonly ProblemCode[] = ['INSTRUMENT_NOT_FOUND', 'NOT_SUPPORTED', ...ASKED]
const OF_ACCOUNT: readonly ProblemCode[] = ['ACCOUNT_NOT_FOUND', ...ASKED]
const WITH_BODY: readonly ProblemCode[] = ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE']

const accountPath = Type.Object({ account: Account }, CLOSED)
const orderPath = Type.Object({ clientOrderId: RequestId }, CLOSED)
const instruments = Type.Array(Instrument, { maxItems: 200, description: 'Given once for each instrument.' })

const ONCE =
  'At most one write to the venue for each request id, whatever is repeated, lost or restarted: the request is on disk before it is sent. The same id with the same content again sends nothing and answers what became of the first (it waits while that is under way); with other content: ORDER_CONFLICT. A problem document of this route proves that this call sent nothing; no answer, or a status of 500 and above, proves nothing.'

export const ROUTES: readonly Route[] = [
  {
    operationId: 'getLiveness',
    method: 'GET',
    path: '/health',
    right: 'none',
    summary: 'Up or down, and no more',
    description: 'At the root, not below /api/v1. 200 with "up", 503 with "down". The only path without a signature.',
    data: service.Liveness,
    problems: [],
  },
  {
    operationId: 'getHealth',
    method: 'GET',
    path: '/health',
    right: 'read',
    summary: 'How the service is, and why',
    description: 'Answered from memory: it never waits for the venue.',
    data: service.Health,
    problems: [],
  },
  {
    operationId: 'getCapabilities',
    method: 'GET',
    path: '/capabilities',
    right: 'read',
    summary: 'What this broker can do',
    data: service.Capabilities,
    problems: [],
  },
  {
    operationId: 'getVenueTime',
    method: 'GET',
    path: '/venue-time',
    right: 'read',
    summary: "The venue's own clock, asked now",
    description:
      'Never what the service believes it to be. Where absenceProof is receive-window: an order that is not found after its window, by this clock, is not there. NOT_SUPPORTED elsewhere.',
    data: service.VenueTime,
    problems: ['NOT_SUPPORTED', ...ASKED],
  },
  {
    operationId: 'getInstruments',
    method: 'GET',
    path: '/instruments',
    right: 'read',
    summary: 'Listings, or those asked for',
    description: 'Without instrument: all. One asked for that the venue does not list: INSTRUMENT_NOT_FOUND.',
    query: Type.Object({ instrument: Type.Optional(instruments) }, CLOSED),
    data: Type.Array(market.InstrumentListing),
    problems: OF_INSTRUMENT,
  },
  {
    operationId: 'getCandles',
    method: 'POST',
    path: '/market-data/candles',
    right: 'read',
    summary: 'Closed bars, oldest first',
    description: 'Never an unfinished bar. Intervals without a trade may have no bar.',
    body: market.CandlesRequest,
    data: Type.Array(market.Candle),
    problems: [...OF_INSTRUMENT, ...WITH_BODY],
  },
  {
    operationId: 'getTrades',
    method: 'GET',
    path: '/market-data/trades',
    right: 'read',
    summary: 'Public trades, oldest first',
    query: Type.Object(
      {
        instrument: Instrument,
        afterTradeId: Type.Optional(
          Type.String({ minLength: 1, maxLength: 64, description: 'Exclusive; without it the latest.' }),
        ),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 500 })),
      },
      CLOSED,
    ),
    data: Type.Array(market.PublicTrade),
    problems: OF_INSTRUMENT,
  },
  {
    operationId: 'getQuotes',
    method: 'GET',
    path: '/market-data/quotes',
    right: 'read',
    summary: 'Last, best bid and ask',
    query: Type.Object({ instrument: Type.Array(Instrument, { minItems: 1, maxItems: 200 }) }, CLOSED),
    data: Type.Array(market.Quote),
    problems: OF_INSTRUMENT,
  },
  {
    operationId: 'getOrderBook',
    method: 'GET',
    path: '/market-data/order-book',
    right: 'read',
    summary: 'Levels of the book',
    query: Type.Object(
      {
        instrument: Instrument,
        depth: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 10 })),
        book: Type.Optional(market.BookScope),
      },
      CLOSED,
    ),
    data: market.OrderBook,
    problems: OF_INSTRUMENT,
  },
  {
    operationId: 'getBalances',
    method: 'GET',
    path: '/accounts/{account}/balances',
    right: 'read',
    summary: 'Money and coins of the account',
    description: 'Currencies with nothing in them may be left out.',
    params: accountPath,
    data: Type.Array(account.Balance),
    problems: OF_ACCOUNT,
  },
  {
    operationId: 'getPositions',
    method: 'GET',
    path: '/accounts/{account}/positions',
    right: 'read',
    summary: 'Holdings in instruments',
    params: accountPath,
    data: Type.Array(account.Position),
    problems: ['NOT_SUPPORTED', ...OF_ACCOUNT],
  },
  {
    operationId: 'setGate',
    method: 'PUT',
    path: '/accounts/{account}/gate',
    right: 'trade',
    summary: 'Halts new orders, or lets them pass again',
    description: 'Answers when no send is under way any more. On disk before the answer.',
    params: accountPath,
    body: account.GateRequest,
    data: account.AccountState,
    problems: ['ACCOUNT_NOT_FOUND', ...WITH_BODY],
  },
  {
    operationId: 'setLease',
    method: 'PUT',
    path: '/accounts/{account}/lease',
    right: 'trade',
    summary: 'Announces the owner of the account, and the trading state that it decides under',
    description: 'A take-over says so here before it sends anything. On disk before the answer.',
    params: accountPath,
    body: account.LeaseRequest,
    data: account.AccountState,
    problems: ['ACCOUNT_NOT_FOUND', 'STALE_LEASE', ...WITH_BODY],
  },
  {
    operationId: 'placeOrder',
    method: 'POST',
    path: '/orders',
    right: 'trade',
    summary: 'Places an order, at most once',
    description: ONCE,
    body: orders.PlaceOrderRequest,
    data: orders.PlaceOutcome,
    problems: ['ACCOUNT_NOT_FOUND', 'ORDER_CONFLICT', ...WITH_BODY],
  },
  {
    operationId: 'getOpenOrders',
    method: 'GET',
    path: '/orders',
    right: 'read',
    summary: 'Open orders of the account, foreign ones too',
    query: Type.Object(
      { account: Account, status: Type.Literal('open'), instrument: Type.Optional(Instrument) },
      CLOSED,
    ),
    data: Type.Array(orders.OrderReport),
    problems: ['INSTRUMENT_NOT_FOUND', ...OF_ACCOUNT],
  },
  {
    operationId: 'getOrder',
    method: 'GET',
    path: '/orders/{clientOrderId}',
    right: 'read',
    summary: 'One order, asked of the venue now',
    description:
      'ORDER_NOT_FOUND is the word of the venue, and once proves nothing. ORDER_AMBIGUOUS: the broker takes no ids, and several of its orders fit an unknown request; a person has to decide.',
    params: orderPath,
    query: Type.Object({ account: Account, instrument: Instrument }, CLOSED),
    data: orders.OrderReport,
    problems: ['ORDER_NOT_FOUND', 'ORDER_AMBIGUOUS', 'INSTRUMENT_NOT_FOUND', ...OF_ACCOUNT],
  },
  {
    operationId: 'amendOrder',
    method: 'PATCH',
    path: '/orders/{clientOrderId}',
    right: 'trade',
    summary: 'Amends an open order, at most once',
    description: `${ONCE} The request id is amendId. A broker without amendments answers NOT_SUPPORTED.`,
    params: orderPath,
    body: orders.AmendOrderRequest,
    data: orders.AmendOutcome,
    problems: ['ACCOUNT_NOT_FOUND', 'ORDER_CONFLICT', 'NOT_SUPPORTED', ...WITH_BODY],
  },
  {
    operationId: 'cancelOrder',
    method: 'DELETE',
    path: '/orders/{clientOrderId}',
    right: 'trade',
    summary: 'Cancels an open order, at most once',
    description: `${ONCE} The request id is cancelId. It has no body, passes a halted gate, and the trading state is not asked.`,
    params: orderPath,
    query: orders.CancelOrderQuery,
    data: orders.CancelOutcome,
    problems: ['ACCOUNT_NOT_FOUND', 'ORDER_CONFLICT'],
  },
  {
    operationId: 'getFills',
    method: 'GET',
    path: '/fills',
    right: 'read',
    summary: "The account's fills after a cursor, in the order in which the service settled them",
    description:
      'The service first asks the venue for what is new. cursor is the place after the last fill answered (or the one given); more says that another page is there at once. Without after: from the beginning of the record. afterFillId needs instrument and may stand for a cursor.',
    query: Type.Object(
      {
        account: Account,
        after: Type.Optional(Cursor),
        instrument: Type.Optional(Instrument),
        afterFillId: Type.Optional(Type.String({ minLength: 1, maxLength: 96 })),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 500 })),
      },
      CLOSED,
    ),
    data: Type.Array(orders.FillRecord),
    beside: { cursor: Cursor, more: Type.Boolean() },
    problems: ['CURSOR_UNKNOWN', 'INSTRUMENT_NOT_FOUND', ...OF_ACCOUNT],
  },
]

export const BASE_PATH = '/api/v1'
export const pathOf = (route: Route): string => (route.right === 'none' ? route.path : `${BASE_PATH}${route.path}`)
/** `/orders/{id}` as `/orders/:id`. */
export const pathPatternOf = (route: Route): string => pathOf(route).replace(/\{(\w+)\}/g, ':$1')
