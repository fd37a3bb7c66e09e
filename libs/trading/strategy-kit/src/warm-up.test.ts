import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import type { Bar } from '@jts/model/bars'
import { strategyInstanceId } from '@jts/model/ids'
import { shippedInstrument } from '@jts/model/instruments'
import { defineStrategy, type AnyStrategy, type StrategyContext } from './define-strategy.ts'
import { parseParameters, integer, type ParameterTable } from './parameters.ts'
import { StrategyRunner } from './strategy-runner.ts'
import { warmUpOf } from './warm-up.ts'

const BTCUSDT = shippedInstrument('BINANCE:BTCUSDT')
const HOUR = 3_600_000_000
const refused = (found: string): RegExp =>
  new RegExp(`^one: expected bars.warmUp to be a whole number of bars from 0 to 10000, found ${found}$`)

function declaring(bars: unknown, handler: 'onBar' | 'onTrade' = 'onBar'): AnyStrategy {
  return defineStrategy({
    ...{ name: 'one', parameters: { slow: integer({ default: 20 }) }, state: () => ({}), [handler]: () => undefined },
    ...(bars === undefined ? {} : { bars: bars as never }),
  })
}

const declared: readonly (readonly [name: string, bars: unknown, given: Record<string, number>, number | RegExp])[] = [
  ['nothing said', undefined, {}, 0],
  ['bars without a warm-up', { timeframe: '1h' }, {}, 0],
  ['none', { warmUp: 0 }, {}, 0],
  ['a number', { warmUp: 20 }, {}, 20],
  ['the most', { warmUp: 10_000 }, {}, 10_000],
  ['by a parameter', { warmUp: ({ slow }: { slow: number }) => slow * 3 }, { slow: 50 }, 150],
  ['one too many', { warmUp: 10_001 }, {}, refused('10001')],
  ['below 0', { warmUp: -1 }, {}, refused('-1')],
  ['half a bar', { warmUp: 0.5 }, {}, refused('0.5')],
  ['no number', { warmUp: NaN }, {}, refused('NaN')],
  ['a text', { warmUp: '20' }, {}, refused('"20"')],
  ['by a parameter, too many', { warmUp: ({ slow }: { slow: number }) => slow }, { slow: 20_000 }, refused('20000')],
  ['by a parameter, a promise', { warmUp: () => Promise.resolve(1) }, {}, refused('object')],
  ['bars that are no object', 20, {}, /^one: expected bars to be an object such as \{ warmUp: 20 \}, found 20$/],
  ['a timeframe that is none', { timeframe: 'day' }, {}, /^one: bars.timeframe: expected .* found "day"$/],
]
for (const [name, bars, given, expected] of declared) {
  test(`${name}: ${typeof expected === 'number' ? `${expected} bars` : 'refused'}`, () => {
    const asked = (): number => {
      const definition = declaring(bars)
      return warmUpOf(definition, parseParameters(definition, given))
    }
    if (typeof expected === 'number') assert.equal(asked(), expected)
    else assert.throws(asked, { name: 'StrategyError', message: expected })
  })
}

test('a warm-up of a strategy that hears no bars: refused', () => {
  assert.throws(() => declaring({ warmUp: 1 }, 'onTrade'), /^StrategyError: one: expected onBar beside bars.warmUp/)
})

type State = { closes: number[]; numbers: number[]; warm: boolean[]; beats: number }
type Context = StrategyContext<ParameterTable, State>

/** Wants everything at every bar, whether it makes sense or not. */
const greedy = defineStrategy({
  name: 'greedy',
  parameters: {},
  timer: '1h',
  state: (): State => ({ closes: [], numbers: [], warm: [], beats: 0 }),
  onBar(bar: Bar, { state, isWarmingUp, buy, sell, target, cancel }: Context) {
    state.closes.push(bar.close)
    state.warm.push(isWarmingUp)
    state.numbers.push(buy('1'))
    if (isWarmingUp) state.numbers.push(sell(0n), target('5'))
    cancel(1)
  },
  onTimer(_timeUs: number, { state }: Context) {
    state.beats++
  },
})

