/**
 * One process of a service: it says that it lives, holds its share of the service's units, and answers for those. When another
 * replica dies or stands still, its leases end and its units are shared among the living; when it is back, they are shared again.
 */
import { TOPIC_NAMES } from '@jts/contracts'
import { HostServiceService } from '@jts/contracts/host-api'
import { instrumentId } from '@jts/model'
import type { Logger, Observability } from '@jts/runtime'
import type { BarHistory } from '@jts/strategy-engine'
import { startRpcServer, type RpcServer, type RpcServerOptions } from '@jts/transport'
import { KafkaClient } from '@jts/transport/bus/kafka/client'
import { OwnerLinks } from '@jts/transport/rpc/owner-links'
import { collectionClient, streamedRiskManagementClient } from '@jts/transport/rpc/grpc-client'
import { UnitTakenError } from '@jts/transport/store/postgres'
import { connectPostgres } from '@jts/transport/store/postgres-connection'
import { UnitTable, type Heard } from '@jts/transport/store/unit-table'
import { UserError } from '../cli.ts'
import { dispatched, unitFinder } from './dispatch.ts'
import { brokerServicesOf } from './broker-whereabouts.ts'
import { RPC_OF } from './hosted.ts'
import type { BrokerHost } from './hosted-binance.ts'
import { openUnit, type OpenUnit } from './open-unit.ts'
import { databaseUrlOf, membersOf, settingsOf, tlsOf, type RunFile, type ServiceName } from './run-file.ts'
import { shareUnits } from './share.ts'
import { showBreaker } from '../observe.ts'
import { shareThroughRedis, type SharedThroughRedis } from './shared-through-redis.ts'
import { unitOfAccount, unitOfMarket, unitsOf, type Unit } from './units.ts'

export type ReplicaOptions = {
  readonly run: RunFile
  readonly service: ServiceName
  /** Names this replica; the same name again takes its units back at once, because its former self is known dead. */
  readonly name: string
  /** Where it listens, and where the others reach it. */
  readonly listen: { readonly host: string; readonly port: number }
  readonly advertised?: string | undefined
  readonly brokerHost: BrokerHost
  readonly observability: Observability
  readonly log: Logger
  readonly fatal: (reason: string, cause: unknown) => void
}

export type Replica = {
  readonly address: string
  /** Units held now. */
  units(): readonly string[]
  stop(): Promise<void>
}

const ROUND_MS = 500
/**
 * Only who has been heard this long without a break takes what another held: at the start, and after the database was away,
 * the others may not have had their turn to say that they live.
 */
const SETTLED_MS = 2000
const BREAK_MS = 1500
const CONNECTIONS = 6
/** Ten thousand bars come in pages, and with a broker's patience. */
const HISTORY_MS = 60_000
/** Longer than opening a unit takes. */
const HINT_MS = 5000

/** Resolves when the first round of sharing is over: it holds its share, or stands by. */
export async function startReplica(options: ReplicaOptions): Promise<Replica> {
  const replica = new SharingReplica(options)
  await replica.start()
  return replica
}

class SharingReplica implements Replica {
  readonly #options: ReplicaOptions
  readonly #table: UnitTable
  readonly #sql: ReturnType<typeof connectPostgres>
  readonly #links: OwnerLinks
  readonly #shared: SharedThroughRedis
  /** Units for which the hint was not to be had: they are taken all the same, a round later. */
  readonly #hinted = new Set<string>()
  readonly #open = new Map<string, OpenUnit>()
  /** Being opened or given up. */
  readonly #moving = new Map<string, Promise<void>>()
  readonly #kafka: KafkaClient
  #topicsMade: Promise<unknown> = Promise.resolve()
  #units: readonly Unit[] = []
  #server: RpcServer | undefined
  #address = ''
  #heardMs = Number.NEGATIVE_INFINITY
  #steadySinceMs = 0
  #stopped = false
  #rounds: Promise<unknown> = Promise.resolve()

