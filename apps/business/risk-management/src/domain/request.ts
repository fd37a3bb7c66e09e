/** From the wire's RiskCheckRequest to an intent, and back to its answer. What cannot be accepted names field, expected, found. */
import { RpcError } from '@jts/contracts'
import type { RiskCheckRequest, RiskCheckResponse } from '@jts/contracts/risk-api'
import {
  accountId,
  decimalTextFromDouble,
  formatUnits,
  instrumentId,
  parseUnits,
  strategyInstanceId,
  unitsToFloat,
  type AccountId,
  type AdvisoryPortfolio,
  type Instrument,
  type InstrumentId,
  type OrderType,
  type RiskDecision,
  type RiskIntent,
  type Side,
  type SignalId,
  type TimeInForce,
  type Units,
} from '@jts/model'

/** Instruments by id and by symbol; a bare symbol is taken where it is unique. */
export type InstrumentLookup = (symbol: string) => Instrument | 'unknown' | 'ambiguous'

/** Looks into these as they are when it is asked. */
export function instrumentLookup(instruments: ReadonlyMap<string, Instrument>): InstrumentLookup {
  return (symbol) => {
    if (symbol.includes(':')) return instruments.get(symbol) ?? 'unknown'
    const matches = [...instruments.values()].filter((instrument) => instrument.symbol === symbol)
    return matches.length === 1 ? matches[0]! : matches.length === 0 ? 'unknown' : 'ambiguous'
  }
}

function invalid(field: string, expected: string, found: unknown): RpcError {
  return new RpcError('INVALID_ARGUMENT', `${field}: expected ${expected}, found ${JSON.stringify(found) ?? 'nothing'}`)
}

export function findInstrument(symbol: string, lookup: InstrumentLookup): Instrument {
  if (symbol === '') throw invalid('symbol', 'an instrument such as BINANCE:BTCUSDT', symbol)
  const found = lookup(symbol)
  if (found === 'unknown') throw new RpcError('NOT_FOUND', `symbol: expected a known instrument, found ${symbol}`)
  if (found === 'ambiguous') {
    throw new RpcError('INVALID_ARGUMENT', `symbol: expected one venue's symbol, found ${symbol} on several venues`)
  }
  return found
}

/** An amount from its text, or from the double beside it by its shortest text; undefined when neither is there. */
export function amount(field: string, text: string, double: number): Units | undefined {
  if (text === '' && double === 0) return undefined
  try {
    const units = parseUnits(text === '' ? decimalTextFromDouble(double) : text)
    if (units > 0n) return units
  } catch {
    // said below, with the field's name
  }
  throw invalid(field, 'a positive decimal of at most 8 places', text === '' ? String(double) : text)
}

export function parseSide(side: string): Side {
  if (side !== 'buy' && side !== 'sell') throw invalid('side', '"buy" or "sell"', side)
  return side
}

function parseType(type: string, fallback: OrderType): OrderType {
  if (type === '') return fallback
  if (type !== 'market' && type !== 'limit' && type !== 'limit_maker') {
    throw invalid('order_type', '"market", "limit" or "limit_maker"', type)
  }
  return type
}

function parseTimeInForce(text: string): TimeInForce {
  if (text === '') return 'gtc'
  if (text !== 'gtc' && text !== 'ioc' && text !== 'fok') throw invalid('time_in_force', '"gtc", "ioc" or "fok"', text)
  return text
}

export type ParsedRequest =
  | { readonly kind: 'advisory'; readonly intent: RiskIntent; readonly portfolio: AdvisoryPortfolio }
  | { readonly kind: 'binding'; readonly intent: RiskIntent }

/**
 * Without an account the request is advisory: it judges the portfolio given, at the price given (a limit, unless an order
 * type is named). With an account the portfolio is ignored.
 */
