/** `./jts archive`: one pass of retention by hand on a folder that is stopped, or a check of its archive. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { silentLogger, systemClock } from '@jts/runtime'
import { Archive, ARCHIVE_FOLDER, EmbeddedBus, lockFolder, Retention, SqliteStore } from '@jts/transport'
import { EXIT, parseCommand, UserError } from '../cli.ts'
import { archivedToo } from '../housekeeping.ts'
import { RUN_FILE } from '../distributed/run-file.ts'

const SPEC = {
  name: 'archive',
  usage: './jts archive [--data-dir DIR] [--verify] [--json]',
  summary:
    'Moves events that are older than their class from the log to the archive. ./jts up does so by itself every hour; this is for a folder that is stopped. Kafka keeps everything: there is nothing to do in a distributed run.',
  options: {
    'data-dir': { type: 'text', value: 'DIR', help: 'folder of the state (.jts/sim)' },
    verify: { type: 'flag', help: 'only read every file of the archive and check its hash' },
    'market-data': { type: 'flag', help: 'market data too (retention.archiveMarketData of the configuration)' },
    json: { type: 'flag', help: 'one JSON object on standard output' },
  },
} as const

type Moved = { readonly archived: number; readonly deleted: number }

export async function archiveCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(SPEC, argv)
  if (parsed === undefined) return EXIT.ok
  const { options } = parsed
  const folder = resolve(options['data-dir'] ?? '.jts/sim')
  const say = (result: object, text: string): void =>
    void process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${text}\n`)
  if (options.verify) {
    const archive = new Archive(join(folder, ARCHIVE_FOLDER))
    archive.verify()
    const files = archive.all()
    const events = files.reduce((sum, one) => sum + one.events, 0)
    say({ files: files.length, events }, `${files.length} file(s) with ${events} events, each as it was archived.`)
    return EXIT.ok
  }
  if (existsSync(join(folder, RUN_FILE))) {
    throw new UserError(
      `expected a folder of one process, found a distributed run in ${folder}: its Kafka keeps everything`,
    )
  }
  const moved = await archiveFolder(folder, options['market-data'])
  say(moved, `${moved.archived} event(s) archived, ${moved.deleted} gone from the log.`)
  return EXIT.ok
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
