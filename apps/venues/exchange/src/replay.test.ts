import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Replay, type RecordedBars, type RecordedMarket } from './replay.ts'

const MINUTE = 60e6
const START = Date.UTC(2024, 0, 1) * 1000

function bars(instrument: string, length: number, timeframe = '1m', lengthUs = MINUTE, startUs = START): RecordedBars {
  const column = (value: (index: number) => number) => Float64Array.from({ length }, (_, index) => value(index))
  return {
    kind: 'bars',
    file: `${instrument}.csv`,
    sha256: instrument,
    instrument,
    timeframe,
    length,
    openTimeUs: column((index) => startUs + index * lengthUs),
    closeTimeUs: column((index) => startUs + (index + 1) * lengthUs - 1000),
    open: column((index) => 100 + index),
    high: column((index) => 102 + index),
    low: column((index) => 99 + index),
    close: column((index) => 101 + index),
    volume: column(() => 1),
  }
}

function phases(markets: RecordedMarket[], count: number): string[] {
  const replay = new Replay(markets)
  return Array.from({ length: count }, () => {
    const step = replay.advance()
    return step ? `${step.track.symbol[0]}${step.index} ${step.phase}` : 'end'
  })
}

test('two instruments are merged by event time, ties in the order given', () => {
  assert.deepEqual(phases([bars('X:B', 1), bars('X:A', 2)], 10), [
    'B0 open',
    'A0 open',
    'B0 match',
    'B0 close',
    'A0 match',
    'A0 close',
    'A1 open',
    'A1 match',
    'A1 close',
    'end',
  ])
})

test('a replay that starts at a position goes on as the one that got there', () => {
  const markets = [bars('X:B', 5), bars('X:A', 9)]
  for (let position = 0; position <= 42; position++) {
    const walked = new Replay(markets)
    while (walked.position < position) walked.advance()
    const jumped = new Replay(markets, position)
    assert.equal(jumped.timeUs, walked.timeUs)
    assert.equal(jumped.lastPrice('A'), walked.lastPrice('A'))
    assert.deepEqual({ ...jumped.advance()?.track }, { ...walked.advance()?.track })
  }
})

test('klines show nothing that has not been released', () => {
  const replay = new Replay([bars('X:A', 20)])
  while (replay.released < 7) replay.advance()
  replay.advance()
  assert.equal(replay.klines('A', '1m', { limit: 100 }).length, 7)
  const five = replay.klines('A', '5m', { limit: 100 })
  assert.deepEqual(
    five.map(({ open, high, low, close, volume }) => [open, high, low, close, volume]),
    [
      [100, 106, 99, 105, 5],
      [105, 108, 104, 107, 2],
    ],
  )
})

test('klines are chosen by their open time: oldest from a start, newest up to an end', () => {
  const replay = new Replay([bars('X:A', 20)])
  while (!replay.isDone) replay.advance()
  const opens = (query: { fromUs?: number; toUs?: number; limit: number }, interval = '1m') =>
    replay.klines('A', interval, query).map(({ openUs }) => (openUs - START) / MINUTE)
  assert.deepEqual(opens({ limit: 3 }), [17, 18, 19])
  assert.deepEqual(opens({ fromUs: START + 4 * MINUTE, limit: 3 }), [4, 5, 6])
  assert.deepEqual(opens({ fromUs: START + 4 * MINUTE + 1, limit: 2 }), [5, 6])
  assert.deepEqual(opens({ toUs: START + 4 * MINUTE, limit: 3 }), [2, 3, 4])
  assert.deepEqual(opens({ fromUs: START + MINUTE, toUs: START + 2 * MINUTE, limit: 9 }), [1, 2])
  assert.deepEqual(opens({ fromUs: START + MINUTE, limit: 9 }, '5m'), [5, 10, 15])
  assert.deepEqual(opens({ toUs: START + 9 * MINUTE, limit: 9 }, '5m'), [0, 5])
})

test('a longer kline closes once, with the last bar that belongs to it', () => {
  const replay = new Replay([bars('X:A', 12)])
  const closed: number[] = []
  for (let step = replay.advance(); step; step = replay.advance()) {
    if (step.phase === 'close' && replay.closedBy(step.track, step.index, '5m')) closed.push(step.index)
  }
  assert.deepEqual(closed, [4, 9])
  assert.ok(!replay.supports('A', '1s'))
  assert.ok(replay.supports('A', '1M'))
})

const TRADES: RecordedMarket = {
  kind: 'trades',
  file: 'trades.csv',
  sha256: 'trades',
  instrument: 'X:T',
  length: 4,
  tradeId: ['11', '12', '14', '15'],
  timeUs: Float64Array.of(START, START + 1e6, START + 61e6, START + 62e6),
  price: Float64Array.of(10, 12, 9, 11),
  quantity: Float64Array.of(1, 2, 3, 4),
  buyerMaker: Uint8Array.of(0, 1, 0, 1),
}

test('recorded trades have two phases each and make klines of any length', () => {
  const replay = new Replay([TRADES])
  while (replay.released < 3) {
    const { released } = replay
    assert.equal(replay.advance()?.phase, 'match')
    assert.deepEqual([replay.released, replay.tracks[0]!.openedAt], [released, replay.position])
    assert.equal(replay.advance()?.phase, 'trade')
  }
  assert.deepEqual(
    replay.klines('T', '1m', { limit: 10 }).map(({ open, high, low, close, volume, trades: count }) => {
      return [open, high, low, close, volume, count]
    }),
    [
      [10, 12, 10, 12, 3, 2],
      [9, 9, 9, 9, 3, 1],
    ],
  )
  assert.equal(replay.closedBefore(replay.tracks[0]!, 2, '1m')?.close, 12)
  assert.equal(replay.closedBefore(replay.tracks[0]!, 1, '1m'), undefined)
})

test('trades are shown once they were told: the newest, or from an id on', () => {
  const replay = new Replay([TRADES])
  while (replay.released < 3) replay.advance()
  replay.advance()
  assert.equal(replay.lastPrice('T'), 11, 'orders have met it already')
  const ids = (query: { fromId?: number; limit: number }) => replay.trades('T', query).map(({ id }) => id)
  assert.deepEqual(ids({ limit: 2 }), [12, 14])
  assert.deepEqual(ids({ fromId: 0, limit: 2 }), [11, 12])
  assert.deepEqual(ids({ fromId: 13, limit: 9 }), [14])
  assert.deepEqual(ids({ fromId: 15, limit: 9 }), [])
})

test('the two phases of a trade are not torn apart by another market at the same time', () => {
  const at = (timeUs: number[]) => ({ length: 2, tradeId: ['1', '2'], timeUs: Float64Array.from(timeUs) })
  const trades = { ...TRADES, ...at([START, START]) }
  assert.deepEqual(phases([bars('X:A', 1), trades], 8), [
    'A0 open',
    'T0 match',
    'T0 trade',
    'T1 match',
    'T1 trade',
    'A0 match',
    'A0 close',
    'end',
  ])
})

test('a replay of trades that starts at a position goes on as the one that got there', () => {
  for (let position = 0; position <= 8; position++) {
    const walked: Replay = new Replay([TRADES])
    while (walked.position < position) walked.advance()
    const jumped: Replay = new Replay([TRADES], position)
    assert.equal(jumped.lastPrice('T'), walked.lastPrice('T'))
    assert.deepEqual({ ...jumped.advance()?.track }, { ...walked.advance()?.track })
  }
})
