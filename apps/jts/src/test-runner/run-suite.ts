/** Runs one suite to its end and tells each outcome as it comes. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { runChild } from './child.ts'
import { findTests } from './find-tests.ts'
import { provide } from './needs.ts'
import { runPytest } from './pytest.ts'
import { FULL_FACTOR, type Step, type Suite } from './suites.ts'
import { runTestFile, type Outcome } from './test-file.ts'

export type SuiteRun = {
  readonly root: string
  readonly full: boolean
  readonly say: (words: string) => void
  readonly tell: (outcome: Outcome) => void
}

export type SuiteResult = {
  readonly name: string
  readonly outcomes: readonly Outcome[]
  readonly seconds: number
  readonly budgetSeconds: number
}

/** Over its budget a suite is warned of, over this many budgets it fails. */
export const BUDGETS_MAX = 2

const CHECK_SECONDS = 300

export async function runSuite(suite: Suite, run: SuiteRun): Promise<SuiteResult> {
  const startedMs = performance.now()
  const outcomes: Outcome[] = []
  const add = (outcome: Outcome): void => {
    outcomes.push(outcome)
    run.tell(outcome)
  }

  const obstacle = await obstacleTo(suite, run)
  const workMs = performance.now()
  if (obstacle) add(failure(`the ${suite.name} suite`, obstacle))
  else for (const step of suite.steps) await runStep(step, run, add)

  // The budget is of the tests, not of a download.
  const budgetSeconds = suite.budgetSeconds * (run.full ? FULL_FACTOR : 1)
  const spent = (performance.now() - workMs) / 1000
  if (spent > budgetSeconds * BUDGETS_MAX) {
    add(
      failure(
        `the ${suite.name} suite`,
        `took ${spent.toFixed(0)} s, more than ${BUDGETS_MAX} times its budget of ${budgetSeconds} s`,
      ),
    )
  }
  return { name: suite.name, outcomes, seconds: (performance.now() - startedMs) / 1000, budgetSeconds }
}

/** Why the suite cannot run at all. */
async function obstacleTo(suite: Suite, { root, say }: SuiteRun): Promise<string | undefined> {
  const { variable } = suite
  if (variable) {
    const value = process.env[variable.name]
    if (!value)
      return `expected ${variable.name} to name ${variable.about}; found it unset: ${variable.name}=DIR ./jts test ${suite.name}`
    if (!existsSync(value)) return `expected ${variable.name} to name ${variable.about}; found no folder at ${value}`
  }
  for (const step of suite.steps) {
    if (step.kind === 'files' && findTests(root, step.of).length === 0) return 'has no test file'
  }
  return await provide(suite.needs, say)
}

async function runStep(step: Step, run: SuiteRun, add: (outcome: Outcome) => void): Promise<void> {
  const factor = run.full ? FULL_FACTOR : 1
  if (step.kind === 'check') {
    add(await runCheck(step, run.root))
    return
  }
  if (step.kind === 'pytest') {
    const { name, python, seconds } = step
    const timeoutMs = seconds * factor * 1000
    const env = run.full ? { JTS_TEST_FULL: '1' } : {}
    add(await runPytest({ name, python, folder: join(run.root, step.folder), timeoutMs, env }))
    return
  }
  const files = findTests(run.root, step.of)
  const options = {
    root: run.root,
    timeoutMs: step.fileSeconds * factor * 1000,
    env: { JTS_TEST_FULL: run.full ? '1' : '' },
  }
  const worker = async (): Promise<void> => {
    for (let file = files.shift(); file !== undefined; file = files.shift()) add(await runTestFile(file, options))
  }
  await Promise.all(Array.from({ length: step.atOnce }, worker))
}

async function runCheck(step: Step & { kind: 'check' }, root: string): Promise<Outcome> {
  const [command, ...args] = step.command
  const cwd = join(root, step.folder ?? '.')
  const bin = join(cwd, 'node_modules/.bin', command)
  const child = await runChild(existsSync(bin) ? bin : command, args, { cwd, timeoutMs: CHECK_SECONDS * 1000 })
  const failures = child.trouble ? [{ name: step.command.join(' '), details: child.trouble }] : []
  return { name: step.name, passed: child.trouble ? 0 : 1, failures, seconds: child.seconds, output: child.output }
}

function failure(name: string, details: string): Outcome {
  return { name, passed: 0, failures: [{ name, details }], seconds: 0, output: '' }
}
