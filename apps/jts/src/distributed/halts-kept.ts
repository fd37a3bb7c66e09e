/**
 * A person's halt between processes. It is on disk before anybody is told; who does not confirm it finds it when it is back, and
 * its open orders are cancelled from here meanwhile.
 */
import { RpcError, type OrderExecutionApi } from '@jts/contracts'
import type { HaltRequest, HaltResponse } from '@jts/contracts/orders-api'
import type { HaltTable } from '@jts/transport/store/halt-table'
import { within } from '../within.ts'
import type { HaltedWithout } from './cancel-without.ts'
import { addedUp, placed } from './routed.ts'
import { unitOfAccount } from './units.ts'

export type HaltsKeptOptions = {
  /** By account. */
  readonly owners: ReadonlyMap<string, Pick<OrderExecutionApi, 'halt'>>
  /** Of the strategy instances. */
  readonly accounts: ReadonlyMap<string, string>
  readonly halts: Pick<HaltTable, 'write' | 'lift'>
  /** Cancels at the broker what the account has open and the halt stops, without its order execution. */
  readonly cancelWithout: (account: string, halt: HaltRequest) => Promise<HaltedWithout>
  readonly writtenWithinMs?: number
}

/** What a halt may say; who keeps the state refuses any other. */
const STATES: ReadonlySet<string> = new Set(['halted', 'reducing'])
const WRITTEN_WITHIN_MS = 3000
/** Longer than it takes where the rows can be read; with the rest of a halt, inside the time that a person waits for the answer. */
const CANCELLED_WITHIN_MS = 6000

/** @param orders answers everything else, and refuses an account that is none */
export function haltsKept(
  orders: OrderExecutionApi,
  { owners, accounts, halts, cancelWithout, writtenWithinMs = WRITTEN_WITHIN_MS }: HaltsKeptOptions,
): Pick<OrderExecutionApi, 'halt' | 'resume' | 'resumeStrategy'> {
  const accountsOf = (account: string): string[] => (owners.has(account) ? [account] : [...owners.keys()])
  const unitsOf = (account: string): string[] => accountsOf(account).map((one) => unitOfAccount('order-execution', one))
  const isKnown = (account: string): boolean => account === '' || owners.has(account)
  const lift = (scope: { readonly account: string; readonly strategy: string }): Promise<void> =>
    within(writtenWithinMs, halts.lift(unitsOf(scope.account), scope))
  return {
    async halt(asked) {
      const request = { ...placed(asked, accounts), state: asked.state || 'halted' }
      if (!isKnown(request.account) || !STATES.has(request.state)) return await orders.halt(request)
      // Whoever answers is halted, whether it could be written or not.
      const written = within(writtenWithinMs, halts.write(unitsOf(request.account), request)).then(
        () => undefined,
        (error: unknown) => error as Error,
      )
      const unwritten = await written
      const answers = await Promise.all(
        accountsOf(request.account).map((account) => haltOne(account, owners.get(account)!, request, cancelWithout)),
      )
      const unconfirmed = answers.flatMap(({ unconfirmed: why }) => why ?? [])
      if (unwritten !== undefined && unconfirmed.length > 0) {
        throw new RpcError(
          'UNAVAILABLE',
          `the halt is not on disk (${unwritten.message}), and ${unconfirmed.join('; ')}`,
        )
      }
      const sum = addedUp(answers.map(({ answer }) => answer))
      return {
        ...sum,
        // Who was halted stays so when it is to reduce.
        state: sum.state === 'halted' ? sum.state : request.state,
        message: [sum.message, ...unconfirmed].filter((one) => one !== '').join('. '),
      }
    },
    async resume(request) {
      const { account } = request
      if (isKnown(account)) await lift({ account, strategy: '' })
      return await orders.resume(request)
    },
    async resumeStrategy(asked) {
      const request = placed(asked, accounts)
      await lift(request)
      return await orders.resumeStrategy(request)
    },
  }
}

type Answered = { readonly answer: HaltResponse; readonly unconfirmed?: string }

async function haltOne(
  account: string,
  owner: Pick<OrderExecutionApi, 'halt'>,
  request: HaltRequest,
  cancelWithout: HaltsKeptOptions['cancelWithout'],
): Promise<Answered> {
  try {
    return { answer: await owner.halt(request) }
  } catch (error) {
    const why = `the order execution of ${account} has not confirmed it (${(error as Error).message}) and takes it when it is back`
    const silent = { state: request.state, cancelled: 0, unknown: 0, open: 0, message: '' }
    const andUnasked = (cause: string): string => `${why}; what is open at its broker could not be asked (${cause})`
    try {
      const { unasked, ...counts } = await within(CANCELLED_WITHIN_MS, cancelWithout(account, request))
      return { answer: { ...silent, ...counts }, unconfirmed: unasked === undefined ? why : andUnasked(unasked) }
    } catch (cause) {
      return { answer: silent, unconfirmed: andUnasked((cause as Error).message) }
    }
  }
}
