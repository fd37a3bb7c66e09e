/** What each operation of the contract does, by its name. */
import {
  CONTRACT_VERSION,
  type AmendOrderRequest,
  type CancelOrderQuery,
  type CandlesRequest,
  type GateRequest,
  type Health,
  type LeaseRequest,
  type PlaceOrderRequest,
} from '@jts/contracts/broker-api'
import { timeframeUs, type Bar, type ClientOrderId, type InstrumentId } from '@jts/model'
import type { BookScope, CandleQuery, MarketDataPort } from '../port.ts'
import {
  fromWireTimeframe,
  toWireBalance,
  toWireBar,
  toWireBook,
  toWireCapabilities,
  toWireInstrument,
  toWireOrder,
  toWirePosition,
  toWireQuote,
  toWireTrade,
} from '../wire/index.ts'
import type { AccountDesk } from './account-desk.ts'
import { mayUse } from './authentication.ts'
import type { FillQuery, FillRecordBook } from './fill-record.ts'
import type { InstrumentDirectory } from './instrument-directory.ts'
import type { ApiKey } from './keys.ts'
import { ProblemError } from './problems.ts'

export type HandlerContext = {
  readonly desks: ReadonlyMap<string, AccountDesk>
  readonly fills: ReadonlyMap<string, FillRecordBook>
  readonly market: MarketDataPort
  readonly directory: InstrumentDirectory
  readonly health: () => Health
}
/** A request whose parts were checked against the route's schemas. */
export type Checked = { readonly key: ApiKey; readonly params: never; readonly query: never; readonly body: never }
type Answer = { readonly data: unknown; readonly beside?: object }
type Handler = (request: Checked, context: HandlerContext) => Promise<Answer> | Answer

const DAY_US = 86_400_000_000
const KST_US = 9 * 3_600_000_000

function deskOf({ key }: Checked, { desks }: HandlerContext, account: string): AccountDesk {
  const desk = desks.get(account)
  if (desk === undefined) throw new ProblemError('ACCOUNT_NOT_FOUND', `this service does not hold ${account}`)
  if (!mayUse(key, account)) throw new ProblemError('FORBIDDEN', `the key ${key.id} may not use ${account}`)
  return desk
}

function supported<T>(value: T | undefined, isThere: boolean | undefined, what: string): T {
  if (value !== undefined && isThere === true) return value
  throw new ProblemError('NOT_SUPPORTED', `this broker has no ${what}`)
}

