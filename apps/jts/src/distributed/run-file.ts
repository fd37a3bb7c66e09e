/**
 * What every process of a distributed run must know, in one file of the run's folder: written by the supervisor, readable
 * for its owner alone, read by each service that joins. Keys of a real account and the password of a database that was given
 * stay in the environment; only what this run made up itself is in it (a local venue's keys, its own database's password).
 */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import {
  strategyInstanceId,
  type AccountId,
  type Instrument,
  type InstrumentId,
  type KrxHours,
  type RiskLimits,
} from '@jts/model'
import { FOREIGN_ORDERS } from '@jts/order-execution'
import { keepSecret, keepSecretsOf, type Logger } from '@jts/runtime'
import type { PlainText, TlsFiles } from '@jts/transport/rpc/tls'
import { UserError } from '../cli.ts'
import type { RunSettings } from '../services.ts'
import { accountOf, BROKER_NAMES, foreignOrdersOf, type BrokerName } from '../config.ts'
import { findStrategy, sourceOf } from '../strategies.ts'
import { keysFromEnvironment, keyVariablesOf } from '../venue.ts'
import { SERVICE_NAMES, type ServiceName } from './service-names.ts'

export const RUN_FILE = 'run-distributed.json'

/** A process of a service: its name, and where the others reach it. */
export type Member = {
  readonly service: ServiceName
  readonly name: string
  readonly host: string
  readonly port: number
  /** Where it listens, where that is not `host`: `0.0.0.0` in a container. */
  readonly listen?: string | undefined
  /** Where it serves its metrics, when it does. */
  readonly metricsPort?: number | undefined
}

export { SERVICE_NAMES, type ServiceName }

const schema = z.strictObject({
  mode: z.enum(['sim', 'paper', 'live']),
  replay: z.boolean(),
  namespace: z.string(),
  /** Of our own database; a given one is in DATABASE_URL. */
  databaseUrl: z.string().optional(),
  kafkaBrokers: z.array(z.string()).min(1),
  /** Of our own Redis; a given one is in REDIS_URL. A replay has none. */
  redisUrl: z.string().optional(),
  endpoints: z.strictObject({ rest: z.string(), streams: z.string(), wsApi: z.string() }),
  /** Where Creon's broker service is. */
  creon: z.strictObject({ host: z.string(), port: z.number().int().positive() }).optional(),
  /** Signs the calls to the broker services of this run: made up by it, and good nowhere else. */
  brokerKey: z.strictObject({ id: z.string(), secret: z.string() }),
  accounts: z.array(
    z.strictObject({
      name: z.string(),
      broker: z.enum(BROKER_NAMES).default('binance'),
      apiKeyEnv: z.string().optional(),
      apiSecretEnv: z.string().optional(),
      foreignOrders: z.enum(FOREIGN_ORDERS).optional(),
      /** Of the local venue. */
      play: z.strictObject({ apiKey: z.string(), apiSecret: z.string() }).optional(),
    }),
  ),
  instances: z.array(
    z.strictObject({
      instance: z.string(),
      strategy: z.string(),
      parameters: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
      account: z.string(),
      instrument: z.string(),
      timeframe: z.string().optional(),
    }),
  ),
  instruments: z.array(z.looseObject({ id: z.string() })),
  limits: z.looseObject({}),
  krx: z.looseObject({}).optional(),
  runId: z.string(),
  sendWindowUs: z.number(),
  speed: z.number().optional(),
  webhook: z.strictObject({ url: z.string(), language: z.enum(['ko', 'en']) }).optional(),
  /** What the calendar collects, by venue. */
  collection: z
    .record(
      z.string(),
      z.strictObject({
        at: z.string(),
        instruments: z.array(z.string().transform((id) => id as InstrumentId)),
        markets: z.array(z.string()),
        timeframes: z.array(z.string()),
      }),
    )
    .optional(),
  logLevel: z.string().optional(),
  tracing: z.strictObject({ endpoint: z.string(), sampleRatio: z.number() }).optional(),
  /** Folder of the events that have left Kafka; who cannot see it refuses to begin behind Kafka's own beginning. */
  archive: z.string().optional(),
  /** Candles and trades are archived there, too, before their class deletes them. */
  archiveMarketData: z.boolean().optional(),
  /** How the processes speak with each other; without it in plain text, and on this machine alone. */
  rpc: z
    .strictObject({
      tls: z.strictObject({ ca: z.string(), cert: z.string(), key: z.string() }).optional(),
      /** Said on purpose, of a network that nobody else can reach. */
      plainText: z.literal('private-network').optional(),
    })
    .default({}),
  members: z.array(
    z.strictObject({
      service: z.enum(SERVICE_NAMES),
      name: z.string(),
      host: z.string(),
      port: z.number().int().positive(),
      listen: z.string().optional(),
      metricsPort: z.number().int().min(0).optional(),
    }),
  ),
})
export type RunFile = z.infer<typeof schema>
const earlierKey = z.looseObject({ brokerKey: schema.shape.brokerKey })

