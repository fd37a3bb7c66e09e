/** What a rule is, and how it objects. */
import type { DenialCode } from './risk-types.ts'
import type { RiskQuestion } from './risk-question.ts'

export type Denial = { readonly code: DenialCode; readonly reason: string }
/** `check` returns undefined when the rule has no objection; nothing is built on that path. */
export type RiskRule = { readonly name: string; readonly check: (question: RiskQuestion) => Denial | undefined }

export function deny(code: DenialCode, reason: string): Denial {
  return { code, reason }
}