export function parseRiskCheck(request: RiskCheckRequest, lookup: InstrumentLookup, nowUs: number): ParsedRequest {
  if (request.correlationId === '') throw invalid('correlation_id', 'an id of the request', '')
  const instrument = findInstrument(request.symbol, lookup)
  const side = parseSide(request.side)
  const advisory = request.account === ''
  const quantity = amount('quantity', request.quantityText, request.quantity)
  const quoteQuantity = amount('quote_quantity', request.quoteQuantity, 0)
  if (quantity === undefined && quoteQuantity === undefined) {
    throw invalid('quantity', 'a positive decimal', request.quantity)
  }
  if (quantity !== undefined && quoteQuantity !== undefined) {
    throw invalid('quantity', 'either quantity or quote_quantity', 'both')
  }
  const price = amount('price', request.priceText, request.price)
  const type = parseType(request.orderType, advisory ? 'limit' : 'market')
  const limitPrice = amount('limit_price', request.limitPrice, 0) ?? (type === 'market' ? undefined : price)
  if (advisory && price === undefined) throw invalid('price', 'a positive decimal', request.price)
  const common = {
    instrument: instrument.id,
    side,
    type,
    ...(quantity === undefined ? { quoteQuantity: quoteQuantity! } : { quantity }),
    ...(limitPrice === undefined ? {} : { limitPrice }),
    timeInForce: parseTimeInForce(request.timeInForce),
    signalTimeUs: request.signalTimeUs === 0 ? nowUs : request.signalTimeUs,
  }
  if (advisory) {
    const intent: RiskIntent = {
      ...common,
      signalId: request.correlationId as SignalId,
      account: accountId('sim.advisory.none'),
      strategy: strategyInstanceId('advisory'),
    }
    return { kind: 'advisory', intent, portfolio: parsePortfolio(request, instrument, lookup) }
  }
  if (request.signalId === '') throw invalid('signal_id', 'the id of the signal when an account is given', '')
  try {
    return {
      kind: 'binding',
      intent: {
        ...common,
        signalId: request.signalId as SignalId,
        account: accountId(request.account),
        strategy: strategyInstanceId(request.strategy),
      },
    }
  } catch (cause) {
    throw new RpcError('INVALID_ARGUMENT', (cause as Error).message, { cause })
  }
}

function parsePortfolio(
  request: RiskCheckRequest,
  instrument: Instrument,
  lookup: InstrumentLookup,
): AdvisoryPortfolio {
  const portfolio = request.currentPortfolio
  if (portfolio === undefined) {
    throw invalid('current_portfolio', 'a portfolio to judge by, or an account', undefined)
  }
  if (!Number.isFinite(portfolio.cash) || portfolio.cash < 0) {
    throw invalid('current_portfolio.cash', 'a decimal of 0 or more', String(portfolio.cash))
  }
  const positions: Partial<Record<InstrumentId, Units>> = {}
  for (const [i, position] of portfolio.positions.entries()) {
    const at = `current_portfolio.positions[${i}]`
    if (position.symbol === '') throw invalid(`${at}.symbol`, 'an instrument', '')
    if (!Number.isFinite(position.quantity)) throw invalid(`${at}.quantity`, 'a decimal', String(position.quantity))
    const found = lookup(position.symbol)
    // What is held elsewhere does not change the judgement of this instrument.
    if (typeof found === 'string') continue
    const text = position.quantityText === '' ? String(position.quantity) : position.quantityText
    try {
      positions[found.id] = parseUnits(position.quantityText || decimalTextFromDouble(position.quantity))
    } catch {
      throw invalid(`${at}.quantity`, 'a decimal of at most 8 places', text)
    }
  }
  const cash = amount('current_portfolio.cash', portfolio.cashText, portfolio.cash) ?? 0n
  return { cash: { [instrument.quoteCurrency]: cash }, positions: positions as Record<InstrumentId, Units> }
}

export function toResponse(intent: RiskIntent, decision: RiskDecision, validUntilUs: number): RiskCheckResponse {
  const adjusted = decision.approved ? decision.quantity : 0n
  return {
    approved: decision.approved,
    adjustedQuantity: unitsToFloat(adjusted),
    rejectionReason: decision.approved ? '' : decision.reason,
    riskScore: Math.min(1, Math.max(0, decision.riskScore)),
    denialCode: decision.approved ? '' : decision.reasonCode,
    adjustedQuantityText: formatUnits(adjusted),
    correlationId: '',
    signalId: intent.signalId,
    validUntilUs: decision.approved ? validUntilUs : 0,
    checks: decision.checks.map((check) => ({
      rule: check.rule,
      passed: check.passed,
      expected: check.passed ? '' : (check.code ?? ''),
      found: check.reason ?? '',
    })),
  }
}

/** @throws RpcError INVALID_ARGUMENT when it is no account. */
export function parseAccount(text: string): AccountId {
  try {
    return accountId(text)
  } catch (cause) {
    throw new RpcError('INVALID_ARGUMENT', `account: ${(cause as Error).message}`, { cause })
  }
}

/** Checks the names in a text: throws RpcError INVALID_ARGUMENT when it is no instrument id. */
export function parseInstrumentId(text: string): InstrumentId {
  try {
    return instrumentId(text)
  } catch (cause) {
    throw new RpcError('INVALID_ARGUMENT', (cause as Error).message, { cause })
  }
}
