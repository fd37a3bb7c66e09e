/**
 * A test file in a mount namespace of its own: file systems that it mounts are seen by it and its processes alone, and go with
 * them, however they end.
 */
import { execFileSync, spawn } from 'node:child_process'

const INSIDE = 'JTS_PRIVATE_MOUNTS'

export function hasPrivateMounts(): boolean {
  return process.env[INSIDE] === '1'
}

/** Runs a test file again, as root and with private mounts; resolves to what it wrote when it has failed. */
export async function runWithPrivateMounts(file: string): Promise<string | undefined> {
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  const kept = ['PATH', 'HOME', 'JAVA_HOME', 'JTS_TEST_FULL'].flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [`${name}=${value}`]
  })
  const unshare = ['unshare', '--mount', '--propagation', 'private', '--', 'env', ...kept, `${INSIDE}=1`]
  const [program, ...args] = [...sudo, ...unshare, process.execPath, '--test', '--test-reporter=spec', file]
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = spawn(program!, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const output of [child.stdout, child.stderr]) output.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return code === 0 ? undefined : said
}

/** A disk in memory of that many megabytes. Only with private mounts. */
export function mountSmallDisk(folder: string, megabytes: number): void {
  if (!hasPrivateMounts()) throw new Error('expected mounts of our own, found those of the machine')
  execFileSync('mkdir', ['-p', folder])
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=755`, 'tmpfs', folder])
}

export function unmountDisk(folder: string): void {
  execFileSync('umount', ['--lazy', folder])
}
