import { test } from 'node:test'
import assert from 'node:assert/strict'
import { toOutcome } from './pytest.ts'

const child = (trouble?: string) => ({ trouble, timedOut: false, output: '', seconds: 1 })
const report = (...cases: string[]) =>
  `<?xml version="1.0"?><testsuites><testsuite>${cases.join('')}</testsuite></testsuites>`
const passes = '<testcase classname="tests.test_a" name="test_one" time="0.1" />'
const fails =
  '<testcase classname="tests.test_a" name="test_two" time="0.1"><failure message="assert 1 == 2">E  assert 1 &lt; 2&#10;here</failure></testcase>'

test('each test of the report counts', () => {
  const outcome = toOutcome('pytest', child('ended with exit code 1'), report(passes, passes, fails))
  assert.equal(outcome.passed, 2)
  assert.deepEqual(outcome.failures, [{ name: 'tests.test_a › test_two', details: 'E  assert 1 < 2\nhere' }])
})

test('a skipped test is a failure: every test must run', () => {
  const skipped = '<testcase classname="a" name="b"><skipped type="pytest.skip" message="no" /></testcase>'
  assert.deepEqual(toOutcome('pytest', child(), report(passes, skipped)).failures, [
    { name: 'a › b', details: 'skipped: every test must run' },
  ])
})

test('a run without a test, or that ends badly though its tests passed, has failed', () => {
  assert.equal(toOutcome('pytest', child(), '').failures[0]?.details, 'ran no test')
  assert.match(
    toOutcome('pytest', child('ended with exit code 3'), report(passes)).failures[0]?.details ?? '',
    /exit code 3, though its tests passed/,
  )
})
