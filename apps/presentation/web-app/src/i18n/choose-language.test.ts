import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { chooseLanguage } from './choose-language.ts'
import { en } from './en.ts'
import { ko } from './ko.ts'

describe('language', () => {
  const rows: [stored: string | null, preferred: string[], expected: string][] = [
    [null, ['ko-KR', 'en'], 'ko'],
    [null, ['KO'], 'ko'],
    [null, ['de', 'ko'], 'en'],
    [null, [], 'en'],
    ['ko', ['en'], 'ko'],
    ['en', ['ko'], 'en'],
    ['xx', ['ko'], 'ko'],
  ]
  for (const [stored, preferred, expected] of rows) {
    it(`is ${expected} when ${stored} is stored and the browser prefers ${preferred.join(', ') || 'nothing'}`, () => {
      assert.equal(chooseLanguage(stored, preferred), expected)
    })
  }

  it('leaves no text empty in either dictionary', () => {
    const texts = (value: unknown): unknown[] =>
      typeof value === 'object' && value !== null ? Object.values(value).flatMap(texts) : [value]
    for (const text of [...texts(ko), ...texts(en)]) assert.notEqual(text, '')
    // What services say in their own words is English already, with the figures.
    const ownWords = { reason: {}, fillModels: {}, brokerSays: {} }
    assert.equal(texts({ ...ko, ...ownWords }).length, texts({ ...en, ...ownWords }).length)
  })
})
