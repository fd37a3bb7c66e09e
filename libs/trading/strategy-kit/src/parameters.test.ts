import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { choice, flag, formatParameters, integer, number, parseParameters, quantity, text } from './parameters.ts'

const definition = {
  name: 'example',
  parameters: {
    fast: integer({ default: 10, min: 1, max: 500 }),
    factor: number({ default: 0.5, min: 0 }),
    quantity: quantity({ default: '0.01' }),
    label: text({ default: 'a' }),
    side: choice({ default: 'long', of: ['long', 'both'] }),
    strict: flag({ default: false }),
  },
}

describe('parameters', () => {
  it('takes the defaults when nothing is given', () => {
    const values = parseParameters(definition)
    assert.deepEqual(values, { fast: 10, factor: 0.5, quantity: 1_000_000n, label: 'a', side: 'long', strict: false })
  })

  it('reads texts as a person types them, and writes them back', () => {
    const given = { fast: '20', factor: '1e-3', quantity: '0.5', label: 'x', side: 'both', strict: 'true' }
    const values = parseParameters(definition, given)
    assert.deepEqual(values, { fast: 20, factor: 0.001, quantity: 50_000_000n, label: 'x', side: 'both', strict: true })
    assert.deepEqual(formatParameters(definition.parameters, values), { ...given, factor: '0.001' })
  })

  const refused: [given: Record<string, string | number>, message: RegExp][] = [
    [{ fast: 0 }, /example: expected fast to be a whole number from 1 to 500, found 0/],
    [{ fast: '1.5' }, /expected fast to be a whole number from 1 to 500, found "1.5"/],
    [{ fast: '' }, /expected fast to be a whole number/],
    [{ factor: 'x' }, /expected factor to be a number of at least 0, found "x"/],
    [{ quantity: '-1' }, /expected quantity to be a quantity above 0 such as 0.01, found "-1"/],
    [{ quantity: '0.000000001' }, /expected quantity to be a quantity/],
    [{ side: 'short' }, /expected side to be one of long, both, found "short"/],
    [{ strict: 'yes' }, /expected strict to be true or false, found "yes"/],
    [{ slow: 3 }, /example: expected a parameter of fast, factor, quantity, label, side, strict, found "slow"/],
  ]
  for (const [given, message] of refused) {
    it(`refuses ${JSON.stringify(given)}`, () => assert.throws(() => parseParameters(definition, given), message))
  }
})
