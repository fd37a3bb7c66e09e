/** What the screen costs: questions to the services, which may be other processes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RpcError, type BusEvent } from '@jts/contracts'
import { ListOrdersRequest, OrderView } from '@jts/contracts/orders-api'
import { StrategyView } from '@jts/contracts/strategy-api'
import { silentLogger } from '@jts/runtime'
import { createGatewayPorts } from './gateway-ports.ts'
import type { System } from './system.ts'

const ACCOUNT = 'sim.binance.main'
const CLOSED = 500

function rig() {
  let emit: (event: BusEvent) => void = () => undefined
  const asked: ListOrdersRequest[] = []
  const orders = Array.from({ length: CLOSED }, (_, n) => OrderView.create({ orderId: `o${n}`, account: ACCOUNT }))
  let rows = 0
  const system = {
    log: { async *read() {}, tap: (_: unknown, listener: typeof emit) => (emit = listener) },
    orders: {
      listOrders(request: ListOrdersRequest) {
        asked.push(request)
        const found = orders.filter(({ orderId }) => request.orderId === '' || orderId === request.orderId)
        rows += found.length
        return Promise.resolve({ orders: found })
      },
    },
  } as unknown as System
  const options = { system, mode: 'sim', version: '', startedAtUs: 0, instruments: [], log: silentLogger } as const
  return { options, asked, rows: () => rows, emit: (event: BusEvent) => emit(event) }
}

const accepted = (orderId: string): BusEvent =>
  ({ type: 'OrderAccepted', topic: 'orders.events', stream: ACCOUNT, payload: { ref: { orderId } } }) as BusEvent

test('a step of an order asks for that order alone, however many there have been', async () => {
  const { options, asked, rows, emit } = rig()
  const ports = await createGatewayPorts(options)
  const told: string[] = []
  ports.subscribe((update) => {
    if (update.type === 'order') told.push(update.data.orderId)
  })
  for (let n = 0; n < 100; n++) emit(accepted(`o${n}`))
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(told.length, 100)
  assert.deepEqual([asked.length, rows()], [100, 100])
  assert.ok(asked.every(({ account }) => account === ACCOUNT))
})

test('nobody is asked anything while nobody looks', async () => {
  const { options, asked, emit } = rig()
  const ports = await createGatewayPorts(options)
  ports.subscribe(() => undefined)()
  for (let n = 0; n < 100; n++) emit(accepted(`o${n}`))
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(asked.length, 0)
})

test('a signal that waits for its market is one row, also when it is decided and when the page is loaded later', async () => {
  const { options, emit } = rig()
  const NOT_BEFORE = 1_767_655_805_000_000
  const about = { topic: 'strategy.signals', stream: 'one', correlationId: 'c', timeEventUs: 5 }
  const payload = {
    signalId: 's',
    strategy: 'one',
    account: ACCOUNT,
    instrument: 'KRX:005930',
    side: 'buy',
    quantity: '1',
  }
  const waiting = {
    ...about,
    type: 'SignalWaiting',
    payload: { ...payload, notBeforeUs: NOT_BEFORE },
  } as unknown as BusEvent
  const decided = {
    ...{ ...about, timeEventUs: NOT_BEFORE, type: 'StrategySignal' },
    payload: { ...payload, approved: true, adjustedQuantity: '1', reasonCode: '', reason: '', riskScore: 0.5 },
  } as unknown as BusEvent
  const seen = async (ports: Awaited<ReturnType<typeof createGatewayPorts>>): Promise<unknown[]> =>
    (await ports.decisions({ limit: 10 })).map(({ signalId, approved, notBeforeUs }) => [
      signalId,
      approved,
      notBeforeUs,
    ])

  const ports = await createGatewayPorts(options)
  emit(waiting)
  assert.deepEqual(await seen(ports), [['s', false, NOT_BEFORE]])
  emit(decided)
  assert.deepEqual(await seen(ports), [['s', true, undefined]])

  const later = {
    ...options,
    system: {
      ...options.system,
      log: {
        ...options.system.log,
        async *read() {
          yield* [waiting, decided]
        },
      },
    },
  }
  assert.deepEqual(await seen(await createGatewayPorts(later as unknown as typeof options)), [['s', true, undefined]])
})

/** Services that keep what was said of two strategies, one of which is barred. */
function strategiesRig() {
  const said: unknown[] = []
  const answer = { cancelled: 1, unknown: 0, open: 0, message: '' }
  let engine: 'there' | 'away' = 'there'
  let accounts: unknown[] = []
  const view = (instance: string, state: string) =>
    StrategyView.create({ instance, account: ACCOUNT, state, parameters: '{}' })
  const listed = [view('one', 'running'), view('two', 'barred')]
  const { options } = rig()
  Object.assign(options.system, {
    lights: () => [],
    marketTimeUs: () => 0,
    collections: { listCollections: () => Promise.resolve({ collections: [] }) },
    orders: {
      halt: (request: { strategy: string; state: string }) => {
        said.push(request)
        if (request.strategy === 'none') return Promise.reject(new RpcError('NOT_FOUND', 'expected one of one, two'))
        return Promise.resolve({ ...answer, state: request.state })
      },
      resumeStrategy: (request: unknown) => (said.push(request), Promise.resolve({ ...answer, state: 'active' })),
      getTradingState: () =>
        Promise.resolve({
          ...{ state: 'active', version: 1, reason: '', accounts },
          strategies: [
            { strategy: 'one', account: 'sim.binance.former', state: 'halted', reason: 'there', version: 1 },
            { strategy: 'one', account: ACCOUNT, state: 'reducing', reason: 'here', version: 2 },
            { strategy: 'two', account: 'sim.binance.former', state: 'halted', reason: 'there', version: 1 },
          ],
        }),
    },
    strategies: {
      listStrategies: () =>
        engine === 'there'
          ? Promise.resolve({ strategies: listed })
          : Promise.reject(new RpcError('UNAVAILABLE', 'gone')),
      startStrategy: ({ instance }: { instance: string }) => (
        said.push(`start ${instance}`),
        Promise.resolve(view(instance, 'running'))
      ),
      stopStrategy: ({ instance }: { instance: string }) =>
        instance === 'one'
          ? Promise.resolve(view(instance, 'stopped'))
          : Promise.reject(new RpcError('NOT_FOUND', 'expected one of one')),
    },
  })
  return {
    options,
    said,
    away: () => (engine = 'away'),
    silent: () => (accounts = [{ account: ACCOUNT, instrument: '', state: 'unknown', reasonCode: '', reason: 'gone' }]),
  }
}

