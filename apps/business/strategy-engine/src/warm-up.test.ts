/** What an instance sees before its first live bar: the past once, and no order of it; over kills, and with no one to ask. */
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { RpcError, type NewEvent } from '@jts/contracts'
import type { LatestCandlesRequest } from '@jts/contracts/collection-api'
import type { RiskCheckRequest } from '@jts/contracts/risk-api'
import { accountId, instrumentVenue, krxInstrument, shippedInstrument, strategyInstanceId, type Bar } from '@jts/model'
import { silentLogger } from '@jts/runtime'
import { defineStrategy, ema, flag, integer, type AnyStrategy } from '@jts/strategy-kit'
import { Harness, START_US } from '@jts/testkit/harness'
import { settled } from '@jts/testkit/manual-clock'
import { orderFilled, topicOf } from '@jts/testkit/order-events'
import { createStrategyEngine, type StrategyEngine } from './index.ts'

const ACCOUNT = 'sim.binance.main'
const BTC = shippedInstrument('BINANCE:BTCUSDT')
const MINUTE = 60_000_000

/** Wants to buy on every bar above 100; remembers what it has seen, and a beat for each three minutes. */
const strategy = defineStrategy({
  name: 'above',
  parameters: { warmUp: integer({ default: 3 }), isBad: flag({ default: false }) },
  bars: { warmUp: ({ warmUp }) => warmUp },
  timer: '3m',
  state: () => ({ average: ema(3), seen: [] as string[], beats: 0, fills: 0, bad: undefined as unknown }),
  onBar(bar, { state, parameters, position, isWarmingUp, buy }) {
    state.average.update(bar.close)
    state.seen.push(`${isWarmingUp ? 'past' : 'live'} ${bar.close}`)
    if (bar.close > 100 && position.isFlat) buy('1')
    if (bar.close === 66) throw new Error('a price that it does not know')
    if (parameters.isBad) state.bad = new Date(0)
  },
  onFill(_fill, { state, sell }) {
    state.fills++
    sell('0.5')
  },
  onTimer(_timeUs, { state }) {
    state.beats++
  },
})

const open: Harness[] = []
afterEach(async () => {
  for (const harness of open.splice(0)) {
    assert.deepEqual(harness.poison, [])
    await harness.remove()
  }
})

type Kept = { seen: string[]; beats: number; fills: number; position: string; warmUp: unknown; bars: number }

/** The source has the minutes of `past`, by the minute at which they close. */
class World {
  harness = Harness.open()
  engine!: StrategyEngine
  asked: LatestCandlesRequest[] = []
  risked: RiskCheckRequest[] = []
  /** Reasons of its warnings. */
  warned: string[] = []
  past = new Map<number, number>()
  missing = 0
  /** What the history says instead of an answer. */
  refusal: Error | undefined
  /** How long its answer is on its way. */
  onItsWay = Promise.resolve()
  parameters: Record<string, number | boolean> = { warmUp: 3, isBad: false }
  hasHistory = true
  instrument = BTC
  definition = strategy as unknown as AnyStrategy

  constructor(past: Record<number, number> = { [-3]: 90, [-2]: 110, [-1]: 91, 0: 112 }) {
    for (const [minute, close] of Object.entries(past)) this.past.set(Number(minute), close)
  }

