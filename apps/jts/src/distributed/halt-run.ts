/**
 * A halt of a distributed run whose supervisor is dead or was ended: written for the unit of every account that it is about, which takes it before
 * it sends anything, or at once where its process has been left behind. A database of the run's own has ended with its
 * supervisor, and is started for this alone.
 */
import { join } from 'node:path'
import type { AccountId } from '@jts/model'
import type { Halt, OpenOnDisk } from '@jts/order-execution/open-orders'
import { startPostgres, type PostgresServer } from '@jts/servers'
import { HaltTable } from '@jts/transport/store/halt-table'
import { connectPostgres, migrate } from '@jts/transport/store/postgres-connection'
import { isHaltedInUnit, openInUnit } from './open-in-unit.ts'
import { databaseUrlOf, readRunFile, RUN_FILE, settingsOf } from './run-file.ts'
import { placed } from './routed.ts'
import { unitOfAccount } from './units.ts'

/** The former server goes with its supervisor, which takes a moment. */
const STARTED_WITHIN_MS = 15_000
const AGAIN_MS = 200

export type WrittenHalt = {
  /** What stands: a unit that a person has halted is not opened by a halt that only reduces. */
  readonly starts: Halt['state']
  /** What is open, as the rows say it. */
  readonly left: ReadonlyMap<AccountId, OpenOnDisk>
}

export async function haltRun(
  folder: string,
  said: Halt & { readonly reason: string; readonly by: string },
): Promise<WrittenHalt> {
  const run = readRunFile(join(folder, RUN_FILE))
  const settings = await settingsOf(run)
  const strategies = new Map(settings.instances.map(({ instance, account }) => [instance as string, account as string]))
  const halt = placed({ ...said, account: '' }, strategies)
  const accounts = settings.accounts
    .map(({ account }) => account)
    .filter((account) => halt.account === '' || halt.account === account)
  const own = run.databaseUrl === undefined ? undefined : await ownServer(join(folder, 'servers', 'postgres'))
  const sql = connectPostgres(own?.url ?? databaseUrlOf(run), 'halt')
  try {
    await migrate(sql, run.namespace)
    const units = accounts.map((account) => unitOfAccount('order-execution', account))
    await new HaltTable(sql, run.namespace).write(units, halt)
    let starts = halt.state
    const left = new Map<AccountId, OpenOnDisk>()
    for (const account of accounts) {
      left.set(account, await openInUnit(sql, run.namespace, account, halt))
      if (await isHaltedInUnit(sql, run.namespace, account, halt)) starts = 'halted'
    }
    return { starts, left }
  } finally {
    await sql.end({ timeout: 2 })
    await own?.stop()
  }
}

async function ownServer(dir: string): Promise<PostgresServer> {
  for (const end = performance.now() + STARTED_WITHIN_MS; ;) {
    try {
      return await startPostgres({ dir })
    } catch (error) {
      if (performance.now() > end) throw error
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
    }
  }
}
