/**
 * The services of a distributed run as one: each call goes to the owners of the units that it has to do with, and their answers
 * are put together. Whoever asks need not know how many replicas there are.
 */
import {
  RpcError,
  type CollectionApi,
  type OrderExecutionApi,
  type PortfolioApi,
  type StrategyApi,
} from '@jts/contracts'
import type { Collection, CollectRequest, ListCollectionsResponse } from '@jts/contracts/collection-api'
import type { HaltResponse, TradingState } from '@jts/contracts/orders-api'
import type { PositionUpdate } from '@jts/contracts/portfolio-api'
import { StrategyView } from '@jts/contracts/strategy-api'

/** By account. */
type ByAccount<Api> = ReadonlyMap<string, Api>

/** What is not known comes last: it is told for everything only when nobody answers. */
const STRICTEST = ['halted', 'reducing', 'active', 'unknown']
const REOPEN_MS = 500

/**
 * Orders are by account; an empty account is all of them.
 *
 * @param accounts of the strategy instances: a halt of one is for the owner of its account alone
 */
export function routedOrders(
  owners: ByAccount<OrderExecutionApi>,
  accounts: ReadonlyMap<string, string> = new Map(),
): OrderExecutionApi {
  const of = (account: string): readonly OrderExecutionApi[] =>
    account === '' ? [...owners.values()] : [ownerOf(owners, account)]
  return {
    async listOrders(request) {
      const answers = await Promise.all(of(request.account).map((owner) => owner.listOrders(request)))
      const orders = answers.flatMap((answer) => answer.orders).sort((a, b) => b.timeUs - a.timeUs)
      return { orders: request.limit === 0 ? orders : orders.slice(0, request.limit) }
    },
    /** An order's id does not tell its account: who does not have it says so, and has done nothing. */
    async cancelOrder(request) {
      let notFound: unknown
      for (const owner of owners.values()) {
        try {
          return await owner.cancelOrder(request)
        } catch (error) {
          if (!(error instanceof RpcError) || error.code !== 'NOT_FOUND') throw error
          notFound = error
        }
      }
      throw notFound
    },
    async halt(asked) {
      const request = placed(asked, accounts)
      return await commanded(of(request.account), (owner) => owner.halt(request))
    },
    resume: (request) => commanded(of(request.account), (owner) => owner.resume(request)),
    async resumeStrategy(asked) {
      const request = placed(asked, accounts)
      return await commanded(of(request.account), (owner) => owner.resumeStrategy(request))
    },
    adjustBalance: async (request) => await ownerOf(owners, request.account).adjustBalance(request),
    /** Whose owner does not answer is told as unknown: the others' states are worth as much while one is away. */
    async getTradingState(request) {
      const asked = [...owners].map(async ([account, owner]) => {
        try {
          return await owner.getTradingState(request)
        } catch (error) {
          return unknownState(account, error)
        }
      })
      const answers = await Promise.all(asked)
      const [strictest] = answers.toSorted((a, b) => STRICTEST.indexOf(a.state) - STRICTEST.indexOf(b.state))
      return {
        ...strictest!,
        accounts: answers.flatMap((answer) => answer.accounts),
        strategies: answers.flatMap((answer) => answer.strategies),
      }
    },
  }
}

/** A word for one strategy with the account that it trades. @throws RpcError for a strategy that is not there */
export function placed<R extends { readonly account: string; readonly strategy: string }>(
  request: R,
  accounts: ReadonlyMap<string, string>,
): R {
  const { account, strategy } = request
  if (strategy === '') return request
  const found = accounts.get(strategy)
  if (found !== undefined && (account === '' || account === found)) return { ...request, account: found }
  const known = [...accounts].filter(([, of]) => account === '' || account === of).map(([name]) => name)
  throw new RpcError(
    'NOT_FOUND',
    `strategy: expected one of ${known.join(', ') || 'no strategy at all'}, found ${JSON.stringify(strategy)}`,
  )
}

function unknownState(account: string, error: unknown): TradingState {
  const reason = `expected an answer of its order-execution, found none: ${(error as Error).message}`
  const own = { account, instrument: '', state: 'unknown', reasonCode: 'NOT_ANSWERING', reason }
  return { state: 'unknown', version: 0, reason, accounts: [own], strategies: [] }
}

