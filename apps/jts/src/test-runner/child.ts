/** A child process with a time limit. It leads a process group of its own, so that what it started ends with it. */
import { spawn } from 'node:child_process'
import { delimiter, dirname } from 'node:path'

export type ChildOptions = {
  readonly cwd: string
  readonly timeoutMs: number
  readonly env?: Readonly<Record<string, string>>
}

export type ChildResult = {
  /** How it ended, in words; undefined when it ended well. */
  readonly trouble: string | undefined
  readonly timedOut: boolean
  /** Standard output and standard error as they came. */
  readonly output: string
  readonly seconds: number
}

/** What one child may print before the middle is of no use to anyone. */
const OUTPUT_MAX = 4_000_000

const running = new Set<number>()

export async function runChild(command: string, args: readonly string[], options: ChildOptions): Promise<ChildResult> {
  const startedMs = performance.now()
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: environment(options.env),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const group = child.pid
  if (group !== undefined) running.add(group)

  let output = ''
  const collect = (chunk: string): void => {
    if (output.length < OUTPUT_MAX) output += chunk
  }
  child.stdout.setEncoding('utf8').on('data', collect)
  child.stderr.setEncoding('utf8').on('data', collect)

  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    killGroup(group)
  }, options.timeoutMs)

  const ended = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(`could not start: ${error.message}`))
    // What it left behind holds its output open: `close` would wait for that for ever.
    child.once('exit', () => killGroup(group))
    child.once('close', (code, signal) =>
      resolve(code === 0 ? undefined : signal ? `was ended by ${signal}` : `ended with exit code ${code}`),
    )
  })
  clearTimeout(timer)
  if (group !== undefined) running.delete(group)
  const trouble = timedOut ? `did not end within ${Math.round(options.timeoutMs / 1000)} s` : ended
  return { trouble, timedOut, output, seconds: (performance.now() - startedMs) / 1000 }
}

/** Ends all children when the runner itself is stopped. */
export function endChildrenWithUs(): void {
  process.once('exit', () => running.forEach(killGroup))
  process.once('SIGINT', () => process.exit(130))
  process.once('SIGTERM', () => process.exit(143))
}

function environment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  // Tools with a `#!/usr/bin/env node` line run on our Node and not on the person's.
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...extra,
    PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`,
  }
  // Set when the runner is itself under test: the child would then speak to our parent.
  delete env['NODE_TEST_CONTEXT']
  return env
}

function killGroup(group: number | undefined): void {
  if (group === undefined) return
  try {
    process.kill(-group, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}
