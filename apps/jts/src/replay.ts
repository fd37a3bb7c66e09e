/** A recorded market through the whole live pipeline: real services, bus, contracts, adapter and venue, in lock-step. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { inputsSha256, type ReplayInput } from '@jts/exchange'
import { instrumentVenue, shippedAssumption, shippedInstrument, strategyInstanceId, type Instrument } from '@jts/model'
import { readRecordedMarket } from '@jts/market-store/recorded-market'
import { computedId, createLogger, NOT_OBSERVED, type Logger, type Observability } from '@jts/runtime'
import { checkMarket } from '@jts/strategy-kit'
import { lockFolder } from '@jts/transport'
import type { StrategyInstance } from '@jts/strategy-engine'
import { EXIT, parseSets, UserError } from './cli.ts'
import { configOf, dashboardOptions, venueUrl, type UpOptions } from './up-options.ts'
import { accountFor, accountOf, accountsAt, replicasOf, riskLimits, type JtsConfig } from './config.ts'
import { Conductor } from './conductor.ts'
import { startDashboard } from './dashboard.ts'
import { LatencyProbe } from './latency.ts'
import { observe, observeSettings } from './observe.ts'
import { pace, replaySpeed } from './pace.ts'
import { fatal } from './process.ts'
import { reconcileWithVenue } from './reconcile.ts'
import { RunFolder } from './run-folder.ts'
import { findStrategy, sourceOf, type LoadedStrategy } from './strategies.ts'
import { summarise, writeFills, type ReplaySummary } from './summary.ts'
import type { RunSettings } from './services.ts'
import { systemOf, type System } from './system.ts'
import { createTrader, type Trader } from './trader.ts'
import { tlsFiles } from './tls-options.ts'
import { openVenue, type Venue } from './venue.ts'

type Market = {
  readonly file: string
  readonly sha256: string
  readonly input: ReplayInput
  readonly instrument: Instrument
  /** Of bars; a record of trades has none. */
  readonly timeframe: string | undefined
  readonly gaps: number
  readonly length: number
}

export type ReplayResult = ReplaySummary & {
  readonly trades: number
  readonly reconciled: boolean
  readonly differences: readonly string[]
  readonly fillModel: string
  readonly slippageBps: number
  readonly gaps: number
  readonly durationMs: number
  readonly latency: ReturnType<LatencyProbe['view']>
  readonly quoteCurrency: string
}

const LOCK_STEP_SEND_WINDOW_MS = 60_000

export async function runReplay(options: UpOptions): Promise<number> {
  const config = configOf(options)
  if (config.mode !== 'sim') {
    throw new UserError(
      `--replay: expected mode sim, found mode ${config.mode}: a replay never runs beside a real account`,
    )
  }
  const speed = replaySpeed(options)
  const markets = await readMarkets(options)
  const { instances, strategies } = await instancesOf(options, config, markets)
  const folder = options['data-dir'] === undefined ? undefined : resolve(options['data-dir'])
  const dataDir = folder ?? mkdtempSync(join(tmpdir(), 'jts-replay-'))
  const slippageBps = options['slippage-bps'] ?? 0
  const lock = lockFolder(dataDir)
  try {
    const run = new RunFolder(dataDir, {
      markets: markets.map(({ file, sha256, instrument, input }) => ({
        file: basename(file),
        sha256,
        instrument: instrument.id,
        timeframe: input.timeframe,
      })),
      strategies: instances.map((one, i) => ({
        instance: one.instance,
        account: one.account,
        instrument: one.instrument.id,
        sha256: strategies[i]!.sha256,
        parameters: textParameters(one),
      })),
      accounts: accountsAt('binance', config).map((account) => account.name),
      risk: config.risk ?? null,
      slippageBps,
    })
    const log = createLogger({ name: 'jts', mode: 'sim', level: config.log?.level ?? 'warn' })
    const context = { options, config, markets, instances, strategies, dataDir, slippageBps, speed, log, run }
    const result = (run.summary as ReplayResult | undefined) ?? (await play(context))
    if (run.summary !== undefined && options.fills !== undefined) await fillsOfFinished(context, options.fills)
    print(options, result)
    return result.reconciled ? EXIT.ok : EXIT.no
  } finally {
    lock.release()
    if (folder === undefined) rmSync(dataDir, { recursive: true, force: true })
  }
}

