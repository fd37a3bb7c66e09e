/**
 * A distributed JTS that trades on the local venue, made to be harmed: its servers and its venue are ours to kill and to stop,
 * a proxy stands in every link to them, and what the operator is told by webhook is kept.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKafka, startPostgres, type KafkaServer, type PostgresServer } from '@jts/servers'
import { sleep, startJts, type JtsProcess } from '@jts/testkit'
import { TcpProxy } from '@jts/testkit/tcp-proxy'
import { portfolioClient } from '@jts/transport/rpc/grpc-client'
import { openLog, type OpenedLog } from '../../open-log.ts'
import { readRunFile, RUN_FILE, type RunFile } from '../run-file.ts'
import { openRunLinks, type RunLinks } from '../run-links.ts'
import { PROCESSES_FILE, type SupervisedState } from '../supervisor.ts'
import { unitOfAccount } from '../units.ts'
import { assertNeverTwice, bookedIn, differences, type Booked } from './promise.ts'
import { balancesOf, ordersOf, tradesOf, type VenueKeys } from './venue-truth.ts'

const ACCOUNT = 'sim.binance.main'
const SYMBOLS = ['BTCUSDT', 'ETHUSDT']
/** Generous: a slow machine takes its time, and nothing here depends on it. */
const PATIENCE_MS = 120_000
const LOOK_MS = 1000
/** A look at the venue meets a moment without a trade sooner or later, and must not use up the limit of its requests. */
const AT_VENUE = { patienceMs: 300_000, lookMs: 2000 }

export type LinkName = 'kafka' | 'postgres' | 'venue'

export type FaultRigOptions = {
  /** The run's folder, in which JTS itself keeps Kafka and PostgreSQL; without it they are ours, and their links too. */
  readonly ownServersIn?: string
}

export class FaultRig {
  readonly folder = mkdtempSync(join(tmpdir(), 'jts-faults-'))
  readonly dir: string
  readonly #hasOwnServers: boolean
  kafka!: KafkaServer
  postgres!: PostgresServer
  readonly links = {} as Record<LinkName, TcpProxy>
  run!: RunFile
  env: Record<string, string> = {}
  #venue!: JtsProcess
  #venueKeys!: VenueKeys
  up!: JtsProcess
  #webhook!: Server
  #told: string[] = []
  #said = ''
  #log!: OpenedLog
  #owners!: RunLinks
  #others: JtsProcess[] = []

  private constructor({ ownServersIn }: FaultRigOptions) {
    this.#hasOwnServers = ownServersIn !== undefined
    this.dir = ownServersIn ?? join(this.folder, 'run')
  }

  static async start(options: FaultRigOptions = {}): Promise<FaultRig> {
    const rig = new FaultRig(options)
    try {
      await rig.#start()
    } catch (error) {
      await rig.stop()
      throw error
    }
    return rig
  }