/** Every account is asked, whatever becomes of the others; a person is told of the one that did not answer. */
async function commanded(
  owners: readonly OrderExecutionApi[],
  command: (owner: OrderExecutionApi) => Promise<HaltResponse>,
): Promise<HaltResponse> {
  const results = await Promise.allSettled(owners.map(command))
  const failed = results.find((one) => one.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return addedUp(results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])))
}

/** One answer for all accounts: the strictest state, and all counts. */
export function addedUp(answers: readonly HaltResponse[]): HaltResponse {
  const sum = (count: (one: HaltResponse) => number): number => answers.reduce((total, one) => total + count(one), 0)
  const strictest = [...answers].sort((a, b) => STRICTEST.indexOf(a.state) - STRICTEST.indexOf(b.state))[0]!
  return {
    ...strictest,
    cancelled: sum((one) => one.cancelled),
    unknown: sum((one) => one.unknown),
    open: sum((one) => one.open),
  }
}

export function routedPortfolio(owners: ByAccount<PortfolioApi>): PortfolioApi {
  return {
    async getCurrentPortfolio(request) {
      const asked =
        request.account === '' ? [...owners] : [[request.account, ownerOf(owners, request.account)] as const]
      const answers = await Promise.all(
        asked.map(async ([account, owner]) => {
          try {
            return (await owner.getCurrentPortfolio({ account })).accounts
          } catch (error) {
            // An account that has no ledger yet is left out of «all», as where one process has them all.
            if (request.account === '' && error instanceof RpcError && error.code === 'NOT_FOUND') return []
            throw error
          }
        }),
      )
      return { accounts: answers.flat() }
    },
    streamPositionUpdates: (_request, signal) => merged([...owners.values()], signal),
  }
}

/** The updates of all accounts; an owner that moves is found again, and begins with all of its positions. */
async function* merged(owners: readonly PortfolioApi[], signal: AbortSignal): AsyncIterable<PositionUpdate> {
  const queue: PositionUpdate[] = []
  let wake: () => void = () => undefined
  const read = async (owner: PortfolioApi): Promise<void> => {
    while (!signal.aborted) {
      try {
        for await (const update of owner.streamPositionUpdates({}, signal)) {
          queue.push(update)
          wake()
        }
      } catch (error) {
        if (!(error instanceof RpcError) || !['UNAVAILABLE', 'ABORTED'].includes(error.code)) throw error
      }
      if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, REOPEN_MS))
    }
  }
  let failure: unknown
  for (const owner of owners) {
    read(owner).catch((error: unknown) => {
      failure = error
      wake()
    })
  }
  signal.addEventListener('abort', () => wake(), { once: true })
  while (!signal.aborted) {
    if (failure !== undefined) throw failure
    const next = queue.shift()
    if (next !== undefined) yield next
    else await new Promise<void>((resolve) => (wake = resolve))
  }
}

/** @param owners of the units, with the instances of each */
export function routedStrategies(
  owners: readonly { readonly instances: readonly string[]; readonly api: StrategyApi }[],
): StrategyApi {
  const order = owners.flatMap(({ instances }) => instances)
  const heard = new Map<string, StrategyView>()
  const of = (instance: string): StrategyApi => {
    const owner = owners.find(({ instances }) => instances.includes(instance))
    if (owner !== undefined) return owner.api
    throw new RpcError('NOT_FOUND', `instance: expected one of ${order.join(', ')}, found ${JSON.stringify(instance)}`)
  }
  return {
    /** The instances of an owner that does not answer are told as last heard, in a state that nobody knows. */
    async listStrategies(request) {
      const asked = owners.map(async ({ instances, api }) => {
        try {
          const { strategies } = await api.listStrategies(request)
          for (const one of strategies) heard.set(one.instance, one)
          return strategies
        } catch {
          return instances.map((instance) => {
            const last = heard.get(instance) ?? StrategyView.create({ instance, parameters: '{}' })
            return { ...last, state: 'unknown' }
          })
        }
      })
      return { strategies: (await Promise.all(asked)).flat() }
    },
    startStrategy: async (request) => await of(request.instance).startStrategy(request),
    stopStrategy: async (request) => await of(request.instance).stopStrategy(request),
  }
}

