/** A Redis of our own: Debian's redis-server, on loopback, with a generated password. */
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { openFolder, passwordOf } from './folder.ts'
import { LOOPBACK } from './ports.ts'
import { requireProgram } from './programs.ts'
import { startServer, type Server, type ServerOptions } from './server.ts'

export type RedisServer = Server & {
  /** With the password in it. */
  readonly url: string
}

export type RedisOptions = ServerOptions & {
  /**
   * When a write is on the disk: with its answer (`always`), within a second, or never (a restart is then empty).
   * A fencing lock needs `always`.
   */
  readonly appendOnly?: 'always' | 'everysec' | 'off'
}

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  requireProgram('redis-server', 'redis-server', 'REDIS_URL')
  const folder = openFolder('redis', options.dir)
  const password = passwordOf(folder)
  const config = join(folder.path, 'redis.conf')
  const server = await startServer({
    name: 'redis',
    folder,
    port: options.port,
    stopSignal: 'SIGTERM',
    prepare: async (port) => {
      // In a file: arguments can be read by every user of the machine.
      writeFileSync(config, configOf(folder.path, port, password, options.appendOnly ?? 'everysec'), { mode: 0o600 })
      return { command: 'redis-server', args: [config] }
    },
    isReady: async ({ port }) => (await ping(port, password)) === '+PONG',
  })
  return Object.assign(server, { url: `redis://:${password}@${LOOPBACK}:${server.port}` })
}

function configOf(dir: string, port: number, password: string, appendOnly: 'always' | 'everysec' | 'off'): string {
  return [
    `bind ${LOOPBACK}`,
    `port ${port}`,
    `requirepass ${password}`,
    `dir "${dir}"`,
    'save ""',
    ...(appendOnly === 'off' ? ['appendonly no'] : ['appendonly yes', `appendfsync ${appendOnly}`]),
    '',
  ].join('\n')
}

/** The second answer to AUTH and PING, or undefined: while it loads its data it refuses both. */
function ping(port: number, password: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect({ host: LOOPBACK, port, timeout: 1000 })
    const end = (): void => {
      socket.destroy()
      resolve(answer.split('\r\n')[1])
    }
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text
      if (answer.split('\r\n').length > 2) end()
    })
    socket.once('error', end).once('timeout', end).once('close', end)
    socket.write(`AUTH ${password}\r\nPING\r\n`)
  })
}
