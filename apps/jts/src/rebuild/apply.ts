/** Writes the ledgers that the log says over those that a service keeps: only where nothing runs. */
import { join } from 'node:path'
import { silentLogger, systemClock } from '@jts/runtime'
import { ledgers } from '@jts/portfolio-tracker/adapters/tables'
import { books } from '@jts/risk-management/adapters/tables'
import { lockFolder, SqliteStore, type Store, type Turn } from '@jts/transport'
import { PostgresStore, UnitTakenError } from '@jts/transport/store/postgres'
import { UserError } from '../cli.ts'
import { databaseUrlOf, type RunFile } from '../distributed/run-file.ts'
import type { Mended } from './rebuild.ts'

const OWNER = 'rebuild'

function fatal(reason: string, cause: unknown): never {
  throw new Error(reason, { cause })
}

/** @throws FolderInUseError when a process runs on the folder */
export async function applyToFolder(folder: string, work: () => Promise<readonly Mended[]>): Promise<void> {
  const lock = lockFolder(folder)
  try {
    const mended = await work()
    const store = new SqliteStore({ file: join(folder, 'jts.sqlite'), log: silentLogger, fatal })
    await write(store, mended)
    await store.close()
  } finally {
    lock.release()
  }
}

/** Takes each unit as a service would, so that none can write beside it. @throws UserError when one is owned */
export async function applyToRun(run: RunFile, work: () => Promise<readonly Mended[]>): Promise<void> {
  // Looked at first to know the units, then again when they are held: what is written is what they had read to.
  const units = [...new Set((await work()).map((one) => one.unit))]
  const stores = new Map<string, PostgresStore>()
  try {
    for (const unit of units) stores.set(unit, await takeUnit(run, unit))
    const mended = await work()
    for (const [unit, store] of stores) {
      await write(
        store,
        mended.filter((one) => one.unit === unit),
      )
    }
  } finally {
    for (const store of stores.values()) await store.release()
  }
}

async function takeUnit(run: RunFile, unit: string): Promise<PostgresStore> {
  try {
    return await PostgresStore.open({
      url: databaseUrlOf(run),
      namespace: run.namespace,
      unit,
      owner: OWNER,
      log: silentLogger,
      wallClock: systemClock,
      fatal,
    })
  } catch (error) {
    if (!(error instanceof UnitTakenError)) throw error
    throw new UserError(`expected ${unit} to be stopped, found that a process owns it; stop it and say --apply again`)
  }
}

async function write(store: Store, mended: readonly Mended[]): Promise<void> {
  store.ensure([ledgers, books] as never[])
  store.transact((turn) => {
    for (const one of mended) writeRow(turn, one)
  }, 'durable')
  await store.durable()
}

function writeRow(turn: Turn, { service, account, ledger, fillCount }: Mended): void {
  const text = JSON.stringify(ledger)
  if (service === 'risk-management') return turn.put(books, { account, ledger: text })
  // Whether it agrees with the broker is for the next comparison to say.
  turn.put(ledgers, { account, ledger: text, fill_count: fillCount, reconciled: 'unchecked', differences: '[]' })
}
