/** `./jts archive`: one pass of retention by hand, or again and again where no `up` does it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { TOPIC_NAMES, TOPICS } from '@jts/contracts'
import { createLogger, silentLogger, systemClock } from '@jts/runtime'
import { Archive, ARCHIVE_FOLDER, EmbeddedBus, lockFolder, Retention, SqliteStore } from '@jts/transport'
import { KafkaClient } from '@jts/transport/bus/kafka/client'
import { connectPostgres } from '@jts/transport/store/postgres-connection'
import { UnitTable } from '@jts/transport/store/unit-table'
import { EXIT, parseCommand, UserError } from '../cli.ts'
import { archivedToo, keepHouse } from '../housekeeping.ts'
import { openArchiver } from '../distributed/archiver.ts'
import { databaseUrlOf, readRunFile, RUN_FILE } from '../distributed/run-file.ts'
import { openLog } from '../open-log.ts'
import { untilStopped } from '../process.ts'
import { STATE_FOLDER_HELP, stateFolder } from './state-folder.ts'

const SPEC = {
  name: 'archive',
  usage: './jts archive [--data-dir DIR] [--forever] [--verify] [--json]',
  summary:
    'Moves events that are older than their class from the log to the archive. ./jts up does so by itself every hour; this is for a folder that is stopped, and for a distributed run whose ./jts up is away.',
  options: {
    'data-dir': { type: 'text', value: 'DIR', help: STATE_FOLDER_HELP },
    forever: { type: 'flag', help: 'of a distributed run: soon and then every hour, until it is stopped' },
    verify: { type: 'flag', help: 'only read every file of the archive and check its hash, and that none is missing' },
    'market-data': { type: 'flag', help: 'market data too (retention.archiveMarketData of the configuration)' },
    json: { type: 'flag', help: 'one JSON object on standard output' },
  },
} as const

type Moved = { readonly archived: number; readonly deleted: number }

export async function archiveCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(SPEC, argv)
  if (parsed === undefined) return EXIT.ok
  const { options } = parsed
  const folder = stateFolder(options['data-dir'])
  const say = (result: object, text: string): void =>
    void process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${text}\n`)
  if (options.verify) {
    const archive = new Archive(join(folder, ARCHIVE_FOLDER))
    archive.verify()
    await expectItReachesTheLog(folder)
    const files = archive.all()
    const events = files.reduce((sum, one) => sum + one.events, 0)
    const found = `${files.length} file(s) with ${events} events, each as it was archived.`
    say({ files: files.length, events }, files.length === 0 ? `Nothing has been archived in ${folder}.` : found)
    return EXIT.ok
  }
  const runFile = join(folder, RUN_FILE)
  const isRun = existsSync(runFile)
  if (options.forever && !isRun) throw new UserError(`--forever: expected a distributed run in ${folder}, found none`)
  const moved = isRun
    ? await archiveRun(runFile, options.forever, options['market-data'])
    : await archiveFolder(folder, options['market-data'])
  say(moved, `${moved.archived} event(s) archived, ${moved.deleted} gone from the log.`)
  return EXIT.ok
}

/**
 * Of one process; the log of a distributed run is on its Kafka, which need not be there for this.
 * @throws BusError when the log begins after events that are in no file
 */
async function expectItReachesTheLog(folder: string): Promise<void> {
  if (!existsSync(join(folder, 'jts.sqlite')) || existsSync(join(folder, RUN_FILE))) return
  const { log, close } = await openLog(folder)
  try {
    for (const topic of TOPIC_NAMES) {
      for (let partition = 0; partition < TOPICS[topic].partitions; partition++) {
        for await (const _ of log.read(topic, { partition, limit: 1 })) break
      }
    }
  } finally {
    await close()
  }
}

async function archiveFolder(folder: string, marketData: boolean): Promise<Moved> {
  const file = join(folder, 'jts.sqlite')
  if (!existsSync(file)) throw new UserError(`expected the state of a run in ${folder}, found none`)
  if (existsSync(join(folder, 'run.json'))) {
    throw new UserError(
      `expected ${folder} to hold no replay, found one: its log is a record to compare, and stays whole`,
    )
  }
  const lock = lockFolder(folder)
  const fatal = (reason: string, cause: unknown): never => {
    throw new Error(reason, { cause })
  }
  try {
    const store = new SqliteStore({ file, log: silentLogger, fatal })
    const archive = new Archive(join(folder, ARCHIVE_FOLDER))
    const bus = new EmbeddedBus({ store, log: silentLogger, archive, fatal })
    const retention = new Retention({ store, bus, archive, log: silentLogger, archiveToo: archivedToo(marketData) })
    const moved = await retention.pass(systemClock.nowUs())
    await store.close()
    return moved
  } finally {
    lock.release()
  }
}

async function archiveRun(runFile: string, isForever: boolean, archiveMarketData: boolean): Promise<Moved> {
  const run = readRunFile(runFile)
  if (run.replay) throw new UserError(`expected no replay in ${runFile}, found one: its log stays whole`)
  const log = isForever ? createLogger({ name: 'archiver', mode: run.mode }) : silentLogger
  const client = new KafkaClient({
    brokers: run.kafkaBrokers,
    prefix: `${run.namespace}.`,
    clientId: 'archiver',
    log,
  })
  const sql = connectPostgres(databaseUrlOf(run), 'archiver')
  const archiver = openArchiver({
    runFile,
    client,
    units: new UnitTable(sql, run.namespace),
    archiveMarketData,
    log,
  })
  try {
    if (!isForever) return await archiver.pass()
    let sum = { archived: 0, deleted: 0 }
    const house = keepHouse({
      wallClock: systemClock,
      log,
      pass: async () => {
        const { archived, deleted } = await archiver.pass()
        sum = { archived: sum.archived + archived, deleted: sum.deleted + deleted }
      },
      onState: () => undefined,
    })
    await untilStopped()
    await house.stop()
    return sum
  } finally {
    archiver.stop()
    client.close()
    await sql.end({ timeout: 2 })
  }
}