type Context = {
  readonly options: UpOptions
  readonly config: JtsConfig
  readonly markets: readonly Market[]
  readonly instances: readonly StrategyInstance[]
  readonly strategies: readonly LoadedStrategy[]
  readonly dataDir: string
  readonly slippageBps: number
  readonly speed: number | 'max'
  readonly log: Logger
  readonly run: RunFolder
}

async function play(context: Context): Promise<ReplayResult> {
  const { options, config, dataDir, log, markets, slippageBps } = context
  const venue = await openVenue({
    mode: 'sim',
    accounts: accountsAt('binance', config),
    url: venueUrl(options),
    args: [
      ...markets.flatMap((market) => ['--replay', market.file]),
      ...(options.instrument === undefined ? [] : ['--instrument', options.instrument]),
      ...(options['allow-gaps'] ? ['--allow-gaps'] : []),
      '--slippage-bps',
      String(slippageBps),
      '--data-dir',
      join(dataDir, 'venue'),
    ],
    log,
  })
  const observability = options.distributed ? NOT_OBSERVED : await observe(...observedBy(context))
  const system = await systemFor(context, venue, observability)
  const conductor = new Conductor({
    url: venue.controlUrl,
    token: venue.controlToken,
    rest: system.rest,
    log,
    onRelease: progressLine(markets.reduce((sum, market) => sum + market.length, 0)),
  })
  try {
    await system.start()
    const dashboard =
      options['no-dashboard'] || options['until-end']
        ? undefined
        : await startDashboard(system, { ...context, options: dashboardOptions(options, config) })
    if (dashboard !== undefined) announce(options, dashboard.url)
    await checkInputs(conductor, context)
    const begun = performance.now()
    await Promise.race([conductor.run(pace(context.speed)), untilBarred(system)])
    const durationMs = performance.now() - begun
    await system.rest.whenIdle({})
    const quote = markets[0]!.instrument.quoteCurrency
    const differences = await reconcileWithVenue(
      system,
      markets.map((market) => market.instrument.id),
    )
    const summary = await summarise(
      system,
      markets.map((market) => market.instrument.id),
      quote,
    )
    if (options.fills !== undefined) writeFills(options.fills, await system.fills())
    const result: ReplayResult = {
      ...summary,
      trades: (await system.counts()).trades,
      reconciled: differences.length === 0,
      differences,
      fillModel: 'next-open',
      slippageBps,
      gaps: markets.reduce((sum, market) => sum + market.gaps, 0),
      durationMs,
      latency: await system.latency(),
      quoteCurrency: quote,
    }
    await system.durable()
    context.run.finish(result)
    await dashboard?.untilStopped()
    await dashboard?.stop()
    return result
  } finally {
    await conductor.close()
    await system.stop()
    await observability.stop()
    await venue.stop()
  }
}

/** As in a backtest, a strategy that throws ends the run: what came after would say nothing of it. */
async function untilBarred({ log, strategies }: System): Promise<never> {
  const reason = await new Promise<string>((resolve, reject) => {
    log.tap(['orders.signals'], (event) => {
      if (event.type === 'StrategyBarred') resolve(event.payload.reason)
    })
    // Barred before a restart of this same run.
    strategies.listStrategies({}).then(({ strategies: all }) => {
      const barred = all.find(({ state }) => state === 'barred')
      if (barred !== undefined) resolve(`${barred.instance} is barred since an earlier start of this run`)
    }, reject)
  })
  throw new UserError(reason)
}

