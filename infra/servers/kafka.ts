/** An Apache Kafka of our own: one process that is broker and controller (KRaft), on loopback, without a password. */
import { randomBytes } from 'node:crypto'
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openFolder, type Folder } from './folder.ts'
import { KAFKA_CLASSPATH, KAFKA_LOGGING, installKafka } from './kafka-jars.ts'
import { LOOPBACK, freePort } from './ports.ts'
import { run, type Command } from './processes.ts'
import { requireJava, requireProgram } from './programs.ts'
import { startServer, type Server, type ServerOptions } from './server.ts'

export type KafkaServer = Server & { readonly brokers: readonly string[] }

const HEAP = ['-Xms128m', '-Xmx512m']
/** A tool is over before the optimising compiler pays. */
const SHORT_LIVED = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']
const FORMAT_SECONDS = 180

export type KafkaOptions = ServerOptions & {
  /** The port that clients are told, where something stands between them and the server. */
  readonly advertisedPort?: number
}

export async function startKafka(options: KafkaOptions = {}): Promise<KafkaServer> {
  requireProgram('setpriv', 'util-linux', 'KAFKA_BROKERS')
  requireJava('KAFKA_BROKERS')
  await installKafka((words) => process.stderr.write(`${words}\n`))
  const folder = openFolder('kafka', options.dir)
  const config = join(folder.path, 'server.properties')
  const server = await startServer({
    name: 'kafka',
    folder,
    port: options.port,
    stopSignal: 'SIGTERM',
    prepare: async (port) => {
      if (!existsSync(join(folder.path, 'data'))) await format(folder)
      const told = options.advertisedPort ?? port
      writeFileSync(config, propertiesOf(join(folder.path, 'data'), port, await freePort(), told))
      return java(HEAP, 'kafka.Kafka', [config])
    },
    isReady: async ({ log }) => log.includes('Kafka Server started'),
  })
  return Object.assign(server, { brokers: [`${LOOPBACK}:${options.advertisedPort ?? server.port}`] })
}

/** One of Kafka's own command line tools, such as `org.apache.kafka.tools.consumer.ConsoleConsumer`. */
export async function runKafkaTool(
  mainClass: string,
  args: readonly string[],
  options: { readonly input?: string; readonly timeoutMs: number },
): Promise<string> {
  requireJava('KAFKA_BROKERS')
  await installKafka((words) => process.stderr.write(`${words}\n`))
  return await run(java(SHORT_LIVED, mainClass, args), options)
}

function java(options: readonly string[], mainClass: string, args: readonly string[]): Command {
  const logging = `-Dlog4j2.configurationFile=${KAFKA_LOGGING}`
  return { command: 'java', args: [...options, '-cp', KAFKA_CLASSPATH, logging, mainClass, ...args] }
}

/** Made beside its place and moved there when whole. */
async function format(folder: Folder): Promise<void> {
  const making = join(folder.path, 'data.new')
  const config = join(folder.path, 'format.properties')
  rmSync(making, { recursive: true, force: true })
  writeFileSync(config, propertiesOf(making, 1, 2))
  // Joined to its option: one id in 64 begins with a dash, and would be taken for another option.
  const cluster = randomBytes(16).toString('base64url')
  await runKafkaTool('kafka.tools.StorageTool', ['format', `--cluster-id=${cluster}`, '--config', config], {
    timeoutMs: FORMAT_SECONDS * 1000,
  })
  rmSync(config)
  renameSync(making, join(folder.path, 'data'))
}

function propertiesOf(data: string, port: number, controllerPort: number, advertisedPort = port): string {
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@${LOOPBACK}:${controllerPort}`,
    listeners: `CLIENT://${LOOPBACK}:${port},CONTROLLER://${LOOPBACK}:${controllerPort}`,
    'advertised.listeners': `CLIENT://${LOOPBACK}:${advertisedPort}`,
    'listener.security.protocol.map': 'CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'CLIENT',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': data.replaceAll('\\', '\\\\'),
    // A topic that nobody made is a mistake in a name.
    'auto.create.topics.enable': false,
    // There is one broker to hold a copy.
    'default.replication.factor': 1,
    'min.insync.replicas': 1,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    // 50 each by default, which costs a second when the first consumer comes.
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.num.partitions': 4,
    // A consumer need not wait for others to join.
    'group.initial.rebalance.delay.ms': 0,
    // After a kill the controller waits for the former self to be given up: 3 s, by default 9 s.
    'broker.session.timeout.ms': 3000,
    'broker.heartbeat.interval.ms': 500,
    // log.flush.* stays as it is: topics whose events must survive a power cut say so themselves.
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
