/**
 * One server before all units of a process: each call goes to the unit that it names, or that its account names. What this
 * process does not own it refuses with ABORTED, before anything is done: the caller asks the owner.
 */
import { RpcError } from '@jts/contracts'
import type { CallContext, RpcService } from '@jts/transport'
import type { OpenUnit } from './open-unit.ts'

type Handler = (request: unknown, signal: AbortSignal) => Promise<unknown> | AsyncIterable<unknown>
type Find = (context: CallContext, request: unknown) => OpenUnit

/** @param open what this process owns and answers for. @param unitOf the unit that has to do with an account. */
export function unitFinder(open: ReadonlyMap<string, OpenUnit>, unitOf: (account: string) => string): Find {
  return ({ unit }, request) => {
    const account = (request as { account?: string } | undefined)?.account
    const name = unit !== '' ? unit : account !== undefined && account !== '' ? unitOf(account) : undefined
    const found = name === undefined ? only(open) : open.get(name)
    if (found !== undefined) return found
    throw new RpcError('ABORTED', `${name ?? 'the unit asked for'} is not owned here: ask its owner`)
  }
}

function only(open: ReadonlyMap<string, OpenUnit>): OpenUnit | undefined {
  if (open.size <= 1) return [...open.values()][0]
  throw new RpcError(
    'INVALID_ARGUMENT',
    `expected an account, or the unit in the header jts-unit: one of ${[...open.keys()].join(', ')}, found neither`,
  )
}

/** The calls of a definition, each answered by the unit that `find` names; `part` is the object of the unit that answers. */
export function dispatched(definition: RpcService['definition'], part: 'api' | 'control', find: Find): RpcService {
  const handlers = Object.entries(definition).map(([name, method]) => {
    const of = (unit: OpenUnit): Handler => {
      const handler = (unit[part] as Record<string, Handler>)[name]
      if (handler === undefined) throw new RpcError('UNIMPLEMENTED', `${unit.name} does not answer ${name}`)
      return handler.bind(unit[part])
    }
    const unary = async (request: unknown, signal: AbortSignal, context: CallContext): Promise<unknown> => {
      const unit = find(context, request)
      const call = (): Promise<unknown> => of(unit)(request, signal) as Promise<unknown>
      // Whoever waits for a unit to come to rest does not keep it.
      return await (part === 'control' ? call() : unit.during(call))
    }
    async function* stream(request: unknown, signal: AbortSignal, context: CallContext): AsyncIterable<unknown> {
      const unit = find(context, method.requestStream ? undefined : request)
      yield* of(unit)(request, AbortSignal.any([signal, unit.leaving])) as AsyncIterable<unknown>
      if (unit.leaving.aborted) throw new RpcError('ABORTED', `${unit.name} moves to another owner`)
    }
    return [name, method.responseStream ? stream : unary] as const
  })
  return { definition, handlers: Object.fromEntries(handlers) }
}
