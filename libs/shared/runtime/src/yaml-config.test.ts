import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { ConfigError, parseYamlConfig } from './yaml-config.ts'

const schema = z.strictObject({
  mode: z.enum(['sim', 'live'], { error: 'expected sim or live' }).default('sim'),
  strategies: z
    .array(z.strictObject({ instance: z.string(), quantity: z.number({ error: 'expected a number' }) }))
    .default([]),
})

test('an empty file gives the defaults', () => {
  assert.deepEqual(parseYamlConfig('', 'jts.yaml', schema), { mode: 'sim', strategies: [] })
})

const wrong: readonly [name: string, text: string, said: RegExp][] = [
  ['a wrong value', 'mode: real\n', /^jts\.yaml:1: mode: expected sim or live, found "real"$/],
  [
    'a wrong value deep inside',
    'mode: sim\nstrategies:\n  - instance: a\n    quantity: lots\n',
    /^jts\.yaml:4: strategies\.0\.quantity: expected a number, found "lots"$/,
  ],
  ['an unknown key', 'mode: sim\nmodus: sim\n', /^jts\.yaml:1: .*modus/],
  ['broken YAML', 'mode: [sim\n', /^jts\.yaml:\d+: expected YAML, found/],
  ['a list where a mapping belongs', '- mode\n', /^jts\.yaml:1: /],
]

for (const [name, text, said] of wrong) {
  test(`${name} is told with its file and line`, () => {
    assert.throws(
      () => parseYamlConfig(text, 'jts.yaml', schema),
      (error: unknown) => error instanceof ConfigError && said.test(error.message),
    )
  })
}
