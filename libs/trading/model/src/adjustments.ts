/** Why money, or what was bought, moves without a trade. */
export const ADJUSTMENT_REASONS = [
  'deposit',
  'withdrawal',
  'dividend',
  'fee',
  'corporate-action',
  'correction',
] as const
export type AdjustmentReason = (typeof ADJUSTMENT_REASONS)[number]

/** Those that only bring something in (1) or only take something out (-1). */
export const ADJUSTMENT_SIGNS: Readonly<Partial<Record<AdjustmentReason, 1 | -1>>> = {
  deposit: 1,
  dividend: 1,
  withdrawal: -1,
}

export function isAdjustmentReason(text: string): text is AdjustmentReason {
  return (ADJUSTMENT_REASONS as readonly string[]).includes(text)
}
