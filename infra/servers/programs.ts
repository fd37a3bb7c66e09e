/** What the servers are made of comes from the system: whether it is there, and what to do when it is not. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, globSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export function onPath(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => isExecutable(join(folder, name)))
}

/** `variable` names a server that runs elsewhere, for systems on which we cannot start one. */
export function requireProgram(name: string, aptPackage: string, variable: string): void {
  for (const [program, from] of [
    ['setpriv', 'util-linux'],
    [name, aptPackage],
  ] as const) {
    if (!onPath(program)) throw missing(program, from, variable)
  }
}

export function missing(what: string, aptPackage: string, variable: string): Error {
  return new Error(
    `expected ${what} on this machine; found none. Install it (Debian, Ubuntu: apt-get install ${aptPackage}), or set ${variable} to a server of your own.`,
  )
}

/** What Kafka 4 asks for. */
export const JAVA_OLDEST = 17

export function requireJava(variable: string): void {
  const found = javaVersion()
  if (found < JAVA_OLDEST) {
    throw missing(
      `Java ${JAVA_OLDEST} or newer${found > 0 ? ` (java on PATH is ${found})` : ''}`,
      'openjdk-17-jre-headless',
      variable,
    )
  }
}

/** The major version, or 0 when there is none. */
export function javaVersion(): number {
  const { stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' })
  return Number(/version "(\d+)/.exec(stderr ?? '')?.[1] ?? 0)
}

/** The folders of PostgreSQL's programs by major version: Debian keeps them off PATH. */
export function postgresFolders(): ReadonlyMap<number, string> {
  const debian = globSync('/usr/lib/postgresql/*/bin').filter((folder) => isExecutable(join(folder, 'initdb')))
  const onThePath = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => isExecutable(join(folder, 'initdb')))
  return new Map([...onThePath, ...debian].map((folder) => [postgresVersion(folder), folder]))
}

function postgresVersion(folder: string): number {
  const { stdout } = spawnSync(join(folder, 'postgres'), ['--version'], { encoding: 'utf8' })
  return Number(/(\d+)/.exec(stdout ?? '')?.[1] ?? 0)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