  constructor(options: ReplicaOptions) {
    this.#options = options
    const { run, name } = options
    this.#sql = connectPostgres(databaseUrlOf(run), name, { connections: CONNECTIONS })
    this.#table = new UnitTable(this.#sql, run.namespace)
    this.#links = new OwnerLinks({ directory: this.#table, ...tlsOf(run) })
    this.#shared = shareThroughRedis(run, options.log)
    showBreaker(options.observability.metrics, 'redis', () => this.#shared.breakerState())
    this.#kafka = new KafkaClient({
      brokers: run.kafkaBrokers,
      prefix: `${run.namespace}.`,
      clientId: name,
      keepsAll: run.replay,
      log: options.log,
    })
  }

  get address(): string {
    return this.#address
  }

  units(): readonly string[] {
    return [...this.#open.keys()].sort()
  }

  async start(): Promise<void> {
    const { run, service, listen, advertised, log } = this.#options
    // Once for all units, and while the database is asked: after a kill each moment counts.
    this.#topicsMade = this.#kafka.ensureTopics(TOPIC_NAMES)
    this.#topicsMade.catch(() => undefined)
    const [settings] = await Promise.all([settingsOf(run, service), this.#table.prepare()])
    this.#units = unitsOf(service, settings)
    const find = unitFinder(this.#open, (account) =>
      service === 'order-execution' || service === 'portfolio-tracker' ? unitOfAccount(service, account) : service,
    )
    const definition = RPC_OF[service]
    this.#server = await listening({
      ...listen,
      ...tlsOf(run),
      services: [
        ...(definition === undefined ? [] : [dispatched(definition, 'api', find)]),
        { ...dispatched(HostServiceService, 'control', find), answersAtOnce: true },
      ],
      log,
      beforeAnswer: async () => void (await Promise.all([...this.#open.values()].map((unit) => unit.durable()))),
    })
    this.#server.setServing(false)
    this.#address = advertised ?? `${listen.host}:${this.#server.port}`
    await this.#round()
    await Promise.all(this.#moving.values())
    this.#server.setServing(true)
    this.#rounds = this.#goOn()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#kafka.close()
    await this.#rounds
    await Promise.allSettled(this.#moving.values())
    await this.#server?.stop()
    const { service, name, log } = this.#options
    await this.#table.leave(service, name).catch(() => undefined)
    const stopped = await Promise.allSettled([...this.#open.values()].map((unit) => unit.stop()))
    for (const one of stopped) {
      if (one.status === 'rejected') log.warn({ err: one.reason as Error }, 'a unit could not be given up in order')
    }
    this.#links.close()
    await this.#shared.close()
    await this.#sql.end({ timeout: 2 })
  }

  async #goOn(): Promise<void> {
    while (!this.#stopped) {
      await new Promise((resolve) => setTimeout(resolve, ROUND_MS))
      if (this.#stopped) return
      await this.#round()
    }
  }

  /**
   * Says that it lives, hears who else does, and begins to take and give up what that changes. It does not wait for the end of
   * that: opening a unit may take long (a broker that is away), and all the while this process lives.
   */
  async #round(): Promise<void> {
    const { service, name, log } = this.#options
    let heard: Heard
    try {
      heard = await this.#table.beat({ service, replica: name, address: this.#address })
    } catch (error) {
      log.warn({ err: error }, 'who lives could not be asked; trying again')
      return
    }
    const now = performance.now()
    if (now - this.#heardMs > BREAK_MS) this.#steadySinceMs = now
    this.#heardMs = now
    if (this.#stopped) return
    const isSettled = now - this.#steadySinceMs > SETTLED_MS
    const target = this.#target(heard, isSettled)
    for (const { name: unit, ...rest } of this.#units) {
      if (this.#moving.has(unit)) continue
      const wanted = target.get(unit)
      const row = heard.owners.get(unit)
      if (wanted === name && !this.#open.has(unit)) {
        const isFree = row === undefined || row.owner === name || !row.isLeased
        const isOurs = row === undefined || row.owner === name
        if (isFree) this.#move(unit, () => this.#take({ name: unit, ...rest }, isOurs))
      } else if (wanted !== name && this.#open.has(unit) && heard.replicas.includes(wanted ?? '')) {
        this.#move(unit, () => this.#giveUp(unit))
      }
    }
  }

  /** Before it is settled, whoever should live or has held something counts as living. */
  #target({ replicas, owners }: Heard, isSettled: boolean): ReadonlyMap<string, string> {
    const { run, service } = this.#options
    const living = new Set(replicas)
    if (!isSettled) {
      for (const member of membersOf(run, service)) living.add(member.name)
      for (const { name } of this.#units) {
        const owner = owners.get(name)?.owner
        if (owner !== undefined && owner !== '') living.add(owner)
      }
    }
    const holders = new Map<string, string>()
    for (const { name } of this.#units) {
      const row = owners.get(name)
      if (row !== undefined && (row.isLeased || !isSettled)) holders.set(name, row.owner)
    }
    return shareUnits({ units: this.#units.map((unit) => unit.name), replicas: [...living], holders })
  }

  #move(unit: string, move: () => Promise<void>): void {
    const moving = move().finally(() => this.#moving.delete(unit))
    this.#moving.set(unit, moving)
  }

  /**
   * What another has left behind, one at a time takes: a hint in Redis saves the others the work of opening it in vain. Without
   * the hint it is taken in the next round: who owns it is decided by the epoch alone.
   */
  async #take(unit: Unit, isOurs: boolean): Promise<void> {
    const { run, service, name, observability, log, fatal } = this.#options
    const hint = isOurs ? undefined : await this.#shared.hint?.acquire(`unit ${unit.name}`, HINT_MS)
    if (!isOurs && this.#shared.hint !== undefined && hint === undefined && !this.#hinted.delete(unit.name)) {
      this.#hinted.add(unit.name)
      return
    }
    this.#hinted.delete(unit.name)
    try {
      const opened = await openUnit({
        url: databaseUrlOf(run),
        sql: this.#sql,
        run,
        service,
        unit,
        owner: name,
        address: this.#address,
        risk: streamedRiskManagementClient(this.#links.linkTo('risk-management')),
        history: historyOf(this.#links),
        observability,
        sharedBudget: this.#shared.budget,
        topicsMade: this.#topicsMade,
        brokerServices: brokerServicesOf(run, this.#links),
        brokerHost: this.#options.brokerHost,
        log: log.child({ unit: unit.name }),
        fatal,
      })
      this.#open.set(unit.name, opened)
    } catch (error) {
      // Another was faster.
      if (error instanceof UnitTakenError) return
      fatal(`the unit ${unit.name} could not be opened`, error)
    } finally {
      await hint?.release()
    }
  }

  async #giveUp(name: string): Promise<void> {
    const unit = this.#open.get(name)!
    this.#open.delete(name)
    try {
      await unit.stop()
      this.#options.log.info({ unit: name }, 'the unit was given up to another replica')
    } catch (error) {
      this.#options.fatal(`the unit ${name} could not be given up`, error)
    }
  }
}

/** The collector of the instrument's own unit knows what it has told of it. */
function historyOf(links: OwnerLinks): BarHistory {
  const options = { deadlineMs: HISTORY_MS }
  return {
    latestCandles: (request) =>
      collectionClient(links.linkTo(unitOfMarket(instrumentId(request.instrument)))).latestCandles(request, options),
  }
}

/** An address that is taken or not allowed, and a certificate that cannot be used, are for the person to mend. */
async function listening(options: RpcServerOptions): Promise<RpcServer> {
  try {
    return await startRpcServer(options)
  } catch (cause) {
    throw new UserError((cause as Error).message, { cause })
  }
}
