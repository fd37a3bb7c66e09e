/** Processes that must not outlive us, and the tree below one. Linux only. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'

export type Command = {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** Whom to run as, when that is not us. */
  readonly user?: User
}

export type User = { readonly name: string; readonly uid: number; readonly gid: number }

/**
 * `--pdeathsig`: the kernel kills it when the thread that started it ends, in whatever way we end. A session of its own
 * keeps Ctrl-C from it, so that whoever uses the server can end first.
 */
export function spawnTied({ command, args, cwd, env, user }: Command, output: number): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', '--', command, ...args], {
    cwd: cwd ?? '/',
    env: env ?? process.env,
    detached: true,
    stdio: ['ignore', output, output],
    ...(user && { uid: user.uid, gid: user.gid }),
  })
}

export type RunOptions = { readonly input?: string; readonly timeoutMs: number }

/** Runs to the end; what it printed, or an error with the end of it. */
export async function run({ command, args, cwd, env, user }: Command, options: RunOptions): Promise<string> {
  const child = spawn(command, args, {
    cwd: cwd ?? '/',
    env: env ?? process.env,
    timeout: options.timeoutMs,
    killSignal: 'SIGKILL',
    ...(user && { uid: user.uid, gid: user.gid }),
  })
  let output = ''
  const collect = (chunk: string): void => void (output += chunk)
  child.stdout.setEncoding('utf8').on('data', collect)
  child.stderr.setEncoding('utf8').on('data', collect)
  // It may end without reading.
  child.stdin.on('error', () => undefined).end(options.input ?? '')
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  if (code !== 0) {
    throw new Error(`${command} ended with ${signal ?? `exit code ${code ?? '?'}`}:\n${lastLines(output)}`)
  }
  return output
}

export function lastLines(text: string, count = 20): string {
  return text.trimEnd().split('\n').slice(-count).join('\n')
}

/** A process is named by its id and its start: ids come round again. */
export function identityOf(pid: number): string | undefined {
  const stat = statOf(pid)
  return stat && stat.state !== 'Z' ? `${pid} ${stat.start}` : undefined
}

export function descendantsOf(pid: number): number[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), parent: statOf(Number(name))?.parent }))
  const below = (parent: number): number[] =>
    all.filter((each) => each.parent === parent).flatMap((each) => [each.pid, ...below(each.pid)])
  return below(pid)
}

/** False when it has ended already. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

function statOf(pid: number): { state: string; parent: number; start: string } | undefined {
  try {
    // The name, in brackets, may hold anything.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '')
    const fields = stat.split(' ')
    return { state: fields[0] ?? '', parent: Number(fields[1]), start: fields[19] ?? '' }
  } catch {
    return undefined
  }
}