  async start(): Promise<this> {
    open.push(this.harness)
    const log = Object.create(silentLogger) as typeof silentLogger
    log.warn = (fields: unknown) => void this.warned.push((fields as { reason: string }).reason)
    this.engine = createStrategyEngine({
      ...this.harness,
      log,
      risk: { checkTradingRisk: (request) => (this.risked.push(request), new Promise(() => undefined)) },
      runId: 'run',
      marketTopics: ['market-data.binance.candles', 'market-data.krx.candles'],
      ...(this.hasHistory ? { history: { latestCandles: (request) => this.#answer(request) } } : {}),
      instances: [
        {
          instance: strategyInstanceId('one'),
          definition: this.definition,
          parameters: this.parameters,
          account: accountId(ACCOUNT),
          instrument: this.instrument,
          timeframe: '1m',
        },
      ],
    })
    await this.engine.start()
    await this.harness.bus.start()
    this.engine.warmUp()
    await this.harness.run()
    return this
  }

  async #answer(request: LatestCandlesRequest) {
    this.asked.push(request)
    const minutes = [...this.past.keys()].sort((a, b) => a - b).slice(-request.count)
    const candles = minutes.map((minute) => this.bar(minute, this.past.get(minute)!))
    await this.onItsWay
    if (this.refusal !== undefined) throw this.refusal
    return { candles, missing: this.missing }
  }

  bar(minute: number, close: number): Bar {
    const openTimeUs = START_US + (minute - 1) * MINUTE
    return {
      ...{ instrument: this.instrument.id, timeframe: '1m', openTimeUs, closeTimeUs: openTimeUs + MINUTE - 1000 },
      ...{ open: close, high: close, low: close, close, volume: 1, final: true, revision: 0, source: 'binance' },
    }
  }

  async hear(event: NewEvent): Promise<void> {
    this.harness.store.transact((turn) => turn.publish(topicOf(event), event))
    await this.harness.run()
  }

  /** It settles, and the source has it from then on. */
  async live(minute: number, close: number): Promise<void> {
    this.past.set(minute, close)
    const bar = this.bar(minute, close)
    const { instrument, closeTimeUs } = bar
    const venue = instrumentVenue(instrument).toLowerCase() as 'binance'
    this.harness.store.transact((turn) =>
      turn.publish(`market-data.${venue}.candles`, {
        ...{ type: 'Candle', stream: instrument, correlationId: `candle ${minute}`, causationId: '' },
        ...{ timeEventUs: closeTimeUs, payload: bar },
      }),
    )
    await this.harness.run()
  }

  async restart(): Promise<void> {
    this.harness = this.harness.killed()
    this.asked = []
    this.risked = []
    await this.start()
  }

  kept(): Kept | undefined {
    const row = this.harness.store.database.prepare('SELECT snapshot FROM strategy_instances').get()
    if (row === undefined) return undefined
    const {
      state,
      holdings,
      warmUp,
      barCount: bars,
    } = JSON.parse(row['snapshot'] as string) as {
      state: Kept
      holdings: { units: string }
      warmUp: unknown
      barCount: number
    }
    const { seen, beats, fills } = state
    return { seen, beats, fills, position: holdings.units, warmUp, bars }
  }

  async state(): Promise<string> {
    return (await this.engine.api.listStrategies({})).strategies[0]!.state
  }

  async told(): Promise<string[]> {
    const events = await this.harness.events('system.health', 'ServiceHealth')
    return events.map(({ payload }) => `${payload.service} ${payload.state}: ${payload.reason}`)
  }

  get absent(): readonly string[] {
    return this.harness.activity.absentees()
  }
}

const PAST = ['past 110', 'past 91', 'past 112']
const MARK = { bars: 3, untilUs: START_US - 1000 }
const AWAY = new RpcError('UNAVAILABLE', 'its source has not answered')

describe('an instance that starts for the first time', () => {
  it('sees its bars of the past, orders nothing of them, and trades from the first live one on', async () => {
    const w = await new World().start()
    assert.deepEqual(w.asked, [{ instrument: BTC.id, timeframe: '1m', count: 3 }])
    assert.deepEqual(w.kept(), { seen: PAST, beats: 0, fills: 0, position: '0', warmUp: MARK, bars: 3 })
    assert.deepEqual([w.risked.length, await w.harness.types('orders.signals')], [0, []])
    assert.deepEqual([await w.state(), w.absent], ['running', []])
    assert.deepEqual(await w.told(), ['strategy one up: it has warmed up with 3 bars'])
    await w.live(1, 113)
    assert.deepEqual(w.kept()?.seen, [...PAST, 'live 113'])
    assert.deepEqual([w.risked.length, w.risked[0]!.priceText], [1, '113'])
    assert.equal(w.kept()!.beats, 0, 'its clock starts with it')
    await w.live(2, 90)
    await w.restart()
    await w.live(3, 90)
    const { bars } = (await w.engine.api.listStrategies({})).strategies[0]!
    assert.deepEqual([w.asked.length, bars], [0, 6])
  })

  it('is restored exactly as it was, and never warms up again', async () => {
    const w = await new World().start()
    const before = JSON.stringify(w.kept())
    w.past.set(1, 500)
    await w.restart()
    assert.deepEqual([w.asked.length, JSON.stringify(w.kept()), await w.state()], [0, before, 'running'])
  })

  it('takes a bar that is of the past and comes over the bus once', async () => {
    const w = new World()
    w.refusal = AWAY
    await w.start()
    await w.live(1, 113)
    await w.live(2, 114)
    w.refusal = undefined
    await w.harness.run(600)
    assert.deepEqual(w.kept()?.seen, ['past 112', 'past 113', 'past 114'])
    await w.live(2, 114)
    await w.live(3, 90)
    assert.equal(w.risked.length, 0, 'what was past when it was ready is no reason to trade')
    await w.live(4, 115)
    assert.deepEqual(w.kept()?.seen.slice(3), ['live 90', 'live 115'])
  })

  it('takes a bar that settled while the past was on its way after it, as a live one', async () => {
    const w = new World()
    let arrive: () => void = () => undefined
    w.onItsWay = new Promise((resolve) => (arrive = resolve))
    await w.start()
    await w.live(1, 113)
    assert.deepEqual([w.kept(), await w.state(), w.risked.length], [undefined, 'warming_up', 0])
    arrive()
    await w.harness.run()
    assert.deepEqual(w.kept()?.seen, [...PAST, 'live 113'])
    assert.equal(w.risked.length, 1)
  })

  it('that is killed meanwhile begins from nothing, and loses no bar that had waited', async () => {
    const w = new World()
    w.refusal = AWAY
    await w.start()
    await w.live(1, 113)
    await w.live(2, 114)
    assert.equal(w.kept(), undefined)
    w.refusal = undefined
    await w.restart()
    assert.deepEqual(w.kept()?.seen, ['past 112', 'past 113', 'past 114'])
    await w.live(3, 90)
    assert.equal(w.risked.length, 0)
  })

  it('waits and says so while nobody knows the past, and does not trade unready', async () => {
    const w = new World()
    w.refusal = AWAY
    await w.start()
    await w.live(1, 113)
    await w.harness.run(60_000)
    assert.ok(w.asked.length > 100)
    assert.deepEqual([w.absent, await w.state()], [['strategy-engine: warm-up of one'], 'warming_up'])
    assert.deepEqual([w.risked.length, w.kept()], [0, undefined])
    assert.deepEqual(w.warned, ['its source has not answered'])
    w.engine.stop()
    const asked = w.asked.length
    await w.harness.run(60_000)
    assert.equal(w.asked.length, asked)
  })

  it('says so as well where whoever knows the past does not answer at all', async () => {
    const w = new World()
    w.onItsWay = new Promise(() => undefined)
    await w.start()
    await w.harness.run(4000)
    assert.deepEqual(w.warned, [], 'a start takes its time')
    await w.harness.run(60_000)
    assert.deepEqual([w.warned, w.asked.length], [['nobody has answered'], 1])
    assert.deepEqual([w.absent, await w.state()], [['strategy-engine: warm-up of one'], 'warming_up'])
  })

  const short: [string, Record<number, number>, number, string | undefined][] = [
    ['fewer bars', { 0: 90 }, 0, 'expected 3 bars of warm-up, found 1: its source has no more; it goes on with these'],
    ['none', {}, 0, 'expected 3 bars of warm-up, found 0: its source has no more; it goes on with these'],
    ['holes', { [-9]: 1, [-1]: 1, 0: 1 }, 7, 'the source lacks 7 between the bars of warm-up; it goes on without them'],
    [
      'both',
      { [-9]: 90, 0: 90 },
      8,
      'expected 3 bars of warm-up, found 2: its source has no more, and lacks 8 between them; it goes on with these',
    ],
  ]
  for (const [name, past, missing, reason] of short) {
    it(`says so where the source has ${name}, and goes on`, async () => {
      const w = new World(past)
      w.missing = missing
      await w.start()
      assert.deepEqual(await w.told(), [`strategy one up: ${reason}`])
      await w.live(1, 113)
      assert.deepEqual([w.risked.length, w.kept()?.seen.at(-1)], [1, 'live 113'])
      assert.equal((await w.told()).length, 1)
    })
  }

  it('says so where bars lack before its first live one, and not later', async () => {
    const w = await new World().start()
    await w.restart()
    await w.live(4, 90)
    await w.live(9, 90)
    assert.deepEqual((await w.told()).slice(1), [
      'strategy one up: the source lacks 3 bars between its warm-up and its first live bar; it goes on without them',
    ])
  })

  it('says nothing of a night in which its market was closed', async () => {
    const w = new World({})
    w.instrument = krxInstrument({ code: '005930', market: 'KOSPI', kind: 'stock', date: '2024-01-03' })
    // 2024-01-02 15:20 in Korea, ten minutes before the close; then 09:01 of the next day.
    const minuteOf = (day: number, hour: number, minute: number): number => (day * 24 + hour - 9) * 60 + minute
    w.past.set(minuteOf(1, 15, 20), 90)
    w.parameters = { warmUp: 1, isBad: false }
    await w.start()
    await w.live(minuteOf(2, 9, 1), 90)
    const told = await w.told()
    assert.equal(told.length, 2)
    assert.match(told[1]!, /lacks \d bars between/, 'the end of that day, and nothing of the night')
  })

  it('is barred when its handler does not end well on the past, and warms up from nothing when it is started', async () => {
    const w = await new World({ 0: 90, [-1]: 66 }).start()
    assert.deepEqual([await w.state(), w.absent], ['barred', []])
    const [barred] = await w.harness.events('orders.signals', 'StrategyBarred')
    assert.match(barred!.payload.reason, /onBar of one \(above\) to end well, found a price that it does not know/)
    assert.deepEqual([w.kept()?.warmUp, w.kept()?.seen], ['due', []])
    await w.restart()
    await w.live(1, 113)
    assert.deepEqual([await w.state(), w.asked.length, w.risked.length], ['barred', 0, 0])
    w.past.set(-1, 91)
    await w.engine.api.startStrategy({ instance: 'one' })
    await w.harness.run()
    assert.deepEqual([await w.state(), w.kept()?.seen], ['running', ['past 91', 'past 90', 'past 113']])
  })

  it('is barred when its state could not be restored', async () => {
    const w = new World()
    w.parameters = { warmUp: 3, isBad: true }
    await w.start()
    assert.equal(await w.state(), 'barred')
    const [barred] = await w.harness.events('orders.signals', 'StrategyBarred')
    assert.match(barred!.payload.reason, /found expected plain data or an indicator at state.bad, found a Date/)
  })

  it('that a person stops meanwhile begins from nothing when it is started again', async () => {
    const w = new World()
    w.refusal = AWAY
    await w.start()
    await w.live(1, 113)
    await w.engine.api.stopStrategy({ instance: 'one' })
    const asked = w.asked.length
    w.refusal = undefined
    await w.harness.run(5000)
    assert.deepEqual([w.asked.length, await w.state(), w.absent, w.kept()?.warmUp], [asked, 'stopped', [], 'due'])
    await w.restart()
    assert.equal(w.asked.length, 0, 'also over a restart')
    await w.live(2, 114)
    await w.engine.api.startStrategy({ instance: 'one' })
    await w.harness.run()
    assert.deepEqual(w.kept()?.seen, ['past 112', 'past 113', 'past 114'])
  })

  it('that wants none trades at once', async () => {
    const w = new World()
    w.parameters = { warmUp: 0, isBad: false }
    await w.start()
    await w.live(1, 113)
    assert.deepEqual([w.asked.length, w.risked.length, w.kept()?.warmUp], [0, 1, undefined])
  })

  it('takes many bars in pieces, between which a person can stop it', async () => {
    const w = new World(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [i - 999, 90])))
    w.parameters = { warmUp: 1000, isBad: false }
    let arrive: () => void = () => undefined
    w.onItsWay = new Promise((resolve) => (arrive = resolve))
    await w.start()
    arrive()
    await settled()
    assert.equal(await w.state(), 'warming_up', 'the next piece waits for its turn')
    await w.engine.api.stopStrategy({ instance: 'one' })
    await w.harness.run()
    assert.deepEqual([await w.state(), w.kept()?.bars], ['stopped', 0])
    await w.engine.api.startStrategy({ instance: 'one' })
    await w.harness.run()
    assert.deepEqual([await w.state(), w.kept()?.bars], ['running', 1000])
  })
})

