/** Programs that tests need beside Node.js: found on PATH, or installed by apt on Debian and Ubuntu. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, globSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { runChild } from './child.ts'

export type Need = 'chromium' | 'python3' | 'redis-server' | 'postgresql' | 'java'

type Program = { readonly found: () => boolean; readonly aptPackage: string }

const PROGRAMS: Readonly<Record<Need, Program>> = {
  chromium: { found: () => onPath('chromium'), aptPackage: 'chromium' },
  python3: { found: () => onPath('python3'), aptPackage: 'python3' },
  'redis-server': { found: () => onPath('redis-server'), aptPackage: 'redis-server' },
  // Debian keeps the server's programs off PATH, one folder per version.
  postgresql: {
    found: () => onPath('initdb') || globSync('/usr/lib/postgresql/*/bin/initdb').length > 0,
    aptPackage: 'postgresql',
  },
  java: { found: () => javaVersion() >= 17, aptPackage: 'openjdk-17-jre-headless' },
}

const INSTALL_MINUTES = 10

/** Installs what is missing. What stays missing comes back as a reason: a test without its program fails, it is not left out. */
export async function provide(needs: readonly Need[], say: (words: string) => void): Promise<string | undefined> {
  const packages = missing(needs).map((need) => PROGRAMS[need].aptPackage)
  if (packages.length === 0) return undefined

  const byHand = `apt-get install ${packages.join(' ')}`
  if (!onPath('apt-get'))
    return `expected ${missing(needs).join(', ')} on PATH; found none, and no apt-get to install them (Debian: ${byHand})`
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  if (asRoot.length > 0 && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status !== 0) {
    return `expected ${missing(needs).join(', ')} on PATH; found none, and installing needs root: sudo ${byHand}`
  }

  say(`installing what the tests need: ${packages.join(' ')}`)
  const apt = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-y']
  const updated = await runApt([...apt, 'update'])
  const installed = await runApt([...apt, 'install', '--no-install-recommends', ...packages])
  const still = missing(needs)
  if (still.length === 0) return undefined
  const trouble = installed.trouble ?? updated.trouble ?? 'reported success'
  return `expected ${byHand} to bring ${still.join(', ')}; apt-get ${trouble}:\n${(updated.output + installed.output).trim().split('\n').slice(-15).join('\n')}`
}

function missing(needs: readonly Need[]): Need[] {
  return needs.filter((need) => !PROGRAMS[need].found())
}

async function runApt([command = '', ...args]: readonly string[]): Promise<{
  trouble: string | undefined
  output: string
}> {
  return await runChild(command, args, { cwd: '/', timeoutMs: INSTALL_MINUTES * 60_000 })
}

function onPath(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** The major version, or 0 when there is none. */
function javaVersion(): number {
  const { stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' })
  return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0)
}
