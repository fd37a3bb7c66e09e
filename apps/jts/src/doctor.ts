/** What a machine needs to run JTS, as questions with answers for a person. Nothing here changes anything. */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { silentLogger } from '@jts/runtime'
import { answers, isFree, JAVA_OLDEST, javaVersion, kafkaInstalled, onPath, postgresFolders } from '@jts/servers'
import { KafkaClient } from '@jts/transport/bus/kafka/client'
import { checkTls, type TlsFiles } from '@jts/transport/rpc/tls'
import { readConfig, type JtsConfig } from './config.ts'
import { readRunFile, RUN_FILE } from './distributed/run-file.ts'
import { brokers } from './doctor-brokers.ts'

export type Finding = {
  readonly about: string
  /** `note`: only some ways of running JTS need it. */
  readonly state: 'ok' | 'note' | 'mend'
  readonly found: string
  readonly mend?: string
}

export type DoctorOptions = {
  readonly config?: string | undefined
  readonly dataDir?: string | undefined
  readonly port?: number | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** How long a server or a broker may take to answer. */
  readonly answerMs?: number
  readonly freeBytesOf?: (folder: string) => number
}

const NODE_OLDEST = 24
const DISK_LOW_BYTES = 2 * 1024 ** 3
const DISK_LEAST_BYTES = 200 * 1024 ** 2
const PORT_DEFAULT = 8700
const ANSWER_MS = 3000

export async function examine(options: DoctorOptions): Promise<Finding[]> {
  const { file, finding, config } = readConfiguration(options)
  const { answerMs = ANSWER_MS, freeBytesOf = freeBytes } = options
  const servers = { env: options.env, answerMs }
  const dataDir = resolve(options.dataDir ?? join('.jts', config?.mode ?? 'sim'))
  return [
    nodeVersion(process.versions.node),
    diskSpace(dataDir, freeBytesOf),
    await dashboardPort(options.port ?? config?.port ?? PORT_DEFAULT),
    finding,
    ...(config === undefined ? [] : await brokers(config, file === undefined, answerMs)),
    ...(config?.distributed?.tls === undefined ? [] : [tlsFiles(config.distributed.tls)]),
    await kafka(servers, dataDir),
    await postgres(servers),
    await redis(servers),
  ]
}

export function nodeVersion(version: string): Finding {
  const about = 'Node.js'
  if (Number(version.split('.')[0]) >= NODE_OLDEST) return { about, state: 'ok', found: version }
  const mend = `start with ./jts on Linux (x64), which brings its own, or install Node.js ${NODE_OLDEST}`
  return { about, state: 'mend', found: `${version}, expected ${NODE_OLDEST} or newer`, mend }
}

