/** A PostgreSQL of our own: Debian's package, on loopback, with a generated password and a database `jts`. */
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { openFolder, passwordOf, type Folder } from './folder.ts'
import { LOOPBACK } from './ports.ts'
import { run, type User } from './processes.ts'
import { missing, postgresFolders, requireProgram } from './programs.ts'
import { startServer, type Server, type ServerOptions } from './server.ts'

export type PostgresServer = Server & {
  /** With the password in it. */
  readonly url: string
}

export type PostgresOptions = ServerOptions & {
  /**
   * Leaves out every wait for the disk: faster, and a crash of the machine spoils the data. A crash of the server alone
   * does not. For tests that create much and prove nothing about durability.
   */
  readonly unsafeNoFsync?: boolean
}

const USER = 'jts'
const DATABASE = 'jts'
const INIT_SECONDS = 180

export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  requireProgram('setpriv', 'util-linux', 'DATABASE_URL')
  if (postgresFolders().size === 0) throw missing('PostgreSQL', 'postgresql', 'DATABASE_URL')
  const user = otherUser()
  const folder = openFolder('postgres', options.dir)
  const password = passwordOf(folder)
  const data = join(folder.path, 'data')
  const unsafe = options.unsafeNoFsync === true
  const server = await startServer({
    name: 'postgres',
    folder,
    port: options.port,
    // "Fast": open connections are ended, everything is written.
    stopSignal: 'SIGINT',
    prepare: async (port) => {
      openTo(user, folder)
      if (!existsSync(data)) await initialise(folder, user, unsafe)
      const settings = {
        listen_addresses: LOOPBACK,
        port,
        unix_socket_directories: '',
        ...(unsafe && { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' }),
      }
      return {
        command: join(programsFor(data), 'postgres'),
        args: ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
        env: environment(),
        ...(user && { user }),
      }
    },
    isReady: async ({ pid }) => {
      // The file of a server that was killed is still there.
      const lines = readOrEmpty(join(data, 'postmaster.pid')).split('\n')
      return Number(lines[0]) === pid && lines[7]?.trim() === 'ready'
    },
  })
  return Object.assign(server, { url: `postgres://${USER}:${password}@${LOOPBACK}:${server.port}/${DATABASE}` })
}

/** Made beside its place and moved there when whole: a half-made one would look like data. */
async function initialise(folder: Folder, user: User | undefined, unsafe: boolean): Promise<void> {
  const making = join(folder.path, 'data.new')
  rmSync(making, { recursive: true, force: true })
  mkdirSync(making, { mode: 0o700 })
  if (user) chownSync(making, user.uid, user.gid)
  const programs = newest()
  const as = { env: environment(), cwd: making, ...(user && { user }) }
  const limit = { timeoutMs: INIT_SECONDS * 1000 }
  const fast = unsafe ? ['--no-sync'] : []
  await run(
    {
      ...as,
      command: join(programs, 'initdb'),
      args: [
        ...['-D', making, '--username', USER, '--pwfile', join(folder.path, 'password')],
        ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--no-locale', '--data-checksums', ...fast],
      ],
    },
    limit,
  )
  const single = ['--single', '-D', making, ...(unsafe ? ['-c', 'fsync=off'] : []), 'postgres']
  await run(
    { ...as, command: join(programs, 'postgres'), args: single },
    { ...limit, input: `CREATE DATABASE ${DATABASE};\n` },
  )
  renameSync(making, join(folder.path, 'data'))
}

/** PostgreSQL refuses to run as root: then as its own user, or as nobody. */
function otherUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map((which) => spawnSync('id', [which, name], { encoding: 'utf8' }).stdout.trim())
    if (uid && gid) return { name, uid: Number(uid), gid: Number(gid) }
  }
  throw new Error(
    'expected a user to run PostgreSQL as, since it refuses root; found neither postgres nor nobody. Start as another user.',
  )
}

function openTo(user: User | undefined, folder: Folder): void {
  if (!user) return
  // Entered, not listed: the log stays ours.
  if (folder.made) chmodSync(folder.path, 0o711)
  chownSync(join(folder.path, 'password'), user.uid, user.gid)
  const reached = spawnSync('test', ['-r', join(folder.path, 'password')], { uid: user.uid, gid: user.gid })
  if (reached.status !== 0) {
    throw new Error(
      `expected ${folder.path} to be open to user ${user.name}, as whom PostgreSQL runs because it refuses root; found it closed. Give a folder of which every part may be entered (chmod o+x), or start as another user.`,
    )
  }
}

function newest(): string {
  return [...postgresFolders()].sort(([one], [other]) => other - one)[0]?.[1] ?? ''
}

/** Data belongs to the major version that made it. */
function programsFor(data: string): string {
  const version = Number(readOrEmpty(join(data, 'PG_VERSION')))
  const folder = postgresFolders().get(version)
  if (folder === undefined) {
    const found = [...postgresFolders().keys()].join(', ')
    throw new Error(
      `expected PostgreSQL ${version}, which made the data in ${data}; found ${found}. Install postgresql-${version}, or give another folder.`,
    )
  }
  return folder
}

/** Without the settings a person has for their own server. */
function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('PG'))
  return { ...Object.fromEntries(own), LC_ALL: 'C' }
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
