/** The options of `./jts up`, and what follows from them for a replay and a live run alike. */
import { parseCommand, parseSets, UserError } from './cli.ts'
import { readConfig, type JtsConfig } from './config.ts'
import type { DashboardOptions } from './dashboard.ts'
import { TLS_OPTIONS } from './tls-options.ts'

const SPEC = {
  name: 'up',
  usage: './jts up [--config jts.yaml] | ./jts up --replay FILE --strategy NAME --until-end [--json]',
  summary: `Starts JTS and prints the dashboard's address. Without options: the example strategies on a local venue (sim).`,
  options: {
    config: { type: 'text', value: 'FILE', help: 'accounts, strategies, risk limits (jts.yaml when there is one)' },
    port: {
      type: 'number',
      value: 'N',
      help: 'port of the dashboard (that of the configuration; 8700, or the next free one)',
    },
    'data-dir': {
      type: 'text',
      value: 'DIR',
      help: 'folder of all state (.jts/MODE; a replay: a fresh temporary one)',
    },
    venue: {
      type: 'list',
      value: 'binance=URL',
      help: 'a venue that is running already; keys from JTS_BINANCE_API_KEY, …_SECRET',
    },
    strategy: { type: 'text', value: 'NAME', help: 'one strategy: a shipped name or a file' },
    set: { type: 'list', value: 'name=value', help: 'a parameter of --strategy' },
    replay: {
      type: 'list',
      value: 'FILE',
      help: 'play a recorded market through the whole pipeline; repeat for more instruments',
    },
    instrument: { type: 'text', value: 'V:SYMBOL', help: 'instrument, where the file name does not tell it' },
    'allow-gaps': { type: 'flag', help: 'accept missing bars in a replay and count them' },
    'until-end': { type: 'flag', help: 'end when the replay has ended, and print the summary' },
    speed: {
      type: 'text',
      value: 'max|N',
      help: 'of a replay: max = lock-step (default with --until-end), or N times real time; of the made-up market: N',
    },
    'slippage-bps': { type: 'number', value: 'N', help: 'a replay moves market fills against us by N basis points' },
    'send-window-ms': {
      type: 'number',
      value: 'N',
      help: 'time from an intent to the last moment of sending (2000; lock-step 60000)',
    },
    fills: { type: 'text', value: 'FILE', help: 'write the fills of a replay as CSV' },
    seed: { type: 'number', value: 'N', help: "seed of the local venue's generated market" },
    distributed: {
      type: 'flag',
      help: 'each service its own process, on Kafka and PostgreSQL (started here, or KAFKA_BROKERS, DATABASE_URL)',
    },
    replicas: {
      type: 'number',
      value: 'N',
      help: 'with --distributed: N processes of every service, which share its accounts and strategies (1)',
    },
    'metrics-port': {
      type: 'number',
      value: 'N',
      help: 'serve /metrics for Prometheus on 127.0.0.1:N (0 = any free port; off)',
    },
    elsewhere: {
      type: 'flag',
      help: 'with --distributed: start no service; others do, with ./jts serve SERVICE --run FILE (in the data folder)',
    },
    ...TLS_OPTIONS,
    listen: {
      type: 'text',
      value: 'ADDRESS',
      help: 'where the dashboard listens (127.0.0.1); 0.0.0.0 in a container whose port is published to this machine alone',
    },
    'no-dashboard': { type: 'flag', help: 'no gateway and no web page' },
    json: { type: 'flag', help: 'one JSON object on standard output; everything else on standard error' },
  },
} as const

export type UpOptions = NonNullable<ReturnType<typeof parseUp>>['options']

export function parseUp(argv: readonly string[]) {
  return parseCommand(SPEC, argv)
}

/** The configuration asked for, with `--strategy` in place of its strategies. */
export function configOf(options: UpOptions): ReturnType<typeof readConfig> {
  const config = readConfig(options.config)
  parseSets(options.set)
  if (options.strategy === undefined && options.set.length > 0) {
    throw new UserError('--set: expected --strategy NAME beside it, found none')
  }
  return config
}

/** Where the dashboard listens: as the command line says, else as the configuration does. */
export function dashboardOptions(options: UpOptions, { port }: JtsConfig): DashboardOptions['options'] {
  return { port: options.port ?? port, listen: options.listen }
}

/** `--speed N` of a market that is made up. */
export function marketSpeed({ speed }: UpOptions): number | undefined {
  if (speed === undefined) return undefined
  const factor = Number(speed)
  if (factor > 0) return factor
  throw new UserError(`--speed: expected a number above 0 for a made-up market, found ${JSON.stringify(speed)}`)
}

/** `binance=URL` of `--venue`. */
export function venueUrl(options: UpOptions): string | undefined {
  if (options.venue.length === 0) return undefined
  if (options.venue.length > 1) throw new UserError(`--venue: expected one venue, found ${options.venue.length}`)
  const [name, ...rest] = options.venue[0]!.split('=')
  const url = rest.join('=')
  if (name !== 'binance' || url === '') {
    throw new UserError(`--venue: expected binance=URL, found ${JSON.stringify(options.venue[0])}`)
  }
  return url.replace(/\/+$/, '')
}
