/** Python 3.10 or newer, and a virtual environment per file of pinned requirements: nothing is installed for the whole machine. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { run } from './processes.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const ENVIRONMENTS = join(ROOT, '.jts', 'python')
/** What creon-service asks for. */
export const PYTHON_OLDEST = [3, 10] as const
/** Written last, into an environment whose requirements are all there. */
const STAMP = '.installed'
const INSTALL_MINUTES = 10
const PIP = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
const CANDIDATES = ['python3', '/usr/bin/python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python']

export type Python = { readonly command: string; readonly version: string }

/** The first on PATH, or Debian's own, that is new enough and (unless nobody needs that) can make virtual environments. */
export function findPython({ makesEnvironments = true } = {}): Python | undefined {
  const imports = makesEnvironments ? 'sys, venv, ensurepip' : 'sys'
  for (const command of CANDIDATES) {
    const { status, stdout } = spawnSync(
      command,
      ['-c', `import ${imports}; print("%d.%d.%d" % sys.version_info[:3])`],
      { encoding: 'utf8' },
    )
    const [major = 0, minor = 0] = (status === 0 ? stdout : '').split('.').map(Number)
    if (major === PYTHON_OLDEST[0] && minor >= PYTHON_OLDEST[1]) return { command, version: stdout.trim() }
  }
  return undefined
}

export type Environment = {
  readonly requirements: string
  /** The environment's own interpreter. */
  readonly python: string
  readonly installed: () => boolean
}

/** @param requirements from the root, such as `apps/brokers/creon-service/requirements-dev.txt`. */
export function environmentOf(requirements: string, root = ROOT, environments = ENVIRONMENTS): Environment {
  const file = join(root, requirements)
  const folder = join(environments, createHash('sha256').update(contentOf(file)).digest('hex').slice(0, 16))
  return {
    requirements: file,
    python: join(folder, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python'),
    installed: () => existsSync(join(folder, STAMP)),
  }
}

/** Once for each content of the file; a half-made environment is never used. Safe when several do it at once. */
export async function installEnvironment(environment: Environment, say: (words: string) => void): Promise<void> {
  if (environment.installed()) return
  const python = findPython()
  if (!python) {
    throw new Error(
      `expected Python ${PYTHON_OLDEST.join('.')} or newer with venv; found none. Install it (Debian, Ubuntu: apt-get install python3 python3-venv).`,
    )
  }
  const folder = resolve(dirname(environment.python), '..')
  say(`installing Python libraries (once): ${environment.requirements.slice(ROOT.length + 1)}`)
  mkdirSync(dirname(folder), { recursive: true })
  // Whole folders are exchanged. The scripts in it keep the place where it was made: everything is run by `python -m`.
  const making = mkdtempSync(join(dirname(folder), '.making-'))
  try {
    const inside = environment.python.slice(folder.length)
    const steps = [
      { command: python.command, args: ['-m', 'venv', making] },
      { command: join(making, inside), args: [...PIP, '-r', environment.requirements] },
    ]
    for (const step of steps) await run({ ...step, cwd: ROOT }, { timeoutMs: INSTALL_MINUTES * 60_000 })
    writeFileSync(join(making, STAMP), `${python.version}\n`)
    renameSync(making, folder)
  } catch (error) {
    // Another was quicker.
    if (environment.installed()) return
    throw new Error(
      `expected pip to install ${environment.requirements}; ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    )
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
}

/** With the files that it reads by `-r`. */
function contentOf(file: string): string {
  const text = readFileSync(file, 'utf8')
  const others = text.matchAll(/^-r (\S+)$/gm)
  return [text, ...[...others].map(([, name = '']) => contentOf(join(dirname(file), name)))].join('\n')
}