export const HANDLERS: Readonly<Record<string, Handler>> = {
  getHealth: (_, { health }) => ({ data: health() }),

  getCapabilities: ({ key }, { market, desks }) => {
    const accounts = [...desks.keys()].filter((account) => mayUse(key, account))
    return { data: toWireCapabilities(market.capabilities, accounts, CONTRACT_VERSION) }
  },

  getVenueTime: async (_, { market, desks }) => {
    const broker = [...desks.values()][0]?.broker
    const isThere = market.capabilities.absenceProof !== 'none'
    const venueTimeUs = supported(broker?.venueTimeUs, isThere, 'proof of absence that would need it')
    return { data: { venueTimeUs: await venueTimeUs.call(broker) } }
  },

  getInstruments: async ({ query }, { market, directory }) => {
    const { instrument } = query as { instrument?: InstrumentId[] }
    for (const one of instrument ?? []) await directory.check(one)
    return { data: (await market.instruments(instrument)).map(toWireInstrument) }
  },

  getCandles: async ({ body }, { market, directory }) => {
    const request = body as CandlesRequest
    const query = await toCandleQuery(request, market, directory)
    return { data: (await market.candles(query)).map((bar: Bar) => toWireBar(bar)) }
  },

  getTrades: async ({ query }, { market, directory }) => {
    const wanted = query as { instrument: InstrumentId; afterTradeId?: string; limit: number }
    supported(market, market.capabilities.trades, 'public trades')
    await directory.check(wanted.instrument)
    return { data: (await market.trades(wanted)).map(toWireTrade) }
  },

  getQuotes: async ({ query }, { market, directory }) => {
    const { instrument } = query as { instrument: InstrumentId[] }
    const quotes = supported(market.quotes, market.capabilities.quotes, 'quotes')
    for (const one of instrument) await directory.check(one)
    return { data: (await quotes.call(market, instrument)).map(toWireQuote) }
  },

  getOrderBook: async ({ query }, { market, directory }) => {
    const wanted = query as { instrument: InstrumentId; depth: number; book?: BookScope }
    const orderBook = supported(market.orderBook, market.capabilities.orderBook, 'order book')
    await directory.check(wanted.instrument)
    const report = await orderBook.call(market, wanted)
    const { bids, asks } = report
    return { data: toWireBook({ ...report, bids: bids.slice(0, wanted.depth), asks: asks.slice(0, wanted.depth) }) }
  },

  getBalances: async (request, context) => {
    const { account } = request.params as { account: string }
    return { data: (await deskOf(request, context, account).broker.balances()).map(toWireBalance) }
  },

  getPositions: async (request, context) => {
    const { broker } = deskOf(request, context, (request.params as { account: string }).account)
    const positions = supported(broker.positions, broker.capabilities.positions, 'positions: holdings are balances')
    return { data: (await positions.call(broker)).map(toWirePosition) }
  },

  setGate: async (request, context) => {
    const { state, reason, tradingStateVersion } = request.body as GateRequest
    const desk = deskOf(request, context, (request.params as { account: string }).account)
    return { data: await desk.setGate(state, reason, tradingStateVersion) }
  },

  setLease: async (request, context) => {
    const { epoch, tradingStateVersion } = request.body as LeaseRequest
    const desk = deskOf(request, context, (request.params as { account: string }).account)
    return { data: await desk.setLease(epoch, tradingStateVersion) }
  },

  placeOrder: async (request, context) => {
    const order = request.body as PlaceOrderRequest
    checkWindow(order)
    return { data: await deskOf(request, context, order.account).place(order) }
  },

  getOpenOrders: async (request, context) => {
    const { account, instrument } = request.query as { account: string; instrument?: InstrumentId }
    const desk = deskOf(request, context, account)
    if (instrument !== undefined) await context.directory.check(instrument)
    const orders = (await desk.broker.openOrders(instrument)).map(toWireOrder)
    for (const order of orders) desk.settle(order.clientOrderId, order)
    return { data: orders }
  },

  getOrder: async (request, context) => {
    const { account, instrument } = request.query as { account: string; instrument: InstrumentId }
    const { clientOrderId } = request.params as { clientOrderId: ClientOrderId }
    const desk = deskOf(request, context, account)
    await context.directory.check(instrument)
    const found = await desk.broker.queryOrder({ instrument, clientOrderId })
    if (found.kind === 'failed') throw new ProblemError('BROKER_UNAVAILABLE', found.message)
    if (found.kind === 'not_found') throw new ProblemError('ORDER_NOT_FOUND', `the venue has no ${clientOrderId}`)
    const order = toWireOrder(found.report)
    desk.settle(clientOrderId, order)
    return { data: order }
  },

  amendOrder: async (request, context) => {
    const { clientOrderId } = request.params as { clientOrderId: string }
    const amendment = request.body as AmendOrderRequest
    const desk = deskOf(request, context, amendment.account)
    checkWindow(amendment)
    checkAmendment(amendment)
    return { data: await desk.amend(clientOrderId, amendment) }
  },

  cancelOrder: async (request, context) => {
    const { clientOrderId } = request.params as { clientOrderId: string }
    const cancel = request.query as CancelOrderQuery
    const desk = deskOf(request, context, cancel.account)
    checkWindow(cancel)
    return { data: await desk.cancel(clientOrderId, cancel) }
  },

  getFills: async (request, context) => {
    const { account, ...query } = request.query as FillQuery & { account: string }
    deskOf(request, context, account)
    if (query.after !== undefined && query.afterFillId !== undefined) {
      throw new ProblemError('INVALID_REQUEST', 'expected after or afterFillId, found both')
    }
    if (query.instrument !== undefined) await context.directory.check(query.instrument)
    const { fills, cursor, more } = await context.fills.get(account)!.page(query)
    return { data: fills, beside: { cursor, more } }
  },
}

