/** Strategy instances as a service: signals asked about once and for all, state that survives exactly. */
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, it } from 'node:test'
import { RpcError, type NewEvent } from '@jts/contracts'
import type { RiskCheckRequest, RiskCheckResponse } from '@jts/contracts/risk-api'
import { accountId, shippedInstrument, strategyInstanceId } from '@jts/model'
import { defineStrategy, ema, integer, type AnyStrategy } from '@jts/strategy-kit'
import { Harness, START_US } from '@jts/testkit/harness'
import { candle, orderEnded, orderFilled, publicTrade, topicOf } from '@jts/testkit/order-events'
import { createStrategyEngine, type StrategyEngine } from './index.ts'

const ACCOUNT = 'sim.binance.main'
const BTC = 'BINANCE:BTCUSDT'
const MINUTE = 60_000_000

/** Buys when it holds nothing and the close is above 100; cancels at 50; the average is there to be restored. */
const strategy = defineStrategy({
  name: 'above',
  parameters: {},
  state: () => ({ average: ema(3), order: 0 }),
  onBar(bar, { state, position, buy, cancel }) {
    state.average.update(bar.close)
    if (bar.close === 50) cancel(state.order)
    else if (bar.close === 60) cancel((state.order = buy('1')))
    else if (bar.close > 100 && position.isFlat) state.order = buy('1')
  },
})

/** The same on trades: buys above 100 when it holds nothing. */
const onTrades = defineStrategy({
  name: 'above-trades',
  parameters: {},
  state: () => ({ average: ema(3) }),
  onTrade(trade, { state, position, buy }) {
    state.average.update(trade.price)
    if (trade.price > 100 && position.isFlat) buy('1')
  },
  onFill(_fill, { sell }) {
    sell('0.5')
  },
})

type Answer = RiskCheckResponse | Promise<RiskCheckResponse>
const open: Harness[] = []

class World {
  harness: Harness
  engine!: StrategyEngine
  asked: RiskCheckRequest[] = []
  definition = strategy as unknown as AnyStrategy
  parameters: Record<string, number> = {}
  account = ACCOUNT
  riskIsApart = false
  answer: (request: RiskCheckRequest) => Answer = (request) => answerTo(request, '')

  constructor(harness = Harness.open()) {
    this.harness = harness
  }

  async start(): Promise<this> {
    open.push(this.harness)
    const { store, bus, marketClock, wallClock, activity, log } = this.harness
    this.engine = createStrategyEngine({
      store,
      bus,
      marketClock,
      wallClock,
      activity,
      log,
      risk: {
        checkTradingRisk: async (request) => {
          this.asked.push(request)
          return this.answer(request)
        },
      },
      riskIsApart: this.riskIsApart,
      runId: 'run',
      marketTopics: ['market-data.binance.candles', 'market-data.binance.trades'],
      instances: [
        {
          instance: strategyInstanceId('one'),
          definition: this.definition,
          parameters: this.parameters,
          account: accountId(this.account),
          instrument: shippedInstrument(BTC),
          timeframe: '1m',
        },
        {
          instance: strategyInstanceId('two'),
          definition: onTrades as unknown as AnyStrategy,
          parameters: {},
          account: accountId(ACCOUNT),
          instrument: shippedInstrument(BTC),
        },
      ],
    })
    await this.engine.start()
    await bus.start()
    await this.harness.run()
    return this
  }

  async restart(): Promise<void> {
    await this.harness.run()
    this.harness = this.harness.killed()
    this.asked = []
    await this.start()
  }

  async hear(...events: NewEvent[]): Promise<void> {
    for (const event of events) {
      this.harness.store.transact((turn) => turn.publish(topicOf(event), event))
    }
    await this.harness.run()
  }

  async bars(...closes: number[]): Promise<void> {
    for (const close of closes) await this.hear(candle(BTC, START_US + ++minutes * MINUTE, close))
  }

  async trades(...prices: number[]): Promise<void> {
    for (const price of prices) await this.hear(publicTrade(BTC, ++tradeId, price, START_US + tradeId * 1000))
  }

  get signalId(): string {
    return this.asked.at(-1)!.signalId
  }

