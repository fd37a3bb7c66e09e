/** `./jts up` without a replay: sim on our local venue, paper on Binance's testnet, live on Binance itself. */
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createBinanceMarketData, PRODUCTION, TESTNET, type BinanceEndpoints } from '@jts/binance-service'
import { instrumentId, instrumentVenue, strategyInstanceId, unlistedKrxInstrument, type Instrument } from '@jts/model'
import { createLogger, NOT_OBSERVED, systemClock } from '@jts/runtime'
import type { StrategyInstance } from '@jts/strategy-engine'
import { lockFolder } from '@jts/transport'
import { EXIT, parseSets, UserError } from './cli.ts'
import { configOf, dashboardOptions, marketSpeed, venueUrl, type UpOptions } from './up-options.ts'
import {
  accountFor,
  accountOf,
  accountsAt,
  foreignOrdersOf,
  liveRiskLimits,
  readConfig,
  replicasOf,
  scheduledCollections,
  webhookOf,
  type JtsConfig,
} from './config.ts'
import { calendarEnds } from './krx-config.ts'
import { openCreon } from './brokers/open-creon.ts'
import { ownDataFolder } from './data-folder.ts'
import { startDashboard } from './dashboard.ts'
import type { DistributedOptions } from './distributed/system.ts'
import { fatal, untilStopped } from './process.ts'
import { observe, observeSettings } from './observe.ts'
import { leaveProcessFile } from './running.ts'
import { untilAvailable, type RunSettings } from './services.ts'
import { keepMemorySteady } from './steady-memory.ts'
import { findStrategy, sourceOf, timeframeOf, type LoadedStrategy } from './strategies.ts'
import { systemOf, type System } from './system.ts'
import { tlsFiles } from './tls-options.ts'
import { createTrader } from './trader.ts'
import { keysFromEnvironment, openVenue, type Venue } from './venue.ts'

/**
 * What runs when nobody has said anything: two instruments on one-second bars of the local venue's generated market, with
 * short averages, so that trades show within the first minute.
 */
const EXAMPLE_STRATEGIES: NonNullable<JtsConfig['strategies']> = [
  {
    instance: 'ema-btc',
    strategy: 'ema-cross',
    instrument: 'BINANCE:BTCUSDT',
    timeframe: '1s',
    parameters: { fast: 3, slow: 8 },
  },
  {
    instance: 'ema-eth',
    strategy: 'ema-cross',
    instrument: 'BINANCE:ETHUSDT',
    timeframe: '1s',
    parameters: { fast: 3, slow: 8, quantity: '0.2' },
  },
]
/** And a Korean share at the simulated Creon, on its minutes: an average that trades within the hour, and 변동성 돌파. */
const KRX_ACCOUNT: JtsConfig['accounts'][number] = { name: 'krx', broker: 'creon' }
const KRX_EXAMPLES: NonNullable<JtsConfig['strategies']> = [
  {
    instance: 'ema-samsung',
    strategy: 'ema-cross',
    instrument: 'KRX:005930',
    timeframe: '1m',
    parameters: { fast: 2, slow: 4, quantity: '10' },
  },
  {
    instance: 'breakout-samsung',
    strategy: 'volatility-breakout',
    instrument: 'KRX:005930',
    timeframe: '1m',
    parameters: { quantity: '10' },
  },
]
const SEND_WINDOW_MS = 2000