  async #start(): Promise<void> {
    for (const name of ['kafka', 'postgres', 'venue'] as const) this.links[name] = await TcpProxy.start({ port: 1 })
    const servers = this.#hasOwnServers ? {} : await this.#startServers()
    await this.startVenue()
    this.#webhook = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => (body += chunk.toString()))
      request.on('end', () => {
        const { title, text } = JSON.parse(body) as { title: string; text: string }
        this.#told.push(`${title}: ${text}`)
        response.end()
      })
    }).listen(0, '127.0.0.1')
    await once(this.#webhook, 'listening')
    const config = join(this.folder, 'jts.yaml')
    writeFileSync(config, configOf(`http://127.0.0.1:${(this.#webhook.address() as AddressInfo).port}/`))
    this.env = {
      ...servers,
      JTS_BINANCE_API_KEY: this.#venueKeys.apiKey,
      JTS_BINANCE_API_SECRET: this.#venueKeys.apiSecret,
    }
    await this.startUp()
    this.run = readRunFile(join(this.dir, RUN_FILE))
    this.#log = await openLog(this.dir)
    this.#owners = await openRunLinks(this.run, this.run.databaseUrl ?? this.postgres.url)
  }

  /** JTS itself; also again, in its folder. Returns the dashboard's address. */
  async startUp(): Promise<string> {
    const where = ['--venue', `binance=http://${this.links.venue.address}`, '--data-dir', this.dir, '--port', '0']
    this.up = startJts(['up', '--distributed', '--config', join(this.folder, 'jts.yaml'), ...where, '--json'], this.env)
    this.up.child.stderr!.on('data', (chunk: Buffer) => (this.#said += chunk.toString()))
    return (JSON.parse(await this.up.firstLine) as { dashboard: string }).dashboard
  }

  async #startServers(): Promise<Record<string, string>> {
    const { kafka, postgres } = this.links
    ;[this.kafka, this.postgres] = await Promise.all([startKafka({ advertisedPort: kafka.port }), startPostgres()])
    kafka.target = { port: this.kafka.port }
    postgres.target = { port: this.postgres.port }
    const url = new URL(this.postgres.url)
    url.port = String(postgres.port)
    return { KAFKA_BROKERS: this.kafka.brokers.join(), DATABASE_URL: url.href }
  }

  /** Also again after a kill: on the same port and store. */
  async startVenue(): Promise<void> {
    const dir = join(this.folder, 'venue')
    this.#venue = startJts(['venue', 'binance', '--symbols', SYMBOLS.join(), '--data-dir', dir, '--json'])
    this.#venueKeys = JSON.parse(await this.#venue.firstLine) as VenueKeys
    this.links.venue.target = { port: Number(new URL(this.#venueKeys.restUrl).port) }
  }

  async killVenue(): Promise<void> {
    this.#venue.child.kill('SIGKILL')
    await this.#venue.ended
  }

  process(unit: string): SupervisedState {
    const all = JSON.parse(readFileSync(join(this.dir, PROCESSES_FILE), 'utf8')) as Record<string, SupervisedState>
    return all[unit]!
  }

  signal(unit: string, name: NodeJS.Signals): void {
    process.kill(this.process(unit).pid!, name)
  }

  /** Another process that joins the run. */
  join(args: readonly string[]): JtsProcess {
    const joined = startJts(['serve', ...args, '--run', join(this.dir, RUN_FILE), '--json'], this.env)
    this.#others.push(joined)
    return joined
  }

  async untilUp(unit: string): Promise<void> {
    await this.until(
      () => this.process(unit).state === 'up',
      () => `${unit} to be up, found it ${this.process(unit).state}`,
    )
  }

  /** What the operator has been told so far. */
  get told(): readonly string[] {
    return this.#told
  }

  async untilTold(pattern: RegExp, from = 0): Promise<void> {
    await this.until(
      () => this.#told.slice(from).some((words) => pattern.test(words)),
      () => `the operator to be told ${pattern}, found ${this.#told.slice(from).join(' | ')}`,
    )
  }

  /** What JTS has logged so far: what is wrong is there at once, also where nobody can be told of it yet. */
  get said(): string {
    return this.#said
  }

  async untilSaid(pattern: RegExp, from: number): Promise<void> {
    await this.until(
      () => pattern.test(this.#said.slice(from)),
      () => `JTS to log ${pattern}`,
    )
  }

  /** The operator has been told of everything that was down that it is up again: the next harm meets a run that is well. */
  async untilAllIsWell(from: number): Promise<void> {
    const unwell = (): string[] => {
      const last = new Map<string, string>()
      for (const words of this.#told.slice(from)) {
        const [, name, state] = /^(.+?) is (up|down|degraded|active|reducing|halted):/.exec(words) ?? []
        if (name !== undefined) last.set(name, state!)
      }
      return [...last].filter(([, state]) => state !== 'up' && state !== 'active').map((one) => one.join(' is '))
    }
    await this.until(
      () => unwell().length === 0,
      () => `the operator to be told that all is well again, found last ${unwell().join(', ')}`,
    )
  }

  async booked(): Promise<Booked> {
    const events = []
    for await (const event of this.#log.log.read('orders.events')) events.push(event)
    return bookedIn(events)
  }

  async fills(): Promise<number> {
    return (await this.booked()).fills.length
  }

  /** Orders go out and fills come in, by nobody's doing. */
  async untilItTrades(more = 2): Promise<void> {
    const before = await this.fills()
    let now = before
    await this.until(
      async () => (now = await this.fills()) >= before + more,
      () => `${more} more fills than ${before}, found ${now}`,
    )
  }

  /** Nothing twice at any moment; and soon nothing missing, nothing unknown, and our ledger equal to the venue's records. */
  async untilThePromiseHolds(): Promise<void> {
    const client = portfolioClient(this.#owners.linkTo(unitOfAccount('portfolio-tracker', ACCOUNT)))
    const keys = this.#venueKeys
    let wrong = ['nothing was compared yet']
    await this.until(
      async () => {
        const before = await tradesOf(keys, SYMBOLS)
        const [balances, { accounts }] = await Promise.all([
          balancesOf(keys),
          client.getCurrentPortfolio({ account: '' }),
        ])
        const trades = await tradesOf(keys, SYMBOLS)
        // One that was made between the questions may be in one answer and not in the other.
        if (trades.length !== before.length) return false
        const venue = { orders: await ordersOf(keys, SYMBOLS), trades, balances }
        const booked = await this.booked()
        assertNeverTwice(booked, venue)
        const later = booked.fills.length > trades.length ? await tradesOf(keys, SYMBOLS) : trades
        wrong = differences(booked, venue, accounts[0]!, later)
        return wrong.length === 0
      },
      () => `our records to be the venue's, found ${wrong.join('; ')}`,
      AT_VENUE,
    )
  }

  async until(
    isTrue: () => boolean | Promise<boolean>,
    expected: () => string,
    { patienceMs = PATIENCE_MS, lookMs = LOOK_MS } = {},
  ): Promise<void> {
    let failure: unknown
    for (const end = performance.now() + patienceMs; ; await sleep(lookMs)) {
      try {
        if (await isTrue()) return
        failure = undefined
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error
        failure = error
      }
      if (performance.now() > end) {
        assert.fail(
          `expected within ${patienceMs / 1000} s: ${expected()}${failure === undefined ? '' : `; ${String(failure)}`}`,
        )
      }
    }
  }

  async stop(): Promise<void> {
    for (const link of Object.values(this.links)) {
      link.flow()
      link.delay(0)
    }
    for (const { child } of this.#others) child.kill('SIGKILL')
    await this.#owners?.close()
    await this.#log?.close()
    this.up?.child.kill('SIGINT')
    await this.up?.ended
    this.#venue?.child.kill('SIGKILL')
    this.#webhook?.close()
    await Promise.all([this.kafka?.stop(), this.postgres?.stop()])
    for (const link of Object.values(this.links)) await link.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Averages so short that they cross every few seconds. */
function configOf(webhook: string): string {
  const strategies = SYMBOLS.map(
    (symbol) =>
      `  - { instance: ${symbol}, strategy: ema-cross, instrument: "BINANCE:${symbol}", timeframe: 1s, parameters: { fast: 1, slow: 2 } }\n`,
  )
  return `strategies:\n${strategies.join('')}notifications: { webhook: "${webhook}", language: en }\nrisk: { duplicateWindowMs: 1 }\n`
}