export function writeRunFile(folder: string, run: RunFile): string {
  const file = join(folder, RUN_FILE)
  const text = JSON.stringify(run, (_, value: unknown) =>
    typeof value === 'bigint' ? { bigint: String(value) } : value,
  )
  // Whole or not at all: services may be waiting for it.
  writeFileSync(`${file}.new`, `${text}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
  return file
}

/** The key of an earlier start in this folder, so that who joined then need not be started anew; or a new one. */
export function brokerKeyOf(folder: string): RunFile['brokerKey'] {
  const file = join(folder, RUN_FILE)
  const known = existsSync(file) ? earlierKey.safeParse(JSON.parse(readFileSync(file, 'utf8'))) : undefined
  if (known?.success === true) return known.data.brokerKey
  return { id: 'jts', secret: keepSecret(randomBytes(32).toString('base64url')) }
}

/** Resolves when the file of a run is there: whoever writes it may be slower to start than who reads it. */
export async function untilThere(file: string): Promise<void> {
  while (!existsSync(file)) await pause({ keepsAlive: true })
}

/** Resolves when the file says something else than now: this process knows a run that is no more. */
export async function untilReplaced(file: string, log: Logger): Promise<void> {
  const known = textOf(file)
  for (;;) {
    // Looking for another run keeps no process from ending.
    await pause({ keepsAlive: false })
    const text = textOf(file)
    if (text === undefined || text === known) continue
    log.warn({ file }, 'the run is another one now: ending, to be started again with that')
    return
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

const LOOK_EVERY_MS = 1000

function pause({ keepsAlive }: { readonly keepsAlive: boolean }): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, LOOK_EVERY_MS)
    if (!keepsAlive) timer.unref()
  })
}

/** @throws UserError when the file is not there or not what a supervisor has written. */
export function readRunFile(file: string): RunFile {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new UserError(`expected the file of a distributed run at ${file}, found ${(cause as Error).message}`, {
      cause,
    })
  }
  let value: unknown
  try {
    value = JSON.parse(text, (_, part: unknown) => {
      const units = (part as { bigint?: unknown } | null)?.bigint
      return typeof units === 'string' ? BigInt(units) : part
    })
  } catch (cause) {
    throw new UserError(`${file}: expected JSON, found ${(cause as Error).message}`, { cause })
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) {
    keepSecret(parsed.data.brokerKey.secret)
    return parsed.data
  }
  // Only where and what was expected: the values may be secrets.
  const [issue] = parsed.error.issues
  throw new UserError(`${file}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not a run file'}`)
}

/** @param service whose part it is: keys of real accounts are read for those alone that speak to their brokers. */
export async function settingsOf(run: RunFile, service?: ServiceName): Promise<RunSettings> {
  const instruments = run.instruments as unknown as readonly Instrument[]
  const instances = await Promise.all(
    run.instances.map(async (one) => {
      const strategy = await findStrategy(one.strategy, one.parameters)
      const instrument = instruments.find(({ id }) => id === (one.instrument as InstrumentId))
      if (instrument === undefined) throw new UserError(`expected ${one.instrument} among the instruments, found none`)
      return {
        instance: strategyInstanceId(one.instance),
        definition: strategy.definition,
        parameters: strategy.parameters,
        account: one.account as AccountId,
        instrument,
        timeframe: one.timeframe,
        source: sourceOf(strategy),
      }
    }),
  )
  return {
    mode: run.mode,
    endpoints: run.endpoints,
    creon: run.creon,
    accounts: accountsOf(run, service),
    foreignOrders: foreignOrdersOf(run.mode, run.accounts),
    instances,
    instruments,
    limits: run.limits as RiskLimits,
    krx: run.krx as KrxHours | undefined,
    runId: run.runId,
    replay: run.replay,
    sendWindowUs: run.sendWindowUs,
    speed: run.speed,
    webhook: run.webhook,
    collection: run.collection,
    archiveMarketData: run.archiveMarketData,
  }
}

/** Who speaks to a broker with its account's keys; Creon's are those of its broker service. */
const KEYS_FOR: Readonly<Record<BrokerName, readonly ServiceName[]>> = {
  binance: ['binance-service'],
  creon: ['order-execution', 'market-data-collector'],
}

const needsKeys = (service: ServiceName | undefined, broker: BrokerName): boolean =>
  service !== undefined && KEYS_FOR[broker].includes(service)

/** The environment of a service's process without the keys that it has no use for; without a service, with none. */
export function environmentFor(service: ServiceName | undefined, accounts: RunFile['accounts']): NodeJS.ProcessEnv {
  const others = keyVariablesOf(accounts).filter(({ broker }) => !needsKeys(service, broker))
  const hidden = new Set(others.flatMap(({ keyName, secretName }) => [keyName, secretName]))
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !hidden.has(name)))
}