  snapshot(instance = 'one'): string {
    const select = 'SELECT snapshot FROM strategy_instances WHERE instance = ?'
    return this.harness.store.database.prepare(select).get(instance)!['snapshot'] as string
  }
}

let minutes = 0
let tradeId = 0

function answerTo(request: RiskCheckRequest, denialCode: string): RiskCheckResponse {
  const approved = denialCode === ''
  return {
    approved,
    adjustedQuantity: 1,
    rejectionReason: approved ? '' : 'expected less, found more',
    riskScore: 0,
    denialCode,
    adjustedQuantityText: request.quantityText,
    correlationId: request.correlationId,
    signalId: request.signalId,
    validUntilUs: START_US,
    checks: [],
  }
}

async function world(): Promise<World> {
  minutes = tradeId = 0
  return new World().start()
}

afterEach(async () => {
  for (const harness of open.splice(0)) {
    assert.deepEqual(harness.poison, [])
    await harness.remove()
  }
})

it('publishes a signal with its decision, and an approved one for execution', async () => {
  const w = await world()
  await w.bars(90, 110)
  const [signal] = await w.harness.events('strategy.signals', 'StrategySignal')
  const [approved] = await w.harness.events('orders.signals', 'ApprovedSignal')
  assert.equal(signal!.payload.approved, true)
  assert.equal(approved!.payload.quantityText, '1')
  assert.equal(approved!.payload.signalId, w.signalId)
  assert.equal(approved!.correlationId, `candle/${BTC}/1m/${START_US + 2 * MINUTE}`)
})

it('asks risk that keeps its own records only when the signal is on disk, and again what was not answered', async () => {
  const w = new World()
  w.riskIsApart = true
  minutes = tradeId = 0
  const onDisk: string[] = []
  w.answer = (request) => {
    const disk = new DatabaseSync(w.harness.file, { readOnly: true })
    const row = disk.prepare('SELECT status FROM strategy_signals WHERE signal_id = ?').get(request.signalId)
    disk.close()
    onDisk.push(String(row?.['status']))
    return onDisk.length === 1 ? new Promise(() => undefined) : answerTo(request, '')
  }
  await w.start()
  await w.bars(90, 110)
  const first = w.signalId
  await w.restart()
  assert.equal(w.signalId, first)
  assert.deepEqual(onDisk, ['pending', 'pending'])
  assert.deepEqual(await w.harness.types('orders.signals'), ['ApprovedSignal'])
})

it('gives a signal the same id when its cause is read a second time', async () => {
  const first = await world()
  await first.bars(90, 110)
  const second = await world()
  await second.bars(90, 110)
  assert.equal(first.signalId, second.signalId)
  await second.hear(
    orderFilled({ account: ACCOUNT, instrument: BTC, signalId: second.signalId, quantity: '1', price: '110' }),
  )
  assert.equal(second.asked.length, 1)
})

it('asks again after a restart about a signal that was not answered, in the same words', async () => {
  const w = await world()
  w.answer = () => new Promise(() => undefined)
  await w.bars(110)
  const [before] = w.asked
  w.answer = (request) => answerTo(request, '')
  await w.restart()
  assert.deepEqual(w.asked, [before])
  assert.equal((await w.harness.events('orders.signals', 'ApprovedSignal')).length, 1)
  await w.restart()
  assert.deepEqual(w.asked, [])
})

it('asks again when risk does not answer, and publishes once', async () => {
  const w = await world()
  w.answer = () => Promise.reject(new RpcError('UNAVAILABLE', 'away'))
  await w.bars(110)
  w.answer = (request) => answerTo(request, '')
  await w.harness.run(600)
  assert.equal(w.asked.length, 2)
  assert.equal((await w.harness.events('strategy.signals')).length, 1)
})

it('takes a question that risk refuses as denied, and does not ask for ever', async () => {
  const w = await world()
  w.answer = () => Promise.reject(new RpcError('INVALID_ARGUMENT', 'price: expected a positive decimal, found "-1"'))
  await w.bars(110)
  await w.harness.run(5000)
  assert.equal(w.asked.length, 1)
  const [alert] = await w.harness.events('risk.alerts', 'RiskAlert')
  assert.equal(alert!.payload.reasonCode, 'INVALID_ARGUMENT')
})

