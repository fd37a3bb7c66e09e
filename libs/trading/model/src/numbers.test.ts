import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { divide, formatUnits, parseUnits, unitsFromFloat, unitsToFloat, type Rounding } from './numbers.ts'

describe('numbers', () => {
  it('text goes to units and back to its shortest form', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }),
        (units) => parseUnits(formatUnits(units)) === units,
      ),
    )
  })

  it('a recorded price is found exactly from its double, also just below the bound of the quick way', () => {
    const anywhere = fc.bigInt({ min: 0n, max: 3_355_443_200_000_000n })
    const atTheBound = fc.bigInt({ min: 3_355_443_100_000_000n, max: 3_355_443_200_000_000n })
    fc.assert(
      fc.property(fc.oneof(anywhere, atTheBound), (units) => unitsFromFloat(Number(formatUnits(units))) === units),
      { numRuns: 2000 },
    )
  })

  it('a whole price above that bound is exact', () => {
    assert.equal(unitsFromFloat(157_123_000), parseUnits('157123000'))
    assert.equal(unitsToFloat(parseUnits('157123000')), 157_123_000)
  })

  const divisions: [bigint, bigint, Rounding, bigint][] = [
    [5n, 2n, 'half-even', 2n],
    [7n, 2n, 'half-even', 4n],
    [-5n, 2n, 'half-even', -2n],
    [-7n, 2n, 'half-even', -4n],
    [7n, 3n, 'down', 2n],
    [-7n, 3n, 'down', -2n],
    [7n, 3n, 'up', 3n],
    [-7n, 3n, 'up', -3n],
  ]
  for (const [a, b, rounding, expected] of divisions) {
    it(`${a} / ${b} ${rounding} = ${expected}`, () => assert.equal(divide(a, b, rounding), expected))
  }
})
