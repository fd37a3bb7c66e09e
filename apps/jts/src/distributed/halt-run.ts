/**
 * A halt of a distributed run whose supervisor is dead or was ended: the row is set in the unit of every account, so that it
 * starts halted. A database of the run's own has ended with its supervisor, and is started for this alone.
 */
import { join } from 'node:path'
import { haltOffline } from '@jts/order-execution'
import { silentLogger, systemClock } from '@jts/runtime'
import { startPostgres, type PostgresServer } from '@jts/servers'
import { PostgresStore, UnitTakenError } from '@jts/transport/store/postgres'
import { databaseUrlOf, readRunFile, RUN_FILE, settingsOf } from './run-file.ts'
import { unitsOf } from './units.ts'

/** Services that were left behind give their units up, or their leases end. */
const TAKEN_WITHIN_MS = 15_000
const AGAIN_MS = 200

export async function haltRun(folder: string, halt: { readonly reason: string; readonly by: string }): Promise<void> {
  const run = readRunFile(join(folder, RUN_FILE))
  const units = unitsOf('order-execution', await settingsOf(run))
  const own = run.databaseUrl === undefined ? undefined : await ownServer(join(folder, 'servers', 'postgres'))
  try {
    for (const { name } of units) {
      const store = await taken(own?.url ?? databaseUrlOf(run), run.namespace, name)
      await haltOffline(store, { ...halt, nowUs: systemClock.nowUs() })
      await store.release()
    }
  } finally {
    await own?.stop()
  }
}

/** The former server goes with its supervisor, which takes a moment. */
async function ownServer(dir: string): Promise<PostgresServer> {
  return await again(
    () => startPostgres({ dir }),
    () => true,
  )
}

function taken(url: string, namespace: string, unit: string): Promise<PostgresStore> {
  const fatal = (reason: string, cause: unknown): never => {
    throw new Error(reason, { cause })
  }
  const options = { url, namespace, unit, owner: 'halt', log: silentLogger, wallClock: systemClock, fatal }
  return again(
    () => PostgresStore.open(options),
    (error) => error instanceof UnitTakenError,
  )
}

async function again<T>(attempt: () => Promise<T>, isPassing: (error: unknown) => boolean): Promise<T> {
  for (const end = performance.now() + TAKEN_WITHIN_MS; ;) {
    try {
      return await attempt()
    } catch (error) {
      if (!isPassing(error) || performance.now() > end) throw error
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
    }
  }
}
