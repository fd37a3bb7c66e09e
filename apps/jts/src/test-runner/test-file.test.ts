import { after, test } from 'node:test'
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@jts/servers/ports'
import { runTestFile } from './test-file.ts'

const root = mkdtempSync(join(tmpdir(), 'jts-runner-'))
after(() => rmSync(root, { recursive: true }))

/** Long enough for a file that ends by itself, on a machine that is busy. */
const LONG_MS = 60_000

/** For a test file: calls `leave` when its test is on record. The report is written beside the tests, and later than they end. */
const whenRecorded = (leave: string): string => `
  import { existsSync, readFileSync } from 'node:fs'
  const report = process.execArgv.join(' ').match(/reporter-destination=(\\S+)/)[1]
  const looking = setInterval(() => {
    if (!existsSync(report) || !readFileSync(report, 'utf8').includes('one')) return
    clearInterval(looking)
    ${leave}
  }, 5)
  test('one', () => {})`

type Case = [
  situation: string,
  code: string,
  passed: number,
  failures: [name: string, details: RegExp][],
  limitMs?: number,
]
const cases: Case[] = [
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
    `${whenRecorded('process.exit(0)')}; test('two', () => new Promise(() => {}))`,
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
    whenRecorded("throw new Error('late')"),
    1,
    [['the file as a whole', /exit code 1/]],
  ],
  [
    'fails a file that spins',
    "test('one', () => { for (;;); })",
    0,
    [['the file as a whole', /did not end within \d+ s/]],
    2000,
  ],
  [
    'fails a file that leaves something open',
    "test('one', () => {}); setInterval(() => {}, 1000)",
    1,
    [['the file as a whole', /did not end within \d+ s/]],
    // Its test is on record by then.
    6000,
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

test('a port that was given here is not given to a file beside it', async () => {
  const file = 'ports.test.ts'
  const port = await freePort()
  const code = `
    import { test } from 'node:test'
    import { existsSync } from 'node:fs'
    import { GIVEN_FOLDER } from '${import.meta.resolve('@jts/servers/ports')}'
    test('one', () => console.log('is given: ' + existsSync(GIVEN_FOLDER + '/${port}')))`
  writeFileSync(join(root, file), code)
  const { output } = await runTestFile(file, { root, timeoutMs: 60_000 })
  assert.match(output, /is given: true/)
})

for (const [index, [situation, code, passed, failures, timeoutMs = LONG_MS]] of cases.entries()) {
  test(situation, async () => {
    const file = `case-${index}.test.ts`
    writeFileSync(
      join(root, file),
      `import { before, describe, it, test } from 'node:test'\nvoid [before, describe, it, test]\n${code}\n`,
    )
    const outcome = await runTestFile(file, { root, timeoutMs })
    assert.equal(outcome.passed, passed)
    assert.deepEqual(
      outcome.failures.map((failure) => failure.name),
      failures.map(([name]) => name),
    )
    for (const [at, [, details]] of failures.entries()) assert.match(outcome.failures[at]?.details ?? '', details)
  })
}
