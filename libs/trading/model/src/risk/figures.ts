/** What a rule measured when it had no objection, for whoever asks why an order was allowed. Built only when asked for. */
import { kstText } from '../krx/kst.ts'
import { formatUnits } from '../numbers.ts'
import type { RiskQuestion } from './risk-question.ts'

const seconds = (us: number): string => `${us / 1e6} s`

/** By the rule's name; a rule without a figure has only passed. */
const FIGURES: Readonly<Record<string, (question: RiskQuestion) => string | undefined>> = {
  'trading-state': (q) =>
    q.strategyState === 'active' ? q.tradingState : `${q.tradingState}, ${q.intent.strategy} ${q.strategyState}`,
  'tick-size': (q) =>
    q.intent.limitPrice === undefined
      ? undefined
      : `${formatUnits(q.intent.limitPrice)} in steps of ${formatUnits(q.instrument.tickSize)}`,
  'lot-size': (q) => `${formatUnits(q.quantity)} in steps of ${formatUnits(q.instrument.lotSize)}`,
  'quantity-min': (q) => `${q.base(q.quantity)} of at least ${q.base(q.instrument.quantityMin)}`,
  'stale-signal': (q) => {
    const max = q.limits.signalAgeMaxUs
    const age = q.nowUs - q.intent.signalTimeUs
    if (max === undefined) return undefined
    if (age <= max) return `${seconds(age)} of at most ${seconds(max)}`
    return `${seconds(age)}, in time for the opening auction until ${kstText(q.auctionUntilUs!)}`
  },
  'market-price': (q) => String(q.market.lastPrice),
  'stale-market-data': (q) =>
    q.limits.marketDataAgeMaxUs === undefined
      ? undefined
      : `${seconds(q.marketDataAgeUs)} of at most ${seconds(q.limits.marketDataAgeMaxUs)}`,
  'order-rate': (q) =>
    q.limits.ordersPerMinuteMax === undefined || Number.isNaN(q.rateOldestUs)
      ? undefined
      : `${q.limits.ordersPerMinuteMax} in the last ${seconds(q.nowUs - q.rateOldestUs)}, at most in 60 s`,
  'notional-min': (q) => `${q.quote(q.notional)} of at least ${q.quote(q.instrument.notionalMin)}`,
  'notional-max': (q) =>
    q.instrument.notionalMax === 0n
      ? undefined
      : `${q.quote(q.notional)} of at most ${q.quote(q.instrument.notionalMax)}`,
  'notional-max-per-order': (q) =>
    q.limits.notionalMaxPerOrder === undefined
      ? undefined
      : `${q.quote(q.notional)} of at most ${q.quote(q.limits.notionalMaxPerOrder)} an order`,
  'price-collar': (q) =>
    q.limits.priceCollar === undefined || q.intent.limitPrice === undefined
      ? undefined
      : `${formatUnits(q.intent.limitPrice)} with a last price of ${q.market.lastPrice}`,
  'exposure-max-per-instrument': (q) =>
    q.limits.exposureMaxPerInstrument === undefined || q.intent.side === 'sell'
      ? undefined
      : `${q.quote(q.exposure + q.notional)} of at most ${q.quote(q.limits.exposureMaxPerInstrument)}`,
  cash: (q) =>
    q.intent.side === 'sell' ? undefined : `${q.quote(q.cashNeeded)} at worst of ${q.quote(q.cashFree)} not reserved`,
  'sellable-quantity': (q) =>
    q.intent.side === 'buy' ? undefined : `${q.base(q.quantity)} of ${q.base(q.sellable)} held and not reserved`,
}

export function figureOf(rule: string, question: RiskQuestion): string | undefined {
  return FIGURES[rule]?.(question)
}
