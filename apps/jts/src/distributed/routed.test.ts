import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  RpcError,
  type CollectionApi,
  type OrderExecutionApi,
  type PortfolioApi,
  type StrategyApi,
} from '@jts/contracts'
import { Collection } from '@jts/contracts/collection-api'
import { OrderView } from '@jts/contracts/orders-api'
import { AccountView } from '@jts/contracts/portfolio-api'
import { StrategyView } from '@jts/contracts/strategy-api'
import { unitFinder, dispatched } from './dispatch.ts'
import { OrderExecutionServiceService } from '@jts/contracts/orders-api'
import type { OpenUnit } from './open-unit.ts'
import { routedCollections, routedOrders, routedPortfolio, routedStrategies } from './routed.ts'

const notFound = (): Promise<never> => Promise.reject(new RpcError('NOT_FOUND', 'none'))

function execution(over: Partial<OrderExecutionApi>): OrderExecutionApi {
  return {
    listOrders: notFound,
    cancelOrder: notFound,
    halt: notFound,
    resume: notFound,
    getTradingState: notFound,
    ...over,
  } as OrderExecutionApi
}
const order = (orderId: string, timeUs: number) => OrderView.create({ orderId, timeUs })
const halted = (cancelled: number) => ({ state: 'halted', cancelled, unknown: 1, open: 2, message: '' })

test('orders of all accounts come newest first, as many as were asked for', async () => {
  const orders = routedOrders(
    new Map([
      ['a', execution({ listOrders: () => Promise.resolve({ orders: [order('a2', 4), order('a1', 1)] }) })],
      ['b', execution({ listOrders: () => Promise.resolve({ orders: [order('b1', 3)] }) })],
    ]),
  )
  const list = async (account: string, limit: number): Promise<string[]> =>
    (await orders.listOrders({ account, limit, openOnly: false, orderId: '' })).orders.map(({ orderId }) => orderId)
  assert.deepEqual(await list('', 2), ['a2', 'b1'])
  assert.deepEqual(await list('', 0), ['a2', 'b1', 'a1'])
  assert.deepEqual(await list('b', 0), ['b1'])
  await assert.rejects(list('c', 0), { code: 'NOT_FOUND', message: /expected one of a, b/ })
})

test('a cancel finds the account that has the order; nobody having it is said', async () => {
  const accepted = { accepted: true, message: '' }
  const b = execution({
    cancelOrder: ({ orderId }) => (orderId === 'b1' ? Promise.resolve(accepted) : notFound()),
  })
  const orders = routedOrders(
    new Map([
      ['a', execution({})],
      ['b', b],
    ]),
  )
  assert.deepEqual(await orders.cancelOrder({ orderId: 'b1' }), accepted)
  await assert.rejects(orders.cancelOrder({ orderId: 'x' }), { code: 'NOT_FOUND' })
})

test('a halt reaches every account and adds up; one that fails is told, and the others are halted all the same', async () => {
  const asked: string[] = []
  const account = (name: string, cancelled: number) =>
    execution({ halt: () => (asked.push(name), Promise.resolve(halted(cancelled))) })
  const request = { account: '', reason: '', by: '', strategy: '', state: '' }
  const both = routedOrders(
    new Map([
      ['a', account('a', 1)],
      ['b', account('b', 2)],
    ]),
  )
  assert.deepEqual(await both.halt(request), { ...halted(3), unknown: 2, open: 4 })
  const lost = execution({ halt: () => Promise.reject(new RpcError('UNAVAILABLE', 'gone')) })
  asked.length = 0
  await assert.rejects(
    routedOrders(
      new Map([
        ['a', lost],
        ['b', account('b', 2)],
      ]),
    ).halt(request),
    {
      code: 'UNAVAILABLE',
    },
  )
  assert.deepEqual(asked, ['b'])
})

test('the trading state of all is the strictest', async () => {
  const states = ['active', 'halted', 'reducing'].map((state) => [
    state,
    execution({
      getTradingState: () => Promise.resolve({ state, version: 1, reason: '', accounts: [], strategies: [] }),
    }),
  ])
  assert.equal((await routedOrders(new Map(states as never)).getTradingState({})).state, 'halted')
})

