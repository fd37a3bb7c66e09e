/** A JTS of several processes: its servers, its services under a supervisor or started elsewhere, and what one may ask of it. */
import { join, resolve } from 'node:path'
import { TOPIC_NAMES } from '@jts/contracts'
import { type HostState } from '@jts/contracts/host-api'
import { computedId, systemClock, type Logger, type Observability } from '@jts/runtime'
import { freePort, provideKafka, providePostgres, provideRedis } from '@jts/servers'
import { Archive, ARCHIVE_FOLDER, FolderInUseError } from '@jts/transport'
import { checkTls, type TlsFiles } from '@jts/transport/rpc/tls'
import { UserError } from '../cli.ts'
import { HealthWatch, watchHealth } from '../health-watch.ts'
import { type RunSettings } from '../services.ts'
import { accountOf, type JtsConfig } from '../config.ts'
import type { LoadedStrategy } from '../strategies.ts'
import { observe, type ObserveSettings } from '../observe.ts'
import type { ServiceLight } from '../service-light.ts'
import type { System } from '../system.ts'
import { HealthLog } from './health-log.ts'
import { keepServer } from './keep-server.ts'
import { lightOf, lightsElsewhere } from './lights.ts'
import { keepHouse } from '../housekeeping.ts'
import { openArchiver } from './archiver.ts'
import {
  brokerKeyOf,
  environmentFor,
  RUN_FILE,
  SERVICE_NAMES,
  writeRunFile,
  type Member,
  type RunFile,
  type ServiceName,
} from './run-file.ts'
import { Supervisor, type SupervisedState } from './supervisor.ts'
import { unitsOf } from './units.ts'
import { untilItWorks } from './until-servers-answer.ts'
import { openRunView } from './run-view.ts'

export type DistributedOptions = {
  readonly settings: RunSettings
  /** The instances' strategies, in their order. */
  readonly strategies: readonly Pick<LoadedStrategy, 'file' | 'given'>[]
  /** The accounts as the configuration names them, in the order of the settings. */
  readonly accounts: JtsConfig['accounts']
  readonly observe: ObserveSettings
  readonly dataDir: string
  /** The run leaves nothing behind: its servers keep their data in the system's temporary folder. */
  readonly temporary: boolean
  /** Processes of each service; one where nothing is said. */
  readonly replicas: Partial<Record<ServiceName, number>>
  readonly tls?: TlsFiles | undefined
  /** Others start the services, by the run file. */
  readonly elsewhere?: boolean
  /** Where other machines reach the processes started here; without it they are reached from this machine alone. */
  readonly host?: string | undefined
  /** What Creon's own process says, where it is ours and not up. */
  readonly creonLight?: (() => ServiceLight | undefined) | undefined
  readonly log: Logger
}

export type DistributedSystem = System & {
  processes(): readonly SupervisedState[]
  /** What each service's process says of itself; those that do not answer are left out. */
  hosts(): Promise<readonly HostState[]>
}