type CollectionOwner = { readonly venue: string; readonly api: CollectionApi }

/** A collection of a venue is carried out by all who write its streams, each its part; it is told as one. */
export function routedCollections(owners: readonly CollectionOwner[]): CollectionApi {
  const of = (venue: string): readonly CollectionOwner[] => {
    const found = owners.filter((one) => venue === '' || one.venue === venue)
    if (found.length > 0) return found
    const known = [...new Set(owners.map((one) => one.venue))].join(', ') || 'no venue at all'
    throw new RpcError('INVALID_ARGUMENT', `venue: expected one of ${known}, found ${JSON.stringify(venue)}`)
  }
  const asked = async (
    chosen: readonly CollectionOwner[],
    ask: (api: CollectionApi) => Promise<ListCollectionsResponse>,
  ): Promise<ListCollectionsResponse> => {
    const answers = await Promise.all(chosen.map(({ api }) => ask(api)))
    const parts = answers.flatMap(({ collections }) => collections)
    const venues = [...new Set(parts.map(({ venue }) => venue))]
    return { collections: venues.map((venue) => asOne(parts.filter((one) => one.venue === venue))) }
  }
  const list = (venue: string): Promise<ListCollectionsResponse> => asked(of(venue), (api) => api.listCollections({}))
  return {
    async collect(request) {
      const { collections } = await list(request.venue)
      // Who has done its part of a run that is on its way does not begin anew.
      if (collections.length > 0 && collections.every((one) => isRunning(one, request))) return { collections }
      return asked(of(request.venue), (api) => api.collect(request))
    },
    listCollections: () => asked(owners, (api) => api.listCollections({})),
    cancelCollection: async ({ venue }) => asked(of(venue), (api) => api.cancelCollection({ venue })),
    /** Each instrument is of one of them, which the others need not know. */
    async latestCandles(request) {
      let notFound: unknown
      for (const { api } of of(request.instrument.slice(0, request.instrument.indexOf(':')))) {
        try {
          return await api.latestCandles(request)
        } catch (error) {
          if (!(error instanceof RpcError) || error.code !== 'NOT_FOUND') throw error
          notFound = error
        }
      }
      throw notFound
    },
  }
}

function isRunning(one: Collection, { timeframe, fromDay, toDay }: CollectRequest): boolean {
  return one.state === 'running' && one.timeframe === timeframe && one.fromDay === fromDay && one.toDay === toDay
}

const NEWS_FIRST = ['running', 'failed', 'cancelled', 'done', 'scheduled']

function asOne(parts: readonly Collection[]): Collection {
  const [first] = parts.toSorted((a, b) => NEWS_FIRST.indexOf(a.state) - NEWS_FIRST.indexOf(b.state))
  const sum = (count: (one: Collection) => number): number => parts.reduce((total, one) => total + count(one), 0)
  return {
    ...first!,
    ...{ total: sum((one) => one.total), done: sum((one) => one.done) },
    ...{ candles: sum((one) => one.candles), gaps: sum((one) => one.gaps) },
    failures: parts.flatMap((one) => one.failures),
    startedUs: earliest(parts.map((one) => one.startedUs)),
    nextUs: earliest(parts.map((one) => one.nextUs)),
    endedUs: first!.state === 'running' ? 0 : Math.max(...parts.map((one) => one.endedUs)),
  }
}

/** Of times of which 0 is none. */
function earliest(timesUs: readonly number[]): number {
  const some = timesUs.filter((timeUs) => timeUs > 0)
  return some.length === 0 ? 0 : Math.min(...some)
}

function ownerOf<Api>(owners: ByAccount<Api>, account: string): Api {
  const owner = owners.get(account)
  if (owner !== undefined) return owner
  const known = [...owners.keys()].join(', ')
  throw new RpcError('NOT_FOUND', `account: expected one of ${known}, found ${JSON.stringify(account)}`)
}
