/**
 * The words of the Broker API: what an amount, a time and a name look like on the wire.
 *
 * Character classes are spelled out (`[0-9]`, not `\d`), so that every language's expressions accept the same text.
 */
import { FormatRegistry, Type, type SchemaOptions, type TSchema, type TUnsafe } from '@sinclair/typebox'

// Ranges say what an int64 is; checkers must not refuse the word itself.
if (!FormatRegistry.Has('int64')) FormatRegistry.Set('int64', () => true)

/** One of these words. A union of literals to whoever checks; typed as its words, which the compiler reads faster. */
export function words<const Word extends string>(list: readonly Word[], options: SchemaOptions = {}): TUnsafe<Word> {
  return Type.Union(
    list.map((word) => Type.Literal(word)),
    options,
  ) as unknown as TUnsafe<Word>
}

/** A schema under this name in the document; everything else is written out where it is used. */
export function named<T extends TSchema>(title: string, schema: T): T {
  return { ...schema, title }
}

/** The same text or number with its own description, written out in place. */
export function described<T extends TSchema>(schema: T, description: string): T {
  const { title: _, ...rest } = schema
  return { ...rest, description } as T
}

/** An answer may grow fields; a request with a field that we do not know is refused. */
export const CLOSED = { additionalProperties: false } as const

const UNSIGNED = '0|0\\.[0-9]{0,7}[1-9]|[1-9][0-9]{0,18}(\\.[0-9]{0,7}[1-9])?'
const POSITIVE = '0\\.[0-9]{0,7}[1-9]|[1-9][0-9]{0,18}(\\.[0-9]{0,7}[1-9])?'

/** At most 8 decimals, no exponent, no trailing zero, no leading zero, no plus, never `-0`. */
export const Decimal = named(
  'Decimal',
  Type.String({
    pattern: `^(0|-?(${POSITIVE}))$`,
    description:
      'An exact decimal as canonical text: at most 8 decimals, no exponent, no superfluous zero, never "-0" or "1.0".',
    examples: ['0', '71900', '0.00001', '-12.5'],
  }),
)
export const DecimalUnsigned = named(
  'DecimalUnsigned',
  Type.String({ pattern: `^(${UNSIGNED})$`, description: 'A Decimal of zero or more.', examples: ['0', '71900'] }),
)
export const DecimalPositive = named(
  'DecimalPositive',
  Type.String({ pattern: `^(${POSITIVE})$`, description: 'A Decimal above zero.', examples: ['71900', '0.00001'] }),
)

/** Microseconds since 1970-01-01T00:00:00Z. Below 2^53, so that it is exact as a JSON number in every language. */
export const TimeUs = named(
  'TimeUs',
  Type.Integer({
    format: 'int64',
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    description: 'Microseconds since the epoch, UTC.',
    examples: [1795392930123000],
  }),
)
export const DateKst = named(
  'DateKst',
  Type.String({
    pattern: '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$',
    description: 'A calendar day in Asia/Seoul, YYYY-MM-DD.',
    examples: ['2026-11-23'],
  }),
)
export const Count = Type.Integer({ format: 'int64', minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

export const Account = named(
  'Account',
  Type.String({
    pattern: '^(sim|paper|live)\\.[a-z][a-z0-9]*\\.[a-z0-9][a-z0-9_-]*$',
    maxLength: 64,
    description: "<mode>.<broker>.<alias>. Never a broker's own account number.",
    examples: ['sim.binance.main', 'live.creon.main'],
  }),
)
export const Instrument = named(
  'InstrumentId',
  Type.String({
    pattern: '^[A-Z][A-Z0-9]*:[A-Z0-9][A-Z0-9._-]*$',
    maxLength: 64,
    description: "A listing: <venue>:<symbol>, the symbol as the venue spells it (Creon's leading A is left out).",
    examples: ['BINANCE:BTCUSDT', 'KRX:005930', 'UPBIT:KRW-BTC'],
  }),
)
export const RequestId = named(
  'RequestId',
  Type.String({
    pattern: '^[A-Za-z0-9_-]{1,36}$',
    description: 'The id of one request of ours to place, amend or cancel.',
    examples: ['k3J9-xQ2b7_0aZ'],
  }),
)
/** Of an order that JTS did not place it may be any text of the venue's. */
export const ClientOrderIdFound = Type.String({
  minLength: 1,
  maxLength: 64,
  description:
    "The request id under which JTS placed the order (for an amended one: its amendId). For an order that JTS did not place: the venue's client id or, where there is none, `venue-` and the venue's own number.",
})
export const VenueOrderId = Type.String({
  minLength: 1,
  maxLength: 64,
  description: "The venue's own order number, as text without padding.",
})
export const Timeframe = named(
  'Timeframe',
  Type.String({
    pattern: '^[1-9][0-9]{0,2}[smhDW]$',
    description:
      'Seconds, minutes, hours in lower case, days and weeks in upper case. Capabilities say which are there.',
    examples: ['1m', '15m', '1D'],
  }),
)
export const Cursor = named(
  'Cursor',
  Type.String({
    pattern: '^[A-Za-z0-9._-]{1,128}$',
    description: 'Opaque to the client: compared only for equality, and given back as it came.',
  }),
)

export const SideWord = words(['buy', 'sell'])
export const OrderTypeWord = words(['market', 'limit', 'limit_maker'])
export const TimeInForceWord = words(['gtc', 'day', 'ioc', 'fok'])
export const RouteWord = words(['KRX', 'NXT', 'SOR'])
