import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { atr, crossedAbove, crossedBelow, ema, rsi, sma, type Series } from './index.ts'
import { compareWithGolden } from './golden.testkit.ts'

describe('indicators', () => {
  it('equal the published values of SMA, EMA, RSI and ATR', () => {
    const text = readFileSync(join(import.meta.dirname, 'fixtures/golden-daily-2017.csv'), 'utf8')
    assert.equal(compareWithGolden(text.slice(text.indexOf('\n') + 1)), 60)
  })

  it('an ema seeded with the first value has a value from the first update', () => {
    const one = ema(3, { seed: 'first' })
    assert.equal(one.update(10), 10)
    assert.equal(one.update(20), 15)
    assert.equal(one.previous, 10)
    assert.equal(one.count, 2)
  })

  it('are not a number while they warm up', () => {
    const warming = [sma(2), ema(2), rsi(2)]
    for (const one of warming) assert.ok(Number.isNaN(one.update(1)))
    assert.ok(Number.isNaN(atr(1).update({ high: 2, low: 1, close: 1 })))
  })

  it('an sma does not drift after large values have left the window', () => {
    const one = sma(3)
    for (const x of [1e15, 1e15, 1e15, 0.1, 0.2, 0.3]) one.update(x)
    assert.ok(Math.abs(one.value - 0.2) < 1e-15, String(one.value))
  })

  it('an sma equals the mean of the window, whatever went through it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.01, max: 1e6, noNaN: true }), { minLength: 5, maxLength: 200 }),
        (values) => {
          const one = sma(5)
          for (const x of values) one.update(x)
          const mean = values.slice(-5).reduce((a, b) => a + b) / 5
          return Math.abs(one.value - mean) <= 1e-12 * mean
        },
      ),
    )
  })

  it('rsi is 100 when nothing has fallen', () => {
    const one = rsi(2)
    for (const x of [1, 2, 3]) one.update(x)
    assert.equal(one.value, 100)
  })

  it('refuse a period that is not a whole number of bars', () => {
    for (const make of [sma, ema, rsi, atr])
      assert.throws(() => make(0), /expected a period of at least 1 bar, found 0/)
  })

  const series = (previous: number, value: number): Series => ({ previous, value })
  const crossings: [name: string, a: Series, b: Series, above: boolean, below: boolean][] = [
    ['from below to above', series(1, 3), series(2, 2), true, false],
    ['from equal to above', series(2, 3), series(2, 2), true, false],
    ['from above to below', series(3, 1), series(2, 2), false, true],
    ['from equal to below', series(2, 1), series(2, 2), false, true],
    ['touching from below', series(1, 2), series(2, 2), false, false],
    ['staying above', series(3, 3), series(2, 2), false, false],
    ['warming up', series(NaN, 3), series(2, 2), false, false],
  ]
  for (const [name, a, b, above, below] of crossings) {
    it(`crossing: ${name}`, () => {
      assert.equal(crossedAbove(a, b), above)
      assert.equal(crossedBelow(a, b), below)
    })
  }
})
