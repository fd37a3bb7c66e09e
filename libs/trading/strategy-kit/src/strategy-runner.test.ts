import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ONE, parseUnits, shippedInstrument, strategyInstanceId, type Bar } from '@jts/model'
import {
  StrategyRunner,
  atr,
  defineStrategy,
  ema,
  integer,
  parseParameters,
  rsi,
  sma,
  type AnyStrategy,
  type ParametersGiven,
  type StrategySnapshot,
} from './index.ts'

const instrument = shippedInstrument('BINANCE:BTCUSDT')

function runnerOf(definition: AnyStrategy, given: ParametersGiven = {}): StrategyRunner {
  const parameters = parseParameters(definition, given)
  return new StrategyRunner({ definition, parameters, instance: strategyInstanceId('one'), instrument })
}

function barAt(n: number, close: number): Bar {
  const openTimeUs = n * 60_000_000
  const times = { openTimeUs, closeTimeUs: openTimeUs + 59_999_000 }
  const prices = { open: close, high: close, low: close, close, volume: 1 }
  return { instrument: instrument.id, timeframe: '1m', ...times, ...prices, final: true, revision: 0, source: 'test' }
}

/** Says on every bar what it is told to by the closing price. */
const obedient = defineStrategy({
  name: 'obedient',
  parameters: {},
  state: () => ({ lastOrder: 0 }),
  onBar(bar, { state, position, buy, sell, cancel, target }) {
    if (bar.close === 1) state.lastOrder = buy('0.01')
    else if (bar.close === 2) sell(position.sellable)
    else if (bar.close === 3) state.lastOrder = buy(0.0123456, { limit: 99.999 })
    else if (bar.close === 4) cancel(state.lastOrder)
    else if (bar.close === 5) target('0.02')
    else if (bar.close === 6) buy('25', { quote: true })
  },
})

