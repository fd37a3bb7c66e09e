/** `jts.yaml`: accounts, strategy instances, risk limits. Optional; without it JTS runs its example strategies in `sim`. */
import { z } from 'zod'
import type { ScheduledCollection } from '@jts/market-data-collector'
import {
  accountId,
  instrumentId,
  MODES,
  parseUnits,
  RESTRICTIONS,
  riskLimitsFromText,
  timeframeUs,
  type AcceptableRestriction,
  type AccountId,
  type Mode,
  type RiskLimits,
} from '@jts/model'
import { FOREIGN_ORDERS, type ForeignOrders } from '@jts/order-execution'
import { keepSecretsOf, LOG_LEVELS, readYamlConfig } from '@jts/runtime'
import { UserError } from './cli.ts'
import { krxSchema } from './krx-config.ts'
import { SERVICE_NAMES, type ServiceName } from './distributed/service-names.ts'

const decimal = z
  .union([z.string(), z.number()])
  .transform(String)
  .refine((text) => parses(() => parseUnits(text)), 'expected a decimal number such as 0.01')
const positiveDecimal = decimal.refine((text) => parses(() => parseUnits(text)) && parseUnits(text) > 0n, {
  message: 'expected a decimal above 0',
})
const alias = z.string().regex(/^[a-z0-9][a-z0-9_-]*$/, 'expected a name of small letters, digits and dashes')
const instrument = z
  .string()
  .refine((text) => parses(() => instrumentId(text)), 'expected an instrument such as BINANCE:BTCUSDT')
const timeframe = z
  .string()
  .refine((text) => parses(() => timeframeUs(text)), 'expected a timeframe such as 1s, 1m, 15m, 4h or 1d')

const environmentVariable = z
  .string()
  .regex(/^[A-Z_][A-Z0-9_]*$/, 'expected the name of an environment variable, such as JTS_BINANCE_API_KEY')

/** Brokers that an account may be at, and the venue whose instruments they trade. */
const VENUES = { binance: 'BINANCE', creon: 'KRX' } as const
export type BrokerName = keyof typeof VENUES
export const BROKER_NAMES = Object.keys(VENUES) as [BrokerName, ...BrokerName[]]

const accountSchema = z.strictObject({
  name: alias.describe('the last part of the account id, such as main'),
  broker: z.enum(BROKER_NAMES, { error: `expected ${BROKER_NAMES.join(' or ')}` }).default('binance'),
  /** Names of the environment variables that hold this account's keys; never the keys themselves. */
  apiKeyEnv: environmentVariable.optional(),
  apiSecretEnv: environmentVariable.optional(),
  /** What is done about orders in this account that JTS has not made. */
  foreignOrders: z.enum(FOREIGN_ORDERS, { error: `expected one of ${FOREIGN_ORDERS.join(', ')}` }).optional(),
})

const strategySchema = z.strictObject({
  instance: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'expected a name such as ema-btc')
    .optional(),
  strategy: z.string({ error: 'expected a shipped strategy such as ema-cross, or the path of a strategy file' }),
  account: alias.optional(),
  instrument,
  timeframe: timeframe.optional(),
  parameters: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
})

const acceptable = RESTRICTIONS.filter((one) => one !== 'halted' && one !== 'unlisted') as AcceptableRestriction[]

const riskSchema = z.strictObject({
  notionalMaxPerOrder: positiveDecimal.optional(),
  marketCollar: z.number().min(0).max(1).optional(),
  duplicateWindowMs: z.number().int().positive().optional(),
  signalAgeMaxMs: z.number().int().positive().optional(),
  marketDataAgeMaxMs: z.number().int().positive().optional(),
  ordersPerMinuteMax: z.number().int().positive().max(10_000).optional(),
  priceCollar: z.number().positive().max(1).optional(),
  exposureMaxPerInstrument: positiveDecimal.optional(),
  /** Under which of these a Korean share is bought all the same. */
  restrictionsAllowed: z.array(z.enum(acceptable, { error: `expected one of ${acceptable.join(', ')}` })).optional(),
})

const MARKETS = ['KOSPI', 'KOSDAQ', 'KONEX'] as const
/** What is collected of a broker every day, besides what is traded there. */
const collectionOf = (at: string) =>
  z.strictObject({
    enabled: z.boolean().default(true),
    at: z
      .string()
      .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'expected a time of day in Seoul such as 16:30')
      .default(at),
    instruments: z.array(instrument).default([]),
    markets: z.array(z.enum(MARKETS, { error: `expected one of ${MARKETS.join(', ')}` })).default([]),
    timeframes: z.array(timeframe).min(1, 'expected at least one timeframe').default(['1d']),
  })
/** Creon has the day whole after its close at 15:30 (an hour later on the day of 수능); Binance's day ends at 09:00 in Seoul. */
const collectionSchema = z.strictObject({
  creon: collectionOf('17:00').optional(),
  binance: collectionOf('09:10').omit({ markets: true }).optional(),
})

