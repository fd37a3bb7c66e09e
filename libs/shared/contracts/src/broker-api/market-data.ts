/** Instruments, candles, trades, quotes and order books on the wire. */
import { Type, type Static } from '@sinclair/typebox'
import {
  CLOSED,
  Count,
  DateKst,
  DecimalPositive,
  DecimalUnsigned,
  described,
  Instrument,
  named,
  SideWord,
  Timeframe,
  TimeUs,
  words,
} from './scalars.ts'

const BookScope = words(['KRX', 'NXT', 'unified'])
const bound = described(DecimalUnsigned, '"0": the venue sets none.')

export const InstrumentListing = named(
  'Instrument',
  Type.Object({
    instrument: Instrument,
    symbol: Type.String({ minLength: 1 }),
    name: Type.Optional(Type.String()),
    baseCurrency: Type.String({ minLength: 1 }),
    quoteCurrency: Type.String({ minLength: 1 }),
    tickSize: described(
      DecimalPositive,
      'Smallest price step; where steps depend on the price, the step at the last price.',
    ),
    lotSize: DecimalPositive,
    quantityMin: bound,
    quantityMax: bound,
    marketQuantityMax: bound,
    notionalMin: bound,
    notionalMax: bound,
    tradable: Type.Boolean(),
    reasons: Type.Optional(
      Type.Array(words(['HALTED', 'SUSPENDED', 'MANAGED', 'CAUTION', 'WARNING', 'DANGER', 'DELISTING', 'BREAK']), {
        description: 'Why it is not tradable, or tradable with care.',
      }),
    ),
    market: Type.Optional(Type.String({ description: 'KOSPI, KOSDAQ, KONEX, …', examples: ['KOSPI'] })),
    kind: Type.Optional(
      words(['stock', 'etf', 'etn', 'elw', 'other'], {
        description: 'What its ticks, limits and taxes go by. `stock`: all that trades like one.',
      }),
    ),
    upperLimit: Type.Optional(DecimalPositive),
    lowerLimit: Type.Optional(DecimalPositive),
    date: Type.Optional(described(DateKst, 'The day whose limits these are, and whose ticks.')),
    alwaysOpen: Type.Optional(
      Type.Boolean({ description: 'The market never closes, whatever its calendar: a simulated one.' }),
    ),
  }),
)

export const CandlesRequest = named(
  'CandlesRequest',
  Type.Object(
    {
      symbol: Type.String({
        minLength: 1,
        maxLength: 64,
        description: "An InstrumentId, or the venue's symbol where that is unique at this broker.",
        examples: ['KRX:005930', '005930'],
      }),
      timeframe: Timeframe,
      startDate: Type.Optional(DateKst),
      endDate: Type.Optional(DateKst),
      fromUs: Type.Optional(TimeUs),
      toUs: Type.Optional(TimeUs),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 1000 })),
      adjusted: Type.Optional(
        Type.Boolean({
          default: false,
          description: 'Prices adjusted for corporate actions by the venue. Stored bars are raw.',
        }),
      ),
      book: Type.Optional(BookScope),
    },
    {
      ...CLOSED,
      description:
        'Bounds are inclusive and compared with openTimeUs. A date stands for 00:00:00 (start) or 23:59:59.999999 (end) in Seoul; use dates or µs at either end, not both. With a start: the first `limit` bars from it; without: the last `limit` bars up to the end.',
      examples: [{ symbol: 'KRX:005930', timeframe: '1D', startDate: '2026-11-20', endDate: '2026-11-23' }],
    },
  ),
)
export const Candle = named(
  'Candle',
  Type.Object(
    {
      instrument: Instrument,
      timeframe: Timeframe,
      openTimeUs: TimeUs,
      closeTimeUs: TimeUs,
      open: DecimalPositive,
      high: DecimalPositive,
      low: DecimalPositive,
      close: DecimalPositive,
      volume: DecimalUnsigned,
      quoteVolume: Type.Optional(DecimalUnsigned),
      final: Type.Boolean(),
      revision: described(Count, '0, and one more for each correction of a final bar.'),
      source: Type.String({ minLength: 1, description: 'The broker that it came from.', examples: ['creon'] }),
    },
    {
      description:
        'openTimeUs is the start of the interval (Creon stamps minutes by their end: settled in the service), closeTimeUs its last instant: openTimeUs + length − 1000 µs. A KRX day opens at 00:00 UTC (09:00 KST) of its date and closes at the end of its regular session − 1000 µs, whatever hour trading began.',
      examples: [
        {
          instrument: 'KRX:005930',
          timeframe: '1D',
          openTimeUs: 1795392000000000,
          closeTimeUs: 1795415399999000,
          open: '71900',
          high: '72300',
          low: '71500',
          close: '72000',
          volume: '10234567',
          final: true,
          revision: 0,
          source: 'creon',
        },
      ],
    },
  ),
)
export const PublicTrade = named(
  'Trade',
  Type.Object({
    instrument: Instrument,
    tradeId: Type.String({ minLength: 1 }),
    timeUs: TimeUs,
    price: DecimalPositive,
    quantity: DecimalPositive,
    aggressor: SideWord,
  }),
)
export const Quote = named(
  'Quote',
  Type.Object({
    instrument: Instrument,
    timeUs: TimeUs,
    lastPrice: Type.Optional(DecimalPositive),
    lastQuantity: Type.Optional(DecimalUnsigned),
    bidPrice: Type.Optional(DecimalPositive),
    bidQuantity: Type.Optional(DecimalUnsigned),
    askPrice: Type.Optional(DecimalPositive),
    askQuantity: Type.Optional(DecimalUnsigned),
    volume: Type.Optional(described(DecimalUnsigned, "Base volume of the venue's day.")),
    previousClose: Type.Optional(DecimalPositive),
    upperLimit: Type.Optional(DecimalPositive),
    lowerLimit: Type.Optional(DecimalPositive),
    expectedPrice: Type.Optional(
      described(DecimalPositive, 'In an auction: the expected price. It is no trade and never lastPrice.'),
    ),
    session: Type.Optional(
      words(['pre_open', 'opening_auction', 'regular', 'closing_auction', 'after_hours', 'closed', 'halted']),
    ),
  }),
)
const level = Type.Object({ price: DecimalPositive, quantity: DecimalPositive })
export const OrderBook = named(
  'OrderBook',
  Type.Object(
    {
      instrument: Instrument,
      timeUs: TimeUs,
      book: Type.Optional(BookScope),
      bids: Type.Array(level),
      asks: Type.Array(level),
    },
    { description: 'Best first on both sides.' },
  ),
)
export { BookScope }

export type InstrumentListing = Static<typeof InstrumentListing>
export type CandlesRequest = Static<typeof CandlesRequest>
export type Candle = Static<typeof Candle>
export type PublicTrade = Static<typeof PublicTrade>
export type Quote = Static<typeof Quote>
export type OrderBook = Static<typeof OrderBook>
