/** The archiver of a distributed run, as its supervisor and `./jts archive` make it. */
import { dirname, join } from 'node:path'
import { systemClock, type Logger } from '@jts/runtime'
import { Archive, ARCHIVE_FOLDER, lockFolder } from '@jts/transport'
import { KafkaArchiver } from '@jts/transport/bus/kafka/archiver'
import type { KafkaClient } from '@jts/transport/bus/kafka/client'
import { KafkaLog } from '@jts/transport/bus/kafka/log'
import type { UnitTable } from '@jts/transport/store/unit-table'
import { archivedToo } from '../housekeeping.ts'

export type RunArchiverOptions = {
  /** The file of the run: its folder holds the archive. */
  readonly runFile: string
  readonly client: KafkaClient
  readonly units: UnitTable
  readonly archiveMarketData: boolean | undefined
  readonly log: Logger
}

export type RunArchiver = {
  /** @throws FolderInUseError when another process archives into the same folder */
  pass(): Promise<{ readonly archived: number; readonly deleted: number }>
  stop(): void
}

export function openArchiver({ runFile, client, units, archiveMarketData, log }: RunArchiverOptions): RunArchiver {
  const folder = join(dirname(runFile), ARCHIVE_FOLDER)
  const archive = new Archive(folder)
  const kafkaLog = new KafkaLog(client, 'archiver', archive)
  const archiver = new KafkaArchiver({
    client,
    log: kafkaLog,
    archive,
    handled: () => units.handled(),
    logger: log,
    archiveToo: archivedToo(archiveMarketData),
  })
  let lock: { release(): void } | undefined
  return {
    async pass() {
      lock ??= lockFolder(folder)
      return await archiver.pass(systemClock.nowUs())
    },
    stop() {
      kafkaLog.stop()
      lock?.release()
    },
  }
}
