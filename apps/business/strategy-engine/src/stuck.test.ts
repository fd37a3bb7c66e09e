/** A strategy that does not come back from a handler, or throws: ended, barred and told of, while the others go on. */
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import type { NewEvent } from '@jts/contracts'
import { RiskCheckResponse } from '@jts/contracts/risk-api'
import { accountId, shippedInstrument, strategyInstanceId } from '@jts/model'
import { defineStrategy, type AnyStrategy } from '@jts/strategy-kit'
import { Harness, START_US } from '@jts/testkit/harness'
import { candle, orderFilled, topicOf } from '@jts/testkit/order-events'
import { createStrategyEngine, type StrategyEngine } from './index.ts'

const ACCOUNT = accountId('sim.binance.main')
const BTC = shippedInstrument('BINANCE:BTCUSDT')
const MINUTE = 60_000_000
const LOOP_AT = 666
const THROW_AT = 668
const PROMISE_AT = 669
/** As short as a slow machine allows: what does not loop must never meet it. */
const LIMIT_MS = 2000

/** It catches whatever ends it, or tries to. */
function loop(): never {
  for (;;) {
    try {
      for (;;);
    } catch {
      continue
    }
  }
}

const sane = defineStrategy({
  name: 'sane',
  parameters: {},
  state: () => ({ closes: [] as number[] }),
  onBar(bar, { state, position, buy }) {
    state.closes.push(bar.close)
    if (bar.close > 100 && position.isFlat) buy('1')
  },
})

/** Half done when it loops: it has changed its state and asked for an order. */
const looping = defineStrategy({
  name: 'looping',
  parameters: {},
  state: () => ({ closes: [] as number[] }),
  timer: '1m',
  onBar(bar, { state, buy }) {
    state.closes.push(bar.close)
    if (bar.close === 50) buy('1')
    if (bar.close === THROW_AT) {
      buy('1')
      throw new Error('no such index')
    }
    if (bar.close === PROMISE_AT) return Promise.resolve() as never
    if (bar.close !== LOOP_AT) return
    buy('1')
    loop()
  },
  onTimer(_timeUs, { state }) {
    if (state.closes.at(-1) === 667) loop()
  },
  onFill() {
    loop()
  },
})

const open: Harness[] = []
let minutes = 0

class World {
  harness = Harness.open()
  engine!: StrategyEngine
  readonly #names: readonly string[]

  constructor(...names: readonly string[]) {
    this.#names = names.length === 0 ? ['bad', 'good'] : names
  }

  async start(): Promise<this> {
    open.push(this.harness)
    const instance = (name: string, definition: unknown) => ({
      instance: strategyInstanceId(name),
      definition: definition as AnyStrategy,
      parameters: {},
      account: ACCOUNT,
      instrument: BTC,
      timeframe: '1m',
    })
    const { store, bus, marketClock, wallClock, activity, log } = this.harness
    this.engine = createStrategyEngine({
      store,
      bus,
      marketClock,
      wallClock,
      activity,
      log,
      risk: {
        checkTradingRisk: ({ correlationId, signalId, quantityText }) =>
          Promise.resolve(
            RiskCheckResponse.create({ correlationId, signalId, approved: true, adjustedQuantityText: quantityText }),
          ),
      },
      runId: 'run',
      marketTopics: ['market-data.binance.candles'],
      instances: this.#names.map((name) => instance(name, name === 'bad' ? looping : sane)),
      handlerLimitMs: LIMIT_MS,
    })
    await this.engine.start()
    await bus.start()
    await this.harness.run()
    return this
  }

  async restart(): Promise<void> {
    await this.harness.run()
    this.harness = this.harness.killed()
    await this.start()
  }

  async hear(event: NewEvent): Promise<void> {
    this.harness.store.transact((turn) => turn.publish(topicOf(event), event))
    await this.harness.run()
  }

  async bars(...closes: number[]): Promise<void> {
    for (const close of closes) await this.hear(candle(BTC.id, START_US + ++minutes * MINUTE, close))
  }

  async states(): Promise<string[]> {
    const { strategies } = await this.engine.api.listStrategies({})
    return strategies.map(({ instance, state, bars }) => `${instance} ${state} ${bars}`)
  }

  /** Who has signalled. */
  async signals(): Promise<string[]> {
    return (await this.harness.events('strategy.signals', 'StrategySignal')).map(({ stream }) => stream)
  }

