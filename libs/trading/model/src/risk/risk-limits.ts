import { parseUnits } from '../numbers.ts'
import type { AcceptableRestriction } from '../instruments.ts'
import type { RiskLimits } from './risk-types.ts'

/** For configuration: limits from decimal text. */
export function riskLimitsFromText(text: {
  readonly notionalMaxPerOrder?: string | undefined
  readonly marketCollar?: number | undefined
  readonly duplicateWindowMs?: number | undefined
  readonly signalAgeMaxMs?: number | undefined
  readonly marketDataAgeMaxMs?: number | undefined
  readonly priceCollar?: number | undefined
  readonly ordersPerMinuteMax?: number | undefined
  readonly exposureMaxPerInstrument?: string | undefined
  readonly restrictionsAllowed?: readonly AcceptableRestriction[] | undefined
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
    ...(text.restrictionsAllowed !== undefined && { restrictionsAllowed: text.restrictionsAllowed }),
    ...(text.marketDataAgeMaxMs !== undefined && { marketDataAgeMaxUs: text.marketDataAgeMaxMs * 1000 }),
  }
}