export async function openDistributed(options: DistributedOptions): Promise<DistributedSystem> {
  const { settings, dataDir, log, temporary, replicas, elsewhere = false, host = '127.0.0.1' } = options
  const tls = options.tls === undefined ? undefined : absolute(options.tls)
  if (tls !== undefined) requireTls(tls)
  const dir = (name: string): { dir?: string } => (temporary ? {} : { dir: join(dataDir, 'servers', name) })
  // What is started elsewhere may be slower to start than this process.
  const patiently = <T>(what: () => Promise<T>): Promise<T> => (elsewhere ? untilItWorks(what, log) : what())
  const [kafka, postgres, redis] = await Promise.all([
    patiently(() => provideKafka(dir('kafka'))),
    patiently(() => providePostgres(dir('postgres'))),
    settings.replay ? undefined : patiently(() => provideRedis(dir('redis'))),
  ])
  const members: Member[] = []
  const { metricsPort, tracing } = options.observe
  for (const service of elsewhere ? [] : SERVICE_NAMES) {
    if (unitsOf(service, settings).length === 0) continue
    for (let n = 1; n <= (replicas[service] ?? 1); n++) {
      const metrics = metricsPort === undefined ? {} : { metricsPort: await freePort() }
      members.push({
        service,
        name: n === 1 ? service : `${service}-${n}`,
        host,
        port: await freePort(),
        ...metrics,
      })
    }
  }
  const run: RunFile = {
    mode: settings.mode,
    replay: settings.replay,
    // Given servers are shared: a run meets no other run's topics or tables.
    namespace: `${settings.mode}-${computedId('namespace', dataDir).slice(0, 10)}`,
    ...(postgres.server === undefined ? {} : { databaseUrl: postgres.url }),
    kafkaBrokers: [...kafka.brokers],
    ...(redis?.server === undefined ? {} : { redisUrl: redis.url }),
    endpoints: { ...settings.endpoints },
    ...(settings.creon === undefined ? {} : { creon: { ...settings.creon } }),
    brokerKey: brokerKeyOf(dataDir),
    accounts: options.accounts.map((one) => {
      const { name, broker, apiKeyEnv, apiSecretEnv, foreignOrders } = one
      const { apiKey, apiSecret } = settings.accounts.find(({ account }) => account === accountOf(settings.mode, one))!
      const named = { name, broker, ...(foreignOrders === undefined ? {} : { foreignOrders }) }
      return settings.mode === 'sim' ? { ...named, play: { apiKey, apiSecret } } : { ...named, apiKeyEnv, apiSecretEnv }
    }),
    instances: settings.instances.map((one, i) => ({
      instance: one.instance,
      strategy: options.strategies[i]!.file,
      parameters: { ...options.strategies[i]!.given },
      account: one.account,
      instrument: one.instrument.id,
      ...(one.timeframe === undefined ? {} : { timeframe: one.timeframe }),
    })),
    instruments: settings.instruments.map((instrument) => ({ ...instrument })),
    limits: { ...settings.limits },
    ...(settings.krx === undefined ? {} : { krx: { ...settings.krx } }),
    runId: settings.runId,
    sendWindowUs: settings.sendWindowUs,
    ...(settings.speed === undefined ? {} : { speed: settings.speed }),
    ...(settings.webhook === undefined ? {} : { webhook: settings.webhook }),
    ...(settings.collection === undefined
      ? {}
      : { collection: structuredClone(settings.collection) as RunFile['collection'] }),
    archive: join(dataDir, ARCHIVE_FOLDER),
    ...(settings.archiveMarketData === true ? { archiveMarketData: true } : {}),
    rpc: tls === undefined ? {} : { tls },
    logLevel: log.level,
    ...(tracing === undefined ? {} : { tracing }),
    members,
  }
  const view = openRunView({
    run,
    settings,
    databaseUrl: postgres.url,
    archive: new Archive(join(dataDir, ARCHIVE_FOLDER)),
    name: 'supervisor',
    log,
  })
  const { client, units } = view
  const supervisor = new Supervisor(join(dataDir, RUN_FILE), log, (service) => environmentFor(service, run.accounts))
  const observability: Observability = await observe(
    { metricsPort },
    {
      service: 'supervisor',
      mode: run.mode,
      runId: run.namespace,
      log,
      pages: { '/targets': (): string => targetsOf(observability.metricsUrl, run) },
    },
  )
  observability.metrics.onScrape('jts_service_up', () =>
    supervisor.states().map(({ name, state }) => ({ labels: { process: name }, value: state === 'up' ? 1 : 0 })),
  )
  observability.metrics.onScrape('jts_service_starts', () =>
    supervisor.states().map(({ name, starts }) => ({ labels: { process: name }, value: starts })),
  )
  const health = new HealthLog({
    databaseUrl: postgres.url,
    namespace: run.namespace,
    kafkaBrokers: kafka.brokers,
    keepsAll: run.replay,
    log,
  })
  let keepers: (() => void)[] = []
  const lights = (): ServiceLight[] => [
    ...(elsewhere ? lightsElsewhere(view.seen()) : supervisor.states().map((process) => lightOf(process, view.seen()))),
    ...view.serverLights(),
    ...(settings.creon === undefined ? [] : [options.creonLight?.() ?? view.creonLight()]),
  ]

  let house: { stop(): Promise<void> } | undefined
  const keepArchive = (): { stop(): Promise<void> } => {
    const { archiveMarketData } = settings
    const archiver = openArchiver({ runFile: join(dataDir, RUN_FILE), client, units, archiveMarketData, log })
    const keeping = keepHouse({
      wallClock: systemClock,
      log,
      pass: () =>
        archiver.pass().catch((error: unknown) => {
          // Somebody has started `./jts archive --forever` beside this.
          if (!(error instanceof FolderInUseError)) throw error
        }),
      onState: (state, reason) => health.tell({ service: 'event-log', state, reason }),
    })
    return {
      async stop() {
        await keeping.stop()
        archiver.stop()
      },
    }
  }

  return {
    ...view,
    lights,
    watchHealth() {
      const watch = new HealthWatch()
      supervisor.onEnded = (unit, how) => health.tell(watch.ended(unit, how))
      return watchHealth(watch, lights, (change) => health.tell(change))
    },
    processes: () => supervisor.states(),
    metricsUrl: observability.metricsUrl?.replace(/metrics$/, 'targets'),
    async start() {
      await patiently(() => units.prepare())
      await patiently(() => client.ensureTopics(TOPIC_NAMES))
      // From now on others may join.
      writeRunFile(dataDir, run)
      await supervisor.start(members, { hasSpare: !settings.replay })
      await view.everyUnitAnswers()
      await view.start()
      const ours = { kafka: kafka.server, postgresql: postgres.server }
      keepers = Object.entries(ours).flatMap(([name, server]) =>
        server === undefined ? [] : [keepServer(server, log, (how) => supervisor.onEnded(name, how))],
      )
      if (!settings.replay) house = keepArchive()
    },
    async stop() {
      await house?.stop()
      for (const endKeeping of keepers) endKeeping()
      await health.stop()
      await supervisor.stop()
      await observability.stop()
      await view.stop()
      await Promise.all([kafka.stop(), postgres.stop(), redis?.stop()])
    },
  }
}

/**
 * Every process of the run, the supervisor's own first, as Prometheus's own discovery over HTTP reads it (`http_sd_configs`).
 * Which service it is, its metrics say themselves.
 */
function targetsOf(own: string | undefined, { members }: RunFile): string {
  const others = members.flatMap(({ metricsPort }) => (metricsPort === undefined ? [] : [`127.0.0.1:${metricsPort}`]))
  return JSON.stringify([{ targets: [...(own === undefined ? [] : [new URL(own).host]), ...others] }])
}

/** The processes start in folders of their own. */
function absolute({ ca, cert, key }: TlsFiles): TlsFiles {
  return { ca: resolve(ca), cert: resolve(cert), key: resolve(key) }
}

/** Said by the supervisor at once, and not by each of its processes again and again. */
function requireTls(files: TlsFiles): void {
  try {
    checkTls(files)
  } catch (cause) {
    throw new UserError(`distributed.tls: ${(cause as Error).message}`, { cause })
  }
}
