/** Programs that tests need beside Node.js: found on PATH, or installed by apt on Debian and Ubuntu. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { installKafka, kafkaInstalled } from '@jts/servers/kafka-jars'
import { environmentOf, findPython, installEnvironment } from '@jts/servers/python'
import { JAVA_OLDEST, javaVersion, onPath, postgresFolders } from '@jts/servers/programs'
import { runChild } from './child.ts'

export type Need =
  | 'shellcheck'
  | 'debootstrap'
  | 'buildah'
  | 'podman'
  | 'podman-compose'
  | 'chromium'
  | 'openssl'
  | 'python3'
  | 'python-venv'
  | 'creon-service'
  | 'redis-server'
  | 'postgresql'
  | 'java'
  | 'maven'
  | 'kafka'

/** What creon-service and its tests are made of, in an environment of its own. */
export const CREON_ENVIRONMENT = environmentOf('apps/brokers/creon-service/requirements-dev.txt')

type Program = {
  readonly found: () => boolean
  /** One, or several that only together are of use. */
  readonly aptPackage?: string | readonly string[]
  /** What apt does not have is fetched another way, with what these bring. */
  readonly fetch?: (say: (words: string) => void) => Promise<void>
  readonly fetchedWith?: readonly Need[]
}

const PROGRAMS: Readonly<Record<Need, Program>> = {
  chromium: { found: () => onPath('chromium'), aptPackage: 'chromium' },
  shellcheck: { found: () => onPath('shellcheck'), aptPackage: 'shellcheck' },
  debootstrap: { found: () => onPath('debootstrap'), aptPackage: 'debootstrap' },
  buildah: { found: () => onPath('buildah'), aptPackage: 'buildah' },
  podman: {
    found: () =>
      ['podman', 'runc', 'iptables', 'catatonit'].every(onPath) && existsSync('/usr/lib/podman/aardvark-dns'),
    // Names of services are resolved by aardvark-dns, in networks of netavark; catatonit is what `init` starts.
    aptPackage: ['podman', 'runc', 'iptables', 'netavark', 'aardvark-dns', 'catatonit'],
  },
  'podman-compose': { found: () => onPath('podman-compose'), aptPackage: 'podman-compose' },
  openssl: { found: () => onPath('openssl'), aptPackage: 'openssl' },
  python3: { found: () => onPath('python3'), aptPackage: 'python3' },
  'python-venv': { found: () => findPython() !== undefined, aptPackage: 'python3-venv' },
  'creon-service': {
    found: () => CREON_ENVIRONMENT.installed(),
    fetch: (say) => installEnvironment(CREON_ENVIRONMENT, say),
    fetchedWith: ['python-venv'],
  },
  'redis-server': { found: () => onPath('redis-server'), aptPackage: 'redis-server' },
  // Where Debian has an init system, the package also starts a server of its own; ours is another.
  postgresql: { found: () => postgresFolders().size > 0, aptPackage: 'postgresql' },
  java: { found: () => javaVersion() >= JAVA_OLDEST, aptPackage: 'openjdk-17-jre-headless' },
  maven: { found: () => onPath('mvn'), aptPackage: 'maven' },
  // Debian has no package of it.
  kafka: { found: () => kafkaInstalled(), fetch: (say) => installKafka(say), fetchedWith: ['java', 'maven'] },
}

const INSTALL_MINUTES = 10

/** Installs what is missing. What stays missing comes back as a reason: a test without its program fails, it is not left out. */
export async function provide(needs: readonly Need[], say: (words: string) => void): Promise<string | undefined> {
  const fetched = missing(needs).filter((need) => PROGRAMS[need].fetch)
  const tools = fetched.flatMap((need) => PROGRAMS[need].fetchedWith ?? [])
  const trouble = await installPackages(missing([...new Set([...needs, ...tools])]), say)
  if (trouble) return trouble
  for (const need of fetched) {
    try {
      await PROGRAMS[need].fetch?.(say)
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
  return undefined
}

async function installPackages(needs: readonly Need[], say: (words: string) => void): Promise<string | undefined> {
  const wanted = needs.filter((need) => PROGRAMS[need].aptPackage)
  const packages = wanted.flatMap((need) => PROGRAMS[need].aptPackage ?? [])
  if (packages.length === 0) return undefined

  const byHand = `apt-get install ${packages.join(' ')}`
  if (!onPath('apt-get'))
    return `expected ${wanted.join(', ')} on PATH; found none, and no apt-get to install them (Debian: ${byHand})`
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  if (asRoot.length > 0 && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status !== 0) {
    return `expected ${wanted.join(', ')} on PATH; found none, and installing needs root: sudo ${byHand}`
  }

  say(`installing what the tests need: ${packages.join(' ')}`)
  const apt = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-y']
  const updated = await runApt([...apt, 'update'])
  const installed = await runApt([...apt, 'install', '--no-install-recommends', ...packages])
  const still = missing(wanted)
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
