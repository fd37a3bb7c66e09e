/** The candles that the collector keeps, for whoever only looks: in a folder's own file, or in a distributed run's database. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { openForReading } from '@jts/transport'
import { connectPostgres } from '@jts/transport/store/postgres-connection'
import { UserError } from '../cli.ts'
import { databaseUrlOf, readRunFile, RUN_FILE } from '../distributed/run-file.ts'

export type CollectedCandle = {
  readonly openTimeUs: number
  readonly closeTimeUs: number
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly volume: number
}
type Series = { readonly instrument: string; readonly timeframe: string }

export type CollectedCandles = {
  /** Oldest first. */
  read(instrument: string, timeframe: string): AsyncIterable<CollectedCandle>
  series(): Promise<readonly Series[]>
  close(): Promise<void>
}

const TABLE = 'collector_candles'
const COLUMNS = 'open_time_us AS "openTimeUs", close_time_us AS "closeTimeUs", open, high, low, close, volume'
const PAGE = 5000

/** @throws UserError when there is no state, or when its database does not answer */
export async function openCandles(folder: string): Promise<CollectedCandles> {
  const runFile = join(folder, RUN_FILE)
  if (existsSync(runFile)) return await inDatabase(runFile)
  const file = join(folder, 'jts.sqlite')
  if (!existsSync(file)) throw new UserError(`expected the state of a run in ${folder}, found none`)
  const database = openForReading(file)
  const isThere = database.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(TABLE) !== undefined
  return {
    async *read(instrument, timeframe) {
      if (!isThere) return
      const select = `SELECT ${COLUMNS} FROM ${TABLE} WHERE instrument = ? AND timeframe = ? ORDER BY open_time_us`
      await Promise.resolve()
      yield* database.prepare(select).iterate(instrument, timeframe) as Iterable<CollectedCandle>
    },
    series: () =>
      Promise.resolve(
        isThere ? (database.prepare(`SELECT DISTINCT instrument, timeframe FROM ${TABLE}`).all() as Series[]) : [],
      ),
    close() {
      database.close()
      return Promise.resolve()
    },
  }
}

/** Each unit has a schema of its own, and each instrument one unit. */
async function inDatabase(runFile: string): Promise<CollectedCandles> {
  const run = readRunFile(runFile)
  const sql = connectPostgres(databaseUrlOf(run), 'export')
  let tables: string[]
  try {
    const rows = await sql<{ schema: string }[]>`
      SELECT table_schema AS schema FROM information_schema.tables
      WHERE table_name = ${TABLE} AND starts_with(table_schema, ${`${run.namespace}.`})`
    tables = rows.map(({ schema }) => `"${schema}".${TABLE}`)
  } catch (cause) {
    await sql.end({ timeout: 1 })
    throw new UserError('expected the database of this run to answer, found that it does not: start the run first', {
      cause,
    })
  }
  return {
    async *read(instrument, timeframe) {
      for (const table of tables) {
        for (let after = -1; ;) {
          const page = await sql.unsafe<CollectedCandle[]>(
            `SELECT ${COLUMNS} FROM ${table} WHERE instrument = $1 AND timeframe = $2 AND open_time_us > $3 ORDER BY open_time_us LIMIT ${PAGE}`,
            [instrument, timeframe, after],
          )
          yield* page
          if (page.length < PAGE) break
          after = page.at(-1)!.openTimeUs
        }
      }
    },
    async series() {
      const found = await Promise.all(
        tables.map((table) => sql.unsafe<Series[]>(`SELECT DISTINCT instrument, timeframe FROM ${table}`)),
      )
      return found.flat()
    },
    close: () => sql.end({ timeout: 1 }),
  }
}