/** Play keys from the file, real ones from the environment. @throws UserError when they are not there */
function accountsOf({ mode, accounts }: RunFile, service: ServiceName | undefined): RunSettings['accounts'] {
  if (mode !== 'sim') {
    const needed = accounts.map((one) => needsKeys(service, one.broker))
    const read = keysFromEnvironment({ mode, accounts: accounts.filter((_, i) => needed[i]) })
    return accounts.map((one) => {
      const account = accountOf(mode, one)
      return read.find((known) => known.account === account) ?? { account, apiKey: '', apiSecret: '' }
    })
  }
  return accounts.map(({ name, broker, play }) => {
    keepSecret(play?.apiSecret)
    if (play === undefined) throw new UserError(`expected the local venue's keys of account ${name}, found none`)
    return { account: accountOf(mode, { name, broker }), ...play }
  })
}

/** @throws UserError when the run uses a given database and DATABASE_URL is not set here */
export function databaseUrlOf(run: RunFile): string {
  const url = run.databaseUrl ?? process.env['DATABASE_URL']
  keepSecretsOf(url)
  if (url !== undefined) return url
  throw new UserError('expected DATABASE_URL, as where this run was started, found none')
}

/** @throws UserError when the run uses a given Redis and REDIS_URL is not set here. Undefined in a replay, which has none. */
export function redisUrlOf(run: RunFile): string | undefined {
  if (run.replay) return undefined
  const url = run.redisUrl ?? process.env['REDIS_URL']
  if (url !== undefined) return url
  throw new UserError('expected REDIS_URL, as where this run was started, found none')
}

/**
 * A member by its name, or one more replica of a service.
 * @throws UserError when there is neither
 */
export function memberOf(run: RunFile, name: string): Member | { readonly service: ServiceName } {
  const member = run.members.find((one) => one.name === name)
  if (member !== undefined) return member
  const service = SERVICE_NAMES.find((one) => one === name)
  if (service !== undefined) return { service }
  const known = [...new Set([...run.members.map((one) => one.name), ...SERVICE_NAMES])].join(', ')
  throw new UserError(`expected one of ${known}, found ${JSON.stringify(name)}`)
}

export function membersOf(run: RunFile, service: ServiceName): readonly Member[] {
  return run.members.filter((one) => one.service === service)
}

/** Where a member is reached. */
export function addressOf(run: RunFile, name: string): string {
  const member = run.members.find((one) => one.name === name)
  if (member === undefined) throw new UserError(`expected a member ${name} of this run, found none`)
  return `${member.host}:${member.port}`
}

/** How every connection of the run is made, on both ends. */
export function tlsOf({ rpc }: RunFile): { readonly tls?: TlsFiles; readonly plainText?: PlainText } {
  return {
    ...(rpc.tls === undefined ? {} : { tls: rpc.tls }),
    ...(rpc.plainText === undefined ? {} : { plainText: rpc.plainText }),
  }
}
