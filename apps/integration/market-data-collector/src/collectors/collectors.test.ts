/** Daily candles of many instruments: each once and in order, whatever fails on the way. */
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import type { CandleQuery } from '@jts/broker-kit'
import {
  instrumentId,
  krxDayBar,
  kstDateOf,
  kstInstantUs,
  secondsOfTime,
  type Bar,
  type InstrumentId,
} from '@jts/model'
import { Harness } from '@jts/testkit/harness'
import { BinanceDataCollector, CreonDataCollector, type CollectionProgress, type CollectionReport } from '../index.ts'

const SAMSUNG = instrumentId('KRX:005930')
const HYNIX = instrumentId('KRX:000660')
const NAVER = instrumentId('KRX:035420')
/** 설날 was from the 16th to the 18th. */
const DAYS = ['2026-02-11', '2026-02-12', '2026-02-13', '2026-02-19', '2026-02-20']
const open: Harness[] = []

function dayBar(instrument: InstrumentId, date: string, changes: Partial<Bar> = {}): Bar {
  return {
    instrument,
    timeframe: '1d',
    ...krxDayBar(date),
    open: 100,
    high: 110,
    low: 90,
    close: 105,
    volume: 7,
    final: true,
    revision: 0,
    source: 'creon',
    ...changes,
  }
}

/** A source that has these days of every instrument, and does what a test scripts on the n-th question. */
class World {
  harness: Harness
  days: readonly string[] = DAYS
  asked: CandleQuery[] = []
  answer: (query: CandleQuery, n: number) => readonly Bar[] | undefined | Promise<never> = () => undefined
  readonly progress: CollectionProgress[] = []

  constructor(now: string) {
    const [date, time] = now.split(' ')
    this.harness = Harness.open(kstInstantUs(date!, secondsOfTime(time!)))
    open.push(this.harness)
  }

  candles = async (query: CandleQuery): Promise<readonly Bar[]> => {
    this.asked.push(query)
    await Promise.resolve()
    const scripted = await this.answer(query, this.asked.length)
    if (scripted !== undefined) return scripted
    return this.days
      .map((date) => dayBar(query.instrument, date))
      .filter((bar) => bar.openTimeUs >= query.fromUs!)
      .slice(0, query.limit)
  }

  async collect(instruments: readonly InstrumentId[], days = 1, signal?: AbortSignal): Promise<CollectionReport> {
    const { store, wallClock, log } = this.harness
    const collector = new CreonDataCollector({ creonClient: this, store, wallClock, log, days })
    const running = collector.collectDailyCandles(instruments, {
      onProgress: (progress) => this.progress.push(progress),
      ...(signal === undefined ? {} : { signal }),
    })
    await this.harness.run(60_000)
    return running
  }

  async published(): Promise<string[]> {
    const events = await this.harness.events('market-data.krx.candles', 'Candle')
    return events.map(({ stream, payload }) => `${stream} ${kstDateOf(payload.openTimeUs)}`)
  }

  deadLetters() {
    return this.harness.events('dead-letter.market-data.krx.candles', 'CollectionFailed')
  }
}

afterEach(async () => {
  for (const harness of open.splice(0)) await harness.remove()
})

const TWO_DAYS = ['KRX:005930 2026-02-13', 'KRX:005930 2026-02-19']

