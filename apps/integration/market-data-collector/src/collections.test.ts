/** Collections as they are asked for: by a person, by the calendar, over a kill, beside a series that is told live. */
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { BrokerError, type CandleQuery } from '@jts/broker-kit'
import type { Collection, CollectRequest } from '@jts/contracts/collection-api'
import {
  instrumentId,
  krxDayBar,
  KrxCalendar,
  krxInstrument,
  krxSessionsOf,
  kstDateOf,
  kstInstantUs,
  kstText,
  secondsOfTime,
  type Bar,
  type Instrument,
  type InstrumentId,
  type KrxHours,
  type KrxSessions,
} from '@jts/model'
import { Harness } from '@jts/testkit/harness'
import { collectedCandles, progress } from './adapters/tables.ts'
import { createCollections, type Collections, type CollectionVenue } from './index.ts'

const SAMSUNG = instrumentId('KRX:005930')
const HYNIX = instrumentId('KRX:000660')
const CELLTRION = instrumentId('KRX:068270')
const CALENDAR = new KrxCalendar()
const ALL: CollectRequest = { venue: 'KRX', instruments: [], markets: [], timeframe: '1d', fromDay: '', toDay: '' }

const open: Harness[] = []
afterEach(async () => {
  for (const harness of open.splice(0)) await harness.remove()
})

function dayBar(instrument: InstrumentId, date: string): Bar {
  const amounts = { open: 100, high: 110, low: 90, close: 105, volume: 7 }
  return { instrument, timeframe: '1d', ...krxDayBar(date), ...amounts, final: true, revision: 0, source: 'creon' }
}

/** A source that has every trading day up to now. */
class World {
  readonly harness: Harness
  readonly asked: CandleQuery[] = []
  answer: (query: CandleQuery) => Promise<never> | undefined = () => undefined
  isAway = false
  /** Days on which it had no session, whatever the shipped table says. */
  closed: readonly string[] = []
  readonly collections: Collections

  constructor(harness: Harness, changes: Partial<CollectionVenue> = {}, sessions?: KrxSessions) {
    this.harness = harness
    open.push(harness)
    const { store, wallClock, activity, log } = harness
    const venue: CollectionVenue = { venue: 'KRX', source: this, traded: [SAMSUNG], live: [], ...changes }
    this.collections = createCollections({ store, wallClock, activity, log, sessions, venues: [venue] })
  }

  static at(now: string, changes: Partial<CollectionVenue> = {}, hours?: KrxHours): World {
    const [date, time] = now.split(' ')
    return new World(Harness.open(kstInstantUs(date!, secondsOfTime(time!))), changes, hours && krxSessionsOf(hours))
  }

  candles = async (query: CandleQuery): Promise<readonly Bar[]> => {
    this.asked.push(query)
    await Promise.resolve()
    await this.answer(query)
    const bars: Bar[] = []
    const untilUs = Math.min(query.toUs ?? Infinity, this.harness.wallClock.nowUs())
    for (let day = kstDateOf(query.fromUs!); bars.length < query.limit!; day = CALENDAR.tradingDayAfter(day)) {
      if (!CALENDAR.isTradingDay(day) || this.closed.includes(day)) continue
      const bar = dayBar(query.instrument, day)
      if (bar.openTimeUs > untilUs) break
      if (bar.openTimeUs >= query.fromUs! && bar.closeTimeUs < this.harness.wallClock.nowUs()) bars.push(bar)
    }
    return bars
  }

  instruments = async (): Promise<readonly Instrument[]> => {
    await Promise.resolve()
    if (this.isAway) throw new BrokerError('BROKER_UNAVAILABLE', 'HTS is logged out', { retryable: true })
    return [
      { ...krxInstrument({ code: '005930', market: 'KOSPI', kind: 'stock', date: '2026-02-20' }) },
      { ...krxInstrument({ code: '000660', market: 'KOSPI', kind: 'stock', date: '2026-02-20' }) },
      { ...krxInstrument({ code: '068270', market: 'KOSDAQ', kind: 'stock', date: '2026-02-20' }) },
    ]
  }

