import { after, test } from 'node:test'
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runTestFile } from './test-file.ts'

const root = mkdtempSync(join(tmpdir(), 'jts-runner-'))
after(() => rmSync(root, { recursive: true }))

const cases: [situation: string, code: string, passed: number, failures: [name: string, details: RegExp][]][] = [
  [
    'counts what passed, groups aside',
    "test('one', () => {}); describe('group', () => { it('two', () => {}) })",
    2,
    [],
  ],
  [
    'names a failed test by its path and shows its error',
    "describe('group', () => { it('two', () => { throw new Error('no such luck') }) })",
    0,
    [['group › two', /no such luck/]],
  ],
  ['fails a skipped test', "test.skip('one', () => {}); test('two', () => {})", 1, [['one', /skipped/]]],
  [
    'fails a skipped group, whose tests are not even counted',
    "describe.skip('group', () => { it('two', () => {}) })",
    0,
    [['group', /skipped/]],
  ],
  ['fails a test still to do', "test.todo('one'); test('two', () => {})", 1, [['one', /still to do/]]],
  [
    'fails a group whose hook fails',
    "describe('group', () => { before(() => { throw new Error('hook') }); it('two', () => {}) })",
    0,
    [
      ['group › two', /hook|cancelled/i],
      ['group', /hook/],
    ],
  ],
  ['fails a file with no test', "console.log('nothing here')", 0, [['the file as a whole', /ran no test/]]],
  ['fails a file that does not load', "import './missing.ts'", 0, [['the file as a whole', /exit code 1/]]],
  [
    'fails a file that leaves early with success',
    // It leaves when its first test is on record: the report is written beside the tests, and one that ended may not be in it yet.
    `import { readFileSync } from 'node:fs'
     const report = process.execArgv.join(' ').match(/reporter-destination=(\\S+)/)[1]
     test('one', () => {}); test('two', () => new Promise(() => {}))
     setInterval(() => readFileSync(report, 'utf8').includes('one') && process.exit(0), 5)`,
    1,
    [['the file as a whole', /ended before its tests had ended/]],
  ],
  [
    'fails a file that is killed',
    "test('one', () => { process.kill(process.pid, 'SIGKILL') })",
    0,
    [['the file as a whole', /SIGKILL/]],
  ],
  [
    'fails a file that throws after its tests',
    "test('one', () => {}); setTimeout(() => { throw new Error('late') }, 50)",
    1,
    [['the file as a whole', /exit code 1/]],
  ],
  [
    'fails a file that spins',
    "test('one', () => { for (;;); })",
    0,
    [['the file as a whole', /did not end within \d+ s/]],
  ],
  [
    'fails a file that leaves something open',
    "test('one', () => {}); setInterval(() => {}, 1000)",
    1,
    [['the file as a whole', /did not end within \d+ s/]],
  ],
]

test('what a file leaves in the folder for temporary files goes with it', async () => {
  const file = 'leaves.test.ts'
  const code = `
    import { mkdtempSync } from 'node:fs'
    import { tmpdir } from 'node:os'
    import { test } from 'node:test'
    test('one', () => console.log('made ' + mkdtempSync(tmpdir() + '/left-')))`
  writeFileSync(join(root, file), code)
  const { passed, output } = await runTestFile(file, { root, timeoutMs: 60_000 })
  assert.equal(passed, 1)
  assert.equal(existsSync(/made (.*)/.exec(output)![1]!), false)
})

/** Long enough for a file that ends, on a machine that is busy. */
let limit: number | undefined
async function limitMs(): Promise<number> {
  if (limit === undefined) {
    writeFileSync(join(root, 'quick.test.ts'), "import { test } from 'node:test'\ntest('one', () => {})\n")
    const { seconds } = await runTestFile('quick.test.ts', { root, timeoutMs: 60_000 })
    limit = Math.max(2000, Math.ceil(seconds * 4) * 1000)
  }
  return limit
}

for (const [index, [situation, code, passed, failures]] of cases.entries()) {
  test(situation, async () => {
    const file = `case-${index}.test.ts`
    writeFileSync(
      join(root, file),
      `import { before, describe, it, test } from 'node:test'\nvoid [before, describe, it, test]\n${code}\n`,
    )
    const outcome = await runTestFile(file, { root, timeoutMs: await limitMs() })
    assert.equal(outcome.passed, passed)
    assert.deepEqual(
      outcome.failures.map((failure) => failure.name),
      failures.map(([name]) => name),
    )
    for (const [at, [, details]] of failures.entries()) assert.match(outcome.failures[at]?.details ?? '', details)
  })
}
