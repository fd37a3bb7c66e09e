import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { Activity, createLogger, silentLogger, systemClock } from '@jts/runtime'
import { provideKafka, providePostgres, runKafkaTool, type ProvidedKafka, type ProvidedPostgres } from '@jts/servers'
import { KafkaBus } from './bus/kafka/bus.ts'
import { accepted, positions, transportContract, values, type Opened } from './contract/transport-contract.ts'
import { PostgresStore } from './store/postgres.ts'

const log = process.env['JTS_LOG_LEVEL'] === undefined ? silentLogger : createLogger({ name: 'test' })
let servers: Promise<{ kafka: ProvidedKafka; postgres: ProvidedPostgres }> | undefined

function start(): Promise<{ kafka: ProvidedKafka; postgres: ProvidedPostgres }> {
  servers ??= Promise.all([provideKafka(), providePostgres()]).then(([kafka, postgres]) => ({ kafka, postgres }))
  return servers
}

transportContract({
  name: 'Kafka and PostgreSQL',
  place: async () => {
    const { kafka, postgres } = await start()
    const namespace = `t${randomBytes(4).toString('hex')}`
    const storeOf = (owner: string, activity: Activity, failures: unknown[]): Promise<PostgresStore> =>
      PostgresStore.open({
        url: postgres.url,
        namespace,
        unit: 'unit',
        owner,
        log,
        activity,
        wallClock: systemClock,
        fatal: (reason, cause) => failures.push({ reason, cause }),
        // Longer than a test: no renewal comes between.
        leaseMs: 600_000,
      })
    return {
      open: async (): Promise<Opened> => {
        const failures: unknown[] = []
        const activity = new Activity()
        const store = await storeOf('first', activity, failures)
        store.ensure([positions, values] as never[])
        const bus = new KafkaBus({
          store,
          kafka: { brokers: kafka.brokers, prefix: `${namespace}.`, clientId: 'test' },
          log,
          activity,
        })
        return {
          store,
          bus,
          failures,
          settled: () => settled(activity, bus),
          close: async () => {
            await bus.stop()
            await store.close()
          },
        }
      },
      takeOver: async () => {
        // The very same name: as a supervisor starts a service again that it holds for dead.
        await (await storeOf('first', new Activity(), [])).close()
      },
    }
  },
  stop: async () => {
    if (servers === undefined) return
    const { kafka, postgres } = await servers
    await Promise.all([kafka.stop(), postgres.stop()])
  },
})

test('Kafka’s own console consumer reads a topic: keys, headers and events, alone and in compressed batches', async () => {
  const { kafka, postgres } = await start()
  const namespace = `t${randomBytes(4).toString('hex')}`
  const activity = new Activity()
  const store = await PostgresStore.open({
    url: postgres.url,
    namespace,
    unit: 'order-execution.sim.binance.main',
    owner: 'first',
    log,
    activity,
    wallClock: systemClock,
    fatal: (reason, cause) => assert.fail(`${reason}: ${String(cause)}`),
  })
  const kafkaOptions = { brokers: kafka.brokers, prefix: `${namespace}.`, clientId: 'test' }
  const bus = new KafkaBus({ store, kafka: kafkaOptions, log, activity })
  await bus.start()
  const account = 'sim.binance.main'
  store.transact((turn) => turn.publish('orders.events', accepted(account, 1)))
  await settled(activity, bus)
  // One commit, and so one batch.
  const more = Array.from({ length: 200 }, (_, n) => n + 2)
  store.transact((turn) => more.forEach((n) => turn.publish('orders.events', accepted(account, n))))
  await settled(activity, bus)
  const consumer = 'org.apache.kafka.tools.consumer.ConsoleConsumer'
  const topic = `${namespace}.orders.events`
  const shown = ['print.key', 'print.headers', 'print.value'].flatMap((name) => ['--property', `${name}=true`])
  const from = ['--topic', topic, '--from-beginning', '--max-messages', '201', '--timeout-ms', '100000']
  const stdout = await runKafkaTool(consumer, ['--bootstrap-server', kafka.brokers[0]!, ...from, ...shown], {
    timeoutMs: 120_000,
  })
  for (const n of [1, 2, 201]) assert.match(stdout, new RegExp(`orders\\.events/sim\\.binance\\.main/${n}\\b`))
  assert.equal(stdout.split('unit:order-execution.sim.binance.main,epoch:1').length, 202)
  assert.match(stdout, /\tsim\.binance\.main\t/)
  await bus.stop()
  await store.close()
})

/** Idle, and each group has handled what was produced. A partition that is stopped is waited for no longer. */
async function settled(activity: Activity, bus: KafkaBus): Promise<void> {
  for (let stable = 0; stable < 2;) {
    await activity.whenIdle()
    stable = bus.isCaughtUp() ? stable + 1 : 0
    await new Promise((resolve) => setTimeout(resolve, stable === 0 ? 5 : 0))
  }
}
