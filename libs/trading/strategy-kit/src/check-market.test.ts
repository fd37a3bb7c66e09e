import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkMarket, defineStrategy, type AnyStrategy, type MarketGiven } from './define-strategy.ts'

function strategy(handlers: readonly ('onBar' | 'onTrade' | 'onTimer')[], timeframe?: string): AnyStrategy {
  return defineStrategy({
    ...{ name: 'one', parameters: {}, state: () => ({}), timer: '1h' },
    ...Object.fromEntries(handlers.map((handler) => [handler, () => undefined])),
    ...(timeframe === undefined ? {} : { bars: { timeframe } }),
  })
}

const BARS: MarketGiven = { timeframe: '1m', file: 'f.csv' }
const TRADES: MarketGiven = { file: 'f.csv' }
const cases: readonly (readonly [name: string, AnyStrategy, MarketGiven, RegExp | undefined])[] = [
  ['bars for onBar', strategy(['onBar']), BARS, undefined],
  ['trades for onTrade', strategy(['onTrade']), TRADES, undefined],
  ['either for both', strategy(['onBar', 'onTrade']), TRADES, undefined],
  ['either for a timer', strategy(['onTimer']), TRADES, undefined],
  ['trades for onBar', strategy(['onBar']), TRADES, /^one: expected bars, which it handles, found trades in f.csv$/],
  ['bars for onTrade', strategy(['onTrade']), BARS, /^one: expected trades, which it handles, found bars in f.csv$/],
  ['bars of another length', strategy(['onBar'], '4h'), BARS, /^one: expected 4h bars, found 1m in f.csv$/],
  [
    'trades for 4h bars',
    strategy(['onBar', 'onTrade'], '4h'),
    TRADES,
    /^one: expected 4h bars, found trades in f.csv$/,
  ],
  ['without a file', strategy(['onBar'], '4h'), { timeframe: '1m' }, /^one: expected 4h bars, found 1m$/],
]
for (const [name, definition, market, refused] of cases) {
  test(`${name}: ${refused === undefined ? 'taken' : 'refused'}`, () => {
    if (refused === undefined) checkMarket(definition, market)
    else assert.throws(() => checkMarket(definition, market), { name: 'StrategyError', message: refused })
  })
}