const sides = (w: World): string[] => w.risked.map(({ side }) => side)

describe('an instance that begins anew with other parameters', () => {
  it('warms up again, with what it holds, and hears of no fill meanwhile', async () => {
    const w = await new World().start()
    await w.live(1, 113)
    const { signalId } = w.risked[0]!
    await w.harness.run()
    const said = { account: ACCOUNT, instrument: BTC.id, strategy: 'one', signalId, side: 'buy' } as const
    w.parameters = { warmUp: 2, isBad: false }
    w.refusal = AWAY
    await w.restart()
    assert.deepEqual([w.kept()?.warmUp, w.kept()?.seen, await w.state()], ['due', [], 'warming_up'])
    await w.hear(orderFilled({ ...said, quantity: '1', price: '113' }))
    assert.deepEqual([w.kept()?.position, sides(w)], ['1', ['buy']], 'only the old signal, asked about again')
    await w.restart()
    assert.deepEqual([w.kept()?.position, w.kept()?.warmUp], ['1', 'due'], 'killed in the middle, it has not forgotten')
    w.refusal = undefined
    await w.harness.run(600)
    const kept = w.kept()!
    assert.deepEqual([kept.seen, kept.position, kept.fills], [['past 112', 'past 113'], '1', 0])
    await w.live(2, 114)
    assert.equal(w.risked.length, 0, 'it holds what it bought')
  })

  it('knows of a fill that came between two pieces of the past', async () => {
    const w = await new World(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [i - 39, 90]))).start()
    await w.live(1, 113)
    const { signalId } = w.risked[0]!
    w.parameters = { warmUp: 40, isBad: false }
    let arrive: () => void = () => undefined
    w.onItsWay = new Promise((resolve) => (arrive = resolve))
    await w.restart()
    arrive()
    await settled()
    const said = { account: ACCOUNT, instrument: BTC.id, strategy: 'one', signalId, side: 'buy' } as const
    const fill = orderFilled({ ...said, quantity: '1', price: '113' })
    w.harness.store.transact((turn) => turn.publish(topicOf(fill), fill))
    await settled()
    assert.equal(await w.state(), 'warming_up')
    await w.harness.run()
    assert.deepEqual([await w.state(), w.kept()?.position, w.kept()?.seen.length], ['running', '1', 40])
    await w.live(2, 114)
    assert.deepEqual(sides(w), ['buy'])
  })
})

describe('an instance whose engine has no past to ask for', () => {
  it('takes the first bars that come for its warm-up, as a backtest does, also over a kill', async () => {
    const w = new World()
    w.hasHistory = false
    await w.start()
    await w.live(1, 113)
    await w.live(2, 114)
    await w.restart()
    await w.live(3, 115)
    assert.equal(w.risked.length, 0)
    await w.live(4, 116)
    assert.equal(w.risked.length, 1)
    assert.deepEqual(w.kept()?.seen, ['past 113', 'past 114', 'past 115', 'live 116'])
    assert.equal(await w.state(), 'running')
  })
})
