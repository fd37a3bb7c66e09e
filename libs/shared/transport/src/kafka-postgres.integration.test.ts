import { randomBytes } from 'node:crypto'
import { Activity, createLogger, silentLogger, systemClock } from '@jts/runtime'
import { provideKafka, providePostgres, type ProvidedKafka, type ProvidedPostgres } from '@jts/servers'
import { KafkaBus } from './bus/kafka/bus.ts'
import { positions, transportContract, values, type Opened } from './contract/transport-contract.ts'
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

/** Idle, and each group has handled what was produced. A partition that is stopped is waited for no longer. */
async function settled(activity: Activity, bus: KafkaBus): Promise<void> {
  for (let stable = 0; stable < 2;) {
    await activity.whenIdle()
    stable = bus.isCaughtUp() ? stable + 1 : 0
    await new Promise((resolve) => setTimeout(resolve, stable === 0 ? 5 : 0))
  }
}