  /** What execution and the operator were told, apart from signals. */
  async told(): Promise<string[]> {
    const events = await this.harness.events('orders.signals', 'StrategyBarred', 'StrategyStarted')
    const health = await this.harness.events('system.health', 'ServiceHealth')
    return [
      ...events.map(
        ({ type, payload }) => `${type} ${payload.strategy} ${'handler' in payload ? payload.handler : ''}`,
      ),
      ...health.map(({ payload }) => `${payload.service} ${payload.state}`),
    ].map((one) => one.trim())
  }
}

afterEach(async () => {
  for (const harness of open.splice(0)) {
    assert.deepEqual(harness.poison, [])
    await harness.remove()
  }
})

describe('a handler that throws', () => {
  for (const [what, close, found] of [
    ['an error', THROW_AT, /found no such index: it is barred until a person starts it again$/],
    ['nothing, and gives a promise', PROMISE_AT, /found looping: expected onBar to finish at once, found a promise/],
  ] as const) {
    it(`${what}: its instance is barred and told of, nothing of what it had begun counts, and the others go on`, async () => {
      const w = await new World('good', 'bad', 'last').start()
      await w.bars(90, close, 110)
      assert.deepEqual(await w.states(), ['good running 3', 'bad barred 1', 'last running 3'])
      assert.deepEqual(await w.told(), ['StrategyBarred bad onBar', 'strategy bad down'])
      assert.deepEqual((await w.signals()).sort(), ['good', 'last'])
      const [barred] = await w.harness.events('orders.signals', 'StrategyBarred')
      assert.match(barred!.payload.reason, found)
      await w.restart()
      assert.deepEqual(await w.states(), ['good running 3', 'bad barred 1', 'last running 3'])
    })
  }
})

describe('a handler that loops for ever', () => {
  it('is ended: its instance is barred and told of, nothing of what it had begun counts, and the others go on', async () => {
    const w = await new World().start()
    await w.bars(90, LOOP_AT, 110)
    assert.deepEqual(await w.states(), ['bad barred 1', 'good running 3'])
    assert.deepEqual(await w.told(), ['StrategyBarred bad onBar', 'strategy bad down'])
    assert.deepEqual(await w.signals(), ['good'])
    const [barred] = await w.harness.events('orders.signals', 'StrategyBarred')
    assert.match(
      barred!.payload.reason,
      /^expected onBar of bad \(looping\) to end well, found it to run for more than 2000 ms: it is barred/,
    )
    assert.equal(barred!.account, ACCOUNT)
  })

  it('stays barred over a restart, until a person starts it again', async () => {
    const w = await new World().start()
    await w.bars(90, LOOP_AT)
    await w.restart()
    await w.bars(91)
    assert.deepEqual(await w.states(), ['bad barred 1', 'good running 3'])
    await w.engine.api.startStrategy({ instance: 'bad' })
    await w.bars(92)
    assert.deepEqual(await w.states(), ['bad running 2', 'good running 4'])
    assert.deepEqual(await w.told(), [
      'StrategyBarred bad onBar',
      'StrategyStarted bad',
      'strategy bad down',
      'strategy bad up',
    ])
  })

  it('stays barred when a person stops it, so that a start lifts what its account is held for', async () => {
    const w = await new World().start()
    await w.bars(90, LOOP_AT)
    assert.equal((await w.engine.api.stopStrategy({ instance: 'bad' })).state, 'barred')
    assert.equal((await w.engine.api.startStrategy({ instance: 'bad' })).state, 'running')
    assert.deepEqual((await w.told()).slice(0, 2), ['StrategyBarred bad onBar', 'StrategyStarted bad'])
  })

  it('is told by its name when it is a timer', async () => {
    const w = await new World().start()
    await w.bars(90, 667, 91)
    assert.deepEqual(await w.states(), ['bad barred 2', 'good running 3'])
    assert.deepEqual((await w.told())[0], 'StrategyBarred bad onTimer')
  })

  it('has its fill booked all the same when it is told of one', async () => {
    const w = await new World().start()
    await w.bars(50)
    const [signal] = await w.harness.events('strategy.signals', 'StrategySignal')
    const { signalId } = signal!.payload
    const fill = { account: ACCOUNT, instrument: BTC.id, strategy: 'bad', signalId, quantity: '1', price: '50' }
    await w.hear(orderFilled(fill))
    assert.deepEqual((await w.told())[0], 'StrategyBarred bad onFill')
    const select = "SELECT snapshot FROM strategy_instances WHERE instance = 'bad'"
    const row = w.harness.store.database.prepare(select).get() as { snapshot: string }
    const { holdings } = JSON.parse(row.snapshot) as { holdings: { units: string } }
    assert.equal(holdings.units, '1', row.snapshot)
  })
})