const replicas = z.number().int().min(1, 'expected at least one process').max(16, 'expected at most 16 processes')

const distributedSchema = z.strictObject({
  /** Processes of every service, or of each. */
  replicas: z.union([replicas, z.partialRecord(z.enum(SERVICE_NAMES), replicas)]).optional(),
  /** Mutual TLS between the processes: PEM files. */
  tls: z.strictObject({ ca: z.string(), cert: z.string(), key: z.string() }).optional(),
  /** This machine's name or address, where processes of other machines are to reach those that are started here. */
  host: z.string().min(1).optional(),
})

export const configSchema = z
  .strictObject({
    mode: z.enum(MODES as [Mode, ...Mode[]], { error: 'expected sim, paper or live' }).default('sim'),
    /** Said twice on purpose: `mode: live` alone does not trade real money. */
    live: z.boolean().default(false),
    accounts: z
      .array(accountSchema)
      .min(1, 'expected at least one account')
      .default([{ name: 'main', broker: 'binance' }]),
    /** Where Creon's broker service is: on the Windows machine. CREON_API_HOST and CREON_API_PORT stand above it. */
    creon: z
      .strictObject({ host: z.string().min(1), port: z.number().int().min(1).max(65535).default(8001) })
      .optional(),
    strategies: z.array(strategySchema).optional(),
    risk: riskSchema.optional(),
    krx: krxSchema.optional(),
    notifications: z
      .strictObject({
        webhook: z.url({ protocol: /^https?$/, error: 'expected an http or https address' }).optional(),
        language: z.enum(['ko', 'en'], { error: 'expected ko or en' }).default('ko'),
      })
      .optional(),
    /** Daily, after the close; in paper and live without a word, in sim only where it is said. */
    collection: collectionSchema.optional(),
    retention: z.strictObject({ archiveMarketData: z.boolean().default(false) }).optional(),
    port: z.number().int().min(0).max(65535).optional(),
    /** Read by `up --distributed` alone. */
    distributed: distributedSchema.optional(),
    log: z
      .strictObject({ level: z.enum(LOG_LEVELS, { error: `expected one of ${LOG_LEVELS.join(', ')}` }) })
      .optional(),
    metrics: z.strictObject({ port: z.number({ error: 'expected a port' }).int().min(0).max(65535) }).optional(),
    tracing: z
      .strictObject({
        endpoint: z.url({ protocol: /^https?$/, error: 'expected an http or https address' }),
        sampleRatio: z.number().min(0).max(1).default(1),
      })
      .optional(),
  })
  .superRefine((config, context) => {
    const names = new Set<string>()
    config.accounts.forEach((account, i) => {
      if (names.has(account.name)) {
        context.addIssue({ code: 'custom', path: ['accounts', i, 'name'], message: 'expected each account once' })
      }
      names.add(account.name)
    })
    const instances = new Set<string>()
    config.strategies?.forEach((strategy, i) => {
      if (strategy.account !== undefined && !names.has(strategy.account)) {
        context.addIssue({
          code: 'custom',
          path: ['strategies', i, 'account'],
          message: `expected one of the accounts ${[...names].join(', ')}`,
        })
      }
      const name = strategy.instance ?? strategy.strategy
      if (instances.has(name)) {
        context.addIssue({
          code: 'custom',
          path: ['strategies', i, 'instance'],
          message: `expected a name of its own, another instance is called ${name}`,
        })
      }
      instances.add(name)
    })
    for (const broker of BROKER_NAMES) {
      const own = config.collection?.[broker]
      if (own === undefined) continue
      if (!config.accounts.some((account) => account.broker === broker)) {
        const message = `expected an account at ${broker}, through whose service it is collected`
        context.addIssue({ code: 'custom', path: ['collection', broker], message })
      }
      own.instruments.forEach((one, i) => {
        if (one.startsWith(`${VENUES[broker]}:`)) return
        const message = `expected an instrument of ${VENUES[broker]}`
        context.addIssue({ code: 'custom', path: ['collection', broker, 'instruments', i], message })
      })
    }
    if (config.distributed?.host !== undefined && config.distributed.tls === undefined) {
      const message = 'expected distributed.tls beside it: other machines are spoken to with mutual TLS'
      context.addIssue({ code: 'custom', path: ['distributed', 'host'], message })
    }
    if (config.mode === 'live' && !config.live) {
      context.addIssue({ code: 'custom', path: ['mode'], message: 'expected `live: true` beside `mode: live`' })
    }
    if (config.mode === 'live' && config.risk?.notionalMaxPerOrder === undefined) {
      context.addIssue({ code: 'custom', path: ['risk'], message: 'expected risk.notionalMaxPerOrder in live mode' })
    }
    if (config.mode !== 'live' && config.live) {
      context.addIssue({ code: 'custom', path: ['live'], message: `expected mode: live beside live: true` })
    }
  })

