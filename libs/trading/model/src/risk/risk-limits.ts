import { parseUnits } from '../numbers.ts'
import type { RiskLimits } from './risk-types.ts'

/** For configuration: limits from decimal text. */
export function riskLimitsFromText(text: {
  readonly notionalMaxPerOrder?: string
  readonly marketCollar?: number
  readonly duplicateWindowMs?: number
  readonly signalAgeMaxMs?: number
  readonly marketDataAgeMaxMs?: number
}): RiskLimits {
  return {
    ...(text.notionalMaxPerOrder !== undefined && { notionalMaxPerOrder: parseUnits(text.notionalMaxPerOrder) }),
    ...(text.marketCollar !== undefined && { marketCollar: text.marketCollar }),
    ...(text.duplicateWindowMs !== undefined && { duplicateWindowUs: text.duplicateWindowMs * 1000 }),
    ...(text.signalAgeMaxMs !== undefined && { signalAgeMaxUs: text.signalAgeMaxMs * 1000 }),
    ...(text.marketDataAgeMaxMs !== undefined && { marketDataAgeMaxUs: text.marketDataAgeMaxMs * 1000 }),
  }
}
