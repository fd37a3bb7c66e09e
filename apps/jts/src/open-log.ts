/** The event log of a run, for whoever only looks: in a folder's own file, or on the Kafka of a distributed run. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Archive, ARCHIVE_FOLDER, openForReading, SqliteLog, type Bus } from '@jts/transport'
import { UserError } from './cli.ts'
import { RUN_FILE } from './distributed/run-file.ts'

export type OpenedLog = { readonly log: Pick<Bus, 'read'>; close(): Promise<void> }

/** @throws UserError when there is none, or when its Kafka does not answer. */
export async function openLog(folder: string): Promise<OpenedLog> {
  const runFile = join(folder, RUN_FILE)
  if (existsSync(runFile)) {
    const { openRunLog } = await import('./distributed/run-log.ts')
    return await openRunLog(runFile)
  }
  const file = join(folder, 'jts.sqlite')
  if (!existsSync(file)) throw new UserError(`expected the state of a run in ${folder}, found none`)
  const database = openForReading(file)
  return {
    log: new SqliteLog(database, new Archive(join(folder, ARCHIVE_FOLDER)), { isShared: true }),
    close() {
      database.close()
      return Promise.resolve()
    },
  }
}
