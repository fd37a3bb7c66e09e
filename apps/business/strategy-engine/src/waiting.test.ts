/** Signals of whole days wait until the KRX takes orders: kept on disk, asked about once, and dropped when nobody means them any more. */
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { RpcError, type NewEvent } from '@jts/contracts'
import { RiskCheckResponse, type RiskCheckRequest } from '@jts/contracts/risk-api'
import {
  accountId,
  instrumentId,
  krxDayBar,
  krxSessionsOf,
  kstInstantUs,
  secondsOfTime,
  strategyInstanceId,
  unlistedKrxInstrument,
  type KrxHours,
} from '@jts/model'
import { defineStrategy, integer, type AnyStrategy } from '@jts/strategy-kit'
import { Harness } from '@jts/testkit/harness'
import { candle, orderAccepted, orderEnded, orderFilled, topicOf } from '@jts/testkit/order-events'
import { signals } from './adapters/tables.ts'
import { createStrategyEngine, type StrategyEngine } from './index.ts'
import { replayed } from './testing/replayed.ts'

const ACCOUNT = 'sim.creon.krx'
const SAMSUNG = instrumentId('KRX:005930')
const at = (time: string, date = '2026-01-05'): number => kstInstantUs(date, secondsOfTime(time))
/** Monday's bar is heard when it has closed, and its orders are Tuesday's. */
const HEARD_US = at('15:31')
const OPENING_US = at('08:30', '2026-01-06') + 5_000_000

/** Above 100 it buys one; at 666 it changes its mind at once, on a bar below 50 later. */
const strategy = defineStrategy({
  name: 'daily',
  parameters: { level: integer({ default: 100 }) },
  state: () => ({ order: 0 }),
  onBar(bar, { state, buy, cancel, parameters, position }) {
    if (bar.close < 50) cancel(state.order)
    else if (bar.close > parameters.level && position.isFlat) state.order = buy('1')
    if (bar.close === 666) cancel(state.order)
    if (bar.close === 777) throw new Error('a slip')
  },
  onFill({ side }, { sell }) {
    if (side === 'buy') sell('1')
  },
})

const open: Harness[] = []
afterEach(async () => {
  for (const harness of open.splice(0)) {
    assert.deepEqual(harness.poison, [])
    // Whatever became of what waited is on the record of its instance.
    for (const instance of ['one', 'two']) {
      const parts = await replayed(harness, instance, strategy as unknown as AnyStrategy)
      for (const { differences } of parts) assert.deepEqual(differences, [])
    }
    await harness.remove()
  }
})

class World {
  harness = Harness.open(HEARD_US)
  engine!: StrategyEngine
  asked: RiskCheckRequest[] = []
  timeframe = '1d'
  level = 100
  instances: readonly string[] = ['one']
  hours: KrxHours = {}
  answer: (request: RiskCheckRequest) => RiskCheckResponse | Promise<RiskCheckResponse> = ({
    correlationId,
    signalId,
    quantityText: adjustedQuantityText,
  }) => RiskCheckResponse.create({ correlationId, signalId, approved: true, adjustedQuantityText })

  async start(): Promise<this> {
    open.push(this.harness)
    const { store, bus, marketClock, wallClock, activity, log } = this.harness
    this.engine = createStrategyEngine({
      ...{ store, bus, marketClock, wallClock, activity, log, runId: 'run' },
      risk: {
        checkTradingRisk: async (request) => {
          this.asked.push(request)
          return this.answer(request)
        },
      },
      marketTopics: ['market-data.krx.candles'],
      sessions: krxSessionsOf(this.hours),
      instances: this.instances.map((name) => ({
        instance: strategyInstanceId(name),
        definition: strategy as unknown as AnyStrategy,
        parameters: { level: this.level },
        account: accountId(ACCOUNT),
        instrument: unlistedKrxInstrument(SAMSUNG),
        timeframe: this.timeframe,
      })),
    })
    await this.engine.start()
    await bus.start()
    await this.harness.run()
    return this
  }

  /** Killed where it is; what it asked before counts on. `awayMs` later it is there again. */
  async restart(awayMs = 0): Promise<void> {
    await this.harness.run()
    this.engine.stop()
    this.harness = this.harness.killed()
    await this.harness.run(awayMs)
    await this.start()
  }

