/** Every failure of the server as a problem of the contract's closed list. */
import { problem, type Problem, type ProblemCode } from '@jts/contracts/broker-api'
import type { FastifyError } from 'fastify'
import { BrokerError } from '../port.ts'

export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly code: ProblemCode
  readonly more: Partial<Problem>
  constructor(code: ProblemCode, message: string, more: Partial<Problem> = {}, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.more = more
  }
}

const BROKER_CODES: Readonly<Record<string, ProblemCode>> = {
  BROKER_UNAVAILABLE: 'BROKER_UNAVAILABLE',
  AUTHENTICATION: 'BROKER_UNAVAILABLE',
  OUTSIDE_RECEIVE_WINDOW: 'BROKER_UNAVAILABLE',
  TIMEOUT: 'VENUE_TIMEOUT',
  UNREADABLE: 'VENUE_ANSWER_UNREADABLE',
  RATE_BUDGET: 'RATE_LIMITED',
  RATE_LIMIT: 'RATE_LIMITED',
  NOT_SUPPORTED: 'NOT_SUPPORTED',
  INSTRUMENT_NOT_FOUND: 'INSTRUMENT_NOT_FOUND',
  CURSOR_UNKNOWN: 'CURSOR_UNKNOWN',
  INVALID: 'INVALID_REQUEST',
  // The venue's own «no» to a question.
  REJECTED: 'INVALID_REQUEST',
  FILTER_FAILURE: 'INVALID_REQUEST',
}

const FRAMEWORK_CODES: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'PAYLOAD_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'INVALID_REQUEST',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'INVALID_REQUEST',
  FST_ERR_BAD_URL: 'NOT_FOUND',
  // Of a method such as QUERY, which nothing here answers.
  FST_ERR_ROUTE_MISSING_CONTENT_TYPE: 'NOT_FOUND',
  FST_ERR_VALIDATION: 'INVALID_REQUEST',
}

/** The one door: what was thrown, as a problem; `INTERNAL` says nothing of what it was. */
export function toProblem(error: unknown): Problem {
  if (error instanceof ProblemError) return problem(error.code, error.message, error.more)
  if (error instanceof BrokerError) {
    const code = BROKER_CODES[error.code]
    const { retryAfterMs } = error
    if (code !== undefined) return problem(code, error.message, retryAfterMs === undefined ? {} : { retryAfterMs })
    return problem(error.retryable ? 'BROKER_UNAVAILABLE' : 'INVALID_REQUEST', error.message)
  }
  const { code, validation, validationContext, message } = error as FastifyError
  if (validation !== undefined) {
    const [first] = validation
    const where = `${validationContext ?? 'request'}${(first?.instancePath ?? '').replaceAll('/', '.')}`
    const extra = first?.params['additionalProperty'] as string | undefined
    return problem(
      'INVALID_REQUEST',
      `${where}: ${first?.message ?? 'invalid'}${extra === undefined ? '' : ` (${extra})`}`,
    )
  }
  const framework = FRAMEWORK_CODES[code]
  if (framework !== undefined) return problem(framework, message)
  return problem('INTERNAL', 'the service failed; its log says why')
}
