/** The WebSocket `/api/v1/stream`: every message of both sides. The order of things is told in stream.md. */
import { Type, type Static, type TProperties } from '@sinclair/typebox'
import { Balance, BalanceAdjustment } from './account.ts'
import { Candle, OrderBook, PublicTrade, Quote } from './market-data.ts'
import { FillReport, OrderReport } from './orders.ts'
import { Problem } from './problem.ts'
import { Account, CLOSED, Cursor, Instrument, named, Timeframe, TimeUs, words } from './scalars.ts'

const id = Type.String({ minLength: 1, maxLength: 64, description: 'Names the request in its answer.' })
const closed = <P extends TProperties>(fields: P) => Type.Object(fields, CLOSED)

export const Subscription = named(
  'Subscription',
  Type.Union([
    closed({ channel: Type.Literal('candles'), instrument: Instrument, timeframe: Timeframe }),
    closed({ channel: Type.Literal('trades'), instrument: Instrument }),
    closed({ channel: Type.Literal('quotes'), instrument: Instrument }),
    closed({ channel: Type.Literal('orderBook'), instrument: Instrument }),
    closed({ channel: Type.Literal('orders'), account: Account, after: Type.Optional(Cursor) }),
  ]),
)
export const ClientMessage = named(
  'ClientMessage',
  Type.Union([
    closed({ op: Type.Literal('subscribe'), id, subscription: Subscription }),
    closed({ op: Type.Literal('unsubscribe'), id, subscription: Subscription }),
    closed({ op: Type.Literal('ping'), id }),
  ]),
)

const seq = Type.Integer({
  minimum: 1,
  format: 'int64',
  description: 'Counts the messages of this connection: 1, 2, 3, …',
})
const message = <const T extends string, P extends TProperties>(type: T, fields: P) =>
  Type.Object({ type: Type.Literal(type), seq, ...fields })
const Channel = words(['candles', 'trades', 'quotes', 'orderBook', 'orders'])

export const ServerMessage = named(
  'ServerMessage',
  Type.Union([
    message('welcome', {
      contractVersion: Type.String(),
      broker: Type.String(),
      heartbeatMs: Type.Integer({ minimum: 100 }),
      timeUs: TimeUs,
    }),
    message('subscribed', {
      id,
      subscription: Subscription,
      state: Type.Optional(
        words(['up', 'down'], { description: 'Left out: up, unless a state message follows at once.' }),
      ),
      reason: Type.Optional(Type.String()),
      cursor: Type.Optional(Cursor),
    }),
    message('unsubscribed', { id, subscription: Subscription }),
    message('error', { id: Type.Optional(id), problem: Problem }),
    message('pong', { id, timeUs: TimeUs }),
    message('heartbeat', { timeUs: TimeUs, venueTimeUs: TimeUs }),
    message('state', {
      channel: Channel,
      account: Type.Optional(Account),
      instrument: Type.Optional(Instrument),
      state: words(['up', 'down']),
      reason: Type.String(),
      timeUs: TimeUs,
    }),
    message('gap', {
      channel: Channel,
      account: Type.Optional(Account),
      instrument: Type.Optional(Instrument),
      reason: words(['VENUE_STREAM_LOST', 'CURSOR_UNKNOWN', 'SLOW_CONSUMER', 'UNREADABLE']),
      fromUs: Type.Optional(TimeUs),
      cursor: Type.Optional(Cursor),
    }),
    message('candle', { data: Candle }),
    message('trade', { data: PublicTrade }),
    message('quote', { data: Quote }),
    message('orderBook', { data: OrderBook }),
    message('order', { account: Account, cursor: Cursor, order: OrderReport, fill: Type.Optional(FillReport) }),
    message('balances', {
      account: Account,
      cursor: Cursor,
      balances: Type.Array(Balance),
      timeUs: TimeUs,
      adjustment: Type.Optional(BalanceAdjustment),
    }),
  ]),
)

/** Why the server closes a connection (RFC 6455 leaves 4000–4999 to applications). */
export const CLOSE_CODES = {
  GOING_AWAY: [1001, 'the service stops; connect again after a pause'],
  TOO_MANY_ERRORS: [4400, 'the tenth message that is not what the contract says'],
  SLOW_CONSUMER: [4408, 'the client did not read for too long'],
  NO_PONG: [4409, 'no pong for two heartbeats'],
} as const

export type Subscription = Static<typeof Subscription>
export type ClientMessage = Static<typeof ClientMessage>
export type ServerMessage = Static<typeof ServerMessage>