  /** Killed once more, before it has read what its instances have asked for. */
  async restartTwice(): Promise<void> {
    await this.harness.run()
    this.engine.stop()
    this.harness = this.harness.killed()
    const { store } = this.harness
    const all = store.all.bind(store)
    store.all = (table) => ((table as unknown) === signals ? Promise.reject(new Error('killed')) : all(table))
    await assert.rejects(this.start(), /killed/)
    store.all = all
    this.harness = this.harness.killed()
    await this.start()
  }

  async hear(event: NewEvent): Promise<void> {
    this.harness.store.transact((turn) => turn.publish(topicOf(event), event))
    await this.harness.run()
  }

  day(close: number, date = '2026-01-05'): Promise<void> {
    const event = candle(SAMSUNG, krxDayBar(date).closeTimeUs, close)
    return this.hear({ ...event, payload: { ...event.payload, timeframe: this.timeframe } } as NewEvent)
  }

  until(timeUs: number): Promise<void> {
    return this.harness.run((timeUs - this.harness.wallClock.nowUs()) / 1000)
  }

  async waiting(): Promise<string[]> {
    const { strategies } = await this.engine.api.listStrategies({})
    return strategies.flatMap(({ instance, waiting }) =>
      waiting.map(({ side, quantity, notBeforeUs }) => `${instance} ${side} ${quantity} ${notBeforeUs - OPENING_US}`),
    )
  }

  /** Every event about signals and orders, with its reason. */
  async said(): Promise<string[]> {
    const all = [...(await this.harness.events('strategy.signals')), ...(await this.harness.events('orders.signals'))]
    return all.map(({ type, payload }) => {
      const { reasonCode } = payload as { reasonCode?: string }
      return reasonCode === undefined || reasonCode === '' ? type : `${type} ${reasonCode}`
    })
  }
}

const SENT = ['SignalWaiting', 'StrategySignal', 'ApprovedSignal']
const world = (): Promise<World> => new World().start()

