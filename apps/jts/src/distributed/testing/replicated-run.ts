/** Two processes of each service, with mutual TLS between them, in the middle of live trading on servers of its own. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  provideKafka,
  providePostgres,
  startRedis,
  type ProvidedKafka,
  type ProvidedPostgres,
  type RedisServer,
} from '@jts/servers'
import { isStopped, sleep, startJts, STOP_AT_WRITE, type JtsProcess } from '@jts/testkit'
import { Certificates } from '@jts/transport/rpc/certificates'
import { connectPostgres } from '@jts/transport/store/postgres-connection'
import { UnitTable, type Owned } from '@jts/transport/store/unit-table'
import { openLog } from '../../open-log.ts'
import type { RunSettings } from '../../services.ts'
import { readRunFile, RUN_FILE, SERVICE_NAMES, settingsOf, type ServiceName } from '../run-file.ts'
import { PROCESSES_FILE } from '../supervisor.ts'
import { unitsOf } from '../units.ts'

export type Entry = { pid: number; starts: number; state: string; service: string }

export class ReplicatedRun {
  readonly dir = mkdtempSync(join(tmpdir(), 'jts-replicas-'))
  readonly certificates = new Certificates(this.dir)
  /** Started by hand beside those of `up`. */
  readonly joined: JtsProcess[] = []
  readonly #armed = join(this.dir, 'stop-at-write')
  #kafka: ProvidedKafka | undefined
  #postgres: ProvidedPostgres | undefined
  #sql: ReturnType<typeof connectPostgres> | undefined
  redis: RedisServer | undefined
  env!: Record<string, string>
  up: JtsProcess | undefined
  settings!: RunSettings
  table!: UnitTable

  async start(): Promise<this> {
    this.redis = await startRedis()
    this.#postgres = await providePostgres()
    this.#kafka = await provideKafka()
    this.env = {
      KAFKA_BROKERS: this.#kafka.brokers.join(','),
      DATABASE_URL: this.#postgres.url,
      REDIS_URL: this.redis.url,
    }
    // Averages this short cross every few seconds, so that what is done to a process meets orders on their way.
    const strategies = ['main', 'second'].flatMap((account) =>
      ['BTCUSDT', 'ETHUSDT'].map(
        (symbol) =>
          `  - { instance: ${account}-${symbol}, strategy: ema-cross, account: ${account}, instrument: "BINANCE:${symbol}", timeframe: 1s, parameters: { fast: 1, slow: 2 } }`,
      ),
    )
    const config = join(this.dir, 'jts.yaml')
    this.certificates.authority('ca')
    this.certificates.authority('other-ca')
    this.certificates.certificate('jts', 'ca')
    this.certificates.certificate('stranger', 'other-ca')
    const { ca, cert, key } = this.certificates.files('jts')
    const accounts = 'accounts: [{ name: main }, { name: second }]'
    const distributed = `distributed: { replicas: 2, tls: { ca: ${ca}, cert: ${cert}, key: ${key} } }`
    writeFileSync(config, [accounts, distributed, 'strategies:', ...strategies, ''].join('\n'))
    const options = ['--config', config, '--no-dashboard', '--json', '--data-dir', this.dir]
    const preload = { NODE_OPTIONS: `--import ${STOP_AT_WRITE}`, JTS_STOP_AT_WRITE: this.#armed }
    this.up = startJts(['up', '--distributed', ...options], { ...this.env, ...preload })
    await this.up.firstLine
    const run = readRunFile(join(this.dir, RUN_FILE))
    this.settings = await settingsOf(run)
    this.#sql = connectPostgres(this.#postgres.url, 'test')
    this.table = new UnitTable(this.#sql, run.namespace)
    return this
  }

  async stop(): Promise<void> {
    for (const { child } of this.joined) child.kill('SIGKILL')
    if (existsSync(join(this.dir, PROCESSES_FILE))) {
      for (const { pid } of Object.values(this.processes())) signal(pid, 'SIGCONT')
    }
    this.up?.child.kill('SIGINT')
    await this.up?.ended
    await this.#sql?.end()
    await Promise.all([this.#kafka?.stop(), this.#postgres?.stop(), this.redis?.stop()])
    rmSync(this.dir, { recursive: true, force: true })
  }

  processes = (): Record<string, Entry> =>
    JSON.parse(readFileSync(join(this.dir, PROCESSES_FILE), 'utf8')) as Record<string, Entry>

  /** Every owner that goes asks its successor's questions of the venue, whose limit may be used up for the rest of a minute. */
  until = async (what: string, isTrue: () => boolean | Promise<boolean>, seconds = 150): Promise<void> => {
    for (const end = performance.now() + seconds * 1000; !(await isTrue()); await sleep(50)) {
      if (performance.now() > end)
        assert.fail(`expected within ${seconds} s: ${what}; ${JSON.stringify(await this.table.owned())}`)
    }
  }

  /** Of every unit of the service. A lease that was not renewed in time, because the machine stood still, soon is again. */
  ownersOf = async (service: ServiceName): Promise<Owned[]> => {
    let owned: Owned[] = []
    await this.until(`every unit of ${service} has an owner`, async () => {
      owned = await this.#ownedNow(service)
      return this.#isWhole(service, owned)
    })
    return owned
  }

  untilShared = async (): Promise<void> => {
    for (const service of SERVICE_NAMES) await this.until(`${service} is shared evenly`, () => this.#isShared(service))
  }

  fillCount = async (): Promise<number> => {
    let count = 0
    const { log, close } = await openLog(this.dir)
    for await (const event of log.read('orders.events')) if (event.type === 'OrderFilled') count++
    await close()
    return count
  }

  /** Everything that it owned is owned by another. */
  untilTakenOver = async (name: string, units: readonly string[]): Promise<void> => {
    await this.until(`${units.join(', ')} taken over from ${name}`, async () => {
      const owned = await this.table.owned()
      return units.every((unit) => owned.some((one) => one.unit === unit && one.owner !== name))
    })
  }

  /** The process of a service that stands still in the moment in which it would write an order there. */
  stoppedAtWrite = async (service: ServiceName, path: string) => {
    // Seen before it stops: whoever looks late may find that all of its units are another's.
    let owned = await this.ownersOf(service)
    writeFileSync(this.#armed, path)
    const all = (): [string, Entry][] => Object.entries(this.processes()).filter(([, one]) => one.service === service)
    await this.until(`${service} is about to write an order`, async () => {
      const now = await this.#ownedNow(service)
      if (all().some(([, { pid }]) => isStopped(pid))) return true
      if (this.#isWhole(service, now)) owned = now
      return false
    })
    const [name, { pid, starts }] = all().find(([, one]) => isStopped(one.pid))!
    const units = owned.filter(({ owner }) => owner === name).map(({ unit }) => unit)
    assert.ok(units.length > 0, `${name} owned nothing of ${JSON.stringify(owned)}`)
    return { name, pid, starts, units }
  }

  async #ownedNow(service: ServiceName): Promise<Owned[]> {
    const names = unitsOf(service, this.settings).map((unit) => unit.name)
    return (await this.table.owned()).filter(({ unit }) => names.includes(unit))
  }

  #isWhole(service: ServiceName, owned: readonly Owned[]): boolean {
    return owned.length === unitsOf(service, this.settings).length
  }

  /** Each unit has an owner, and the two processes of a service have as many each as can be. */
  async #isShared(service: ServiceName): Promise<boolean> {
    const units = unitsOf(service, this.settings)
    const owned = await this.#ownedNow(service)
    const [one = 0, two = 0] = [service, `${service}-2`].map(
      (name) => owned.filter(({ owner }) => owner === name).length,
    )
    return one + two === units.length && Math.abs(one - two) <= 1
  }
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended.
  }
}
