/** RpcError and gRPC's statuses, both ways; and the limits that both ends share. */
import { status, type ChannelOptions, type ServiceError } from '@grpc/grpc-js'
import { RPC_CODES, RpcError, type RpcCode } from '@jts/contracts'

/** Pings on a quiet link, so that one whose other end is gone without a word is noticed. */
export type KeepAlive = {
  /** From the last sign of life to the ping, ms. */
  readonly timeMs: number
  /** From the ping to giving the link up, ms. */
  readonly timeoutMs: number
}

/** A half-open link is noticed within 4 s: before the 5 s after which a missing heartbeat turns accounts to reducing. */
export const KEEP_ALIVE: KeepAlive = { timeMs: 2000, timeoutMs: 2000 }

/** A list of every order of a busy account is larger than gRPC's own 4 MiB. */
export const MESSAGE_BYTES_MAX = 64 * 1024 * 1024

/** Names the unit that is asked, beside a request. */
export const UNIT_HEADER = 'jts-unit'

/** Unread bytes that may be on their way: a stream of small messages must not wait for each window. */
const FLOW_CONTROL_BYTES = 4 * 1024 * 1024

export function channelOptions({ timeMs, timeoutMs }: KeepAlive): ChannelOptions {
  return {
    'grpc.keepalive_time_ms': timeMs,
    'grpc.keepalive_timeout_ms': timeoutMs,
    'grpc.keepalive_permit_without_calls': 1,
    'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc-node.flow_control_window': FLOW_CONTROL_BYTES,
  }
}

/** Statuses travel in headers, whose size is limited: a message that repeats a huge request is cut. */
const MESSAGE_LENGTH_MAX = 2000

export const INTERNAL_MESSAGE = 'internal error; the service log tells more'

/** What a caller is told of an error: an RpcError as it is, of anything else only that it happened. */
export function toStatus(error: unknown): { code: status; details: string } {
  if (!(error instanceof RpcError)) return { code: status.INTERNAL, details: INTERNAL_MESSAGE }
  const { code, message } = error
  const details = message.length > MESSAGE_LENGTH_MAX ? `${message.slice(0, MESSAGE_LENGTH_MAX)}…` : message
  return { code: status[code], details: details.toWellFormed() }
}

/** The one door from whatever a call ended with to the error that a direct call throws. */
export function toRpcError(error: unknown): RpcError {
  if (error instanceof RpcError) return error
  const { code, details } = error as Partial<ServiceError>
  if (typeof code !== 'number' || status[code] === undefined) {
    return new RpcError('INTERNAL', (error as Error).message, { cause: error })
  }
  const name = status[code]
  if (isRpcCode(name)) return new RpcError(name, details ?? '', { cause: error })
  return new RpcError('INTERNAL', `${name}: ${details}`, { cause: error })
}

/** What `signal` and `close` end a call with. */
export function cancelled(): RpcError {
  return new RpcError('CANCELLED', 'the caller ended the call, or closed the connection')
}

export function isRpcCode(name: string): name is RpcCode {
  return (RPC_CODES as readonly string[]).includes(name)
}
