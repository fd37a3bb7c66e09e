/** Signals of whole days wait until the KRX takes orders: kept on disk, asked about once, and dropped when nobody means them any more. */
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import type { NewEvent } from '@jts/contracts'
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
import { candle, orderFilled, topicOf } from '@jts/testkit/order-events'
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
