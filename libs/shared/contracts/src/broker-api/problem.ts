/** Every refusal of the Broker API: a problem document (RFC 9457) with a code from this closed list. */
import { Type, type Static } from '@sinclair/typebox'
import { named, TimeUs, words } from './scalars.ts'

/** Code → status, title. A code never changes its status. */
export const PROBLEMS = {
  INVALID_REQUEST: [400, 'The request is not what the contract says'],
  AUTHENTICATION_MISSING: [401, 'The request is not signed'],
  AUTHENTICATION_FAILED: [401, 'The key is unknown or the signature does not fit'],
  CLOCK_SKEW: [401, 'The timestamp is outside the accepted window'],
  NONCE_REUSED: [401, 'The nonce was used before'],
  FORBIDDEN: [403, 'The key may not do this'],
  NOT_FOUND: [404, 'There is no such path'],
  ACCOUNT_NOT_FOUND: [404, 'This service does not hold the account'],
  INSTRUMENT_NOT_FOUND: [404, 'The venue does not list the instrument'],
  ORDER_NOT_FOUND: [404, 'The venue says that it has no such order'],
  METHOD_NOT_ALLOWED: [405, 'The path has no such method'],
  ORDER_CONFLICT: [409, 'The request id was used for something else'],
  ORDER_AMBIGUOUS: [409, 'Several orders at the venue could be this one'],
  STALE_LEASE: [409, 'A later owner of the account is known'],
  CURSOR_UNKNOWN: [410, 'The cursor is not of this record; begin again without one'],
  PAYLOAD_TOO_LARGE: [413, 'The body is too large'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'The body is not JSON'],
  NOT_SUPPORTED: [422, 'This broker cannot do that'],
  RATE_LIMITED: [429, 'The rate budget is used up'],
  INTERNAL: [500, 'The service failed'],
  VENUE_ANSWER_UNREADABLE: [502, 'The venue answered in words that we cannot read'],
  BROKER_UNAVAILABLE: [503, 'The venue cannot be reached'],
  VENUE_TIMEOUT: [504, 'The venue did not answer in time'],
} as const satisfies Readonly<Record<string, readonly [status: number, title: string]>>

export type ProblemCode = keyof typeof PROBLEMS
export const PROBLEM_CODES = Object.keys(PROBLEMS) as readonly ProblemCode[]
export const PROBLEM_TYPE = 'urn:jts:broker-api:problem:'

export const Problem = named(
  'Problem',
  Type.Object(
    {
      type: Type.String({ description: `"${PROBLEM_TYPE}" and the code.` }),
      title: Type.String({ description: 'Words for the code, always the same.' }),
      status: Type.Integer({ minimum: 400, maximum: 599 }),
      code: words(PROBLEM_CODES),
      detail: Type.String({ description: 'What was expected and what was found. Never a secret.' }),
      instance: Type.Optional(Type.String({ description: 'The path of the request, without its query.' })),
      serverTimeUs: Type.Optional(TimeUs),
      retryAfterMs: Type.Optional(
        Type.Integer({ minimum: 0, description: 'With RATE_LIMITED and BROKER_UNAVAILABLE.' }),
      ),
    },
    { description: 'application/problem+json (RFC 9457). serverTimeUs is there with CLOCK_SKEW.' },
  ),
)
export type Problem = Static<typeof Problem>

export function problem(code: ProblemCode, detail: string, more: Partial<Problem> = {}): Problem {
  const [status, title] = PROBLEMS[code]
  return { type: `${PROBLEM_TYPE}${code}`, title, status, code, detail, ...more }
}