  async collect(changes: Partial<CollectRequest> = {}): Promise<Collection> {
    await this.collections.api.collect({ ...ALL, ...changes })
    await this.harness.run(30_000)
    return this.view()
  }

  async view(): Promise<Collection> {
    return (await this.collections.api.listCollections({})).collections[0]!
  }

  async told(): Promise<string[]> {
    const events = await this.harness.events('market-data.krx.candles', 'Candle')
    return events.map(({ stream, payload }) => `${stream.slice(4)} ${kstDateOf(payload.openTimeUs).slice(5)}`)
  }

  async kept(): Promise<string[]> {
    const rows = await this.harness.store.all(collectedCandles)
    return rows.map((row) => `${row.instrument.slice(4)} ${kstDateOf(row.open_time_us).slice(5)}`)
  }
}

const FEBRUARY = ['005930 02-11', '005930 02-12', '005930 02-13', '005930 02-19', '005930 02-20']

describe('a collection that a person asks for', () => {
  it('is of what is traded there unless told otherwise, and ends with its figures', async () => {
    const w = World.at('2026-02-20 18:00')
    const { startedUs, endedUs, ...view } = await w.collect()
    assert.ok(endedUs >= startedUs && startedUs > 0)
    assert.deepEqual(view, {
      ...{ venue: 'KRX', timeframe: '1d', fromDay: '', toDay: '', state: 'done', reason: '', by: 'person' },
      ...{ total: 1, done: 1, candles: 2, gaps: 0, failures: [], nextUs: 0 },
    })
    assert.deepEqual(await w.told(), ['005930 02-19', '005930 02-20'])
  })

  it('of a whole market is of what its broker lists there', async () => {
    const w = World.at('2026-02-20 18:00')
    assert.equal((await w.collect({ markets: ['KOSPI', 'KOSDAQ'] })).total, 3)
    assert.equal((await w.collect({ markets: ['KOSDAQ'] })).total, 1)
    const unknown = await w.collect({ markets: ['NASDAQ'] })
    assert.deepEqual(
      [unknown.state, unknown.reason],
      ['failed', 'markets: expected one of KOSPI, KOSDAQ of KRX, found "NASDAQ"'],
    )
  })

  it('fills in what lies before and between, and asks for nothing twice', async () => {
    const w = World.at('2026-02-20 18:00')
    await w.collect({ fromDay: '2026-02-12', toDay: '2026-02-12' })
    await w.collect({ fromDay: '2026-02-20' })
    await w.collect({ fromDay: '2026-02-11' })
    assert.deepEqual((await w.told()).toSorted(), FEBRUARY)
    assert.deepEqual(await w.kept(), FEBRUARY)
    const asked = w.asked.length
    assert.equal((await w.collect({ fromDay: '2026-02-11' })).candles, 0)
    assert.equal(w.asked.length, asked)
  })

  it('takes a day that is configured as closed for no gap; the shipped table alone takes it for one', async () => {
    for (const [hours, gaps] of [
      [{ holidays: ['2026-02-12'] }, 0],
      [{}, 1],
    ] as const) {
      const w = World.at('2026-02-20 18:00', {}, hours)
      w.closed = ['2026-02-12']
      const { candles, gaps: found, state } = await w.collect({ fromDay: '2026-02-11' })
      assert.deepEqual([state, candles, found], ['done', 4, gaps])
    }
  })

  it('of a series that is told live, or was, keeps its candles and tells none of them', async () => {
    const w = World.at('2026-02-20 18:00', { live: [{ instrument: SAMSUNG, timeframe: '1d' }] })
    const told = { timeframe: '1d', close_time_us: krxDayBar('2026-02-19').closeTimeUs, bars: 9, gaps: 0 }
    w.harness.store.transact((turn) => turn.put(progress, { instrument: HYNIX, ...told }))
    await w.collect({ instruments: [SAMSUNG, HYNIX, CELLTRION], fromDay: '2026-02-19' })
    assert.equal((await w.kept()).length, 6)
    assert.deepEqual((await w.told()).toSorted(), ['000660 02-20', '068270 02-19', '068270 02-20'])
  })

  it('does its own part alone where other processes write other streams', async () => {
    const w = World.at('2026-02-20 18:00', { owns: (instrument) => instrument === HYNIX })
    assert.equal((await w.collect({ instruments: [SAMSUNG, HYNIX] })).total, 1)
    assert.deepEqual(await w.told(), ['000660 02-19', '000660 02-20'])
  })

  it('tells what it gave up, and why', async () => {
    const w = World.at('2026-02-20 18:00')
    w.answer = ({ instrument }) => {
      if (instrument === HYNIX) throw new Error('HTS is logged out')
      return undefined
    }
    const view = await w.collect({ instruments: [SAMSUNG, HYNIX] })
    assert.deepEqual([view.state, view.done, view.candles], ['done', 2, 2])
    assert.deepEqual(view.failures, [{ instrument: HYNIX, reason: 'HTS is logged out', attempts: 3 }])
    assert.deepEqual((await w.collect({ instruments: [HYNIX] })).failures.length, 1)
  })

  it('waits for a broker that is away, says so, and gives up nothing meanwhile', async () => {
    const w = World.at('2026-02-20 18:00')
    w.answer = () => {
      throw new BrokerError('BROKER_UNAVAILABLE', 'HTS is logged out', { retryable: true })
    }
    const away = await w.collect({ instruments: [SAMSUNG, HYNIX] })
    assert.deepEqual([away.state, away.reason, away.done, away.failures], ['running', 'HTS is logged out', 0, []])
    await w.harness.run(300_000)
    w.answer = () => undefined
    await w.harness.run(30_000)
    const { state, reason, done, candles, failures } = await w.view()
    assert.deepEqual([state, reason, done, candles, failures], ['done', '', 2, 4, []])
  })

  it('waits as long as a rate limit that is used up says, and gives up nothing for that', async () => {
    const w = World.at('2026-02-20 18:00')
    const message = 'no room in the rate budget for another 48 s'
    const freeUs = w.harness.wallClock.nowUs() + 48_000_000
    w.answer = () => {
      if (w.harness.wallClock.nowUs() >= freeUs) return undefined
      throw new BrokerError('RATE_LIMITED', message, { retryable: true, retryAfterMs: 48_000 })
    }
    const waiting = await w.collect()
    assert.deepEqual([waiting.state, waiting.reason, w.asked.length], ['running', message, 1])
    await w.harness.run(30_000)
    const { state, reason, candles, failures } = await w.view()
    assert.deepEqual([state, reason, candles, failures, w.asked.length], ['done', '', 2, [], 2])
  })

  it('of a whole market waits for what is listed, too, over a kill and until a person ends it', async () => {
    const w = World.at('2026-02-20 18:00')
    w.isAway = true
    const away = await w.collect({ markets: ['KOSPI'] })
    assert.deepEqual([away.state, away.reason, away.total], ['running', 'HTS is logged out', 0])
    const after = new World(w.harness.killed())
    after.isAway = true
    await after.collections.start()
    await after.harness.run(30_000)
    assert.equal((await after.view()).state, 'running')
    after.isAway = false
    await after.harness.run(30_000)
    const { state, reason, done, candles } = await after.view()
    assert.deepEqual([state, reason, done, candles], ['done', '', 2, 4])
    const [ended] = (await w.collections.api.cancelCollection({ venue: 'KRX' })).collections
    assert.deepEqual([ended!.state, ended!.reason], ['cancelled', ''])
  })

  it('is the same when asked for again while it runs; another one waits its turn', async () => {
    const w = World.at('2026-02-20 18:00')
    w.answer = () => new Promise(() => undefined)
    await w.collect()
    await w.collect()
    assert.equal(w.asked.length, 1)
    await assert.rejects(w.collect({ fromDay: '2026-02-11' }), { code: 'FAILED_PRECONDITION', message: /is running/ })
  })

  it('ends when a person says so', async () => {
    const w = World.at('2026-02-20 18:00')
    let asked: () => void = () => undefined
    w.answer = ({ instrument }) =>
      instrument === SAMSUNG ? undefined : new Promise((_, fail) => (asked = () => fail(new Error('late'))))
    await w.collect({ instruments: [SAMSUNG, HYNIX] })
    const cancelling = w.collections.api.cancelCollection({ venue: 'KRX' })
    asked()
    const [view] = (await cancelling).collections
    assert.deepEqual([view!.state, view!.done, view!.candles, view!.failures], ['cancelled', 1, 2, []])
    await w.collections.start()
    assert.equal((await w.view()).state, 'cancelled')
  })

  const refused: [name: string, changes: Partial<CollectRequest>, message: RegExp][] = [
    ['a venue that nobody collects from', { venue: 'NYSE' }, /venue: expected one of KRX, found "NYSE"/],
    ['an instrument of another venue', { instruments: ['BINANCE:BTCUSDT'] }, /expected instruments of KRX/],
    ['what is no instrument', { instruments: ['samsung'] }, /expected instruments of KRX, found "samsung"/],
    ['what is no timeframe', { timeframe: '7m' }, /timeframe: expected one such as 1m or 1d, found "7m"/],
    ['what is no day', { fromDay: '2026-13-01' }, /expected a day such as 2026-01-31, found "2026-13-01"/],
  ]
  for (const [name, changes, message] of refused) {
    it(`is refused with ${name}`, async () => {
      const w = World.at('2026-02-20 18:00')
      await assert.rejects(w.collections.api.collect({ ...ALL, ...changes }), { code: 'INVALID_ARGUMENT', message })
      assert.deepEqual((await w.collections.api.listCollections({})).collections, [])
    })
  }
})

