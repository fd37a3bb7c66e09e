/** Errors as RFC 9457 problem documents, with a stable `code` and what was expected and found. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from '@jts/runtime'

export const PROBLEMS = {
  BAD_REQUEST: { status: 400, title: 'The request is not valid' },
  FOREIGN_ORIGIN: { status: 403, title: 'The request comes from another site' },
  NOT_FOUND: { status: 404, title: 'There is nothing here' },
  REFUSED: { status: 409, title: 'The command is not allowed now' },
  BODY_TOO_LARGE: { status: 413, title: 'The body is too large' },
  JSON_REQUIRED: { status: 415, title: 'The body must be JSON' },
  FOREIGN_HOST: { status: 421, title: 'The request is meant for another host' },
  INTERNAL: { status: 500, title: 'The gateway failed' },
  UNAVAILABLE: { status: 503, title: 'A service behind the gateway is not available' },
  TIMEOUT: { status: 504, title: 'A service behind the gateway did not answer in time' },
} as const

export type ProblemCode = keyof typeof PROBLEMS

export type Problem = {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: ProblemCode
  readonly detail: string
  readonly instance: string
  readonly expected?: string
  readonly found?: string
}

/** Thrown by ports and routes; anything else that is thrown becomes `INTERNAL` and says nothing outside. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly code: ProblemCode
  readonly expected: string | undefined
  readonly found: string | undefined

  constructor(code: ProblemCode, detail: string, facts: { expected?: string; found?: string; cause?: unknown } = {}) {
    super(detail, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.code = code
    this.expected = facts.expected
    this.found = facts.found
  }
}

export function sendProblem(request: FastifyRequest, reply: FastifyReply, error: GatewayError): FastifyReply {
  const { status, title } = PROBLEMS[error.code]
  const problem: Problem = {
    type: `urn:jts:problem:${error.code.toLowerCase().replaceAll('_', '-')}`,
    title,
    status,
    code: error.code,
    detail: error.message,
    instance: request.url.split('?', 1)[0] ?? '/',
    ...(error.expected === undefined ? {} : { expected: error.expected }),
    ...(error.found === undefined ? {} : { found: error.found }),
  }
  return reply.code(status).type('application/problem+json').send(problem)
}

/** The one door for whatever was thrown behind a route. */
export function toGatewayError(error: unknown, log: Logger): GatewayError {
  if (error instanceof GatewayError) return error
  const fastifyError = error as Partial<FastifyError>
  if (fastifyError.validation !== undefined) return fromValidation(fastifyError)
  const message = String(fastifyError.message ?? error)
  if (fastifyError.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new GatewayError('JSON_REQUIRED', message)
  if (fastifyError.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new GatewayError('BODY_TOO_LARGE', message)
  const status = fastifyError.statusCode
  if (status !== undefined && status >= 400 && status < 500) return new GatewayError('BAD_REQUEST', message)
  log.error({ err: error }, 'request failed')
  return new GatewayError('INTERNAL', 'the log of the gateway says why')
}

function fromValidation(error: Partial<FastifyError>): GatewayError {
  // With `verbose`, Ajv hands the offending value along as `data`.
  const first = error.validation?.[0] as
    { instancePath: string; message?: string; params: Record<string, unknown>; data?: unknown } | undefined
  const missing = first?.params['missingProperty'] ?? first?.params['additionalProperty']
  const field = String(missing ?? first?.instancePath.slice(1).replaceAll('/', '.')) || 'value'
  const allowed = first?.params['allowedValues']
  const expected = `${field}: ${Array.isArray(allowed) ? `one of ${allowed.join(', ')}` : (first?.message ?? 'valid')}`
  const value = first?.params['missingProperty'] !== undefined ? undefined : first?.data
  const found = value === undefined ? 'nothing' : (JSON.stringify(value) ?? 'nothing').slice(0, 200)
  const where = error.validationContext ?? 'request'
  return new GatewayError('BAD_REQUEST', `the ${where} is not valid: ${expected}`, { expected, found })
}
