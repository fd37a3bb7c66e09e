/** Requests against the contract's schemas: bodies as they are, queries and paths with their numbers read from text. */
import { Ajv, type ValidateFunction } from 'ajv'
import { ClientMessage } from '@jts/contracts/broker-api'
import type { FastifySchemaCompiler } from 'fastify'
import { ProblemError } from './problems.ts'

const common = { strict: false, useDefaults: true, removeAdditional: false, formats: { int64: true } } as const
const bodies = new Ajv({ ...common, coerceTypes: false })
const texts = new Ajv({ ...common, coerceTypes: 'array' })

export const compileValidator: FastifySchemaCompiler<object> = ({ schema, httpPart }) =>
  (httpPart === 'body' ? bodies : texts).compile(plain(schema))

/** Without the symbols that the schema's maker leaves in it, and without defaults shared between calls. */
function plain(schema: object): object {
  return JSON.parse(JSON.stringify(schema)) as object
}

let checkMessage: ValidateFunction | undefined

/** @throws ProblemError that says what was expected. */
export function readClientMessage(text: string): ClientMessage {
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch {
    throw new ProblemError('INVALID_REQUEST', 'expected a message in JSON, found something else')
  }
  checkMessage ??= bodies.compile(plain(ClientMessage))
  if (checkMessage(message)) return message as ClientMessage
  const [error] = checkMessage.errors ?? []
  throw new ProblemError('INVALID_REQUEST', `message${error?.instancePath ?? ''}: ${error?.message ?? 'invalid'}`)
}
