/** The command line: `./jts COMMAND …`. */
import { ConfigError, keepSecret, keepSecretsOf, withoutSecrets } from '@jts/runtime'
import { EXIT, UserError } from './cli.ts'
import { leave } from './process.ts'

type Command = { readonly summary: string; run(argv: readonly string[]): Promise<number> }

const COMMANDS: Readonly<Record<string, Command>> = {
  up: {
    summary: 'start everything in one process and print the dashboard address; --replay plays a recorded market',
    run: async (argv) => (await import('./commands/up.ts')).upCommand(argv),
  },
  backtest: {
    summary: 'run a strategy over recorded data, in memory',
    run: async (argv) => (await import('./commands/backtest.ts')).backtestCommand(argv),
  },
  data: {
    summary: 'collect past candles from the brokers, and write them as files: data collect, data export',
    run: async (argv) => (await import('./commands/data.ts')).dataCommand(argv),
  },
  status: {
    summary: 'tell what trades, and what is halted, held, stopped or down',
    run: async (argv) => (await import('./commands/status.ts')).statusCommand(argv),
  },
  halt: {
    summary: 'refuse new orders and cancel what is open',
    run: async (argv) => (await import('./commands/halt.ts')).haltCommand('halt', argv),
  },
  resume: {
    summary: 'lift a halt',
    run: async (argv) => (await import('./commands/halt.ts')).haltCommand('resume', argv),
  },
  adjust: {
    summary: 'book money that moved without a trade (a deposit, a dividend): adjust ACCOUNT ASSET AMOUNT',
    run: async (argv) => (await import('./commands/adjust.ts')).adjustCommand(argv),
  },
  serve: {
    summary: 'run one service alone, answering gRPC',
    run: async (argv) => (await import('./commands/serve.ts')).serveCommand(argv),
  },
  broker: {
    summary: 'check a broker service against the contract: broker verify URL',
    run: async (argv) => (await import('./commands/broker.ts')).brokerCommand(argv),
  },
  venue: {
    summary: "run a local venue that speaks a broker's protocol",
    run: async (argv) => (await import('./commands/venue.ts')).venueCommand(argv),
  },
  events: {
    summary: 'show the event log of a data folder: events tail TOPIC',
    run: async (argv) => (await import('./commands/events.ts')).eventsCommand(argv),
  },
  why: {
    summary: 'the whole story of an order, from the tick that caused it: why ORDER',
    run: async (argv) => (await import('./commands/why.ts')).whyCommand(argv),
  },
  rebuild: {
    summary: 'fold the ledgers anew from the event log and compare them with what is kept',
    run: async (argv) => (await import('./commands/rebuild.ts')).rebuildCommand(argv),
  },
  archive: {
    summary: 'move old events from the log to the archive, or check the archive',
    run: async (argv) => (await import('./commands/archive.ts')).archiveCommand(argv),
  },
  doctor: {
    summary: 'check versions, ports, clock, disk, keys and servers, and say how to mend each',
    run: async (argv) => (await import('./commands/doctor.ts')).doctorCommand(argv),
  },
  healthy: {
    summary: 'ask one process of this machine whether it answers, for whoever watches over it',
    run: async (argv) => (await import('./commands/healthy.ts')).healthyCommand(argv),
  },
  bench: {
    summary: 'measure speed, as ratios in one run',
    run: async (argv) => (await import('./commands/bench.ts')).benchCommand(argv),
  },
  test: {
    summary: 'install what the tests need and run them',
    run: async (argv) => (await import('./commands/test.ts')).runTests([...argv]),
  },
}

function help(): string {
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`)
  return `JTS: automated trading for Korean accounts.\n\nusage: ./jts COMMAND [options]\n\n${rows.join('\n')}\n\n./jts COMMAND --help tells each command's options.\n`
}

/** Errors that the person can mend: shown as one message without a stack. */
const FOR_THE_PERSON = new Set([
  'UserError',
  'StrategyError',
  'ParameterError',
  'RecordedMarketError',
  'FolderInUseError',
  'IdError',
  'NumberError',
  'BacktestError',
  'ArchiveError',
  'EventError',
  'BusError',
])

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(help())
    return name === undefined ? EXIT.usage : EXIT.ok
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) throw new UserError(`expected a command, found ${JSON.stringify(name)}\n\n${help()}`)
  return command.run(rest)
}

for (const name of ['DATABASE_URL', 'REDIS_URL']) keepSecretsOf(process.env[name])
for (const name of ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']) {
  keepSecretsOf(process.env[name], { wholePath: true })
}
for (const header of (process.env['OTEL_EXPORTER_OTLP_HEADERS'] ?? '').split(',')) {
  keepSecret(header.slice(header.indexOf('=') + 1))
}
keepSecret(process.env['JTS_VENUE_CONTROL_TOKEN'])

main(process.argv.slice(2)).then(
  (code) => leave(code),
  (error: unknown) => {
    const known = error instanceof ConfigError || (error instanceof Error && FOR_THE_PERSON.has(error.name))
    process.stderr.write(
      withoutSecrets(
        `jts: ${known ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
      ),
    )
    process.exit(known ? EXIT.usage : EXIT.broken)
  },
)