function diskSpace(folder: string, freeBytesOf: (folder: string) => number): Finding {
  const about = 'data folder'
  // The folder may not be there yet: then where it would be made.
  let there = folder
  while (!existsSync(there)) there = dirname(there)
  try {
    accessSync(there, constants.W_OK)
  } catch {
    return { about, state: 'mend', found: `${there} cannot be written to`, mend: 'give another one with --data-dir' }
  }
  return freeSpace(folder, freeBytesOf(there))
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

export function freeSpace(folder: string, bytes: number): Finding {
  const about = 'data folder'
  const found = `${folder}, ${(bytes / 1024 ** 3).toFixed(1)} GB free`
  const mend = 'make room: JTS ends rather than trade what it cannot write down'
  if (bytes < DISK_LEAST_BYTES) return { about, state: 'mend', found, mend }
  return bytes < DISK_LOW_BYTES ? { about, state: 'note', found, mend } : { about, state: 'ok', found }
}

async function dashboardPort(port: number): Promise<Finding> {
  const about = 'port of the dashboard'
  if (await isFree(port)) return { about, state: 'ok', found: `${port} is free` }
  return {
    about,
    state: 'note',
    found: `${port} is taken, perhaps by a JTS that runs`,
    mend: 'the next free one is used, unless you ask for this one with --port',
  }
}

type Read = { readonly file: string | undefined; readonly finding: Finding; readonly config: JtsConfig | undefined }

function readConfiguration(options: DoctorOptions): Read {
  const about = 'configuration'
  const file = options.config ?? (existsSync('jts.yaml') ? 'jts.yaml' : undefined)
  try {
    const config = readConfig(file)
    const found = file === undefined ? 'none: the example strategies in mode sim' : `${file}, mode ${config.mode}`
    return { file, finding: { about, state: 'ok', found }, config }
  } catch (error) {
    const mend = 'jts.example.yaml shows every part'
    return { file, finding: { about, state: 'mend', found: (error as Error).message, mend }, config: undefined }
  }
}

export function tlsFiles(files: TlsFiles): Finding {
  const about = 'TLS between processes'
  try {
    checkTls(files)
    return { about, state: 'ok', found: `${files.cert} is valid, and its key fits` }
  } catch (error) {
    const mend = 'make a certificate of the run’s authority: docs/guides/several-machines.md'
    return { about, state: 'mend', found: (error as Error).message, mend }
  }
}

type Servers = Pick<DoctorOptions, 'env'> & { readonly answerMs: number }

async function kafka({ env, answerMs }: Servers, dataDir: string): Promise<Finding> {
  const about = 'Kafka (--distributed)'
  const given = env['KAFKA_BROKERS']
  if (given) {
    const finding = await givenServer(about, 'KAFKA_BROKERS', given.split(',')[0]!, { usualPort: 9092, answerMs })
    return finding.state === 'ok' ? await givenTopics(finding, given.split(','), dataDir) : finding
  }
  const java = javaVersion()
  if (java < JAVA_OLDEST) {
    const mend = 'apt-get install openjdk-17-jre-headless, or set KAFKA_BROKERS'
    return { about, state: 'note', found: java === 0 ? 'no Java' : `Java ${java}, expected ${JAVA_OLDEST}`, mend }
  }
  if (kafkaInstalled()) return { about, state: 'ok', found: `its jars and Java ${java} are there` }
  if (onPath('mvn'))
    return { about, state: 'ok', found: `Java ${java}; its jars are fetched when they are first needed` }
  return {
    about,
    state: 'note',
    found: 'no Maven to fetch its jars',
    mend: 'apt-get install maven, or set KAFKA_BROKERS',
  }
}

/** Before the first start of this folder's run there are no topics: then the start itself says what they lack. */
async function givenTopics(finding: Finding, brokers: readonly string[], dataDir: string): Promise<Finding> {
  const file = join(dataDir, RUN_FILE)
  if (!existsSync(file)) return finding
  try {
    const { namespace } = readRunFile(file)
    const client = new KafkaClient({ brokers, prefix: `${namespace}.`, clientId: 'doctor', log: silentLogger })
    const risk = await client.ping()
    if (risk === undefined) return finding
    const mend = 'let its topics have flush.messages=1, or copies on other machines (default.replication.factor)'
    return { ...finding, state: 'note', found: risk, mend }
  } catch (error) {
    const found = `its topics cannot be asked for: ${(error as Error).message}`
    return { ...finding, state: 'note', found, mend: 'check KAFKA_BROKERS, and the run file of the data folder' }
  }
}

async function postgres({ env, answerMs }: Servers): Promise<Finding> {
  const about = 'PostgreSQL (--distributed)'
  const given = env['DATABASE_URL']
  if (given)
    return await givenServer(about, 'DATABASE_URL', URL.parse(given)?.host ?? '', { usualPort: 5432, answerMs })
  const versions = [...postgresFolders().keys()]
  if (versions.length > 0) return { about, state: 'ok', found: `version ${versions.join(', ')} is there` }
  return { about, state: 'note', found: 'none', mend: 'apt-get install postgresql, or set DATABASE_URL' }
}

async function redis({ env, answerMs }: Servers): Promise<Finding> {
  const about = 'Redis (--distributed)'
  const given = env['REDIS_URL']
  if (given) return await givenServer(about, 'REDIS_URL', URL.parse(given)?.host ?? '', { usualPort: 6379, answerMs })
  if (onPath('redis-server')) return { about, state: 'ok', found: 'redis-server is there' }
  return { about, state: 'note', found: 'none', mend: 'apt-get install redis-server, or set REDIS_URL' }
}

/** Never the whole address: it may hold a password. */
async function givenServer(
  about: string,
  variable: string,
  host: string,
  { usualPort, answerMs }: { readonly usualPort: number; readonly answerMs: number },
): Promise<Finding> {
  const mend = `start that server, or unset ${variable} to have one started here`
  const address = URL.parse(`tcp://${host}`)
  if (host === '' || address === null) {
    return { about, state: 'mend', found: `${variable} names no host`, mend }
  }
  const port = Number(address.port) || usualPort
  const answer = await answers(address.hostname.replace(/^\[|\]$/g, ''), port, answerMs)
  if (answer === true) return { about, state: 'ok', found: `${host} of ${variable} answers` }
  return { about, state: 'mend', found: `${host} of ${variable}: ${answer}`, mend }
}