describe('StrategyRunner', () => {
  it('is flat only when nothing is held, working or unknown', () => {
    const runner = runnerOf(obedient)
    const { position } = runner
    assert.equal(position.isFlat, true)
    runner.onBar(barAt(1, 1))
    assert.deepEqual([position.isFlat, position.working, position.unknown], [false, 1, 0])
    runner.onOrderUnknown(1)
    assert.deepEqual([position.isFlat, position.working, position.unknown], [false, 0, 1])
    runner.onOrderKnown(1)
    runner.onOrderClosed(1)
    assert.deepEqual([position.isFlat, position.working, position.unknown], [true, 0, 0])
  })

  it('sells what is held rounded down to the lot, and is flat with less than a lot left', () => {
    const runner = runnerOf(obedient)
    runner.onBar(barAt(1, 1))
    runner.onFill(1, 'buy', parseUnits('0.01'), parseUnits('0.009995'), 60_000, 1)
    assert.equal(runner.position.isLong, true)
    assert.equal(runner.position.sellable, parseUnits('0.00999'))
    runner.onBar(barAt(2, 2))
    assert.equal(runner.intents[0]!.quantity, parseUnits('0.00999'))
    assert.equal(runner.position.isLong, false, 'what a working sell will sell cannot be sold again')
    runner.onFill(2, 'sell', parseUnits('0.00999'), parseUnits('-0.00999'), 60_000, 2)
    assert.equal(runner.position.isFlat, true)
    assert.equal(runner.position.units, parseUnits('0.000005'))
  })

  it('rounds amounts given as numbers to lot and tick, on the careful side', () => {
    const runner = runnerOf(obedient)
    runner.onBar(barAt(1, 3))
    const intent = runner.intents[0]!
    assert.equal(intent.type, 'limit')
    assert.equal(intent.quantity, parseUnits('0.01234'))
    assert.equal(intent.limitPrice, parseUnits('99.99'))
  })

  it('cancels its own working order, and nothing once it has ended', () => {
    const runner = runnerOf(obedient)
    runner.onBar(barAt(1, 3))
    runner.onBar(barAt(2, 4))
    assert.deepEqual([runner.intentCount, runner.intents[0]!.kind, runner.intents[0]!.order], [1, 'cancel', 1])
    runner.onOrderClosed(1)
    runner.onBar(barAt(3, 4))
    assert.equal(runner.intentCount, 0)
  })

  it('target counts what is working', () => {
    const runner = runnerOf(obedient)
    runner.onBar(barAt(1, 1))
    runner.onBar(barAt(2, 5))
    assert.equal(runner.intents[0]!.quantity, parseUnits('0.01'))
    runner.onBar(barAt(3, 5))
    assert.equal(runner.intentCount, 0)
  })

  it('an order sized in quote stays open until its end is told', () => {
    const runner = runnerOf(obedient)
    runner.onBar(barAt(1, 6))
    assert.equal(runner.intents[0]!.quoteQuantity, parseUnits('25'))
    assert.equal(runner.intents[0]!.quantity, undefined)
    runner.onFill(1, 'buy', parseUnits('0.001'), parseUnits('0.001'), 25_000, 1)
    assert.equal(runner.position.working, 1)
    runner.onOrderClosed(1)
    assert.equal(runner.position.working, 0)
  })

  it('refuses a handler that returns a promise', () => {
    const definition = defineStrategy({
      name: 'later',
      parameters: {},
      state: () => ({}),
      onBar: (() => Promise.resolve()) as unknown as () => void,
    })
    assert.throws(
      () => runnerOf(definition).onBar(barAt(1, 1)),
      /later: expected onBar to finish at once, found a promise/,
    )
  })

  it('refuses a state that could not be restored, naming its place', () => {
    const definition = defineStrategy({
      name: 'map',
      parameters: {},
      state: () => ({ seen: { prices: new Map() } }),
      onBar: () => undefined,
    })
    assert.throws(() => runnerOf(definition), /expected plain data or an indicator at state.seen.prices, found a Map/)
  })

  it('beats its timer by market time', () => {
    const beats: number[] = []
    const definition = defineStrategy({
      name: 'timed',
      timer: '5m',
      parameters: {},
      state: () => ({}),
      onTimer: (timeUs) => void beats.push(timeUs / 60_000_000),
    })
    const runner = runnerOf(definition)
    for (const n of [3, 4, 5, 16]) runner.onBar(barAt(n, 1))
    assert.deepEqual(beats, [5, 10, 15])
  })

  it('goes on from a snapshot, through JSON, as if it had never stopped', () => {
    const definition = defineStrategy({
      name: 'all',
      parameters: { period: integer({ default: 3, min: 1 }) },
      state: ({ period }) => ({
        averages: [ema(period), ema(period, { seed: 'first' }), sma(period)],
        rsi: rsi(period),
        atr: atr(period),
        peak: -Infinity,
        zero: -0,
        amount: 5n,
        note: undefined as string | undefined,
      }),
      onBar(bar, { state, position, buy, sell }) {
        for (const one of state.averages) one.update(bar.close)
        state.rsi.update(bar.close)
        state.atr.update(bar)
        state.peak = Math.max(state.peak, bar.close)
        if (position.isFlat && state.rsi.value > 50) buy('0.01')
        if (position.isLong && state.rsi.value < 50) sell(position.sellable)
      },
    })
    const closes = Array.from({ length: 60 }, (_, i) => 100 + 7 * Math.sin(i * 1.7) + i / 3)
    for (let stop = 0; stop < closes.length; stop += 7) {
      const whole = runnerOf(definition)
      let parted = runnerOf(definition)
      closes.forEach((close, i) => {
        if (i === stop) {
          const stored = JSON.stringify(parted.snapshot())
          parted = runnerOf(definition)
          parted.restore(JSON.parse(stored) as StrategySnapshot)
        }
        for (const runner of [whole, parted]) {
          runner.onBar(barAt(i, close))
          for (const intent of runner.intents.slice(0, runner.intentCount)) {
            const net = intent.side === 'buy' ? intent.quantity! : -intent.quantity!
            runner.onFill(intent.order, intent.side, intent.quantity!, net, close, i)
          }
        }
        assert.deepEqual(parted.snapshot(), whole.snapshot())
      })
    }
  })

  it('refuses a snapshot of other parameters', () => {
    const definition = defineStrategy({
      name: 'p',
      parameters: { n: integer({ default: 1 }) },
      state: () => ({}),
      onBar: () => undefined,
    })
    const snapshot = runnerOf(definition, { n: 2 }).snapshot()
    assert.throws(
      () => runnerOf(definition).restore(snapshot),
      /expected .*"n":"1".*, found .*"n":"2".* in the snapshot/,
    )
  })

  it('begins anew with what it holds and has outstanding when its parameters change', () => {
    const definition = defineStrategy({
      name: 'p',
      parameters: { n: integer({ default: 1 }) },
      state: () => ({ closes: [] as number[] }),
      onBar(bar, { state, buy }) {
        state.closes.push(bar.close)
        buy('1')
      },
    })
    const before = runnerOf(definition, { n: 2 })
    before.onBar(barAt(0, 100))
    before.onFill(1, 'buy', ONE, ONE, 100, 1)
    before.onBar(barAt(1, 101))
    const after = runnerOf(definition)
    after.takeOver(JSON.parse(JSON.stringify(before.snapshot())) as StrategySnapshot)
    assert.deepEqual([after.position.quantity, after.position.working, after.barCount], [1, 1, 0])
    assert.deepEqual(after.state, { closes: [] })
    after.onBar(barAt(2, 102))
    assert.equal(after.intents[0]!.order, 3)
  })
})
