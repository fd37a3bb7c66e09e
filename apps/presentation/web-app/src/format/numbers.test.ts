import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as numbers from './numbers.ts'

type Row = readonly [given: string, expected: string]

function table(name: string, format: (given: string) => string, rows: readonly Row[]): void {
  describe(name, () => {
    for (const [given, expected] of rows) {
      it(`shows ${given} as ${expected}`, () => assert.equal(format(given), expected))
    }
  })
}

table('groupDigits', numbers.groupDigits, [
  ['0', '0'],
  ['999', '999'],
  ['1000', '1,000'],
  ['1234567.891234', '1,234,567.891234'],
  ['-1234567', '−1,234,567'],
  ['123456789012345678901234567890.12345678', '123,456,789,012,345,678,901,234,567,890.12345678'],
  ['not a number', 'not a number'],
])

table('roundText to two decimals', (text) => numbers.roundText(text, 2), [
  ['1', '1.00'],
  ['1.005', '1.00'],
  ['1.015', '1.02'],
  ['1.0050001', '1.01'],
  ['9.999', '10.00'],
  ['-0.004', '0.00'],
  ['-0.006', '-0.01'],
])

table('roundText to a whole number', (text) => numbers.roundText(text, 0), [
  ['0.5', '0'],
  ['1.5', '2'],
  ['9007199254740993.7', '9007199254740994'],
])

table('formatMoney in KRW', (text) => numbers.formatMoney(text, 'KRW'), [
  ['31480500', '31,480,500'],
  ['1234.5', '1,234'],
  ['0.25', '0.25'],
])

table('formatMoney in USDT', (text) => numbers.formatMoney(text, 'USDT'), [
  ['48211.5372', '48,211.54'],
  ['0.00001234', '0.00001234'],
  ['0', '0.00'],
])

table('formatMoney in a coin', (text) => numbers.formatMoney(text, 'BTC'), [
  ['0.10000000', '0.1'],
  ['12.00000001', '12.00000001'],
])

table('formatSignedMoney', (text) => numbers.formatSignedMoney(text, 'USDT'), [
  ['12.3', '+12.30'],
  ['-12.3', '−12.30'],
  ['0', '0.00'],
])

table('formatPrice', numbers.formatPrice, [
  ['64180.12345678', '64,180.12'],
  ['71400', '71,400'],
  ['1.23456789', '1.2346'],
  ['0.00001234', '0.00001234'],
])

describe('addText', () => {
  it('adds exactly where a float would not', () => {
    assert.equal(numbers.addText('0.1', '0.2'), '0.3')
    assert.equal(numbers.addText('9007199254740993', '0.00000001'), '9007199254740993.00000001')
    assert.equal(numbers.addText('-0.3', '0.1'), '-0.2')
    assert.equal(numbers.addText('1', '2'), '3')
  })
})

describe('signOf', () => {
  it('knows every way to write zero', () => {
    for (const zero of ['0', '0.00', '-0.000']) assert.equal(numbers.signOf(zero), 0)
    assert.equal(numbers.signOf('0.0001'), 1)
    assert.equal(numbers.signOf('-0.0001'), -1)
  })
})

describe('numbers of market data', () => {
  it('shows a tiny price without an exponent', () => assert.equal(numbers.textOfNumber(1e-7), '0.0000001'))
  it('finds the decimals of a series', () => {
    assert.equal(numbers.decimalsOf([71400, 71500]), 0)
    assert.equal(numbers.decimalsOf([1.5, 64180.01]), 2)
  })
  it('shortens large volumes', () => {
    assert.equal(numbers.formatVolume(123456.789), '123,457')
    assert.equal(numbers.formatVolume(1.2345), '1.234')
  })
})
