/** The folder a server keeps everything in: its data, log, port and password. One server at a time. */
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { freePort, isFree } from './ports.ts'
import { identityOf } from './processes.ts'

export type Folder = {
  readonly path: string
  /** Made by us in the system's temporary folder, and removed with the server. */
  readonly temporary: boolean
  /** Made now: a folder that was there keeps its permissions. */
  readonly made: boolean
}

export function openFolder(name: string, dir: string | undefined): Folder {
  if (dir === undefined) return { path: temporaryFolder(`jts-${name}-`), temporary: true, made: true }
  const path = resolve(dir)
  const made = !existsSync(path)
  if (made) {
    mkdirSync(path, { recursive: true })
    chmodSync(path, 0o700)
  }
  return { path, temporary: false, made }
}

/** Those of processes that were killed go first: nobody else removes them. */
function temporaryFolder(prefix: string): string {
  for (const path of globSync(join(tmpdir(), `${prefix}??????`))) {
    const owner = readText(join(path, 'owner'))
    if (owner && identityOf(parseInt(owner)) !== owner) rmSync(path, { recursive: true, force: true })
  }
  const path = mkdtempSync(join(tmpdir(), prefix))
  writeFileSync(join(path, 'owner'), identityOf(process.pid) ?? '', { mode: 0o600 })
  return path
}

export function removeFolder(folder: Folder): void {
  rmSync(folder.path, { recursive: true, force: true, maxRetries: 5 })
}

/** Two servers on the same files would spoil them, and Redis itself does not look. */
export function refuseSecondServer(folder: Folder, name: string): void {
  const identity = read(folder, 'pid')
  const pid = Number(identity?.split(' ')[0])
  if (identity !== undefined && identityOf(pid) === identity) {
    throw new Error(
      `expected no server on ${folder.path}; found ${name} running there with pid ${pid}. End it (kill ${pid}) or give another folder.`,
    )
  }
}

export function rememberProcess(folder: Folder, pid: number): void {
  writeFileSync(join(folder.path, 'pid'), identityOf(pid) ?? `${pid}`)
}

/** The port asked for; else the one this folder had last, so that addresses survive a restart; else any. */
export async function portOf(folder: Folder, name: string, asked: number | undefined): Promise<number> {
  if (asked !== undefined && !(await isFree(asked))) {
    throw new Error(
      `expected port ${asked} to be free for ${name}; found it in use. End what uses it (ss -ltnp 'sport = :${asked}') or give another port.`,
    )
  }
  const last = Number(read(folder, 'port'))
  const port = asked ?? (last > 0 && (await isFree(last)) ? last : await freePort())
  writeFileSync(join(folder.path, 'port'), `${port}`)
  return port
}

export function passwordOf(folder: Folder): string {
  const known = read(folder, 'password')
  if (known) return known
  const password = randomBytes(18).toString('base64url')
  writeFileSync(join(folder.path, 'password'), password, { mode: 0o600 })
  return password
}

function read(folder: Folder, name: string): string | undefined {
  return readText(join(folder.path, name))
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