describe('a signal of a whole day', () => {
  it('is kept and told, asked about when the KRX takes orders, and is as old as that', async () => {
    const w = await world()
    await w.day(110)
    assert.deepEqual([w.asked.length, await w.waiting()], [0, ['one buy 1 0']])
    const [told] = await w.harness.events('strategy.signals', 'SignalWaiting')
    assert.deepEqual(
      [told!.payload.side, told!.payload.quantity, told!.payload.notBeforeUs, told!.payload.price],
      ['buy', '1', OPENING_US, '110'],
    )
    await w.until(OPENING_US - 1000)
    assert.equal(w.asked.length, 0)
    await w.until(OPENING_US)
    assert.deepEqual(
      [w.asked.length, w.asked[0]!.signalTimeUs, w.asked[0]!.signalId],
      [1, OPENING_US, told!.payload.signalId],
    )
    assert.deepEqual([await w.said(), await w.waiting()], [SENT, []])
    const [decision] = await w.harness.events('strategy.signals', 'StrategySignal')
    assert.equal(decision!.timeEventUs, OPENING_US)
    await w.until(OPENING_US + 86_400_000_000)
    assert.equal(w.asked.length, 1)
  })

  it('is asked about when market time comes by an event, too', async () => {
    const w = await world()
    await w.day(110)
    w.harness.marketClock.advanceTo(OPENING_US)
    await w.harness.run()
    assert.equal(w.asked.length, 1)
  })

  it('is asked about until risk has an answer, and says once why there is none', async (t) => {
    const w = await world()
    await w.day(110)
    const { answer } = w
    const logged = t.mock.method(w.harness.log, 'error')
    w.answer = () => Promise.reject(new RpcError('UNAVAILABLE', 'expected a heartbeat, found none'))
    await w.until(OPENING_US + 60_000_000)
    assert.equal(w.asked.length, 121)
    assert.deepEqual([await w.said(), logged.mock.callCount()], [['SignalWaiting'], 1])
    w.answer = answer
    await w.harness.run(500)
    assert.deepEqual(await w.said(), SENT)
    assert.equal(new Set(w.asked.map(({ signalId }) => signalId)).size, 1)
  })

  it('outlives its process, wherever that is killed, and is asked about in the same words', async () => {
    const w = await world()
    await w.day(110)
    await w.restart()
    assert.deepEqual([w.asked, await w.waiting()], [[], ['one buy 1 0']])
    w.answer = () => new Promise(() => undefined)
    await w.until(OPENING_US)
    const [first] = w.asked
    // Between the question and its answer.
    await w.restart()
    await w.restart()
    assert.deepEqual(w.asked, [first, first, first])
    w.answer = new World().answer
    await w.restart()
    assert.deepEqual(await w.said(), SENT)
    await w.restart(86_400_000)
    assert.equal(w.asked.length, 4)
  })

  it('that came due while nobody ran is asked about at once and once, with its true time, for risk to judge', async () => {
    // The day of the bar; when JTS is there again; from when on the order could have gone out.
    for (const [bar, back, dueUs] of [
      ['2026-01-05', at('08:45', '2026-01-06'), OPENING_US],
      ['2026-01-05', at('09:05', '2026-01-06'), OPENING_US],
      ['2026-01-05', at('08:45', '2026-01-07'), OPENING_US],
      ['2026-01-09', at('08:45', '2026-01-12'), at('08:30:05', '2026-01-12')],
      ['2026-02-13', at('08:45', '2026-02-19'), at('08:30:05', '2026-02-19')],
      ['2026-11-18', at('09:45', '2026-11-19'), at('09:30:05', '2026-11-19')],
    ] as const) {
      const w = new World()
      w.harness = Harness.open(at('15:31', bar))
      await w.start()
      await w.day(110, bar)
      await w.restart((back - at('15:31', bar)) / 1000)
      const asked = w.asked.map(({ signalTimeUs }) => [signalTimeUs, w.harness.marketClock.nowUs()])
      assert.deepEqual(asked, [[dueUs, back]])
      assert.deepEqual(await w.said(), SENT)
    }
  })

  it('whose bar was missed and is heard late does not wait for another day', async () => {
    const w = await world()
    await w.until(at('10:00', '2026-01-06'))
    await w.day(110)
    assert.deepEqual(await w.said(), ['StrategySignal', 'ApprovedSignal'])
    assert.equal(w.asked[0]!.signalTimeUs, OPENING_US)
  })

  it('is asked about in the order in which it was made', async () => {
    const w = new World()
    w.instances = ['b', 'c', 'a']
    await w.start()
    await w.day(110)
    const made = ['b buy 1 0', 'c buy 1 0', 'a buy 1 0']
    assert.deepEqual(await w.waiting(), made)
    await w.until(OPENING_US)
    assert.deepEqual(
      w.asked.map(({ strategy: instance }) => instance),
      ['b', 'c', 'a'],
    )
  })

  it('may be taken back by its strategy, at once or later, and risk never hears of it', async () => {
    const w = await world()
    await w.day(666)
    await w.day(110, '2026-01-06')
    await w.day(49, '2026-01-07')
    assert.deepEqual(await w.waiting(), [])
    const taken = ['SignalWaiting', 'StrategySignal CANCELLED_BEFORE_SENDING']
    assert.deepEqual(await w.said(), [...taken, ...taken])
    assert.deepEqual(await w.harness.types('risk.alerts'), [])
    await w.restart(86_400_000 * 5)
    assert.deepEqual(w.asked, [])
    await w.day(110, '2026-01-12')
    assert.equal((await w.waiting()).length, 1, 'its strategy is free to want again')
  })

  it('is dropped when a person stops its strategy, and does not come back with it', async () => {
    const w = await world()
    await w.day(110)
    await w.engine.api.stopStrategy({ instance: 'one' })
    await w.engine.api.startStrategy({ instance: 'one' })
    await w.restart()
    await w.until(OPENING_US)
    assert.deepEqual([w.asked, await w.waiting()], [[], []])
    const [alert] = await w.harness.events('risk.alerts', 'RiskAlert')
    assert.match(
      alert!.payload.reason,
      /expected one to be running until its market takes orders, found a person has stopped it/,
    )
    assert.equal(alert!.timeEventUs, HEARD_US, 'no event is ahead of its time')
  })

  it('is dropped when its strategy is barred', async () => {
    const w = await world()
    await w.day(110)
    await w.day(777, '2026-01-06')
    await w.until(OPENING_US)
    assert.deepEqual(w.asked, [])
    assert.deepEqual(await w.said(), ['SignalWaiting', 'StrategySignal STRATEGY_NOT_RUNNING', 'StrategyBarred'])
  })

  it('is dropped when its strategy is stopped at the very moment', async () => {
    const w = await world()
    await w.day(110)
    // Its time has come, and it is not yet asked about.
    w.harness.marketClock.advanceTo(OPENING_US)
    await w.engine.api.stopStrategy({ instance: 'one' })
    await w.harness.run()
    assert.deepEqual([w.asked.length, await w.waiting()], [0, []])
  })

  it('is dropped when its strategy is another after a restart, or none', async () => {
    const changes: ((w: World) => void)[] = [(w) => (w.level = 200), (w) => (w.instances = ['two'])]
    for (const change of changes) {
      const w = await world()
      await w.day(110)
      change(w)
      await w.restart()
      await w.until(OPENING_US)
      assert.deepEqual(w.asked, [])
      assert.deepEqual(await w.said(), ['SignalWaiting', 'StrategySignal STRATEGY_NOT_RUNNING'])
    }
  })

  it('is denied where nobody knows when the KRX opens next, and its strategy is free again', async () => {
    const w = await world()
    await w.day(110, '2026-12-30')
    assert.deepEqual([w.asked, await w.said()], [[], ['StrategySignal SESSION_UNKNOWN']])
    const [alert] = await w.harness.events('risk.alerts', 'RiskAlert')
    assert.match(alert!.payload.reason, /for which the KRX holidays are known, found 2027-01-01/)
    w.hours = { holidays: ['2027-01-01'], knownTo: '2027-12-31' }
    await w.restart()
    await w.day(111, '2026-12-30')
    assert.equal((await w.waiting()).length, 1)
  })

  it('does not wait in a simulated market that never closes, also after a restart', async () => {
    const w = await world()
    const listed = (alwaysOpen: boolean): NewEvent => ({
      ...{ type: 'InstrumentListed', stream: SAMSUNG, correlationId: 'c', causationId: '', timeEventUs: HEARD_US },
      payload: {
        ...{ instrument: SAMSUNG, market: 'KOSPI', kind: 'stock', lotSize: '1', tradable: true, restrictions: [] },
        ...{ priceMin: '', priceMax: '', date: '2026-01-05', alwaysOpen },
      },
    })
    await w.hear(listed(true))
    await w.restart()
    await w.day(110)
    assert.deepEqual([w.asked.length, await w.waiting()], [1, []])
    assert.equal(w.asked[0]!.signalTimeUs, krxDayBar('2026-01-05').closeTimeUs)
    await w.day(110, '2026-01-06')
    const closed = await world()
    await closed.hear(listed(true))
    await closed.hear(listed(false))
    await closed.restart()
    await closed.day(110)
    assert.deepEqual([closed.asked.length, (await closed.waiting()).length], [0, 1])
  })
})