test('a halt of a strategy is for it alone; its resume starts it where it is barred, and holds where its engine is away', async () => {
  const { options, said, away } = strategiesRig()
  const ports = await createGatewayPorts(options)
  const by = { by: 'a person' }
  const halted = await ports.haltStrategy({ instance: 'one', reason: 'news', state: 'halted', ...by })
  assert.deepEqual([halted.tradingState, halted.cancelled], ['halted', 1])
  assert.deepEqual(said.splice(0), [{ account: '', strategy: 'one', reason: 'news', state: 'halted', ...by }])
  await assert.rejects(ports.haltStrategy({ instance: 'none', reason: '', state: 'halted', ...by }), {
    ...{ code: 'NOT_FOUND', message: 'expected one of one, two' },
  })
  said.splice(0)
  assert.equal((await ports.resumeStrategy({ instance: 'one', ...by })).state, 'running')
  assert.deepEqual(said.splice(0), [{ account: '', strategy: 'one', ...by }])
  assert.equal((await ports.resumeStrategy({ instance: 'two', ...by })).state, 'running')
  assert.deepEqual(said.splice(0), [{ account: '', strategy: 'two', ...by }, 'start two'])
  away()
  const { tradingState, state, message } = await ports.resumeStrategy({ instance: 'two', ...by })
  assert.deepEqual([tradingState, state], ['active', 'unknown'])
  assert.match(message, /^whether two runs is not known: gone$/)
})

test('a strategy is stopped where it runs, and shown with what is said of its orders', async () => {
  const ports = await createGatewayPorts(strategiesRig().options)
  const { state, tradingState } = await ports.stopStrategy({ instance: 'one' })
  assert.deepEqual([state, tradingState], ['stopped', 'reducing'])
  await assert.rejects(ports.stopStrategy({ instance: 'none' }), { code: 'NOT_FOUND', message: 'expected one of one' })
})

test('a strategy is shown as it was last said of it in its account, else in a former one; unknown while nobody answers', async () => {
  const { options, silent } = strategiesRig()
  const ports = await createGatewayPorts(options)
  const shown = async () =>
    (await ports.status()).strategies.map(({ tradingState, tradingStateReason }) => [tradingState, tradingStateReason])
  assert.deepEqual(await shown(), [
    ['reducing', 'here'],
    ['halted', 'there'],
  ])
  silent()
  assert.deepEqual(await shown(), [
    ['unknown', 'gone'],
    ['unknown', 'gone'],
  ])
})
