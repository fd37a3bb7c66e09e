/** `./jts serve SERVICE`: one service alone, as its own process, answering gRPC with health and reflection. */
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import {
  PortfolioServiceService as BarePortfolio,
  RiskManagementServiceService as BareRisk,
} from '@jts/contracts/bare-api'
import { PortfolioServiceService } from '@jts/contracts/portfolio-api'
import { RiskManagementServiceService } from '@jts/contracts/risk-api'
import { shippedInstrument } from '@jts/model'
import { createPortfolioTracker } from '@jts/portfolio-tracker'
import { createRiskManagement } from '@jts/risk-management'
import { createLogger, MarketClock, systemClock } from '@jts/runtime'
import { EmbeddedBus, lockFolder, SqliteStore, startRpcServer, type RpcService } from '@jts/transport'
import { EXIT, parseCommand, UserError } from '../cli.ts'
import { readConfig, riskLimits } from '../config.ts'
import { fatal, untilStopped } from '../process.ts'

const SERVICES = ['risk-management', 'portfolio-tracker'] as const

const SPEC = {
  name: 'serve',
  usage: `./jts serve ${SERVICES.join('|')} [--grpc-port N]`,
  summary:
    'Runs one service alone, answering gRPC (plain text, on the loopback address only) with health and reflection.',
  positionals: { min: 1, max: 1 },
  options: {
    'grpc-port': { type: 'number', value: 'N', help: 'port to listen on (50051; 0 = any free one)' },
    'data-dir': { type: 'text', value: 'DIR', help: 'folder of its state (.jts/SERVICE)' },
    config: { type: 'text', value: 'FILE', help: 'jts.yaml, for risk limits and instruments' },
    json: { type: 'flag', help: 'one JSON object on standard output when ready' },
  },
} as const

/** Equal instruments for a service that has no venue to ask: the shipped table and what the configuration names. */
const SHIPPED = ['BINANCE:BTCUSDT', 'BINANCE:ETHUSDT']

export async function serveCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(SPEC, argv)
  if (parsed === undefined) return EXIT.ok
  const { options, positionals } = parsed
  const name = positionals[0] as (typeof SERVICES)[number]
  if (!SERVICES.includes(name)) {
    throw new UserError(`expected a service of ${SERVICES.join(', ')}, found ${JSON.stringify(name)}`)
  }
  const config = readConfig(options.config)
  const log = createLogger({ name, mode: config.mode })
  const folder = resolve(options['data-dir'] ?? join('.jts', name))
  mkdirSync(folder, { recursive: true })
  const lock = lockFolder(folder)
  const store = new SqliteStore({ file: join(folder, 'jts.sqlite'), log, fatal: fatal(log) })
  const bus = new EmbeddedBus({ store, log, fatal: fatal(log) })
  const instruments = [...new Set([...SHIPPED, ...(config.strategies ?? []).map((one) => one.instrument)])].map(
    shippedInstrument,
  )
  const common = { store, bus, log, instruments, marketTopics: ['market-data.binance.candles'] as const }
  let services: RpcService[]
  if (name === 'risk-management') {
    const risk = createRiskManagement({
      ...common,
      marketClock: new MarketClock(systemClock),
      limits: riskLimits(config),
      approvalValidUs: 10_000_000,
    })
    await risk.start()
    services = [RiskManagementServiceService, BareRisk].map((definition) => ({ definition, handlers: risk.api }))
  } else {
    const portfolio = createPortfolioTracker({ ...common, equityCurrency: 'USDT' })
    await portfolio.start()
    services = [PortfolioServiceService, BarePortfolio].map((definition) => ({ definition, handlers: portfolio.api }))
  }
  await bus.start()
  const server = await startRpcServer({
    host: '127.0.0.1',
    port: options['grpc-port'] ?? 50051,
    services,
    log,
    beforeAnswer: () => store.durable(),
  })
  const ready = { service: name, address: `127.0.0.1:${server.port}`, dataDir: folder }
  process.stdout.write(
    options.json ? `${JSON.stringify(ready)}\n` : `${name} answers gRPC on ${ready.address} (loopback only)\n`,
  )
  await untilStopped()
  await server.stop()
  await bus.stop()
  await store.close()
  lock.release()
  return EXIT.ok
}
