/** `./jts serve SERVICE`: one service alone, as its own process, answering gRPC with health and reflection. */
import { mkdirSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import {
  PortfolioServiceService as BarePortfolio,
  RiskManagementServiceService as BareRisk,
} from '@jts/contracts/bare-api'
import { PortfolioServiceService } from '@jts/contracts/portfolio-api'
import { RiskManagementServiceService } from '@jts/contracts/risk-api'
import { instrumentId, instrumentVenue, krxSessionsOf, shippedInstrument, unlistedKrxInstrument } from '@jts/model'
import { createPortfolioTracker } from '@jts/portfolio-tracker'
import { createRiskManagement } from '@jts/risk-management'
import { createLogger, MarketClock, systemClock } from '@jts/runtime'
import {
  EmbeddedBus,
  lockFolder,
  SqliteStore,
  startRpcServer,
  type RpcServer,
  type RpcServerOptions,
  type RpcService,
} from '@jts/transport'
import { EXIT, parseCommand, UserError } from '../cli.ts'
import { readConfig, riskLimits } from '../config.ts'
import { SERVICE_NAMES } from '../distributed/service-names.ts'
import { lookOf, observe, observeSettings } from '../observe.ts'
import { fatal, inOneLine, lineOnStdin, tellWhyItEnds, untilStdinEnds, untilStopped } from '../process.ts'
import { keepMemorySteady } from '../steady-memory.ts'
import { TLS_OPTIONS, tlsFiles } from '../tls-options.ts'

const SERVICES = ['risk-management', 'portfolio-tracker'] as const
/** Speaks HTTP and has options of its own: `./jts serve binance-service --help`. */
const BROKER_SERVICE = 'binance-service'
/** Owns nothing, so it is no unit's replica: `./jts serve api-gateway --help`. */
const GATEWAY = 'api-gateway'

const SPEC = {
  name: 'serve',
  usage: [
    `./jts serve ${SERVICES.join('|')} [--grpc-port N] [--tls-ca FILE --tls-cert FILE --tls-key FILE]`,
    `       ./jts serve ${[...SERVICE_NAMES, GATEWAY].join('|')} --run FILE`,
  ].join('\n'),
  summary:
    'Runs one service alone, answering gRPC with health and reflection, or with --run any service of a distributed run: in plain text on the loopback address only, or with mutual TLS.',
  positionals: { min: 0, max: 1 },
  options: {
    'grpc-port': { type: 'number', value: 'N', help: 'port to listen on (50051; 0 = any free one)' },
    host: { type: 'text', value: 'ADDRESS', help: 'address to listen on (127.0.0.1); others need TLS' },
    ...TLS_OPTIONS,
    'data-dir': { type: 'text', value: 'DIR', help: 'folder of its state (.jts/SERVICE)' },
    config: { type: 'text', value: 'FILE', help: 'jts.yaml, for risk limits and instruments' },
    run: {
      type: 'text',
      value: 'FILE',
      help: 'join the distributed run whose file this is, as the member named or as one more replica',
    },
    owner: {
      type: 'text',
      value: 'NAME',
      help: 'with --run: the name of this replica (a fresh one); the same name again takes its units back at once',
    },
    spare: {
      type: 'flag',
      help: 'with --run: be loaded, and wait for a line on standard input that names the member to be',
    },
    wait: { type: 'flag', help: 'with --run: wait until the file is there, and end when another one takes its place' },
    advertise: { type: 'text', value: 'HOST:PORT', help: 'with --run: where the others reach this process' },
    'metrics-port': {
      type: 'number',
      value: 'N',
      help: 'serve /metrics for Prometheus on 127.0.0.1:N (0 = any free port; off)',
    },
    'exit-with-stdin': {
      type: 'flag',
      help: 'end when standard input ends: with whoever started this, who hears why when it ends by itself',
    },
    json: { type: 'flag', help: 'one JSON object on standard output when ready' },
  },
} as const

/** Equal instruments for a service that has no venue to ask: the shipped table and what the configuration names. */
const SHIPPED = ['BINANCE:BTCUSDT', 'BINANCE:ETHUSDT']

export async function serveCommand(argv: readonly string[]): Promise<number> {
  if (argv[0] === BROKER_SERVICE && !argv.includes('--run'))
    return (await import('./serve-broker.ts')).serveBrokerCommand(argv)
  if (argv[0] === GATEWAY) return (await import('./serve-gateway.ts')).serveGatewayCommand(argv)
  const parsed = parseCommand(SPEC, argv)
  if (parsed === undefined) return EXIT.ok
  const { options, positionals } = parsed
  const isSpare = options.spare && options.run !== undefined
  if (positionals.length === 0 && !isSpare) throw new UserError('expected a service, found none')
  if (options.run !== undefined) {
    const tellWhy = options['exit-with-stdin'] ? tellWhyItEnds() : (): void => undefined
    try {
      const name = isSpare ? await nameOfSpare() : positionals[0]!
      if (name === undefined) return EXIT.ok
      const owner = isSpare ? name : options.owner
      return await serveRun(name, options.run, { ...options, owner, tellWhy })
    } catch (error) {
      tellWhy(inOneLine(error))
      throw error
    }
  }
  const name = positionals[0] as (typeof SERVICES)[number]
  if (!SERVICES.includes(name)) {
    throw new UserError(
      `expected a service of ${[...SERVICES, BROKER_SERVICE, GATEWAY].join(', ')}, found ${JSON.stringify(name)}`,
    )
  }
  const tls = tlsFiles(options)
  const config = readConfig(options.config)
  const log = createLogger({ name, mode: config.mode, level: config.log?.level })
  const folder = resolve(options['data-dir'] ?? join('.jts', name))
  mkdirSync(folder, { recursive: true })
  const lock = lockFolder(folder)
  const observability = await observe(observeSettings(config, options), {
    service: name,
    mode: config.mode,
    runId: folder,
    log,
  })
  const look = lookOf(observability, name, log)
  const store = new SqliteStore({ file: join(folder, 'jts.sqlite'), log, fatal: fatal(log), ...look.hooks })
  const bus = new EmbeddedBus({ store, log, fatal: fatal(log) })
  const instruments = [...new Set([...SHIPPED, ...(config.strategies ?? []).map((one) => one.instrument)])].map((id) =>
    // What is listed at the KRX a broker has to tell, and this service alone has none to ask.
    instrumentVenue(instrumentId(id)) === 'KRX' ? unlistedKrxInstrument(instrumentId(id)) : shippedInstrument(id),
  )
  const sessions = krxSessionsOf(config.krx)
  const common = {
    store,
    marketClock: new MarketClock(systemClock),
    bus: look.bus(bus),
    log,
    instruments,
    marketTopics: ['market-data.binance.candles'] as const,
  }
  const { path } = look
  let services: RpcService[]
  if (name === 'risk-management') {
    const risk = createRiskManagement({
      ...common,
      limits: riskLimits(config),
      sessions,
      approvalValidUs: 10_000_000,
      ...(path === undefined ? {} : { onCheck: (request) => path.checking(request) }),
    })
    await risk.start()
    services = [RiskManagementServiceService, BareRisk].map((definition) => ({ definition, handlers: risk.api }))
  } else {
    const portfolio = createPortfolioTracker({ ...common, calendar: sessions.calendar, equityCurrencyOf: () => 'USDT' })
    await portfolio.start()
    services = [PortfolioServiceService, BarePortfolio].map((definition) => ({ definition, handlers: portfolio.api }))
  }
  await bus.start()
  const host = options.host ?? '127.0.0.1'
  const server = await listening({
    host,
    port: options['grpc-port'] ?? 50051,
    services,
    log,
    beforeAnswer: () => store.durable(),
    tls,
  })
  const metrics = observability.metricsUrl
  const ready = { service: name, address: `${host}:${server.port}`, tls: tls !== undefined, metrics, dataDir: folder }
  const how = tls === undefined ? 'in plain text, loopback only' : 'mutual TLS'
  process.stdout.write(
    options.json ? `${JSON.stringify(ready)}\n` : `${name} answers gRPC on ${ready.address} (${how})\n`,
  )
  await untilStopped()
  await server.stop()
  await bus.stop()
  await store.close()
  await observability.stop()
  lock.release()
  return EXIT.ok
}

type JoinOptions = Parameters<typeof tlsFiles>[0] & {
  readonly json: boolean
  readonly owner: string | undefined
  readonly host: string | undefined
  readonly advertise: string | undefined
  readonly 'data-dir': string | undefined
  readonly wait: boolean
  readonly 'grpc-port': number | undefined
  readonly 'metrics-port': number | undefined
  readonly 'exit-with-stdin': boolean
  readonly tellWhy: (why: string) => void
}

const STOP_WITHIN_MS = 10_000

/** Everything a service needs is loaded while nobody waits for it. */
async function nameOfSpare(): Promise<string | undefined> {
  const name = lineOnStdin()
  await Promise.all([import('../distributed/replica.ts'), import('../distributed/run-file.ts')])
  return await name
}

/** A process of a distributed run. */
async function serveRun(word: string, file: string, options: JoinOptions): Promise<number> {
  keepMemorySteady()
  const { startReplica } = await import('../distributed/replica.ts')
  const { memberOf, readRunFile, untilReplaced, untilThere } = await import('../distributed/run-file.ts')
  if (options.wait) await untilThere(resolve(file))
  const read = readRunFile(resolve(file))
  // The files of this machine, where they lie elsewhere than on the one that wrote the run file.
  const tls = tlsFiles(options)
  const run = tls === undefined ? read : { ...read, rpc: { ...read.rpc, tls } }
  const member = memberOf(run, word)
  const { service } = member
  const fixed = 'name' in member ? member : undefined
  // A process by hand is one more replica; only who says a member's name as its own takes that one's place.
  const name = options.owner ?? `${service}-${hostname()}-${process.pid}`
  const isMember = fixed !== undefined && fixed.name === name
  const port = options['grpc-port'] ?? (isMember ? fixed.port : 0)
  const host = options.host ?? (isMember ? (fixed.listen ?? fixed.host) : '127.0.0.1')
  const log = createLogger({ name, mode: run.mode, level: run.logLevel ?? (run.replay ? 'warn' : 'info') })
  // Two processes may say the same member's name, one after the other: the port is a wish.
  const metricsPort = options['metrics-port'] ?? (isMember ? fixed.metricsPort : undefined)
  const observed = { service: name, mode: run.mode, runId: run.namespace, log, orAnyPort: true }
  const observability = await observe({ metricsPort, tracing: run.tracing }, observed)
  const stopped = Promise.race([
    untilStopped(),
    ...(options['exit-with-stdin'] ? [untilStdinEnds()] : []),
    ...(options.wait ? [untilReplaced(resolve(file), log)] : []),
  ])
  if (options.wait) {
    const { untilServersAnswer } = await import('../distributed/until-servers-answer.ts')
    const isReady = untilServersAnswer(run, log).then(() => true)
    // A run of before may name servers that are no more.
    if (!(await Promise.race([isReady, stopped.then(() => false)]))) process.exit(EXIT.ok)
  }
  const advertised = options.advertise ?? (isMember ? `${fixed.host}:${fixed.port}` : undefined)
  const replica = await startReplica({
    run,
    service,
    name,
    listen: { host, port },
    advertised,
    brokerHost: {
      listen: host,
      reached: advertised === undefined ? host : advertised.slice(0, advertised.lastIndexOf(':')),
      folder: options['data-dir'] ?? join(dirname(resolve(file)), 'brokers', name),
      key: run.brokerKey,
    },
    observability,
    log,
    fatal: (reason, cause) => {
      options.tellWhy(`${reason}: ${inOneLine(cause)}`)
      fatal(log)(reason, cause)
    },
  })
  const units = replica.units()
  const metrics = observability.metricsUrl
  const ready = { name, service, address: replica.address, units, metrics, pid: process.pid }
  const holds = units.length === 0 ? 'standing by' : units.join(', ')
  process.stdout.write(
    options.json ? `${JSON.stringify(ready)}\n` : `${name} answers gRPC on ${ready.address}: ${holds}\n`,
  )
  // Kept now: a process that is killed keeps nothing.
  flushCompileCache()
  await stopped
  // Without its database it cannot end in order; whoever starts next goes on from what is on disk, as after a kill.
  const late = setTimeout(() => process.exit(EXIT.broken), STOP_WITHIN_MS)
  await replica.stop()
  await observability.stop()
  clearTimeout(late)
  return EXIT.ok
}

/** An address that is taken or not allowed, and a certificate that cannot be used, are for the person to mend. */
async function listening(options: RpcServerOptions): Promise<RpcServer> {
  try {
    return await startRpcServer(options)
  } catch (cause) {
    throw new UserError((cause as Error).message, { cause })
  }
}
