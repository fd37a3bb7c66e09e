/** The tables and the log of a data folder at one moment, also while JTS runs: in a file, or on the servers of a distributed run. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { decodeEvent, partitionOf, TOPICS, type BusEvent, type Topic } from '@jts/contracts'
import { Archive, ARCHIVE_FOLDER, openForReading, SqliteLog, type Bus } from '@jts/transport'
import { connectPostgres } from '@jts/transport/store/postgres-connection'
import { sharedSchemaName, unitSchemaName } from '@jts/transport/store/postgres-schema'
import { UserError } from '../cli.ts'
import { databaseUrlOf, readRunFile, RUN_FILE } from '../distributed/run-file.ts'
import { openRunLog } from '../distributed/run-log.ts'

export type Tables = {
  rows(name: string): readonly Record<string, unknown>[]
  /** Where a service's group will go on with a partition of the moment's topic. */
  next(service: string, partition: number): number
}

export type Moment = {
  /** One process has one unit. */
  readonly units: readonly { readonly unit: string; readonly tables: Tables }[]
  /** The last sequence of each stream of the topic. */
  readonly sequences: ReadonlyMap<string, number>
  readonly log: Pick<Bus, 'read'>
  close(): Promise<void>
}

/** What is wanted of it: these tables, and this topic with all that has been said on it. */
export type Wanted = { readonly tables: readonly { readonly name: string }[]; readonly topic: Topic }

export function openMoment(folder: string, wanted: Wanted): Promise<Moment> {
  if (existsSync(join(folder, RUN_FILE))) return openRun(join(folder, RUN_FILE), wanted)
  const file = join(folder, 'jts.sqlite')
  if (!existsSync(file)) throw new UserError(`expected the state of a run in ${folder}, found none`)
  return Promise.resolve(openFile(folder, file, wanted))
}

function openFile(folder: string, file: string, { topic }: Wanted): Moment {
  const database = openForReading(file)
  // One moment for the tables and the log, whatever a running process writes meanwhile.
  database.exec('BEGIN')
  const select = "SELECT name FROM sqlite_master WHERE type = 'table'"
  const names = new Set(
    database
      .prepare(select)
      .all()
      .map((row) => row['name'] as string),
  )
  const offsets = database.prepare('SELECT next FROM bus_offsets WHERE consumer = ? AND topic = ? AND partition = ?')
  const tables: Tables = {
    rows: (name) => (names.has(name) ? database.prepare(`SELECT * FROM ${name}`).all() : []),
    next: (service, partition) => (offsets.get(service, topic, partition)?.['next'] as number | undefined) ?? 0,
  }
  const sequences = database.prepare('SELECT stream, sequence FROM bus_sequences WHERE topic = ?').all(topic)
  return {
    units: [{ unit: 'this process', tables }],
    sequences: sequencesOf(sequences),
    log: new SqliteLog(database, new Archive(join(folder, ARCHIVE_FOLDER))),
    close: () => {
      database.close()
      return Promise.resolve()
    },
  }
}

/** Of a distributed run: what Kafka has not been given yet is still in the outbox, and is part of that moment. */
async function openRun(file: string, { tables: wanted, topic }: Wanted): Promise<Moment> {
  const run = readRunFile(file)
  const opened = await openRunLog(file)
  const sql = connectPostgres(databaseUrlOf(run), 'rebuild')
  const shared = sharedSchemaName(run.namespace)
  const moment = await sql.begin('ISOLATION LEVEL REPEATABLE READ READ ONLY', async (transaction) => {
    const offsets = await transaction.unsafe(
      `SELECT unit, consumer, partition, next FROM ${shared}.offsets WHERE topic = $1`,
      [topic],
    )
    const units = []
    for (const { unit } of await transaction.unsafe(`SELECT unit FROM ${shared}.units ORDER BY unit`)) {
      const schema = unitSchemaName(run.namespace, unit as string)
      const rows = new Map<string, readonly Record<string, unknown>[]>()
      for (const { name } of wanted) {
        const [there] = await transaction.unsafe('SELECT to_regclass($1) IS NOT NULL AS there', [`${schema}.${name}`])
        if (there!['there'] === true) rows.set(name, [...(await transaction.unsafe(`SELECT * FROM ${schema}.${name}`))])
      }
      const tables: Tables = {
        rows: (name) => rows.get(name) ?? [],
        next: (service, partition) =>
          (offsets.find(
            (row) => row['unit'] === unit && row['consumer'] === service && row['partition'] === partition,
          )?.['next'] as number | undefined) ?? 0,
      }
      units.push({ unit: unit as string, tables })
    }
    const sequences = await transaction.unsafe(`SELECT stream, sequence FROM ${shared}.streams WHERE topic = $1`, [
      topic,
    ])
    const waiting = await transaction.unsafe(
      `SELECT stream, event FROM ${shared}.outbox WHERE topic = $1 ORDER BY stream, sequence`,
      [topic],
    )
    return { units, sequences, waiting }
  })
  return {
    units: moment.units,
    sequences: sequencesOf(moment.sequences),
    log: {
      async *read(read, options = {}): AsyncIterable<BusEvent> {
        yield* opened.log.read(read, options)
        if (read !== topic) return
        // Behind every offset: nobody has read it from Kafka.
        for (const row of moment.waiting) {
          const partition = partitionOf(row['stream'] as string, TOPICS[topic].partitions)
          if ((options.partition ?? partition) !== partition) continue
          yield decodeEvent(row['event'] as Uint8Array, topic, partition, Number.MAX_SAFE_INTEGER)
        }
      },
    },
    async close() {
      await opened.close()
      await sql.end({ timeout: 2 })
    },
  }
}

function sequencesOf(rows: readonly Record<string, unknown>[]): ReadonlyMap<string, number> {
  return new Map(rows.map((row) => [row['stream'] as string, row['sequence'] as number]))
}