function runnerOf(warmUpBars = 0, definition: AnyStrategy = greedy): StrategyRunner {
  const instance = strategyInstanceId('one')
  return new StrategyRunner({ definition, parameters: {}, instance, instrument: BTCUSDT, warmUpBars })
}

function bar(hour: number, close: number): Bar {
  return {
    instrument: BTCUSDT.id,
    timeframe: '1h',
    openTimeUs: hour * HOUR,
    closeTimeUs: (hour + 1) * HOUR - 1000,
    open: close,
    high: close,
    low: close,
    close,
    volume: 1,
    final: true,
    revision: 0,
    source: 'test',
  }
}

describe('a runner that warms up', () => {
  it('runs the handler on bars of the past and takes no intent of it', () => {
    const runner = runnerOf()
    runner.warmUp(bar(0, 100))
    assert.equal(runner.intentCount, 0)
    runner.warmUp(bar(1, 101))
    assert.equal(runner.intentCount, 0)
    assert.deepEqual(runner.state, {
      ...{ closes: [100, 101], numbers: [0, 0, 0, 0, 0, 0], warm: [true, true], beats: 0 },
    })
    assert.deepEqual([runner.barCount, runner.position.working, runner.position.isFlat], [2, 0, true])
    runner.onBar(bar(2, 102))
    const [intent] = runner.intents
    assert.deepEqual([runner.intentCount, intent?.kind, intent?.order], [2, 'place', 1], 'the first order is number 1')
    assert.equal(runner.barCount, 3)
  })

  it('hears no timer before its first live bar, which starts the clock', () => {
    const runner = runnerOf()
    for (let hour = 0; hour < 5; hour++) runner.warmUp(bar(hour, 100))
    runner.onBar(bar(5, 100))
    assert.equal((runner.state as State).beats, 0)
    runner.onBar(bar(6, 100))
    assert.equal((runner.state as State).beats, 1)
  })

  it('leaves what it holds and has outstanding as it is', () => {
    const before = runnerOf()
    before.onBar(bar(0, 100))
    before.onFill(1, 'buy', 50_000_000n, 50_000_000n, 100, HOUR)
    const runner = runnerOf()
    runner.takeOver(before.snapshot())
    runner.warmUp(bar(1, 100))
    assert.deepEqual(runner.snapshot().holdings, before.snapshot().holdings)
    assert.equal(runner.intentCount, 0, 'its working order is not cancelled')
  })

  it('takes the first bars of a recording, also when it is restored in the middle of them', () => {
    let runner = runnerOf(3)
    runner.onBar(bar(0, 100))
    runner.onBar(bar(1, 100))
    const snapshot = runner.snapshot()
    assert.equal(snapshot.warmUpLeft, 1)
    runner = runnerOf()
    runner.restore(snapshot)
    runner.onBar(bar(2, 100))
    assert.equal(runner.intentCount, 0)
    runner.onBar(bar(3, 100))
    assert.deepEqual((runner.state as State).warm, [true, true, true, false])
    assert.equal(runner.intentCount, 2)
    assert.equal('warmUpLeft' in runner.snapshot(), false)
  })

  it('tells what its strategy says of the past apart from what it says of the present', () => {
    const said: string[] = []
    const telling = defineStrategy({
      ...{ name: 'telling', parameters: {}, state: () => ({}) },
      onBar: (one: Bar, { log }: Context) => log(`bought at ${one.close}`),
    })
    const common = { definition: telling, parameters: {}, instance: strategyInstanceId('one'), instrument: BTCUSDT }
    const runner = new StrategyRunner({ ...common, warmUpBars: 1, log: (message) => said.push(message) })
    runner.onBar(bar(0, 100))
    runner.onBar(bar(1, 101))
    assert.deepEqual(said, ['warm-up: bought at 100', 'bought at 101'])
  })

  it('is not warming up any more when a handler has thrown', () => {
    const throwing = defineStrategy({
      ...{ name: 'throwing', parameters: {}, state: () => ({}) },
      onBar(one: Bar, { buy }: Context) {
        if (one.close < 0) throw new Error('no such price')
        buy('1')
      },
    })
    const runner = runnerOf(0, throwing)
    assert.throws(() => runner.warmUp(bar(0, -1)), /no such price/)
    runner.onBar(bar(1, 100))
    assert.equal(runner.intentCount, 1)
  })
})
