/** `./jts serve binance-service`: the broker service alone, answering the Broker API. */
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { endpointsOfVenue, PRODUCTION, startBinanceService, TESTNET, type BinanceEndpoints } from '@jts/binance-service'
import { readKeysFile } from '@jts/broker-kit/server'
import { createLogger, systemClock } from '@jts/runtime'
import { lockFolder } from '@jts/transport'
import { EXIT, parseCommand, UserError } from '../cli.ts'
import { accountsAt, readConfig } from '../config.ts'
import { untilStdinEnds, untilStopped } from '../process.ts'
import { keysFromEnvironment } from '../venue.ts'

/** One above Creon's. */
const PORT = 8002

const SPEC = {
  name: 'serve binance-service',
  usage: './jts serve binance-service --keys FILE [--venue URL] [--port N]',
  summary: `Runs the broker service of Binance alone: the Broker API over HTTP and WebSocket, signed with the keys of --keys. Without --venue: the testnet in paper mode, Binance in live mode. The accounts' own keys come from the environment.`,
  positionals: { min: 1, max: 1 },
  options: {
    keys: {
      type: 'text',
      value: 'FILE',
      help: 'keys of the callers, readable by you alone: {"keys":[{"id","secret","right"}]}',
    },
    venue: { type: 'text', value: 'URL', help: 'a local venue, in sim mode' },
    port: { type: 'number', value: 'N', help: `port to listen on (${PORT}; 0 = any free one)` },
    host: { type: 'text', value: 'ADDRESS', help: 'address to listen on (127.0.0.1); every request is signed' },
    'data-dir': { type: 'text', value: 'DIR', help: 'folder of its journal (.jts/binance-service)' },
    config: { type: 'text', value: 'FILE', help: 'jts.yaml, for mode and accounts' },
    'exit-with-stdin': { type: 'flag', help: 'end when standard input ends: with whoever started this' },
    json: { type: 'flag', help: 'one JSON object on standard output when ready' },
  },
} as const

export async function serveBrokerCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(SPEC, argv)
  if (parsed === undefined) return EXIT.ok
  const { options } = parsed
  if (options.keys === undefined)
    throw new UserError('expected --keys FILE: a broker service without keys does not start')
  const config = readConfig(options.config)
  const { mode } = config
  const endpoints = endpointsOf(mode, options.venue)
  const keys = asked(() => readKeysFile(options.keys!))
  const accounts = keysFromEnvironment({ mode, accounts: accountsAt('binance', config) })
  const log = createLogger({ name: 'binance-service', mode })
  const folder = resolve(options['data-dir'] ?? join('.jts', 'binance-service'))
  mkdirSync(folder, { recursive: true })
  const lock = lockFolder(folder)
  const stopped = options['exit-with-stdin'] ? Promise.race([untilStopped(), untilStdinEnds()]) : untilStopped()
  const server = await startBinanceService({
    endpoints,
    accounts: accounts.map(({ account, apiKey, apiSecret }) => ({ account, credentials: { apiKey, apiSecret } })),
    keys,
    journalFile: join(folder, 'journal.sqlite'),
    ...(options.host === undefined ? {} : { host: options.host }),
    port: options.port ?? PORT,
    wallClock: systemClock,
    log,
  }).catch((cause: unknown) => {
    throw new UserError((cause as Error).message, { cause })
  })
  const ready = { service: 'binance-service', url: server.url, mode, accounts: accounts.map(({ account }) => account) }
  process.stdout.write(options.json ? `${JSON.stringify(ready)}\n` : `binance-service answers at ${server.url}\n`)
  await stopped
  await server.stop()
  lock.release()
  return EXIT.ok
}

function endpointsOf(mode: string, venue: string | undefined): BinanceEndpoints {
  if (venue !== undefined) return asked(() => endpointsOfVenue(venue))
  if (mode === 'sim') throw new UserError('expected --venue URL in sim mode, found none')
  return mode === 'live' ? PRODUCTION : TESTNET
}

function asked<T>(work: () => T): T {
  try {
    return work()
  } catch (cause) {
    throw new UserError((cause as Error).message, { cause })
  }
}
