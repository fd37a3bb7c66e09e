/** What a service refuses is told to whoever asked at the gateway, in its own words. */
import { GatewayError } from '@jts/api-gateway'
import { RpcError } from '@jts/contracts'

const REFUSALS = {
  INVALID_ARGUMENT: 'BAD_REQUEST',
  FAILED_PRECONDITION: 'REFUSED',
  NOT_FOUND: 'NOT_FOUND',
  UNAVAILABLE: 'UNAVAILABLE',
  DEADLINE_EXCEEDED: 'TIMEOUT',
} as const

export async function refusedAs<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    const code = error instanceof RpcError ? REFUSALS[error.code as keyof typeof REFUSALS] : undefined
    throw code === undefined ? error : new GatewayError(code, (error as RpcError).message)
  }
}