describe('daily candles of the KRX', () => {
  it('begin on the last trading day before today, over a holiday, and leave out the day that has not ended', async () => {
    const world = new World('2026-02-19 14:00')
    const report = await world.collect([SAMSUNG])
    assert.deepEqual(await world.published(), ['KRX:005930 2026-02-13'])
    assert.deepEqual([report.instruments, report.candles, report.gaps, report.failed], [1, 1, [], []])
  })

  it('take in a day once it has ended, and nothing twice', async () => {
    const world = new World('2026-02-19 14:00')
    await world.collect([SAMSUNG])
    await world.harness.run(2 * 3_600_000)
    await world.collect([SAMSUNG])
    await world.collect([SAMSUNG])
    assert.deepEqual(await world.published(), TWO_DAYS)
  })

  it('carry one event a candle, keyed by instrument, which says where it came from', async () => {
    const world = new World('2026-02-19 18:00')
    await world.collect([SAMSUNG])
    const [event] = await world.harness.events('market-data.krx.candles', 'Candle')
    assert.deepEqual(
      [event!.stream, event!.sequence, event!.timeEventUs],
      [SAMSUNG, 1, krxDayBar('2026-02-13').closeTimeUs],
    )
    assert.deepEqual(event!.payload, dayBar(SAMSUNG, '2026-02-13'))
  })

  it('go on where a killed run has stopped', async () => {
    const world = new World('2026-02-20 18:00')
    world.answer = ({ instrument }) => (instrument === SAMSUNG ? undefined : new Promise(() => undefined))
    const { store, wallClock, log } = world.harness
    const collector = new CreonDataCollector({ creonClient: world, store, wallClock, log })
    void collector.collectDailyCandles([SAMSUNG, HYNIX])
    await world.harness.run()
    const after = new World('2026-02-20 18:00')
    after.harness = world.harness.killed()
    open.push(after.harness)
    const report = await after.collect([SAMSUNG, HYNIX])
    assert.equal(report.candles, 2)
    assert.deepEqual((await after.published()).sort(), [
      'KRX:000660 2026-02-19',
      'KRX:000660 2026-02-20',
      'KRX:005930 2026-02-19',
      'KRX:005930 2026-02-20',
    ])
  })

  it('of one that fails are asked for again, and the others go on meanwhile', async () => {
    const world = new World('2026-02-19 18:00')
    let fails = 2
    world.answer = ({ instrument }) => {
      if (instrument === SAMSUNG && fails-- > 0) throw new Error('HTS is logged out')
      return undefined
    }
    const report = await world.collect([SAMSUNG, HYNIX, NAVER])
    assert.deepEqual([report.candles, report.failed], [6, []])
    const published = await world.published()
    assert.equal(published.filter((one) => one.startsWith('KRX:005930')).length, 2)
    assert.deepEqual(await world.deadLetters(), [])
  })

  it('of one that keeps failing end in the dead letters with the reason', async () => {
    const world = new World('2026-02-19 18:00')
    world.answer = ({ instrument }) => {
      if (instrument === HYNIX) throw new Error('expected an instrument that is listed, found KRX:000660')
      return undefined
    }
    const report = await world.collect([SAMSUNG, HYNIX, NAVER])
    const reason = 'expected an instrument that is listed, found KRX:000660'
    assert.deepEqual(report.failed, [{ instrument: HYNIX, reason, attempts: 3 }])
    const [letter, ...rest] = await world.deadLetters()
    assert.deepEqual(letter!.payload, {
      topic: 'market-data.krx.candles',
      instrument: HYNIX,
      timeframe: '1d',
      reason,
      attempts: 3,
    })
    assert.deepEqual(rest, [])
    assert.equal(report.candles, 4)
  })

  it('that the source has not are asked for twice, then counted and said', async () => {
    const world = new World('2026-02-20 18:00')
    world.days = ['2026-02-11', '2026-02-19', '2026-02-20']
    const report = await world.collect([SAMSUNG], 6)
    assert.equal(world.asked.length, 2)
    assert.deepEqual(report.gaps, [{ instrument: SAMSUNG, fromUs: krxDayBar('2026-02-12').openTimeUs, bars: 2 }])
    assert.equal(report.candles, 3)
  })

  it('that come late are taken in as if nothing had been missing', async () => {
    const world = new World('2026-02-20 18:00')
    world.answer = ({ instrument }, n) =>
      n === 1 ? ['2026-02-11', '2026-02-20'].map((date) => dayBar(instrument, date)) : undefined
    const report = await world.collect([SAMSUNG], 6)
    assert.deepEqual([report.candles, report.gaps], [5, []])
  })

  const untrue: [name: string, bars: (instrument: InstrumentId) => Bar[], reason: RegExp][] = [
    [
      'a page that is repeated',
      (one) => [dayBar(one, '2026-02-13'), dayBar(one, '2026-02-13')],
      /in order of time, none twice/,
    ],
    ['days in the wrong order', (one) => [dayBar(one, '2026-02-19'), dayBar(one, '2026-02-13')], /in order of time/],
    ['a high below the low', (one) => [dayBar(one, '2026-02-13', { high: 80 })], /expected low ≤ open, close ≤ high/],
    ['a price of 0', (one) => [dayBar(one, '2026-02-13', { low: 0 })], /above 0/],
    ['a price that is none', (one) => [dayBar(one, '2026-02-13', { close: NaN })], /found 100, 110, 90, NaN/],
    [
      'a bar on a holiday',
      (one) => [dayBar(one, '2026-02-13'), dayBar(one, '2026-02-17')],
      /expected no bar at 2026-02-17/,
    ],
  ]
  for (const [name, bars, reason] of untrue) {
    it(`refuse ${name}`, async () => {
      const world = new World('2026-02-19 18:00')
      world.answer = ({ instrument }) => bars(instrument)
      const report = await world.collect([SAMSUNG])
      assert.equal(report.failed.length, 1)
      assert.match(report.failed[0]!.reason, reason)
      assert.deepEqual(await world.published(), [])
    })
  }

  it('of a whole market tell how far the run is', async () => {
    const world = new World('2026-02-19 18:00')
    const market = Array.from({ length: 2882 }, (_, i) => instrumentId(`KRX:${String(i).padStart(6, '0')}`))
    const report = await world.collect(market)
    assert.deepEqual([report.instruments, report.candles], [2882, 5764])
    assert.equal(world.progress.length, 2882)
    assert.deepEqual(world.progress.at(-1), { total: 2882, done: 2882, failed: 0, candles: 5764 })
    assert.equal((await world.published()).length, 5764)
  })

  it('of a run that a person ends are left as far as they are', async () => {
    const world = new World('2026-02-19 18:00')
    const ended = new AbortController()
    world.answer = (_, n) => {
      if (n >= 2) ended.abort()
      return undefined
    }
    const report = await world.collect([SAMSUNG, HYNIX, NAVER, instrumentId('KRX:005380')], 1, ended.signal)
    assert.equal(report.isCancelled, true)
    assert.equal(report.candles, 4)
  })
})

it('daily candles of Binance begin with the day before, by UTC', async () => {
  const world = new World('2026-02-20 08:00')
  const { store, wallClock, log } = world.harness
  const BTC = instrumentId('BINANCE:BTCUSDT')
  const day = (n: number): Bar => {
    const openTimeUs = Date.UTC(2026, 1, n) * 1000
    return { ...dayBar(BTC, '2026-02-13'), openTimeUs, closeTimeUs: openTimeUs + 86_400_000_000 - 1000 }
  }
  world.answer = ({ fromUs }) => [17, 18, 19].map(day).filter((bar) => bar.openTimeUs >= fromUs!)
  const collector = new BinanceDataCollector({ source: world, store, wallClock, log })
  const report = await collector.collectDailyCandles([BTC])
  // The 19th is still going on at 23:00 UTC.
  assert.equal(report.candles, 1)
  const events = await world.harness.events('market-data.binance.candles', 'Candle')
  assert.deepEqual(
    events.map(({ payload }) => payload.openTimeUs),
    [Date.UTC(2026, 1, 18) * 1000],
  )
})