it('is free to signal again after a denial, and after an order that ended without a fill', async () => {
  const w = await world()
  w.answer = (request) => answerTo(request, 'INSUFFICIENT_CASH')
  await w.bars(110)
  assert.deepEqual(await w.harness.types('orders.signals'), [])
  assert.deepEqual(await w.harness.types('risk.alerts'), ['RiskAlert'])
  w.answer = (request) => answerTo(request, '')
  await w.bars(111)
  assert.equal(w.asked.length, 2)
  await w.bars(112)
  assert.equal(w.asked.length, 2, 'its order is working')
  await w.hear(orderEnded({ account: ACCOUNT, instrument: BTC, signalId: w.signalId }, 'SignalExpired'))
  await w.bars(113)
  assert.equal(w.asked.length, 3)
})

it('restores its state exactly, and goes on as if it had never stopped', async () => {
  const one = await world()
  await one.bars(90, 91.1, 92.3)
  await one.restart()
  await one.bars(99.9, 110)
  const before = one.snapshot()
  const other = await world()
  await other.bars(90, 91.1, 92.3, 99.9, 110)
  assert.equal(before, other.snapshot())
  assert.equal(one.signalId, other.signalId)
})

it('restores its state exactly wherever it is killed, although it writes it only now and then', async () => {
  const closes = Array.from({ length: 200 }, (_, n) => 90 + ((n * 7919) % 1000) / 100)
  const written = (w: World): number => {
    const row = w.harness.store.database.prepare("SELECT inputs FROM strategy_instances WHERE instance = 'one'").get()
    return row!['inputs'] as number
  }
  const one = await world()
  let lags = 0
  for (const [n, close] of closes.entries()) {
    await one.bars(close)
    if (written(one) < n + 1) lags++
    if ([0, 1, 2, 58, 59, 60, 61, 62, 63, 64, 65, 130, 198].includes(n)) await one.restart()
  }
  assert.ok(lags > 150, `written with ${closes.length - lags} of ${closes.length} inputs`)
  await one.bars(110)
  assert.equal(written(one), closes.length + 1, 'a signal writes it')
  const other = await world()
  await other.bars(...closes, 110)
  assert.equal(one.snapshot(), other.snapshot())
  assert.equal(one.signalId, other.signalId)
})

it('writes its state at the latest after an hour of market time, so that no old input is needed', async () => {
  const w = await world()
  for (let hour = 1; hour <= 3; hour++) {
    await w.hear(candle(BTC, START_US + hour * 60 * MINUTE, 90))
    await w.hear(candle(BTC, START_US + (hour * 60 + 59) * MINUTE, 91))
  }
  const { rows } = w.harness.store.database.prepare('SELECT count(*) AS rows FROM strategy_tails').get() as {
    rows: number
  }
  assert.ok(rows <= 6)
  await w.restart()
  await w.bars(110)
  assert.equal(w.asked.length, 1)
})

it('bars an instance that does not repeat itself on the inputs it had, and says so', async () => {
  let isSecondRun = false
  const fickle = defineStrategy({
    name: 'fickle',
    parameters: {},
    state: () => ({ n: 0 }),
    onBar(_bar, { state, buy }) {
      state.n++
      if (isSecondRun) buy('1')
    },
  })
  const w = new World()
  w.definition = fickle as unknown as AnyStrategy
  await w.start()
  await w.bars(90, 91, 92)
  isSecondRun = true
  await w.restart()
  const { strategies } = await w.engine.api.listStrategies({})
  assert.equal(strategies[0]!.state, 'barred')
  const [barred] = await w.harness.events('orders.signals', 'StrategyBarred')
  assert.match(barred!.payload.reason, /^expected one to repeat itself/)
  assert.equal(w.asked.length, 0)
})