describe('a signal that has waited, is approved, and that the broker has not taken yet', () => {
  const TAKEN_BACK = [...SENT, 'CancelRequested']
  const said = { account: ACCOUNT, instrument: SAMSUNG, strategy: 'one' }

  /** A broker that is away has kept it for a minute. */
  async function approved(): Promise<World & { signalId: string }> {
    const w = await world()
    await w.day(110)
    await w.until(OPENING_US + 60_000_000)
    assert.deepEqual(await w.said(), SENT)
    return Object.assign(w, { signalId: w.asked[0]!.signalId })
  }

  const stop = (w: World): Promise<unknown> => w.engine.api.stopStrategy({ instance: 'one' })

  it('is taken back when a person stops its strategy, at the time at which that was said', async () => {
    const w = await approved()
    await stop(w)
    assert.deepEqual(await w.said(), TAKEN_BACK)
    const [cancel] = await w.harness.events('orders.signals', 'CancelRequested')
    const { signalId, strategy: instance, account, instrument } = cancel!.payload
    assert.deepEqual([signalId, instance, account, instrument], [w.signalId, 'one', ACCOUNT, SAMSUNG])
    assert.equal(cancel!.timeEventUs, OPENING_US + 60_000_000)
    const { reason } = cancel!.payload
    assert.equal(reason, 'expected one to be running until the broker takes its order, found a person has stopped it')
  })

  it('is taken back when its strategy is barred', async () => {
    const w = await approved()
    await w.day(777, '2026-01-06')
    assert.deepEqual(await w.said(), [...TAKEN_BACK, 'StrategyBarred'])
  })

  it('is taken back when its strategy is another after a restart, or none, and no second time after the next', async () => {
    const changes: ((w: World) => void)[] = [(w) => (w.level = 200), (w) => (w.instances = ['two'])]
    for (const change of changes) {
      const w = await approved()
      change(w)
      await w.restart()
      assert.deepEqual(await w.said(), TAKEN_BACK)
      await w.hear(orderEnded({ ...said, signalId: w.signalId }, 'OrderDenied'))
      await w.restart()
      assert.deepEqual(await w.said(), TAKEN_BACK)
    }
  })

  it('is taken back, as one that waits, when the first process with other parameters is killed before it has read of them', async () => {
    const w = await approved()
    w.level = 200
    await w.restartTwice()
    assert.deepEqual(await w.said(), TAKEN_BACK)
    const waiting = await world()
    await waiting.day(110)
    waiting.level = 200
    await waiting.restartTwice()
    assert.deepEqual(await waiting.said(), ['SignalWaiting', 'StrategySignal STRATEGY_NOT_RUNNING'])
  })

  it('stays wanted over a restart that changes nothing', async () => {
    const w = await approved()
    await w.restart()
    assert.deepEqual(await w.said(), SENT)
  })

  it('is taken back as soon as risk has answered, when it was asked about and its strategy was stopped meanwhile', async () => {
    for (const change of [stop, (w: World) => ((w.level = 200), w.restart())]) {
      const w = await world()
      await w.day(110)
      w.answer = () => new Promise(() => undefined)
      await w.until(OPENING_US)
      await change(w)
      assert.deepEqual(await w.said(), ['SignalWaiting'])
      w.answer = new World().answer
      await w.restart()
      assert.deepEqual(await w.said(), TAKEN_BACK)
    }
  })

  for (const [what, event] of [
    ['accepted', orderAccepted],
    ['filled in part', (of: typeof said) => orderFilled({ ...of, quantity: '0.5', price: '111', leaves: '0.5' })],
  ] as const) {
    it(`stays in the market once it is ${what}, over restarts and a stop, and its strategy itself may take it back`, async () => {
      const w = await approved()
      await w.hear(event({ ...said, signalId: w.signalId }))
      const before = await w.said()
      await w.restart()
      await stop(w)
      await w.restart()
      assert.deepEqual(await w.said(), before)
      await w.engine.api.startStrategy({ instance: 'one' })
      await w.day(49, '2026-01-06')
      assert.deepEqual(await w.said(), [...before, 'CancelRequested'])
    })

    it(`stays in the market once it is ${what}, when its strategy begins anew`, async () => {
      const w = await approved()
      await w.hear(event({ ...said, signalId: w.signalId }))
      const before = await w.said()
      w.level = 200
      await w.restart()
      assert.deepEqual(await w.said(), before)
    })
  }

  it('whose order has ended is not taken back any more', async () => {
    const w = await approved()
    await w.hear(orderEnded({ ...said, signalId: w.signalId }, 'OrderRejected'))
    await stop(w)
    assert.deepEqual(await w.said(), SENT)
  })
})

it('a signal that has not waited is left to its order when its strategy is stopped', async () => {
  const w = new World()
  w.timeframe = '1m'
  await w.start()
  await w.day(110)
  await w.engine.api.stopStrategy({ instance: 'one' })
  assert.deepEqual(await w.said(), ['StrategySignal', 'ApprovedSignal'])
})

it('a signal of a minute, or upon a fill, does not wait: it is for now or never', async () => {
  const minutes = new World()
  minutes.timeframe = '1m'
  await minutes.start()
  await minutes.day(110)
  assert.equal(minutes.asked.length, 1)
  const days = await world()
  await days.day(110)
  await days.until(OPENING_US)
  const { signalId } = days.asked[0]!
  await days.hear(
    orderFilled(
      { account: ACCOUNT, instrument: SAMSUNG, strategy: 'one', signalId, quantity: '1', price: '111' },
      OPENING_US,
    ),
  )
  assert.deepEqual(
    days.asked.map(({ side }) => side),
    ['buy', 'sell'],
  )
})
