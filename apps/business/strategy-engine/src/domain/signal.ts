/** A signal: what a strategy wants, before risk has spoken; and its shapes on the wire. */
import { RpcError, type Payload, type RpcCode } from '@jts/contracts'
import type { RiskCheckRequest, RiskCheckResponse } from '@jts/contracts/risk-api'
import { formatUnits, type SignalId } from '@jts/model'
import type { StrategyIntent } from '@jts/strategy-kit'

export type Signal = {
  readonly signalId: SignalId
  readonly correlationId: string
  /** The event that caused it. */
  readonly causationId: string
  readonly instance: string
  readonly account: string
  readonly instrument: string
  readonly orderNumber: number
  readonly side: 'buy' | 'sell'
  readonly type: string
  readonly timeInForce: string
  /** Decimal text; empty where there is none. */
  readonly quantity: string
  readonly quoteQuantity: string
  readonly limitPrice: string
  /** Last price when it was made. */
  readonly price: string
  readonly timeUs: number
  /** Risk is not asked before: the market takes no orders. Its age counts from then. */
  readonly notBeforeUs?: number
}

/** From when on it may be asked about. */
export function askedFromUs({ timeUs, notBeforeUs = timeUs }: Signal): number {
  return notBeforeUs
}

const text = (units: bigint | undefined): string => (units === undefined ? '' : formatUnits(units))

export function signalOf(
  intent: StrategyIntent,
  common: Omit<Signal, 'orderNumber' | 'side' | 'type' | 'timeInForce' | 'quantity' | 'quoteQuantity' | 'limitPrice'>,
): Signal {
  return {
    ...common,
    orderNumber: intent.order,
    side: intent.side,
    type: intent.type,
    timeInForce: intent.timeInForce,
    quantity: text(intent.quantity),
    quoteQuantity: text(intent.quoteQuantity),
    limitPrice: text(intent.limitPrice),
  }
}

export function riskRequest(signal: Signal): RiskCheckRequest {
  return {
    correlationId: signal.correlationId,
    symbol: signal.instrument,
    quantity: Number(signal.quantity || 0),
    price: Number(signal.price || 0),
    side: signal.side,
    currentPortfolio: undefined,
    account: signal.account,
    strategy: signal.instance,
    signalId: signal.signalId,
    orderType: signal.type,
    timeInForce: signal.timeInForce,
    quantityText: signal.quantity,
    priceText: signal.price,
    quoteQuantity: signal.quoteQuantity,
    limitPrice: signal.limitPrice,
    signalTimeUs: askedFromUs(signal),
    causationId: signal.causationId,
  }
}

/** What risk will refuse however often it is asked. */
const REFUSALS: readonly RpcCode[] = ['INVALID_ARGUMENT', 'NOT_FOUND', 'ALREADY_EXISTS', 'FAILED_PRECONDITION']

/** A refusal of the question itself denies the signal; any other failure is no answer, and is thrown on. */
export function refusalOf(error: unknown, signal: Signal): RiskCheckResponse {
  if (!(error instanceof RpcError) || !REFUSALS.includes(error.code)) throw error
  return refusal(signal, error.code, error.message)
}

/** An answer as risk would give it, of a signal that risk is not asked about. */
export function refusal(signal: Signal, denialCode: string, rejectionReason: string): RiskCheckResponse {
  return {
    approved: false,
    adjustedQuantity: 0,
    rejectionReason,
    riskScore: 0,
    denialCode,
    adjustedQuantityText: '0',
    correlationId: signal.correlationId,
    signalId: signal.signalId,
    validUntilUs: 0,
    checks: [],
  }
}

export function signalWaiting(signal: Signal, notBeforeUs: number): Payload<'SignalWaiting'> {
  return {
    signalId: signal.signalId,
    strategy: signal.instance,
    account: signal.account,
    instrument: signal.instrument,
    side: signal.side,
    orderType: signal.type,
    timeInForce: signal.timeInForce,
    quantity: signal.quantity,
    quoteQuantity: signal.quoteQuantity,
    limitPrice: signal.limitPrice,
    price: signal.price,
    notBeforeUs,
  }
}

export function strategySignal(signal: Signal, answer: RiskCheckResponse): Payload<'StrategySignal'> {
  return {
    signalId: signal.signalId,
    strategy: signal.instance,
    account: signal.account,
    instrument: signal.instrument,
    side: signal.side,
    orderType: signal.type,
    timeInForce: signal.timeInForce,
    quantity: signal.quantity,
    quoteQuantity: signal.quoteQuantity,
    limitPrice: signal.limitPrice,
    price: signal.price,
    approved: answer.approved,
    adjustedQuantity: answer.adjustedQuantityText,
    reasonCode: answer.denialCode,
    reason: answer.rejectionReason,
    riskScore: answer.riskScore,
    checks: answer.checks,
  }
}

export function approvedSignal(signal: Signal, answer: RiskCheckResponse, nowUs: number): Payload<'ApprovedSignal'> {
  const quantityText = signal.quantity === '' ? '' : answer.adjustedQuantityText
  return {
    correlationId: signal.correlationId,
    symbol: signal.instrument,
    quantity: Number(quantityText || 0),
    price: Number(signal.price || 0),
    side: signal.side,
    approvedAt: new Date(nowUs / 1000).toISOString(),
    signalId: signal.signalId,
    account: signal.account,
    strategy: signal.instance,
    orderType: signal.type,
    timeInForce: signal.timeInForce,
    quantityText,
    quoteQuantity: signal.quoteQuantity,
    limitPrice: signal.limitPrice,
    priceText: signal.price,
    validUntilUs: answer.validUntilUs,
  }
}
