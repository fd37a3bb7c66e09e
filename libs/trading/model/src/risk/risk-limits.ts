import { parseUnits } from '../numbers.ts'
import type { RiskLimits } from './risk-types.ts'

/** For configuration: limits from decimal text. */
export function riskLimitsFromText(text: {
  readonly notionalMaxPerOrder?: string
  readonly marketCollar?: number
  readonly duplicateWindowMs?: number
  readonly signalAgeMaxMs?: number
  readonly marketDataAgeMaxMs?: number
  readonly priceCollar?: number
  readonly ordersPerMinuteMax?: number
  readonly exposureMaxPerInstrument?: string
}): RiskLimits {
  return {
    ...(text.notionalMaxPerOrder !== undefined && { notionalMaxPerOrder: parseUnits(text.notionalMaxPerOrder) }),
    ...(text.marketCollar !== undefined && { marketCollar: text.marketCollar }),
    ...(text.duplicateWindowMs !== undefined && { duplicateWindowUs: text.duplicateWindowMs * 1000 }),
    ...(text.signalAgeMaxMs !== undefined && { signalAgeMaxUs: text.signalAgeMaxMs * 1000 }),
    ...(text.ordersPerMinuteMax !== undefined && { ordersPerMinuteMax: text.ordersPerMinuteMax }),
    ...(text.priceCollar !== undefined && { priceCollar: text.priceCollar }),
    ...(text.exposureMaxPerInstrument !== undefined && {
      exposureMaxPerInstrument: parseUnits(text.exposureMaxPerInstrument),
    }),
    ...(text.marketDataAgeMaxMs !== undefined && { marketDataAgeMaxUs: text.marketDataAgeMaxMs * 1000 }),
  }
}