it('begins anew with what it holds when its parameters change', async () => {
  const w = new World()
  w.definition = defineStrategy({
    name: 'tuned',
    parameters: { level: integer({ default: 100 }) },
    state: () => ({ average: ema(3) }),
    onBar(bar, { state, parameters, position, buy, sell }) {
      state.average.update(bar.close)
      if (bar.close > parameters.level && position.isFlat) buy('1')
      else if (bar.close > parameters.level) sell(position.sellable)
    },
  }) as unknown as AnyStrategy
  w.parameters = { level: 100 }
  await w.start()
  await w.bars(90, 110)
  const fill = { account: ACCOUNT, instrument: BTC, strategy: 'one', signalId: w.signalId, quantity: '1', price: '110' }
  await w.hear(orderFilled(fill))
  w.parameters = { level: 200 }
  await w.restart()
  await w.bars(150)
  assert.equal(w.asked.length, 0)
  await w.bars(201)
  assert.deepEqual([w.asked.at(-1)!.side, w.asked.at(-1)!.quantityText], ['sell', '1'])
  const kept = JSON.parse(w.snapshot()) as { barCount: number; parameters: Record<string, string> }
  assert.deepEqual([kept.barCount, kept.parameters], [2, { level: '200' }])
})

it('is refused another account than the one in which it has a position', async () => {
  const w = await new World().start()
  await w.bars(110)
  w.account = 'live.binance.main'
  await assert.rejects(
    w.restart(),
    /strategies: one: expected the account and instrument that it has positions of \(sim\.binance\.main BINANCE:BTCUSDT\), found live\.binance\.main/,
  )
})

it('publishes a cancel for an order that is working', async () => {
  const w = await world()
  await w.bars(110, 50)
  const [cancel] = await w.harness.events('orders.signals', 'CancelRequested')
  assert.equal(cancel!.payload.signalId, w.signalId)
})

it('publishes a cancel after the approval, however early the strategy wants it, also after a restart', async () => {
  const w = await world()
  await w.bars(60)
  assert.deepEqual(await w.harness.types('orders.signals'), ['ApprovedSignal', 'CancelRequested'])
  const other = await world()
  other.answer = () => new Promise(() => undefined)
  await other.bars(60)
  other.answer = (request) => answerTo(request, '')
  await other.restart()
  assert.deepEqual(await other.harness.types('orders.signals'), ['ApprovedSignal', 'CancelRequested'])
})

it('ignores bars while it is stopped', async () => {
  const w = await world()
  await w.engine.api.stopStrategy({ instance: 'one' })
  await w.bars(110)
  assert.equal(w.asked.length, 0)
  await w.restart()
  assert.equal((await w.engine.api.listStrategies({})).strategies[0]!.state, 'stopped')
  await assert.rejects(w.engine.api.startStrategy({ instance: 'three' }), { code: 'NOT_FOUND' })
})

it('runs an instance without a timeframe on each trade, and no other', async () => {
  const w = await world()
  await w.bars(110)
  assert.equal(w.asked.length, 1)
  await w.trades(90, 100.5)
  assert.equal(w.asked.length, 2)
  const signals = await w.harness.events('strategy.signals', 'StrategySignal')
  const signal = signals.find(({ stream }) => stream === 'two')
  assert.equal(signal!.payload.price, '100.5')
  assert.equal(signal!.correlationId, `trade/${BTC}/2`)
  assert.equal(signal!.timeEventUs, START_US + 2000)
  const { strategies } = await w.engine.api.listStrategies({})
  assert.deepEqual(
    strategies.map(({ instance, timeframe }) => [instance, timeframe]),
    [
      ['one', '1m'],
      ['two', 'trades'],
    ],
  )
})

it('restores the state of an instance on trades exactly', async () => {
  const one = await world()
  await one.trades(90, 91.1)
  await one.restart()
  await one.trades(99.9, 110)
  const before = one.snapshot('two')
  const other = await world()
  await other.trades(90, 91.1, 99.9, 110)
  assert.equal(before, other.snapshot('two'))
  assert.equal(one.signalId, other.signalId)
})

it('answers a fill between two trades at the price of the trade before', async () => {
  const w = await world()
  await w.trades(110)
  const { signalId } = w
  await w.hear(
    orderFilled({ account: ACCOUNT, instrument: BTC, strategy: 'two', signalId, quantity: '1', price: '111' }, 77),
  )
  const request = w.asked.at(-1)!
  assert.deepEqual([request.side, request.priceText, request.signalTimeUs], ['sell', '110', 77])
})

it('ignores trades while it is stopped', async () => {
  const w = await world()
  await w.engine.api.stopStrategy({ instance: 'two' })
  await w.trades(110)
  assert.equal(w.asked.length, 0)
})