export async function runLive(options: UpOptions): Promise<number> {
  keepMemorySteady()
  const found = options.config ?? (existsSync('jts.yaml') ? 'jts.yaml' : undefined)
  const given = found === options.config ? configOf(options) : readConfig(found)
  const { mode } = given
  const speed = marketSpeed(options)
  if (speed !== undefined && mode !== 'sim') {
    throw new UserError(`--speed: expected mode sim, found mode ${mode}: a real market keeps its own time`)
  }
  const dataDir = resolve(options['data-dir'] ?? join('.jts', mode))
  mkdirSync(dataDir, { recursive: true })
  const lock = lockFolder(dataDir)
  const runId = ownDataFolder(dataDir, mode, randomUUID)
  const present = {
    pid: process.pid,
    url: null,
    mode,
    config: found === undefined ? null : resolve(found),
    isDistributed: options.distributed === true,
  }
  // From here on a halt finds this process, whatever it is waiting for.
  leaveProcessFile(dataDir, present)
  const log = createLogger({ name: 'jts', mode, level: given.log?.level })
  const config = found === undefined ? withExamples(options, given) : given
  const wanted = strategiesOf(options, config)
  const strategies: LoadedStrategy[] = []
  for (const one of wanted) strategies.push(await findStrategy(one.strategy, one.parameters))
  const named = wanted.map((one, n) => ({
    instance: strategyInstanceId(one.instance ?? strategies[n]!.definition.name),
    account: accountOf(mode, accountFor(config.accounts, { account: one.account, instrument: one.instrument })),
  }))
  // Before anybody is waited for: one of them can be halted alone from here on.
  leaveProcessFile(dataDir, { ...present, strategies: named })
  const ends =
    accountsAt('creon', config).length === 0 || mode === 'sim' ? undefined : calendarEnds(config.krx, Date.now())
  if (ends !== undefined) log.error({ mend: 'krx: { holidays, knownTo } in jts.yaml' }, ends)
  const creon = await openCreon(config, dataDir, log, { isExample: found === undefined })
  const venue = await venueOf(options, config, dataDir, wanted.map((one) => one.instrument).filter(isAtBinance))
  // A venue of its own ends with it.
  const isGiven = mode === 'sim' && options.venue.length > 0
  const trading = { ...present, strategies: named, ...(isGiven ? { endpoints: venue.endpoints } : {}) }
  leaveProcessFile(dataDir, trading)
  const instruments = await instrumentsOf(
    venue.endpoints,
    wanted.map((one) => one.instrument),
    log,
    options.elsewhere,
  )
  const instances = wanted.map((one, n): StrategyInstance => {
    const { definition, parameters } = strategies[n]!
    return {
      ...named[n]!,
      definition,
      parameters,
      instrument: instruments.find((instrument) => instrument.id === one.instrument)!,
      timeframe: timeframeOf(definition, one.timeframe, options.strategy === undefined ? '1m' : '1s'),
      source: sourceOf(strategies[n]!),
    }
  })
  const settings: RunSettings = {
    mode,
    endpoints: venue.endpoints,
    creon: creon?.address,
    accounts: [...venue.accounts, ...(creon?.accounts ?? [])],
    foreignOrders: foreignOrdersOf(mode, config.accounts),
    instances,
    instruments,
    limits: liveRiskLimits(config, speed),
    krx: config.krx,
    runId,
    replay: false,
    sendWindowUs: (options['send-window-ms'] ?? SEND_WINDOW_MS) * 1000,
    webhook: webhookOf(config),
    speed,
    collection: scheduledCollections(config),
    archiveMarketData: config.retention?.archiveMarketData,
  }
  const looks = observeSettings(config, options)
  const observed = { service: 'jts', mode, runId: settings.runId, log }
  const observability = options.distributed ? NOT_OBSERVED : await observe(looks, observed)
  const system = options.distributed
    ? await distributed({
        settings,
        strategies,
        accounts: config.accounts,
        replicas: replicasOf(config, options.replicas),
        tls: tlsFiles(options) ?? config.distributed?.tls,
        elsewhere: options.elsewhere,
        host: config.distributed?.host,
        observe: looks,
        dataDir,
        temporary: false,
        creonLight: creon?.light,
        log,
      })
    : systemOf(createTrader({ ...settings, dataDir, log, observability, fatal: fatal(log) }), undefined, creon?.light)
  creon?.start()
  await system.start()
  const stopWatching = system.watchHealth()
  const dashboard = options['no-dashboard']
    ? undefined
    : await startDashboard(system, {
        mode,
        instances,
        options: dashboardOptions(options, config),
        log,
        fillModel: mode === 'sim' ? 'local venue' : 'broker',
      })
  if (dashboard !== undefined) {
    leaveProcessFile(dataDir, { ...trading, url: dashboard.url })
    const stream = options.json ? process.stderr : process.stdout
    stream.write(`Dashboard: ${dashboard.url}\n`)
  }
  const metrics = system.metricsUrl ?? observability.metricsUrl
  if (metrics !== undefined) process.stderr.write(`Metrics: ${metrics} (this machine only)\n`)
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ mode, dashboard: dashboard?.url, metrics, dataDir, pid: process.pid })}\n`)
  }
  await untilStopped()
  stopWatching()
  await dashboard?.stop()
  await system.stop()
  await observability.stop()
  await creon?.stop()
  await venue.stop()
  // Whoever has this id later is another.
  leaveProcessFile(dataDir, { ...trading, pid: null })
  lock.release()
  return EXIT.ok
}

async function distributed(options: DistributedOptions): Promise<System> {
  const { openDistributed } = await import('./distributed/system.ts')
  return await openDistributed(options)
}

/** Nobody has said anything: the examples, on everything that JTS can trade here. */
function withExamples(options: UpOptions, config: JtsConfig): JtsConfig {
  const isAsked = options.strategy !== undefined || options.venue.length > 0 || options.speed !== undefined
  if (config.mode !== 'sim' || isAsked) return config
  return {
    ...config,
    accounts: [...config.accounts, KRX_ACCOUNT],
    strategies: [...EXAMPLE_STRATEGIES, ...KRX_EXAMPLES],
  }
}

function strategiesOf(options: UpOptions, config: JtsConfig): NonNullable<JtsConfig['strategies']> {
  if (options.strategy !== undefined) {
    return [
      {
        strategy: options.strategy,
        instrument: 'BINANCE:BTCUSDT',
        parameters: parseSets(options.set),
      },
    ]
  }
  if (config.strategies !== undefined) return config.strategies
  if (config.mode === 'sim') return EXAMPLE_STRATEGIES
  throw new UserError(`expected strategies in jts.yaml for mode ${config.mode}, found none`)
}

async function venueOf(
  options: UpOptions,
  config: JtsConfig,
  dataDir: string,
  instruments: readonly string[],
): Promise<Venue> {
  const log = createLogger({ name: 'jts', mode: config.mode, level: config.log?.level })
  if (accountsAt('binance', config).length === 0) return NO_VENUE
  if (config.mode === 'sim') {
    const symbols = [...new Set(instruments.map((id) => id.slice(id.indexOf(':') + 1)))]
    return openVenue({
      mode: 'sim',
      accounts: accountsAt('binance', config),
      url: venueUrl(options),
      args: [
        '--data-dir',
        join(dataDir, 'venue'),
        '--symbols',
        symbols.join(','),
        ...(options.seed === undefined ? [] : ['--seed', String(options.seed)]),
        ...(options.speed === undefined ? [] : ['--speed', options.speed]),
      ],
      log,
    })
  }
  const accounts = accountsAt('binance', config)
  if (options.venue.length > 0) {
    throw new UserError(
      `--venue: expected mode sim, found mode ${config.mode}: a local venue never mixes with real accounts`,
    )
  }
  return {
    ...NO_VENUE,
    endpoints: config.mode === 'live' ? PRODUCTION : TESTNET,
    // Where the services are elsewhere, the keys are with Binance's own, and nobody here has a use for them.
    accounts: options.elsewhere ? withoutKeys(config) : keysFromEnvironment({ mode: config.mode, accounts }),
  }
}

function withoutKeys(config: JtsConfig): Venue['accounts'] {
  const named = accountsAt('binance', config)
  return named.map((one) => ({ account: accountOf(config.mode, one), apiKey: '', apiSecret: '' }))
}

/** Nothing to start, and nothing to speak to. */
const NO_VENUE: Venue = {
  endpoints: TESTNET,
  accounts: [],
  controlUrl: '',
  controlToken: '',
  stop: () => Promise.resolve(),
}

const isAtBinance = (instrument: string): boolean => instrumentVenue(instrumentId(instrument)) === 'BINANCE'

/** Binance's own filters, asked once at start. What is listed at the KRX is told by its broker, which nobody waits for. */
async function instrumentsOf(
  endpoints: BinanceEndpoints,
  wanted: readonly string[],
  log: ReturnType<typeof createLogger>,
  isPatient: boolean,
): Promise<Instrument[]> {
  const ids = [...new Set(wanted)]
  const shares = ids.filter((id) => !isAtBinance(id)).map((id) => unlistedKrxInstrument(instrumentId(id)))
  const asked = ids.filter(isAtBinance).map(instrumentId)
  if (asked.length === 0) return shares
  const source = createBinanceMarketData({ endpoints, wallClock: systemClock, log })
  await (isPatient ? untilAvailable(() => source.start(), log) : source.start())
  try {
    return [...(await source.instruments(asked)), ...shares]
  } finally {
    await source.stop()
  }
}