it('a collection that was killed goes on where it stopped, with its figures, and gives up nothing twice', async () => {
  const w = World.at('2026-02-20 18:00')
  let attempts = 0
  w.answer = ({ instrument }) => {
    if (instrument === SAMSUNG) return undefined
    if (instrument === HYNIX || ++attempts < 3) throw new Error('no such share')
    return new Promise(() => undefined)
  }
  await w.collect({ instruments: [HYNIX, SAMSUNG, CELLTRION] })
  assert.equal((await w.view()).state, 'running')
  const after = new World(w.harness.killed())
  await after.collections.start()
  await after.harness.run(30_000)
  const view = await after.view()
  assert.deepEqual([view.state, view.total, view.done, view.candles], ['done', 3, 3, 4])
  assert.deepEqual(view.failures, [{ instrument: HYNIX, reason: 'no such share', attempts: 3 }])
  assert.deepEqual(
    after.asked.map(({ instrument }) => instrument),
    [CELLTRION],
  )
  assert.equal(new Set(await after.told()).size, (await after.told()).length)
  assert.equal((await after.told()).length, 4)
})

describe('the calendar', () => {
  const schedule = { at: '16:30', instruments: [], markets: [], timeframes: ['1d'] }
  it('begins a run after the close of each trading day, one, also over a restart', async () => {
    const w = World.at('2026-02-20 16:29', { schedule })
    await w.collections.start()
    await w.harness.run(30_000)
    // The day before had been missed.
    assert.deepEqual([(await w.view()).by, await w.told()], ['schedule', ['005930 02-19', '005930 02-20']])
    const asked = w.asked.length
    await w.harness.run(60_000)
    assert.equal(w.asked.length, asked)
    await w.collections.stop()
    // The weekend, until Monday just before its time.
    await w.harness.run(71.97 * 3_600_000)
    const after = new World(w.harness.killed(), { schedule })
    await after.collections.start()
    await after.harness.run(30_000)
    assert.equal(after.asked.length, 0)
    await after.harness.run(600_000)
    assert.deepEqual((await after.told()).at(-1), '005930 02-23')
    assert.equal(after.asked.length, 1)
  })

  it('has the days that are configured: none is due on one that is closed', async () => {
    const w = World.at('2026-02-20 18:00', { schedule }, { holidays: ['2026-02-20', '2026-02-19'] })
    w.closed = ['2026-02-20', '2026-02-19']
    await w.collections.start()
    await w.harness.run(30_000)
    assert.deepEqual(await w.told(), ['005930 02-13'])
    assert.equal(kstText((await w.view()).nextUs).slice(0, 10), '2026-02-23')
  })

  it('begins one run after the other for several timeframes, each once, also over a kill in the midst of the first', async () => {
    const several = { schedule: { ...schedule, timeframes: ['1d', '1m', '1h'] } }
    const timeframesOf = ({ asked }: World): string[] => [...new Set(asked.map(({ timeframe }) => timeframe))]
    const w = World.at('2026-02-20 18:00', several)
    w.answer = ({ timeframe }) => (timeframe === '1m' ? new Promise(() => undefined) : undefined)
    await w.collections.start()
    await w.harness.run(90_000)
    assert.deepEqual(timeframesOf(w), ['1d', '1m'])
    const second = new World(w.harness.killed(), several)
    await second.collections.start()
    await second.harness.run(90_000)
    assert.deepEqual(timeframesOf(second), ['1m', '1h'])
    const third = new World(second.harness.killed(), several)
    await third.collections.start()
    await third.harness.run(90_000)
    assert.deepEqual([third.asked, (await third.view()).timeframe], [[], '1h'])
  })

  it('tells when it collects next: before the first run, while others of the day are due, and over a weekend', async () => {
    const next = async (w: World): Promise<string> => {
      const { state, timeframe, by, nextUs } = await w.view()
      return `${by} ${state} ${timeframe}, next ${kstText(nextUs)}`
    }
    const several = { schedule: { ...schedule, timeframes: ['1d', '1h'] } }
    const w = World.at('2026-02-20 16:00', several)
    assert.equal(await next(w), 'schedule scheduled 1d, 1h, next 2026-02-19 16:30:00 KST')
    w.answer = ({ timeframe }) => (timeframe === '1h' ? new Promise(() => undefined) : undefined)
    await w.collections.start()
    assert.equal(await next(w), 'schedule running 1d, next 2026-02-19 16:30:00 KST')
    await w.harness.run(30_000)
    assert.equal(await next(w), 'schedule running 1h, next 2026-02-20 16:30:00 KST')
    const after = new World(w.harness.killed(), several)
    await after.collections.start()
    await after.harness.run(3_600_000)
    assert.equal(await next(after), 'schedule done 1h, next 2026-02-23 16:30:00 KST')
  })

  it('makes up next morning for the rest of a day, when nobody ran in between', async () => {
    const several = { schedule: { ...schedule, timeframes: ['1d', '1h'] } }
    const w = World.at('2026-02-19 18:00', several)
    w.answer = () => new Promise(() => undefined)
    await w.collections.start()
    await w.harness.run(1000)
    const killed = w.harness.killed()
    await killed.run(14 * 3_600_000)
    const after = new World(killed, several)
    await after.collections.start()
    await after.harness.run(90_000)
    assert.deepEqual([...new Set(after.asked.map(({ timeframe }) => timeframe))], ['1d', '1h'])
    assert.deepEqual([(await after.view()).by, (await after.view()).state], ['schedule', 'done'])
  })
})
