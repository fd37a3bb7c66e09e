/** Real processes for whole-system tests: started, read, killed. */
import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const MAIN = resolve(fileURLToPath(import.meta.url), '../../../../../apps/jts/src/main.ts')

export type JtsProcess = {
  readonly child: ChildProcess
  /** Exit code or signal, standard output and error in full. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>
  /** The first line on standard output. */
  readonly firstLine: Promise<string>
  /** What its log has said of errors so far: for the words of a failing test. */
  readonly errors: () => string
}

/** Runs `jts …` as a process of its own. @param stdin `pipe` for a process that is told something there */
export function startJts(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  stdin: 'ignore' | 'pipe' = 'ignore',
): JtsProcess {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: [stdin, 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  })
  let stdout = ''
  let stderr = ''
  let onLine: (line: string) => void = () => undefined
  let onNoLine: (error: Error) => void = () => undefined
  const firstLine = new Promise<string>((done, fail) => {
    onLine = done
    onNoLine = fail
  })
  firstLine.catch(() => undefined)
  child.stdout!.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    const end = stdout.indexOf('\n')
    if (end >= 0) onLine(stdout.slice(0, end))
  })
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = new Promise<Awaited<JtsProcess['ended']>>((done) => {
    child.once('close', (code, signal) => {
      onNoLine(new Error(`jts ${args.join(' ')} ended with ${code ?? signal} before a line of output: ${stderr}`))
      done({ code, signal, stdout, stderr })
    })
  })
  return { child, ended, firstLine, errors: () => errorsIn(stderr) }
}

/** The last lines of a log that are errors, or no lines of a log. */
function errorsIn(log: string): string {
  const isError = (line: string): boolean =>
    line !== '' && (!line.startsWith('{') || /"level":"?(error|fatal|50|60)/.test(line))
  return log.split('\n').filter(isError).slice(-20).join('\n')
}

export async function runJts(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return startJts(args, env).ended
}

export function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms))
}

/** A module for `--import` that kills its process at a synced commit; see `kill-at-sync.ts`. */
export const KILL_AT_SYNC = new URL('kill-at-sync.ts', import.meta.url).href

/** A module for `--import` that stops its process where it would write an order; see `stop-at-write.ts`. */
export const STOP_AT_WRITE = new URL('stop-at-write.ts', import.meta.url).href

/** Whether a process stands still (SIGSTOP), as Linux tells. */
export function isStopped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T')
  } catch {
    return false
  }
}