function checkWindow({ intentTimeUs, sendBeforeUs }: { intentTimeUs: number; sendBeforeUs: number }): void {
  if (sendBeforeUs > intentTimeUs) return
  throw new ProblemError('INVALID_REQUEST', 'sendBeforeUs: expected a time after intentTimeUs')
}

function checkAmendment({ limitPrice, quantity, splitQuantity }: AmendOrderRequest): void {
  if (limitPrice === undefined && quantity === undefined) {
    throw new ProblemError('INVALID_REQUEST', 'expected limitPrice or quantity, found neither')
  }
  if (splitQuantity !== undefined && (limitPrice === undefined || quantity !== undefined)) {
    throw new ProblemError('INVALID_REQUEST', 'splitQuantity: expected limitPrice and no quantity beside it')
  }
}

async function toCandleQuery(
  request: CandlesRequest,
  market: MarketDataPort,
  directory: InstrumentDirectory,
): Promise<CandleQuery> {
  const { symbol, startDate, endDate, fromUs, toUs, limit, adjusted, book } = request
  if (adjusted === true || book !== undefined)
    throw new ProblemError('NOT_SUPPORTED', 'adjusted, book: not at this broker')
  if ((startDate !== undefined && fromUs !== undefined) || (endDate !== undefined && toUs !== undefined)) {
    throw new ProblemError('INVALID_REQUEST', 'expected a date or µs at each end, found both')
  }
  const timeframe = fromWireTimeframe(request.timeframe)
  if (market.capabilities.timeframes?.includes(timeframe) !== true) {
    const known = (market.capabilities.timeframes ?? []).join(', ')
    throw new ProblemError('NOT_SUPPORTED', `timeframe: expected one of ${known}, found ${request.timeframe}`)
  }
  const first = fromUs ?? (startDate === undefined ? undefined : startOfDayUs(startDate))
  const last = toUs ?? (endDate === undefined ? undefined : startOfDayUs(endDate) + DAY_US - 1)
  const instrument = await instrumentOf(symbol, market, directory)
  if (first !== undefined && last !== undefined && first > last)
    return { instrument, timeframe, fromUs: first, toUs: first - timeframeUs(timeframe), limit: 1 }
  return {
    instrument,
    timeframe,
    ...(first === undefined ? {} : { fromUs: first }),
    ...(last === undefined ? {} : { toUs: last }),
    ...(limit === undefined ? {} : { limit }),
  }
}

/** Midnight in Seoul, which has no summer time. */
function startOfDayUs(date: string): number {
  const timeMs = Date.parse(`${date}T00:00:00Z`)
  if (Number.isNaN(timeMs) || new Date(timeMs).toISOString().slice(0, 10) !== date) {
    throw new ProblemError('INVALID_REQUEST', `expected a day of the calendar, found ${date}`)
  }
  return timeMs * 1000 - KST_US
}

const INSTRUMENT = /^[A-Z][A-Z0-9]*:[A-Z0-9][A-Z0-9._-]*$/
const SYMBOL = /^[A-Z0-9][A-Z0-9._-]*$/

async function instrumentOf(
  symbol: string,
  { capabilities }: MarketDataPort,
  directory: InstrumentDirectory,
): Promise<InstrumentId> {
  const venue = VENUE_OF_BROKER[capabilities.broker] ?? capabilities.broker.toUpperCase()
  const id = INSTRUMENT.test(symbol) ? symbol : `${venue}:${symbol}`
  if (!INSTRUMENT.test(id) && !SYMBOL.test(symbol)) {
    throw new ProblemError(
      'INSTRUMENT_NOT_FOUND',
      `expected an instrument or a symbol, found ${JSON.stringify(symbol)}`,
    )
  }
  await directory.check(id)
  return id as InstrumentId
}

/** Whose listings a bare symbol means. */
const VENUE_OF_BROKER: Readonly<Record<string, string>> = { creon: 'KRX', kis: 'KRX' }