/** All services in this process, or each in its own. */
async function systemFor(context: Context, venue: Venue, observability: Observability): Promise<System> {
  const { config, dataDir, log, options, strategies } = context
  if (!options.distributed) {
    const probe = new LatencyProbe()
    return systemOf(traderOf(context, venue, probe, observability), probe)
  }
  const { openDistributed } = await import('./distributed/system.ts')
  return await openDistributed({
    settings: settingsOf(context, venue),
    strategies,
    accounts: accountsAt('binance', config),
    replicas: replicasOf(config, options.replicas),
    tls: tlsFiles(options) ?? config.distributed?.tls,
    elsewhere: options.elsewhere,
    host: config.distributed?.host,
    observe: observeSettings(config, options),
    dataDir,
    temporary: options['data-dir'] === undefined,
    log,
  })
}

function traderOf(context: Context, venue: Venue, probe: LatencyProbe, observability: Observability): Trader {
  const { dataDir, log } = context
  return createTrader({ ...settingsOf(context, venue), dataDir, log, probe, observability, fatal: fatal(log) })
}

/** Two replays of the same data are two runs, with traces of their own. */
function observedBy({ config, options, dataDir, log }: Context): Parameters<typeof observe> {
  return [observeSettings(config, options), { service: 'jts', mode: 'sim', runId: dataDir, log }]
}

function settingsOf({ config, instances, markets, options }: Context, venue: Venue): RunSettings {
  return {
    mode: 'sim',
    endpoints: venue.endpoints,
    accounts: venue.accounts,
    instances,
    instruments: markets.map((market) => market.instrument),
    limits: riskLimits(config),
    runId: computedId('replay', ...instances.map((one) => one.instance), ...markets.map((market) => market.sha256)),
    replay: true,
    sendWindowUs: (options['send-window-ms'] ?? LOCK_STEP_SEND_WINDOW_MS) * 1000,
  }
}

/** A venue that was started by hand must hold the very same recordings. */
async function checkInputs(conductor: Conductor, { markets }: Context): Promise<void> {
  const state = await conductor.attach()
  const expected = inputsSha256(markets.map(({ input }) => input))
  if (state.inputsSha256 !== expected) {
    throw new UserError(
      `expected the venue to replay the same files in the same order (inputs ${expected}), found others (inputs ${state.inputsSha256})`,
    )
  }
}

async function fillsOfFinished(context: Context, file: string): Promise<void> {
  const venue: Venue = {
    endpoints: { rest: 'http://127.0.0.1:9', streams: 'ws://127.0.0.1:9', wsApi: 'ws://127.0.0.1:9' },
    accounts: [],
    controlUrl: '',
    controlToken: '',
    stop: () => Promise.resolve(),
  }
  const trader = traderOf({ ...context, instances: [] }, venue, new LatencyProbe(), NOT_OBSERVED)
  writeFills(file, await trader.execution.fills())
  await trader.store.close()
}

async function readMarkets(options: UpOptions): Promise<Market[]> {
  if (options.instrument !== undefined && options.replay.length > 1) {
    throw new UserError(
      '--instrument: expected one --replay FILE beside it; several files are named by their instruments',
    )
  }
  const markets: Market[] = []
  for (const file of options.replay) {
    const market = await readRecordedMarket(resolve(file), {
      ...(options.instrument === undefined ? {} : { instrument: options.instrument }),
      allowGaps: options['allow-gaps'],
    })
    const venue = instrumentVenue(market.instrument)
    if (venue !== 'BINANCE') {
      throw new UserError(
        `--replay: expected an instrument of BINANCE, whose local venue plays recordings, found ${market.instrument} ` +
          `(./jts backtest runs a strategy on a recording of ${venue})`,
      )
    }
    const instrument = shippedInstrument(market.instrument)
    const assumption = shippedAssumption(market.instrument)
    if (assumption !== undefined) process.stderr.write(`jts: ${assumption}\n`)
    if (markets.some((other) => other.instrument.id === instrument.id)) {
      throw new UserError(`--replay: expected each instrument once, found ${instrument.id} twice`)
    }
    const { sha256, length } = market
    const [timeframe, gaps] = market.kind === 'bars' ? [market.timeframe, market.gaps] : [undefined, 0]
    const input = { instrument: market.instrument, timeframe: timeframe ?? 'trades', sha256 }
    markets.push({ file: resolve(file), sha256, input, instrument, timeframe, gaps, length })
  }
  return markets
}

