/** One test file in a process of its own: what passed, what failed, and what went wrong around its tests. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GIVEN_FOLDER } from '@jts/servers/ports'
import { runChild, type ChildResult } from './child.ts'
import type { TestLine } from './reporter.ts'

export type Failure = { readonly name: string; readonly details: string }

export type Outcome = {
  readonly name: string
  readonly passed: number
  readonly failures: readonly Failure[]
  readonly seconds: number
  /** What it printed; worth reading only when something failed. */
  readonly output: string
}

export async function runTestFile(
  file: string,
  options: { readonly root: string; readonly timeoutMs: number; readonly env?: Readonly<Record<string, string>> },
): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'jts-test-'))
  // PostgreSQL, as another user, has to get through to its own.
  chmodSync(folder, 0o711)
  try {
    const report = join(folder, 'report')
    const args = [
      '--disable-warning=ExperimentalWarning',
      `--import=${join(import.meta.dirname, 'leave-at-once.ts')}`,
      `--test-reporter=${join(import.meta.dirname, 'reporter.ts')}`,
      `--test-reporter-destination=${report}`,
      file,
    ]
    const child = await runChild(process.execPath, args, {
      cwd: options.root,
      timeoutMs: options.timeoutMs,
      // What its tests leave behind goes with it; ports are of the whole machine.
      env: { ...options.env, TMPDIR: folder, JTS_PORTS: GIVEN_FOLDER },
    })
    return toOutcome(file, child, existsSync(report) ? readFileSync(report, 'utf8') : '')
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  }
}

function toOutcome(name: string, child: ChildResult, report: string): Outcome {
  // A killed process may leave half a last line.
  const lines = report
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as TestLine)
  const passed = lines.filter((line) => line.kind === 'passed').length
  const failures: Failure[] = lines.filter((line) => line.kind === 'failed')
  const trouble = troubleAround(child, passed + failures.length, failures.length, lines.at(-1)?.kind === 'ended')
  if (trouble) failures.push({ name: 'the file as a whole', details: trouble })
  return { name, passed, failures, seconds: child.seconds, output: child.output }
}

/** What no single test tells: the file hung, crashed, left early, or had nothing to run. */
function troubleAround(child: ChildResult, tests: number, failed: number, ended: boolean): string | undefined {
  if (child.timedOut)
    return `${child.trouble ?? ''}: a test hangs, or something it opened (server, timer, child process) was not closed`
  if (!ended)
    return child.trouble
      ? `${child.trouble} before its tests had ended`
      : tests === 0
        ? 'ran no test'
        : 'ended before its tests had ended'
  if (tests === 0) return 'ran no test'
  if (child.trouble && failed === 0) return `${child.trouble}, though its tests passed`
  return undefined
}