test('while the owner of an account is away its state is unknown, and those of the others are told', async () => {
  const own = { account: 'b', state: 'reducing', reasonCode: '', reason: '', instrument: '' }
  const b = execution({
    getTradingState: () =>
      Promise.resolve({ state: 'active', version: 1, reason: '', accounts: [own], strategies: [] }),
  })
  const away = execution({ getTradingState: () => Promise.reject(new RpcError('UNAVAILABLE', 'nobody owns it')) })
  const pair = (first: OrderExecutionApi, second: OrderExecutionApi): OrderExecutionApi =>
    routedOrders(
      new Map([
        ['a', first],
        ['b', second],
      ]),
    )
  const { state, accounts } = await pair(away, b).getTradingState({})
  assert.equal(state, 'active')
  assert.deepEqual(
    accounts.map((one) => [one.account, one.state, one.reasonCode]),
    [
      ['a', 'unknown', 'NOT_ANSWERING'],
      ['b', 'reducing', ''],
    ],
  )
  const nobody = await pair(away, away).getTradingState({})
  assert.equal(nobody.state, 'unknown')
  assert.match(nobody.reason, /expected an answer of its order-execution, found none: nobody owns it/)
})

test('instances whose engine is away are told as last heard, in an unknown state', async () => {
  let isAway = true
  const one = StrategyView.create({
    instance: 'one',
    strategy: 'ema-cross',
    state: 'running',
    parameters: '{"fast":5}',
  })
  const api = {
    listStrategies: () =>
      isAway ? Promise.reject(new RpcError('UNAVAILABLE', 'nobody owns it')) : Promise.resolve({ strategies: [one] }),
  } as unknown as StrategyApi
  const routed = routedStrategies([{ instances: ['one'], api }])
  const told = async (): Promise<string[]> =>
    (await routed.listStrategies({})).strategies.map((found) =>
      [found.strategy, found.state, found.parameters].join(' '),
    )
  assert.deepEqual(await told(), [' unknown {}'])
  isAway = false
  assert.deepEqual(await told(), ['ema-cross running {"fast":5}'])
  isAway = true
  assert.deepEqual(await told(), ['ema-cross unknown {"fast":5}'])
})

test('a portfolio of all leaves out accounts that have no ledger yet, and refuses when one was asked for by name', async () => {
  const portfolio = (account: string): PortfolioApi =>
    ({
      getCurrentPortfolio: () =>
        account === 'a' ? Promise.resolve({ accounts: [AccountView.create({ account })] }) : notFound(),
    }) as unknown as PortfolioApi
  const all = routedPortfolio(new Map(['a', 'b'].map((account) => [account, portfolio(account)])))
  const { accounts } = await all.getCurrentPortfolio({ account: '' })
  assert.deepEqual(
    accounts.map(({ account }) => account),
    ['a'],
  )
  await assert.rejects(all.getCurrentPortfolio({ account: 'b' }), { code: 'NOT_FOUND' })
})

test('position updates of all accounts are one stream, which goes on when an owner moves', async () => {
  let opened = 0
  const moving = {
    async *streamPositionUpdates() {
      opened++
      yield { position: undefined, timeEventUs: opened }
      await Promise.resolve()
      throw new RpcError('ABORTED', 'moves')
    },
  } as unknown as PortfolioApi
  const stop = new AbortController()
  const seen: number[] = []
  for await (const { timeEventUs } of routedPortfolio(new Map([['a', moving]])).streamPositionUpdates(
    {},
    stop.signal,
  )) {
    seen.push(timeEventUs)
    if (seen.length === 2) stop.abort()
  }
  assert.deepEqual(seen, [1, 2])
})

test('a strategy is started and stopped where it runs', async () => {
  const engine = (name: string): StrategyApi =>
    ({
      listStrategies: () => Promise.resolve({ strategies: [StrategyView.create({ instance: name })] }),
      startStrategy: () => Promise.resolve(StrategyView.create({ instance: name, state: 'running' })),
      stopStrategy: () => Promise.resolve(StrategyView.create({ instance: name, state: 'stopped' })),
    }) as unknown as StrategyApi
  const strategies = routedStrategies(['x', 'y'].map((name) => ({ instances: [name], api: engine(name) })))
  assert.equal((await strategies.startStrategy({ instance: 'y' })).instance, 'y')
  const { instance, state } = await strategies.stopStrategy({ instance: 'y' })
  assert.deepEqual([instance, state], ['y', 'stopped'])
  assert.equal((await strategies.listStrategies({})).strategies.length, 2)
  await assert.rejects(strategies.startStrategy({ instance: 'z' }), { code: 'NOT_FOUND' })
  await assert.rejects(strategies.stopStrategy({ instance: 'z' }), { code: 'NOT_FOUND' })
})