async function instancesOf(
  options: UpOptions,
  config: JtsConfig,
  markets: readonly Market[],
): Promise<{ instances: StrategyInstance[]; strategies: LoadedStrategy[] }> {
  const name = basename(options.strategy ?? '', '.ts')
  const wanted =
    options.strategy !== undefined
      ? markets.map((market) => ({
          instance: markets.length === 1 ? name : `${name}-${market.instrument.symbol}`,
          strategy: options.strategy!,
          account: undefined,
          instrument: market.instrument.id as string,
          parameters: parseSets(options.set),
        }))
      : config.strategies
  if (wanted === undefined || wanted.length === 0) {
    throw new UserError('--replay: expected --strategy NAME, or strategies in --config, found neither')
  }
  const instances: StrategyInstance[] = []
  const strategies: LoadedStrategy[] = []
  for (const one of wanted) {
    const market = markets.find((candidate) => candidate.instrument.id === one.instrument)
    if (market === undefined) {
      throw new UserError(
        `expected a --replay file for ${one.instrument}, found files for ${markets.map((m) => m.instrument.id).join(', ')}`,
      )
    }
    const strategy = await findStrategy(one.strategy, one.parameters)
    checkMarket(strategy.definition, market)
    strategies.push(strategy)
    instances.push({
      instance: strategyInstanceId(
        (one.instance ?? strategy.definition.name).replace(/[^A-Za-z0-9._-]/g, '-').replace(/^-+/, ''),
      ),
      definition: strategy.definition,
      parameters: strategy.parameters,
      account: accountOf('sim', accountFor(config.accounts, { account: one.account, instrument: one.instrument })),
      instrument: market.instrument,
      timeframe: market.timeframe,
      source: sourceOf(strategy),
    })
  }
  return { instances, strategies }
}

function textParameters(instance: StrategyInstance): Record<string, string> {
  return Object.fromEntries(Object.entries(instance.parameters).map(([name, value]) => [name, String(value)]))
}

/** On a terminal, one line that tells how far the replay is. */
function progressLine(total: number): ((state: { released: number }) => void) | undefined {
  if (!process.stderr.isTTY) return undefined
  let told = 0
  return ({ released }) => {
    const now = performance.now()
    if (now - told < 200 && released < total) return
    told = now
    const share = Math.min(1, released / total)
    const bar = '█'.repeat(Math.round(share * 30)).padEnd(30, '░')
    process.stderr.write(`\r${bar} ${released} of ${total}${released >= total ? '\n' : ''}`)
  }
}

function announce(options: UpOptions, url: string): void {
  const stream = options.json ? process.stderr : process.stdout
  stream.write(`Dashboard: ${url}\n`)
}

function print(options: UpOptions, result: ReplayResult): void {
  if (options.json) {
    process.stdout.write(`${JSON.stringify(result)}\n`)
    return
  }
  const { quoteCurrency: quote } = result
  const rows: [string, string][] = [
    result.trades > 0 ? ['trades', String(result.trades)] : ['bars', String(result.bars)],
    ['signals', `${result.signals}: ${result.approved} approved, ${result.denied} denied`],
    ['orders, fills', `${result.orders}, ${result.fills}`],
    ['cash', `${result.cash} ${quote}`],
    ...Object.entries(result.positions).map(([id, quantity]): [string, string] => [`position ${id}`, quantity]),
    ['equity', `${result.equity} ${quote}`],
    [
      'realised PnL',
      `${result.realisedPnl} ${quote} (net of fees; fills ${result.fillModel}, slippage ${result.slippageBps} bps)`,
    ],
    ['reconciled', result.reconciled ? 'equal to the venue in every balance and fill' : 'DIFFERENT from the venue'],
    ['time', `${(result.durationMs / 1000).toFixed(1)} s`],
  ]
  process.stdout.write(`${rows.map(([name, value]) => `${name.padEnd(22)} ${value}`).join('\n')}\n`)
  for (const difference of result.differences) process.stdout.write(`  ${difference}\n`)
}