export type JtsConfig = z.infer<typeof configSchema>

export function readConfig(file: string | undefined): JtsConfig {
  const config = file === undefined ? configSchema.parse({}) : readYamlConfig(file, configSchema)
  // Whoever knows a webhook's address may speak through it.
  keepSecretsOf(config.notifications?.webhook, { wholePath: true })
  keepSecretsOf(config.tracing?.endpoint, { wholePath: true })
  return config
}

/** Where a person is told of what happens, and in which language. */
export function webhookOf({ notifications }: JtsConfig): { url: string; language: 'ko' | 'en' } | undefined {
  const { webhook: url, language = 'ko' } = notifications ?? {}
  return url === undefined ? undefined : { url, language }
}

/** Processes of each service: as `--replicas` says, else as the configuration does, else one. */
export function replicasOf(
  { distributed }: JtsConfig,
  given: number | undefined,
): Partial<Record<ServiceName, number>> {
  const wanted = given ?? distributed?.replicas ?? 1
  if (typeof wanted !== 'number') return wanted
  return Object.fromEntries(SERVICE_NAMES.map((service) => [service, wanted]))
}

/** Older than this, what a strategy wanted is no longer what the market is: a bar found after an outage, a signal of before a restart. */
const SIGNAL_AGE_MAX_DEFAULT_US = 60_000_000

/** Outside of replays a signal always ages, at the market's own speed, also where nothing is configured. */
export function liveRiskLimits(config: JtsConfig, speed = 1): RiskLimits {
  return { signalAgeMaxUs: SIGNAL_AGE_MAX_DEFAULT_US * speed, ...riskLimits(config) }
}

export function riskLimits({ risk }: JtsConfig): RiskLimits {
  return riskLimitsFromText(risk ?? {})
}

/** What each account does about orders that JTS has not made, where it says so. */
export function foreignOrdersOf(mode: Mode, accounts: readonly ForeignOrdersOfAccount[]): ForeignOrdersBy {
  return Object.fromEntries(
    accounts.flatMap((one) => (one.foreignOrders === undefined ? [] : [[accountOf(mode, one), one.foreignOrders]])),
  )
}
type ForeignOrdersOfAccount = NamedAccount & { readonly foreignOrders?: ForeignOrders | undefined }
export type ForeignOrdersBy = Readonly<Partial<Record<AccountId, ForeignOrders>>>

export type NamedAccount = { readonly name: string; readonly broker: BrokerName }

export function accountOf(mode: Mode, { name, broker }: NamedAccount): ReturnType<typeof accountId> {
  return accountId(`${mode}.${broker}.${name}`)
}

/** The venue whose instruments a broker trades. */
export function venueAt(broker: string): string {
  const venue = VENUES[broker as BrokerName] as string | undefined
  if (venue === undefined) throw new UserError(`expected a broker of ${BROKER_NAMES.join(', ')}, found ${broker}`)
  return venue
}

/** What the calendar collects, by venue. */
export function scheduledCollections(config: JtsConfig): Readonly<Record<string, ScheduledCollection>> {
  const schedules: Record<string, ScheduledCollection> = {}
  for (const { broker } of config.accounts) {
    const given =
      config.collection?.[broker] ??
      (config.mode === 'sim' ? undefined : collectionSchema.parse({ [broker]: {} })[broker])
    if (given?.enabled !== true) continue
    const { at, timeframes } = given
    const instruments = given.instruments.map((one) => instrumentId(one))
    schedules[VENUES[broker]] = {
      at,
      instruments,
      markets: 'markets' in given ? (given.markets as readonly string[]) : [],
      timeframes,
    }
  }
  return schedules
}

export function accountsAt(broker: BrokerName, config: JtsConfig): JtsConfig['accounts'] {
  return config.accounts.filter((account) => account.broker === broker)
}

/**
 * The account that a strategy instance trades in: the one it names, else the first at a broker of its instrument's venue.
 * @throws UserError
 */
export function accountFor(
  accounts: JtsConfig['accounts'],
  wanted: { readonly account?: string | undefined; readonly instrument: string },
): JtsConfig['accounts'][number] {
  const venue = wanted.instrument.slice(0, wanted.instrument.indexOf(':'))
  const fits = ({ broker }: NamedAccount): boolean => VENUES[broker] === venue
  const found = accounts.find((one) => (wanted.account === undefined ? fits(one) : one.name === wanted.account))
  if (found !== undefined && fits(found)) return found
  const there = found === undefined ? 'none' : `${found.name} at ${found.broker}`
  throw new UserError(`expected an account at a broker that trades ${wanted.instrument}, found ${there}`)
}

function parses(parse: () => unknown): boolean {
  try {
    parse()
    return true
  } catch {
    return false
  }
}
