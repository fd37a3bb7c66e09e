import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { filesOf, loadStrategy } from './load.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-strategies-'))
after(() => rmSync(folder, { recursive: true }))

function write(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

describe('loadStrategy', () => {
  it('loads a file outside the repository, which finds the strategy packages', async () => {
    const file = write(
      'lone.ts',
      `import { defineStrategy, integer, sma } from '@jts/strategy-kit'
       import { parseUnits, type Units } from '@jts/model'
       const size: Units = parseUnits('0.01')
       export default defineStrategy({
         name: 'lone', parameters: { n: integer({ default: 5 }) }, state: ({ n }) => ({ mean: sma(n) }),
         onBar(bar, { state, buy }) { if (state.mean.update(bar.close) > 0) buy(size) },
       })`,
    )
    assert.equal((await loadStrategy(file)).name, 'lone')
  })

  const refused: [name: string, text: string, message: RegExp][] = [
    ['none.ts', 'export const x = 1', /none.ts: expected `export default defineStrategy\(.*found no default export/],
    ['nothing.ts', 'export default 5', /nothing.ts: expected a strategy, found number/],
    [
      'handlers.ts',
      'export default { name: "a", parameters: {}, state: () => ({}) }',
      /a: expected onBar, onTrade or onTimer/,
    ],
    ['state.ts', 'export default { name: "a", parameters: {}, onBar() {} }', /a: expected state to be a function/],
    ['slip.ts', 'export default {{', /slip.ts: expected a strategy file that loads, found: /],
    [
      'missing.ts',
      'import x from "no-such-package"\nexport default x',
      /missing.ts: expected a strategy file that loads/,
    ],
    ['kind.txt', '', /kind.txt: expected a .ts or .js file/],
  ]
  for (const [name, text, message] of refused) {
    it(`refuses ${name}`, async () => assert.rejects(loadStrategy(write(name, text)), message))
  }

  it('says when there is no such file', async () => {
    await assert.rejects(loadStrategy(join(folder, 'absent.ts')), /absent.ts: expected a strategy file, found none/)
  })

  it('tells of which files a strategy is made: its own and what it imports from files, from those in turn, too', async () => {
    const strategy = (name: string) =>
      `export default defineStrategy({ name: '${name}', parameters: {}, state: () => ({}), onBar() {} })`
    const kit = `import { defineStrategy } from '@jts/strategy-kit'`
    const far = write('far.ts', 'export const far = 1')
    const near = write(
      'near.ts',
      `import type { Kind } from './kind.ts'\nexport { far } from './far.ts'\nexport type { Kind }`,
    )
    const made = write('made.ts', `${kit}\nimport { far } from './near.ts'\nconsole.assert(far)\n${strategy('made')}`)
    const second = write('second.ts', `${kit}\nawait import('./far.ts')\n${strategy('second')}`)
    const alone = write('alone.ts', `${kit}\n${strategy('alone')}`)
    for (const file of [made, second, alone]) await loadStrategy(file)
    assert.deepEqual(filesOf(made), [made, near, far])
    // What another one has loaded before is told of all the same.
    assert.deepEqual(filesOf(second), [second, far])
    assert.deepEqual(filesOf(alone), [alone])
  })
})
