/** `./jts test`: installs what the tests need and runs them all; the last line is `N passed, N failed`. */
import { resolve } from 'node:path'
import { EXIT, parseCommand, UserError } from '../cli.ts'
import { endChildrenWithUs } from '../test-runner/child.ts'
import { runSuite, type SuiteResult } from '../test-runner/run-suite.ts'
import { suites, type Suite } from '../test-runner/suites.ts'
import type { Outcome } from '../test-runner/test-file.ts'

const SPEC = {
  name: 'test',
  usage: './jts test [SUITE…] [--full] [--json] [--list]',
  summary:
    'Runs the test suites in order, all of them or those named. Installs with apt-get what they need and is missing.',
  positionals: { min: 0, max: 20 },
  options: {
    full: { type: 'flag', help: 'the long form: more seeds, more kills, longer recordings' },
    list: { type: 'flag', help: 'names the suites and runs nothing' },
    json: { type: 'flag', help: 'one JSON object on standard output, progress on standard error' },
  },
} as const

/** Lines of what a failing file printed. */
const OUTPUT_LINES = 100

const root = resolve(import.meta.dirname, '../../../..')

export async function runTests(argv: string[]): Promise<number> {
  const parsed = parseCommand(SPEC, argv)
  if (!parsed) return EXIT.ok
  const { full, list, json } = parsed.options
  const known = suites(root)
  const out = (line: string): void => void (json ? process.stderr : process.stdout).write(`${line}\n`)

  if (list) {
    if (json)
      process.stdout.write(
        `${JSON.stringify({ suites: known.map(({ name, about, budgetSeconds, needs }) => ({ name, about, budgetSeconds, needs })) })}\n`,
      )
    else
      for (const suite of known)
        out(`${suite.name.padEnd(12)} ${suite.about}${suite.onRequest ? ' (only when named)' : ''}`)
    return EXIT.ok
  }

  endChildrenWithUs()
  // Tests run in the root; a relative path was meant from where the person stands.
  const recordings = process.env['JTS_RECORDINGS']
  if (recordings) process.env['JTS_RECORDINGS'] = resolve(recordings)

  const results: SuiteResult[] = []
  for (const suite of chosen(known, parsed.positionals)) {
    out(`${suite.name}: ${suite.about}`)
    const result = await runSuite(suite, {
      root,
      full,
      say: (words) => void process.stderr.write(`jts: ${words}\n`),
      tell: (outcome) => out(describe(outcome)),
    })
    out(describeSuite(result))
    results.push(result)
  }

  const { passed, failed } = tally(results.flatMap((result) => result.outcomes))
  out(failed === 0 ? '' : `\nfailed: ${failedNames(results).join(', ')}`)
  if (json) process.stdout.write(`${JSON.stringify({ passed, failed, suites: results.map(toJson) })}\n`)
  else out(`${passed} passed, ${failed} failed`)
  return failed === 0 ? EXIT.ok : EXIT.no
}

function chosen(known: readonly Suite[], names: readonly string[]): readonly Suite[] {
  const unknown = names.find((name) => !known.some((suite) => suite.name === name))
  if (unknown !== undefined) {
    throw new UserError(
      `expected a suite (${known.map((suite) => suite.name).join(', ')}); found ${JSON.stringify(unknown)}`,
    )
  }
  return known.filter((suite) => (names.length === 0 ? !suite.onRequest : names.includes(suite.name)))
}

function tally(outcomes: readonly Outcome[]): { passed: number; failed: number } {
  const sum = (of: (outcome: Outcome) => number): number => outcomes.reduce((total, outcome) => total + of(outcome), 0)
  return { passed: sum((outcome) => outcome.passed), failed: sum((outcome) => outcome.failures.length) }
}

function describe(outcome: Outcome): string {
  const { name, passed, failures, seconds } = outcome
  const took = `${seconds.toFixed(1)} s`
  if (failures.length === 0) return `  ok      ${name} (${passed}, ${took})`
  return [
    `  FAILED  ${name} (${passed} passed, ${failures.length} failed, ${took})`,
    ...failures.map((failure) => indent(`${failure.name}\n${indent(failure.details)}`)),
    ...printed(outcome.output),
  ].join('\n')
}

function printed(output: string): string[] {
  const lines = output.trim().split('\n')
  if (lines[0] === '') return []
  return [
    indent(
      `it printed${lines.length > OUTPUT_LINES ? ` ${lines.length} lines, of which the last ${OUTPUT_LINES}` : ''}:`,
    ),
    indent(indent(lines.slice(-OUTPUT_LINES).join('\n'))),
  ]
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '    ')
}

function describeSuite({ name, outcomes, seconds, budgetSeconds }: SuiteResult): string {
  const { passed, failed } = tally(outcomes)
  const time = `${seconds.toFixed(1)} s of ${budgetSeconds} s`
  return `${name}: ${passed} passed, ${failed} failed, ${time}${seconds > budgetSeconds ? '  *** OVER ITS BUDGET ***' : ''}\n`
}

function failedNames(results: readonly SuiteResult[]): string[] {
  return results.flatMap((result) =>
    result.outcomes.filter((outcome) => outcome.failures.length > 0).map((outcome) => outcome.name),
  )
}

function toJson(result: SuiteResult): object {
  return {
    name: result.name,
    ...tally(result.outcomes),
    seconds: result.seconds,
    budgetSeconds: result.budgetSeconds,
    outcomes: result.outcomes.map(({ name, passed, failures, seconds }) => ({ name, passed, failures, seconds })),
  }
}

if (import.meta.main) process.exitCode = await runTests(process.argv.slice(2))
