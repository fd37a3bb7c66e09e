/** A server that is there already, named by a variable, or one of our own. */
import { answers } from './ports.ts'
import { startKafka, type KafkaServer } from './kafka.ts'
import { startPostgres, type PostgresOptions, type PostgresServer } from './postgres.ts'
import { startRedis, type RedisOptions, type RedisServer } from './redis.ts'
import type { ServerOptions } from './server.ts'

type Provided<S> = {
  /** Ours; undefined when it was given: then nobody here may kill or restart it. */
  readonly server: S | undefined
  /** Stops ours; a given one goes on. */
  stop(): Promise<void>
}

export type ProvidedKafka = Provided<KafkaServer> & { readonly brokers: readonly string[] }
export type ProvidedRedis = Provided<RedisServer> & { readonly url: string }
export type ProvidedPostgres = Provided<PostgresServer> & { readonly url: string }

/** The brokers of `KAFKA_BROKERS` (`host:port,host:port`), or a Kafka of our own. */
export async function provideKafka({ answerMs, ...options }: ServerOptions & Given = {}): Promise<ProvidedKafka> {
  const given = process.env['KAFKA_BROKERS']
  if (given) {
    const brokers = given.split(',').map((broker) => broker.trim())
    await requireAnswer('KAFKA_BROKERS', brokers, { defaultPort: 9092, answerMs })
    return { ...notOurs, brokers }
  }
  const server = await startKafka(options)
  return { server, brokers: server.brokers, stop: () => server.stop() }
}

/** The server of `REDIS_URL`, or a Redis of our own. */
export async function provideRedis({ answerMs, ...options }: RedisOptions & Given = {}): Promise<ProvidedRedis> {
  const url = process.env['REDIS_URL']
  if (url) {
    await requireAnswer('REDIS_URL', hostsOf(url), { defaultPort: 6379, answerMs })
    return { ...notOurs, url }
  }
  const server = await startRedis(options)
  return { server, url: server.url, stop: () => server.stop() }
}

/** The database of `DATABASE_URL`, or a PostgreSQL of our own. */
export async function providePostgres({
  answerMs,
  ...options
}: PostgresOptions & Given = {}): Promise<ProvidedPostgres> {
  const url = process.env['DATABASE_URL']
  if (url) {
    await requireAnswer('DATABASE_URL', hostsOf(url), { defaultPort: 5432, answerMs })
    return { ...notOurs, url }
  }
  const server = await startPostgres(options)
  return { server, url: server.url, stop: () => server.stop() }
}

type Given = {
  /** How long a given server may take to answer. */
  readonly answerMs?: number | undefined
}

const notOurs = { server: undefined, stop: (): Promise<void> => Promise.resolve() }

const ANSWER_MS = 5000

/** A client may wait for ever for a server that is not there: better to hear it at once, and without the password. */
async function requireAnswer(
  variable: string,
  hosts: readonly string[],
  { defaultPort, answerMs = ANSWER_MS }: Given & { readonly defaultPort: number },
): Promise<void> {
  const results = await Promise.all(
    hosts.map(async (each) => {
      const { hostname, port } = new URL(`tcp://${each}`)
      const answer = await answers(hostname.replace(/^\[|\]$/g, ''), Number(port) || defaultPort, answerMs)
      return answer === true || `${each}: ${answer}`
    }),
  )
  if (results.length === 0 || results.includes(true)) return
  throw new Error(
    `expected a server at ${variable}; found none (${results.join('; ')}). Start it, or unset ${variable} to have one started here.`,
  )
}

/** None for a form that names no host, or several: the client will tell. */
function hostsOf(url: string): string[] {
  const host = URL.parse(url)?.host
  return host ? [host] : []
}
