/** pytest in its own environment: what passed and failed, told by its report, so that each test counts. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runChild, type ChildResult } from './child.ts'
import type { Failure, Outcome } from './test-file.ts'

export type PytestOptions = {
  readonly name: string
  readonly python: string
  readonly folder: string
  readonly timeoutMs: number
  readonly env: Readonly<Record<string, string>>
}

export async function runPytest(options: PytestOptions): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'jts-pytest-'))
  try {
    const report = join(folder, 'report.xml')
    const child = await runChild(options.python, ['-m', 'pytest', `--junit-xml=${report}`], {
      cwd: options.folder,
      timeoutMs: options.timeoutMs,
      env: { ...options.env, PYTHONDONTWRITEBYTECODE: '1' },
    })
    return toOutcome(options.name, child, existsSync(report) ? readFileSync(report, 'utf8') : '')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export function toOutcome(name: string, child: ChildResult, report: string): Outcome {
  const cases = [...report.matchAll(/<testcase\b([^>]*?)(?:\/>|>([^]*?)<\/testcase>)/g)]
  const failures: Failure[] = []
  let passed = 0
  for (const [, attributes = '', inside = ''] of cases) {
    const named = `${attribute(attributes, 'classname')} › ${attribute(attributes, 'name')}`
    const bad = /<(failure|error|skipped)\b([^>]*)>?([^]*?)(?:<\/\1>|$)/.exec(inside)
    if (!bad) passed++
    else if (bad[1] === 'skipped') failures.push({ name: named, details: 'skipped: every test must run' })
    else failures.push({ name: named, details: unescaped(bad[3] || attribute(bad[2] ?? '', 'message')) })
  }
  const trouble = troubleAround(child, passed, failures.length)
  if (trouble) failures.push({ name: 'pytest as a whole', details: trouble })
  return { name, passed, failures, seconds: child.seconds, output: child.output }
}

function troubleAround(child: ChildResult, passed: number, failed: number): string | undefined {
  if (child.timedOut) return child.trouble
  if (passed + failed === 0) return child.trouble ?? 'ran no test'
  return child.trouble && failed === 0 ? `${child.trouble}, though its tests passed` : undefined
}

const attribute = (text: string, name: string): string =>
  unescaped(new RegExp(`\\b${name}="([^"]*)"`).exec(text)?.[1] ?? '')

function unescaped(text: string): string {
  const letters: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&', '#10': '\n' }
  return text.replace(/&(lt|gt|quot|apos|amp|#10);/g, (_, name: string) => letters[name] ?? '')
}