test('a process answers for what it owns by the unit or the account named, and refuses the rest before doing anything', async () => {
  const unit = (name: string): OpenUnit => ({
    name,
    api: {
      getTradingState: () => Promise.resolve({ state: name }),
      listOrders: () => Promise.resolve({ state: name }),
    },
    control: {},
    leaving: new AbortController().signal,
    during: (call) => call(),
    durable: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  })
  const open = new Map([['d.a', unit('d.a')]])
  const { handlers } = dispatched(
    OrderExecutionServiceService,
    'api',
    unitFinder(open, (account) => `d.${account}`),
  )
  const call = async (method: string, request: object, name = ''): Promise<unknown> =>
    (
      (await (handlers as Record<string, (...args: unknown[]) => Promise<unknown>>)[method]!(
        request,
        new AbortController().signal,
        { unit: name },
      )) as { state: string }
    ).state
  assert.equal(await call('getTradingState', {}, 'd.a'), 'd.a')
  assert.equal(await call('listOrders', { account: 'a' }), 'd.a')
  assert.equal(await call('listOrders', { account: '' }), 'd.a')
  await assert.rejects(call('listOrders', { account: 'b' }), { code: 'ABORTED' })
  await assert.rejects(call('getTradingState', {}, 'd.b'), { code: 'ABORTED' })
  await assert.rejects(call('halt', {}, 'd.a'), { code: 'UNIMPLEMENTED' })
  open.set('d.c', unit('d.c'))
  await assert.rejects(call('listOrders', { account: '' }), { code: 'INVALID_ARGUMENT', message: /d\.a, d\.c/ })
  open.clear()
  await assert.rejects(call('listOrders', { account: '' }), { code: 'ABORTED' })
})

test('a collection is carried out by all who write the streams of its venue, and told as one', async () => {
  const asked: string[] = []
  const owner = (name: string, venue: string, view: Partial<Collection>) => {
    const answer = { collections: [Collection.create({ venue, timeframe: '1d', ...view })] }
    const api = {
      collect: () => (asked.push(name), Promise.resolve(answer)),
      listCollections: () => Promise.resolve(answer),
      cancelCollection: () => Promise.resolve(answer),
      latestCandles: ({ instrument }) =>
        instrument === `${venue}:${name}`
          ? Promise.resolve({ candles: [], missing: 7 })
          : Promise.reject(new RpcError('NOT_FOUND', `${instrument} is of another part`)),
    } satisfies CollectionApi
    return { venue, api }
  }
  const failure = { instrument: 'KRX:000660', reason: 'x', attempts: 3 }
  const collections = routedCollections([
    owner('a', 'KRX', {
      state: 'done',
      total: 2,
      done: 2,
      candles: 4,
      failures: [failure],
      startedUs: 5,
      endedUs: 9,
      nextUs: 30,
    }),
    owner('b', 'KRX', { state: 'running', total: 7, done: 1, candles: 1, startedUs: 4, nextUs: 20 }),
    owner('d', 'KRX', { state: 'scheduled', nextUs: 25 }),
    owner('c', 'BINANCE', { state: 'done', total: 1, done: 1, endedUs: 3 }),
  ])
  const wanted = { venue: 'KRX', instruments: [], markets: [], timeframe: '1d', fromDay: '', toDay: '' }
  const [krx] = (await collections.collect(wanted)).collections
  assert.deepEqual(
    krx,
    Collection.create({
      ...{
        venue: 'KRX',
        timeframe: '1d',
        state: 'running',
        total: 9,
        done: 3,
        candles: 5,
        failures: [failure],
        startedUs: 4,
        nextUs: 20,
      },
    }),
  )
  // One has done its part of what is on its way, and does not begin anew.
  assert.deepEqual(asked, [])
  await collections.collect({ ...wanted, timeframe: '1m' })
  assert.deepEqual(asked.sort(), ['a', 'b', 'd'])
  assert.equal((await collections.listCollections({})).collections.length, 2)
  await assert.rejects(collections.collect({ ...wanted, venue: 'UPBIT' }), {
    code: 'INVALID_ARGUMENT',
    message: /KRX, BINANCE/,
  })
  // The newest candles come from the one that tells the instrument.
  const latest = { instrument: 'KRX:b', timeframe: '1d', count: 1 }
  assert.equal((await collections.latestCandles(latest)).missing, 7)
  await assert.rejects(collections.latestCandles({ ...latest, instrument: 'KRX:c' }), { code: 'NOT_FOUND' })
})
